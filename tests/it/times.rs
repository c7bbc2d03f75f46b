//! Times mean what they say: microseconds from the year 1 to 9999, and a time without a zone is one of the session.

use datafusion::common::ScalarValue;
use futures::{StreamExt as _, TryStreamExt as _};
use meshgate::flight::wire_schema;
use meshgate::query::{Change, Egress, Setting};

use crate::harness::wire::Served;
use crate::harness::{Mesh, check, error_text, run};

/// A validity with an open end, and one before the clocks had zones.
const MESH: &str = r#"//- mesh.yaml
name: mesh
roles: [reader]
tags: []
classifications: [internal]
//- users.toml
[users.ana]
password = "x"
roles = ["reader"]
//- d/domain.yaml
name: d
owner: {team: crew}
//- d/v.odcs.yaml
apiVersion: v3.1.0
kind: DataContract
id: v
name: v
version: 1.0.0
status: active
domain: d
customProperties: [{property: meshgateClassification, value: internal}]
servers: [{server: local, type: local, path: "{model}.parquet", format: parquet}]
schema:
  - name: v
    properties:
      - {name: id, logicalType: integer}
      - {name: ts, logicalType: timestamp, physicalType: timestamp_ntz}
      - {name: tz, logicalType: timestamp, physicalType: timestamptz}
      - {name: d, logicalType: date}
      - {name: s, logicalType: string}
//- d/policies/all.cedar
@id("all") permit (principal in Role::"reader", action == Action::"read", resource is d::v);
//- data/d/v.parquet
id:i64,ts:ts,tz:tz,d:date,s:utf8
1,2024-07-01T12:00:00,2024-07-01T12:00:00Z,2024-07-01,2024-07-01 12:00:00
2,9999-12-31T23:59:59,9999-12-31T23:59:59Z,9999-12-31,9999-12-31 23:59:59
3,1500-02-28T00:00:00,1500-02-28T00:00:00Z,1500-02-28,1500-02-28
"#;

/// Statements of one column, and its values; each may be an error.
async fn answers(mesh: &Mesh, zone: Option<&str>, rows: &[(&str, &str)]) {
    let session = mesh.session("ana");
    session.set(&Change { setting: Setting::TimeZone, value: zone.map(str::to_owned) }).unwrap();
    let mut wrong = Vec::new();
    for (sql, expect) in rows {
        let got = match run(&session, sql).await {
            Ok(batches) => {
                let answer = crate::harness::render(&batches);
                answer.lines().skip(1).collect::<Vec<_>>().join(", ")
            }
            Err(error) => error_text(&error),
        };
        if got != *expect {
            wrong.push(format!("{sql}\n  is  {got}\n  not {expect}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn open_ends_are_answered() {
    let mesh = Mesh::new(MESH).await;
    let hours = "2024-07-01T12:00:00, 9999-12-31T23:00:00, 1500-02-28T00:00:00";
    let months = "2024-07-01T00:00:00, 9999-12-01T00:00:00, 1500-02-01T00:00:00";
    let zoned = |times: &str| times.replace(", ", "Z, ") + "Z";
    let (hours_zoned, months_zoned) = (zoned(hours), zoned(months));
    answers(
        &mesh,
        None,
        &[
            // Functions
            ("SELECT date_bin(INTERVAL '1 hour', ts) FROM d.v ORDER BY id", hours),
            ("SELECT date_bin(INTERVAL '1 hour', tz) FROM d.v ORDER BY id", &hours_zoned),
            ("SELECT date_bin(INTERVAL '1 month', ts, DATE '2001-01-01') FROM d.v ORDER BY id", months),
            ("SELECT date_bin(INTERVAL '1 hour', ts, TIMESTAMP '1970-01-01T00:00:00Z') FROM d.v ORDER BY id", hours),
            ("SELECT date_trunc('month', ts) FROM d.v ORDER BY id", months),
            ("SELECT date_trunc('month', tz) FROM d.v ORDER BY id", &months_zoned),
            ("SELECT date_trunc('month', d) FROM d.v ORDER BY id", months),
            ("SELECT date_trunc('month', s) FROM d.v ORDER BY id", months),
            ("SELECT to_timestamp(s) FROM d.v WHERE id = 2", "9999-12-31T23:59:59"),
            ("SELECT to_timestamp(s, '%Y-%m-%d %H:%M:%S', '%Y-%m-%d') FROM d.v WHERE id > 1 ORDER BY id", "9999-12-31T23:59:59, 1500-02-28T00:00:00"),
            ("SELECT to_timestamp_seconds(s) FROM d.v WHERE id = 2", "9999-12-31T23:59:59"),
            ("SELECT to_unixtime(s) FROM d.v WHERE id = 2", "253402300799"),
            ("SELECT to_timestamp(253402300799)", "9999-12-31T23:59:59"),
            ("SELECT to_timestamp(253402300799.25)", "9999-12-31T23:59:59.250"),
            ("SELECT date_part('year', ts) FROM d.v ORDER BY id", "2024, 9999, 1500"),
            ("SELECT to_char(ts, '%Y') FROM d.v ORDER BY id", "2024, 9999, 1500"),
            ("SELECT date_diff('year', d, ts) FROM d.v ORDER BY id", "0, 0, 0"),
            ("SELECT date_add('hour', -1, s) FROM d.v WHERE id = 2", "9999-12-31T22:59:59"),
            ("SELECT coalesce(ts, TIMESTAMP '9999-12-31 23:59:59') FROM d.v WHERE id = 2", "9999-12-31T23:59:59"),
            ("SELECT coalesce(nullif(d, d), ts) FROM d.v WHERE id = 2", "9999-12-31T23:59:59"),
            ("SELECT greatest(d, ts) FROM d.v ORDER BY id", "2024-07-01T12:00:00, 9999-12-31T23:59:59, 1500-02-28T00:00:00"),
            ("SELECT make_array(d, ts) FROM d.v WHERE id = 2", "[9999-12-31T00:00:00, 9999-12-31T23:59:59]"),
            // Casts
            ("SELECT CAST(d AS TIMESTAMP) FROM d.v WHERE id = 2", "9999-12-31T00:00:00"),
            ("SELECT CAST(tz AS TIMESTAMP) FROM d.v WHERE id = 2", "9999-12-31T23:59:59"),
            ("SELECT CAST(s AS TIMESTAMP) FROM d.v WHERE id = 2", "9999-12-31T23:59:59"),
            ("SELECT TRY_CAST(s AS TIMESTAMP) FROM d.v WHERE id = 2", "9999-12-31T23:59:59"),
            ("SELECT CAST(s AS TIMESTAMP(9)) FROM d.v WHERE id = 2", "9999-12-31T23:59:59"),
            ("SELECT CAST(253402300799 AS TIMESTAMP)", "9999-12-31T23:59:59"),
            ("SELECT CAST(253402300799.25 AS TIMESTAMP)", "9999-12-31T23:59:59.250"),
            ("SELECT CAST(arrow_cast(253402300799, 'Int64') AS TIMESTAMP(3))", "9999-12-31T23:59:59"),
            ("SELECT TRY_CAST(253402300799 AS TIMESTAMP)", "9999-12-31T23:59:59"),
            ("SELECT TRY_CAST(9223372036854775807 AS TIMESTAMP)", "NULL"),
            ("SELECT CAST(-1 AS TIMESTAMP WITH TIME ZONE)", "1969-12-31T23:59:59Z"),
            ("SELECT ts AT TIME ZONE 'UTC' FROM d.v WHERE id = 2", "9999-12-31T23:59:59Z"),
            ("SELECT d AT TIME ZONE 'UTC' FROM d.v WHERE id = 2", "9999-12-31T00:00:00Z"),
            ("SELECT TIMESTAMP '9999-12-31 23:59:59'", "9999-12-31T23:59:59"),
            // Sums
            ("SELECT d + TIME '23:59:59' FROM d.v WHERE id = 2", "9999-12-31T23:59:59"),
            ("SELECT TIME '01:00:00.5' + d FROM d.v WHERE id = 3", "1500-02-28T01:00:00.500"),
            ("SELECT ts - INTERVAL '1 day' FROM d.v WHERE id = 2", "9999-12-30T23:59:59"),
            ("SELECT ts - d FROM d.v WHERE id = 2", "PT86399S"),
            ("SELECT ts - TIMESTAMP '1500-02-28' FROM d.v WHERE id = 2", "PT268229059199S"),
            // Comparisons
            ("SELECT id FROM d.v WHERE ts = TIMESTAMP '9999-12-31 23:59:59'", "2"),
            ("SELECT id FROM d.v WHERE ts < '1600-01-01'", "3"),
            ("SELECT id FROM d.v WHERE tz < '9999-12-31' ORDER BY id", "1, 3"),
            ("SELECT id FROM d.v WHERE tz < DATE '9999-12-31' ORDER BY id", "1, 3"),
            ("SELECT id FROM d.v WHERE d > ts - INTERVAL '1 day' ORDER BY id", "1, 2, 3"),
            ("SELECT id FROM d.v WHERE ts = s ORDER BY id", "1, 2, 3"),
            ("SELECT id FROM d.v WHERE ts BETWEEN DATE '9999-01-01' AND '9999-12-31 23:59:59'", "2"),
            ("SELECT id FROM d.v WHERE ts IN (DATE '1500-02-28', '9999-12-31 23:59:59') ORDER BY id", "2, 3"),
            ("SELECT id FROM d.v WHERE ts IN (SELECT d FROM d.v)", "3"),
            ("SELECT id FROM d.v WHERE ts >= ALL (SELECT d FROM d.v)", "2"),
            ("SELECT id FROM d.v WHERE ts > (SELECT max(d) FROM d.v)", "2"),
            ("SELECT a.id FROM d.v a JOIN d.v b ON a.ts = b.d", "3"),
            ("SELECT count(*) FROM d.v WHERE ts < now()", "2"),
            ("SELECT CASE ts WHEN DATE '1500-02-28' THEN ts ELSE d END FROM d.v ORDER BY id", "2024-07-01T00:00:00, 9999-12-31T00:00:00, 1500-02-28T00:00:00"),
            // Rows that come together
            ("SELECT max(t) FROM (SELECT d AS t FROM d.v UNION ALL SELECT ts FROM d.v)", "9999-12-31T23:59:59"),
            ("SELECT count(*) FROM (SELECT d AS t FROM d.v INTERSECT SELECT ts FROM d.v)", "1"),
            ("SELECT t FROM (VALUES (DATE '9999-12-31'), (TIMESTAMP '1500-01-01 01:00:00')) AS v(t)", "9999-12-31T00:00:00, 1500-01-01T01:00:00"),
            ("SELECT id FROM d.v JOIN generate_series(TIMESTAMP '2024-07-01', TIMESTAMP '2024-07-02', INTERVAL '1 hour') AS g(t) ON ts = t", "1"),
            ("SELECT id FROM d.v, (SELECT unnest(range(TIMESTAMP '2024-07-01', TIMESTAMP '2024-07-02', INTERVAL '12 hours')) AS t) WHERE ts = t", "1"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_below_microseconds_are_cut() {
    let mesh = Mesh::new(MESH).await;
    answers(
        &mesh,
        None,
        &[
            ("SELECT TIMESTAMP '2024-12-31 23:59:59.9999999'", "2024-12-31T23:59:59.999999"),
            ("SELECT TIMESTAMP '1969-12-31 23:59:59.9999999'", "1969-12-31T23:59:59.999999"),
            ("SELECT to_timestamp('1969-12-31 23:59:59.9999999')", "1969-12-31T23:59:59.999999"),
            ("SELECT to_timestamp_seconds('1969-12-31 23:59:59.9')", "1969-12-31T23:59:59"),
            (
                "SELECT arrow_cast('1969-12-31T23:59:59.999999999', 'Timestamp(Nanosecond, None)')",
                "1969-12-31T23:59:59.999999",
            ),
            ("SELECT arrow_cast('23:59:59.999999999', 'Time64(Nanosecond)')", "23:59:59.999999"),
            ("SELECT TIME '23:59:59.999999999'", "23:59:59.999999"),
            ("SELECT to_time('23:59:59.999999999')", "23:59:59.999999"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_null_in_silence() {
    let mesh = Mesh::new(MESH).await;
    for (sql, why) in [
        ("SELECT to_timestamp(1e300)", "`to_timestamp` leaves the calendar"),
        ("SELECT to_timestamp(9223372036854775807)", "`to_timestamp` leaves the calendar"),
        ("SELECT to_timestamp(CAST('NaN' AS DOUBLE))", "`to_timestamp` leaves the calendar"),
        (
            "SELECT date_trunc('year', arrow_cast(9223372036854775807, 'Timestamp(Second, None)'))",
            "`date_trunc` leaves the calendar",
        ),
        (
            "SELECT date_bin(INTERVAL '1 month', arrow_cast(9223372036854775807, 'Timestamp(Second, None)'))",
            "`date_bin` leaves the calendar",
        ),
        ("SELECT date_bin(INTERVAL '0 hours', ts) FROM d.v", "must not be zero"),
        ("SELECT date_bin(INTERVAL '-1 hours', ts) FROM d.v", "must be greater than zero"),
        ("SELECT date_trunc('eon', ts) FROM d.v", "`date_trunc` has no such unit"),
        ("SELECT to_timestamp(true)", "`to_timestamp` takes a text, a number, a date or a time"),
        (
            "SELECT value FROM generate_series(TIMESTAMP '9999-01-01', TIMESTAMP '9999-01-02', INTERVAL '1 hour')",
            "between 1677-09-22 and 2262-04-11",
        ),
        (
            "SELECT value FROM generate_series(DATE '9999-01-01', DATE '9999-01-02', INTERVAL '1 day')",
            "between 1677-09-22 and 2262-04-11",
        ),
    ] {
        let answer = mesh.answer("ana", sql).await;
        assert!(answer.contains(why) && !answer.contains("Internal"), "{sql}\n{answer}");
    }
    check(
        &mesh,
        "ana",
        "SELECT CAST(DATE '9999-01-01' + value AS TIMESTAMP) AS at FROM range(363, 365)",
        "at Timestamp(µs)
         9999-12-30T00:00:00
         9999-12-31T00:00:00",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_without_zone_are_of_the_session() {
    let mesh = Mesh::new(MESH).await;
    answers(
        &mesh,
        Some("America/Denver"),
        &[
            ("SELECT id FROM d.v WHERE tz = '2024-07-01 06:00:00'", "1"),
            ("SELECT id FROM d.v WHERE '2024-07-01 06:00:00' = tz", "1"),
            ("SELECT id FROM d.v WHERE tz = TIMESTAMP '2024-07-01 06:00:00'", "1"),
            ("SELECT id FROM d.v WHERE tz = CAST('2024-07-01 06:00:00' AS TIMESTAMP WITH TIME ZONE)", "1"),
            ("SELECT id FROM d.v WHERE tz IN ('2024-07-01 06:00:00', DATE '2024-07-01')", "1"),
            ("SELECT id FROM d.v WHERE tz BETWEEN '2024-07-01 06:00:00' AND TIMESTAMP '2024-07-01 06:00:00'", "1"),
            ("SELECT id FROM d.v WHERE tz = ts + INTERVAL '6 hours' - INTERVAL '12 hours' ORDER BY id", "1"),
            ("SELECT id FROM d.v WHERE tz < DATE '2024-07-01' + 1 AND tz >= DATE '2024-07-01'", "1"),
            ("SELECT id FROM d.v WHERE tz = (SELECT TIMESTAMP '2024-07-01 06:00:00')", "1"),
            ("SELECT id FROM d.v WHERE tz IN (SELECT TIMESTAMP '2024-07-01 06:00:00')", "1"),
            ("SELECT coalesce(NULL, TIMESTAMP '2024-07-01 06:00:00', tz) FROM d.v WHERE id = 1", "2024-07-01T12:00:00Z"),
            ("SELECT tz - TIMESTAMP '2024-07-01 05:00:00' FROM d.v WHERE id = 1", "PT3600S"),
            ("SELECT max(t) FROM (SELECT TIMESTAMP '2024-07-01 06:00:00' AS t UNION ALL SELECT tz FROM d.v WHERE id = 3)", "2024-07-01T12:00:00Z"),
            // What names a zone is left as it is.
            ("SELECT id FROM d.v WHERE tz = '2024-07-01T12:00:00Z'", "1"),
            ("SELECT id FROM d.v WHERE tz = TIMESTAMP '2024-07-01T12:00:00Z'", "1"),
            ("SELECT id FROM d.v WHERE tz = '2024-07-01T14:00:00+02:00'", "1"),
            ("SELECT id FROM d.v WHERE tz AT TIME ZONE 'Europe/Zurich' = '2024-07-01 14:00:00'", "1"),
            // Neither side has a zone: nothing is read into it.
            ("SELECT id FROM d.v WHERE ts = '2024-07-01 12:00:00'", "1"),
        ],
    )
    .await;
    let without = [("SELECT id FROM d.v WHERE tz = '2024-07-01 12:00:00'", "1")];
    answers(&mesh, None, &without).await;
    answers(&mesh, Some("UTC"), &without).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bound_times_are_of_the_session() {
    let mesh = Mesh::new(MESH).await;
    let session = mesh.session("ana");
    session.set(&Change { setting: Setting::TimeZone, value: Some("America/Denver".to_owned()) }).unwrap();
    let six = 1_719_813_600_000_000;
    for value in [
        ScalarValue::from("2024-07-01 06:00:00"),
        ScalarValue::from("2024-07-01T12:00:00Z"),
        ScalarValue::TimestampMicrosecond(Some(six), None),
        ScalarValue::TimestampMillisecond(Some(six / 1_000), None),
        ScalarValue::TimestampMicrosecond(Some(six + 6 * 3_600_000_000), Some("UTC".into())),
    ] {
        let planned = session.plan("SELECT id FROM d.v WHERE tz = ?").await.unwrap();
        let planned = session.bind(&planned, vec![value.clone()]).await.unwrap();
        let rows = session.run(&planned, wire_schema(planned.schema())).await.unwrap();
        let rows: Vec<_> = rows.map(|batch| batch.map(Egress::into_inner)).try_collect().await.unwrap();
        assert_eq!(crate::harness::render(&rows), "id Int64\n1", "{value:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_hold_no_nanoseconds() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let answer = ana
        .fetch("SELECT arrow_typeof(now()) AS a, arrow_typeof(current_timestamp) AS b, arrow_typeof(current_time) AS c")
        .await
        .unwrap();
    assert!(answer.ends_with("Timestamp(µs) | Timestamp(µs) | Time64(µs)"), "{answer}");
}
