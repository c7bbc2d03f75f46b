//! SQL that tools write: escapes of JDBC, functions of dates, spellings of intervals, and statements that ask for columns only.

use arrow::array::AsArray;
use arrow::datatypes::Int32Type;
use arrow_flight::sql::{SqlInfo, SqlSupportsConvert};
use futures::TryStreamExt;

use crate::harness::wire::Served;
use crate::harness::{Mesh, check};

const MESH: &str = include_str!("fixtures/regions.txt");

/// What is written, and the type and value that it is.
async fn values(rows: &[(&str, &str)]) {
    let mesh = Mesh::new(MESH).await;
    let mut wrong = Vec::new();
    for (written, expect) in rows {
        let answer = mesh.answer("ana", &format!("SELECT {written} AS x")).await;
        let told = answer.strip_prefix("x ").map_or(answer.clone(), |answer| answer.replacen('\n', " ", 1));
        if told != *expect {
            wrong.push(format!("{written}\n  is  {told}\n  not {expect}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn escapes_are_what_they_stand_for() {
    values(&[
        // Literals
        ("{d '2024-02-29'}", "Date32 2024-02-29"),
        ("{t '23:59:01'}", "Time64(µs) 23:59:01"),
        ("{ts '2024-02-29 23:59:01.5'}", "Timestamp(µs) 2024-02-29T23:59:01.500"),
        ("{ D '2024-02-29' } /* {d */", "Date32 2024-02-29"),
        // Where braces are none of ours
        ("'{fn UCASE(1)}'", "Utf8 {fn UCASE(1)}"),
        ("{'d': 1}", "Struct(\"d\": Int64) {d: 1}"),
        ("MAP {'a': 1}['a']", "Int64 1"),
        ("(SELECT \"{d '1'}\" FROM (SELECT 1 AS \"{d '1'}\"))", "Int64 1"),
        // Numbers
        ("{fn ABS(-1)}", "Int64 1"),
        ("{fn MOD(7, 1 + 3)}", "Int64 3"),
        ("2 * {fn MOD(7, 4)}", "Int64 6"),
        ("{fn CEILING(1.2)}", "Float64 2.0"),
        ("{fn POWER(2, 10)}", "Float64 1024.0"),
        ("{fn ROUND({fn PI()}, 2)}", "Float64 3.14"),
        ("{fn TRUNCATE(-1.29, 1)}", "Float64 -1.2"),
        ("{fn LOG({fn EXP(1)})}", "Float64 1.0"),
        ("{fn LOG10(1000)}", "Float64 3.0"),
        ("{fn SIGN(-7)}", "Float64 -1.0"),
        ("{fn RAND()} < 1", "Boolean true"),
        // Texts
        ("{fn UCASE({fn CONCAT('a', {fn LCASE('B')})})}", "Utf8 AB"),
        ("{fn ucase('a')}", "Utf8 A"),
        ("{fn LENGTH('ab  ')}", "Int32 2"),
        ("{fn CHAR_LENGTH('ab  ')}", "Int32 4"),
        ("{fn LOCATE('b', 'abc')}", "Int32 2"),
        ("{fn POSITION('b' IN 'abc')}", "Int32 2"),
        ("{fn INSERT('abcdef', 2, 3, '-')}", "Utf8 a-ef"),
        ("{fn SUBSTRING('abcdef', 2)}", "Utf8 bcdef"),
        ("{fn SUBSTRING('abcdef', 2, 2)}", "Utf8 bc"),
        ("{fn LEFT('abc', 2)} || {fn RIGHT('abc', 1)}", "Utf8 abc"),
        ("{fn REPEAT('ab', 2)}", "Utf8 abab"),
        ("'<' || {fn SPACE(2)} || '>'", "Utf8 <  >"),
        ("{fn REPLACE('a,b', ',', ';')}", "Utf8 a;b"),
        ("{fn LTRIM('  a')} || {fn RTRIM('b  ')}", "Utf8 ab"),
        ("{fn ASCII('A')}", "Int32 65"),
        ("{fn CHAR(65)}", "Utf8 A"),
        ("'a_b' LIKE 'a\\_%' {escape '\\'}", "Boolean true"),
        ("'axb' LIKE 'a\\_%' {escape '\\'}", "Boolean false"),
        // Dates and times
        ("{fn YEAR({d '2024-02-29'})}", "Int32 2024"),
        ("{fn QUARTER({d '2024-02-29'})}", "Int32 1"),
        ("{fn MONTH({d '2024-02-29'})}", "Int32 2"),
        ("{fn WEEK({d '2024-02-29'})}", "Int32 9"),
        ("{fn DAYOFMONTH({d '2024-02-29'})}", "Int32 29"),
        ("{fn DAYOFYEAR({d '2024-02-29'})}", "Int32 60"),
        // Sunday is the first day.
        ("{fn DAYOFWEEK({d '2024-03-03'})}", "Int64 1"),
        ("{fn DAYOFWEEK({d '2024-02-29'})}", "Int64 5"),
        ("{fn HOUR({ts '2024-02-29 23:59:01.5'})}", "Int32 23"),
        ("{fn MINUTE({ts '2024-02-29 23:59:01.5'})}", "Int32 59"),
        ("{fn SECOND({ts '2024-02-29 23:59:01.5'})}", "Int32 1"),
        ("{fn MONTHNAME({d '2024-02-29'})}", "Utf8 February"),
        ("{fn DAYNAME({d '2024-02-29'})}", "Utf8 Thursday"),
        ("{fn EXTRACT(YEAR FROM {d '2024-02-29'})}", "Int32 2024"),
        ("{fn CURDATE()} = {fn CURRENT_DATE} AND {fn NOW()} = {fn CURRENT_TIMESTAMP()}", "Boolean true"),
        ("{fn CURTIME()} IS NOT NULL", "Boolean true"),
        ("{fn TIMESTAMPADD(SQL_TSI_DAY, 1, {ts '2024-02-28 12:00:00'})}", "Timestamp(µs) 2024-02-29T12:00:00"),
        ("{fn TIMESTAMPADD(SQL_TSI_HOUR, -1, {d '2024-03-01'})}", "Timestamp(µs) 2024-02-29T23:00:00"),
        ("{fn TIMESTAMPDIFF(SQL_TSI_MONTH, {d '2024-01-31'}, {d '2024-03-30'})}", "Int64 1"),
        ("{fn TIMESTAMPDIFF(SQL_TSI_QUARTER, {d '2024-01-01'}, {d '2024-12-31'})}", "Int64 3"),
        // Others
        ("{fn IFNULL(NULL, 'x')}", "Utf8 x"),
        ("{fn CONVERT('12', SQL_INTEGER)} + 1", "Int64 13"),
        ("{fn CONVERT(12, SQL_VARCHAR)}", "Utf8 12"),
        ("{fn CONVERT('2024-02-29', DATE)}", "Date32 2024-02-29"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn escapes_that_are_none_say_so_with_their_place() {
    let deep = |count: usize| format!("{}1{}", "{fn ABS(".repeat(count), ")}".repeat(count));
    let mut wrong = Vec::new();
    let mesh = Mesh::new(MESH).await;
    for (written, expect) in [
        ("{fn UPPER('a')}", "Unsupported: `{fn UPPER(…)}` is not offered at line 1, column 8"),
        ("{fn pg_sleep(1)}", "Unsupported: `{fn PG_SLEEP(…)}` is not offered at line 1, column 8"),
        ("{fn input_file_name()}", "Unsupported: `{fn INPUT_FILE_NAME(…)}` is not offered at line 1, column 8"),
        ("1,\n {fn LOCATE('a')}", "Invalid: `{fn LOCATE(…)}` takes 2 arguments, not 1 at line 2, column 2"),
        ("{fn SUBSTRING('a')}", "Invalid: `{fn SUBSTRING(…)}` takes 2 or 3 arguments, not 1 at line 1, column 8"),
        ("{fn ABS(1,)}", "Invalid: `{fn …}` takes one call of a function at line 1, column 8"),
        ("{fn ABS(1) + 1}", "Invalid: `{fn …}` takes one call of a function at line 1, column 8"),
        ("{fn ABS(1}", "Invalid: `{fn …}` takes one call of a function at line 1, column 8"),
        ("{fn \"abs\"(1)}", "Invalid: `{fn …}` takes one call of a function at line 1, column 8"),
        ("{fn}", "Invalid: `{fn …}` takes one call of a function at line 1, column 8"),
        ("{fn ABS(1)", "Invalid: this `{` is not closed at line 1, column 8"),
        ("{fn ABS({d '2024-01-01')}", "Invalid: this `{` is not closed at line 1, column 8"),
        ("{d 1}", "Invalid: `{d …}` takes one text at line 1, column 8"),
        ("{ts}", "Invalid: `{ts …}` takes one text at line 1, column 8"),
        ("{d ?}", "Invalid: `{d …}` takes one text at line 1, column 8"),
        ("{call p(1)}", "Invalid: there are no procedures to call at line 1, column 8"),
        ("{? = call p(1)}", "Invalid: there are no procedures to call at line 1, column 8"),
        ("{guid 'x'}", "Invalid: `{guid …}` is no escape at line 1, column 8"),
        ("'a' LIKE 'b' {escape '!'}", "Invalid: patterns are escaped by `\\` only at line 1, column 21"),
        ("1 FROM {oj sales.orders}", "Invalid: `{oj …}` holds no join at line 1, column 15"),
        (
            "{fn TIMESTAMPADD(SQL_TSI_EON, 1, now())}",
            "Invalid: `{fn TIMESTAMPADD(…)}` does not know this word at line 1, column 25",
        ),
        ("{fn CONVERT(1, SQL_BLOB)}", "Invalid: `{fn CONVERT(…)}` does not know this word at line 1, column 23"),
        // The rules of the function hold for its escape.
        ("{fn REPEAT('x', 9000000)}", "Exhausted: `repeat` may make at most 1000000 at a time"),
        ("{fn SPACE(amount)} FROM sales.orders", "Unsupported: the size given to `repeat` must be written out"),
        (deep(10_000).as_str(), "Exhausted: the statement has more than 50000 words and signs"),
        (deep(1_000).as_str(), "Exhausted: brackets are nested more than 100 deep"),
        ("{fn ".repeat(10_000).as_str(), "Exhausted: brackets are nested more than 100 deep"),
        (deep(40).as_str(), "Exhausted: the statement has more than 32 keywords or signs in a row"),
    ] {
        let answer = mesh.answer("ana", &format!("SELECT {written}")).await;
        if answer.lines().next() != Some(expect) {
            wrong.push(format!("{written:.80}\n  is  {answer}\n  not {expect}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    check(&mesh, "ana", &format!("SELECT {} AS x", deep(15)), "x Int64\n1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_added_and_counted_in_the_words_of_the_tools() {
    values(&[
        ("date_add('day', 1, DATE '2024-02-28')", "Date32 2024-02-29"),
        ("date_add('month', 1, DATE '2024-01-31')", "Date32 2024-02-29"),
        ("date_add('HOURS', 25, DATE '2024-02-28')", "Timestamp(µs) 2024-02-29T01:00:00"),
        ("date_add('year', -1, TIMESTAMP '2024-02-29T01:00:00')", "Timestamp(µs) 2023-02-28T01:00:00"),
        (
            "date_add('second', 1, arrow_cast(0, 'Timestamp(Second, Some(\"Europe/Berlin\"))'))",
            "Timestamp(s, \"UTC\") 1970-01-01T00:00:01Z",
        ),
        (
            "date_add('millisecond', 1, arrow_cast(0, 'Timestamp(Second, None)'))",
            "Timestamp(ms) 1970-01-01T00:00:00.001",
        ),
        // A day of a time zone may have 23 hours.
        (
            "date_add('day', 1, arrow_cast('2024-03-30T12:00:00', 'Timestamp(Second, Some(\"Europe/Berlin\"))'))",
            "Timestamp(s, \"UTC\") 2024-03-31T10:00:00Z",
        ),
        ("date_add('day', 1, '2024-02-28')", "Timestamp(µs) 2024-02-29T00:00:00"),
        ("date_add(DATE '2024-02-28', 1)", "Date32 2024-02-29"),
        ("date_add(DATE '2024-02-28', INTERVAL 1 DAY)", "Timestamp(µs) 2024-02-29T00:00:00"),
        ("date_sub(DATE '2024-03-01', 1)", "Date32 2024-02-29"),
        ("date_sub(TIMESTAMP '2024-03-01T00:00:00', INTERVAL '1 hour')", "Timestamp(µs) 2024-02-29T23:00:00"),
        ("date_sub('week', 1, DATE '2024-03-07')", "Date32 2024-02-29"),
        ("DATEADD(day, 1, DATE '2024-02-28')", "Date32 2024-02-29"),
        ("DATEADD(day, DATEDIFF(day, DATE '2024-02-01', DATE '2024-02-28'), DATE '2024-02-02')", "Date32 2024-02-29"),
        ("TIMESTAMPADD(MINUTE, 1, TIMESTAMP '2024-02-28T23:59:00')", "Timestamp(µs) 2024-02-29T00:00:00"),
        ("date_add('day', NULL, DATE '2024-02-28')", "Date32 NULL"),
        // What is whole
        ("date_diff('day', TIMESTAMP '2024-02-28T23:00:00', TIMESTAMP '2024-02-29T01:00:00')", "Int64 0"),
        ("date_diff('hour', TIMESTAMP '2024-02-28T23:00:00', DATE '2024-03-01')", "Int64 25"),
        ("date_diff('month', DATE '2024-01-31', DATE '2024-02-29')", "Int64 0"),
        ("date_diff('month', DATE '2024-02-29', DATE '2024-01-28')", "Int64 -1"),
        ("date_diff('year', DATE '2023-03-01', DATE '2024-02-29')", "Int64 0"),
        ("date_diff('day', '2024-02-01', '2024-03-01')", "Int64 29"),
        ("TIMESTAMPDIFF(WEEK, DATE '2024-02-01', DATE '2024-02-29')", "Int64 4"),
        // What begins between
        ("datediff('day', TIMESTAMP '2024-02-28T23:00:00', TIMESTAMP '2024-02-29T01:00:00')", "Int64 1"),
        ("DATEDIFF(year, DATE '2023-12-31', DATE '2024-01-01')", "Int64 1"),
        ("DATEDIFF(quarter, DATE '2024-03-31', DATE '2024-04-01')", "Int64 1"),
        ("DATEDIFF(week, DATE '2024-03-03', DATE '2024-03-04')", "Int64 1"),
        ("DATEDIFF(week, DATE '1969-12-28', DATE '1969-12-29')", "Int64 1"),
        ("DATEDIFF(hour, TIMESTAMP '2024-02-28T22:59:00', TIMESTAMP '2024-02-28T23:00:00')", "Int64 1"),
        ("datediff(DATE '2024-03-01', DATE '2024-02-28')", "Int64 2"),
        // A column may have the name of a unit, where no unit stands.
        ("(SELECT datediff(day, DATE '2024-02-28') FROM (SELECT DATE '2024-02-29' AS day))", "Int64 1"),
        ("(SELECT date_add(day, 1) FROM (SELECT DATE '2024-02-28' AS day))", "Date32 2024-02-29"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_the_calendar_is_an_error() {
    let mesh = Mesh::new(MESH).await;
    let mut wrong = Vec::new();
    for (written, expect) in [
        ("date_add('fortnight', 1, now())", "`date_add` has no such unit; it takes nanosecond,"),
        ("dateadd(day, amount, order_id) FROM sales.orders", "`date_add` counts with dates and times"),
        ("date_add(region, 1, now()) FROM sales.orders", "`date_add` has no such unit"),
        ("date_add(lower(region), 1, now()) FROM sales.orders", "the unit of `date_add` must be a text"),
        ("date_add('day', 1.5, now())", "`date_add` takes a whole number of units"),
        ("date_add('day', 1, 2, 3)", "`date_add` is written"),
        ("date_diff(now(), now())", "`date_diff` is written"),
        ("date_add('year', 9223372036854775807, DATE '2024-01-01')", "leaves the calendar"),
        ("date_add('day', -9223372036854775808, DATE '2024-01-01')", "leaves the calendar"),
        ("date_sub('day', -9223372036854775807 - 1, DATE '2024-01-01')", "leaves the calendar"),
        ("date_add('hour', 9000000000000000000, now())", "leaves the calendar"),
        ("date_add('day', 2000000000, DATE '2024-01-01')", "overflow"),
        ("date_add('month', 2000000000, DATE '2024-01-01')", "overflow"),
        ("date_add('day', 1, arrow_cast(2147483647, 'Date32'))", "overflow"),
        ("date_add('year', 300000, TIMESTAMP '2024-01-01T00:00:00')", ""),
        ("date_add('day', 1, arrow_cast(9223372036854775807, 'Timestamp(Second, None)'))", ""),
        ("date_add('hour', 1, arrow_cast(2147483647, 'Date32'))", ""),
        ("date_diff('month', arrow_cast(9223372036854775807, 'Timestamp(Second, None)'), now())", "too far"),
        ("date_diff('nanosecond', DATE '0001-01-01', DATE '9999-01-01')", "too far"),
        (
            "date_diff('day', arrow_cast(9223372036854775807, 'Timestamp(Second, Some(\"Europe/Berlin\"))'), now())",
            "calendar",
        ),
    ] {
        let answer = mesh.answer("ana", &format!("SELECT {written}")).await;
        if !answer.starts_with("Invalid: ") || !answer.to_lowercase().contains(expect) {
            wrong.push(format!("{written}: {answer}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// As Grafana's Flight SQL source writes them, and as people write them beside it.
#[tokio::test(flavor = "multi_thread")]
async fn intervals_of_dashboards() {
    values(&[
        ("INTERVAL '5 minutes' = INTERVAL '300 second'", "Boolean true"),
        ("TIMESTAMP '2024-01-01T00:00:00' + INTERVAL '30s'", "Timestamp(µs) 2024-01-01T00:00:30"),
        // A minute, and no month.
        ("TIMESTAMP '2024-01-01T00:00:00' + interval '1m'", "Timestamp(µs) 2024-01-01T00:01:00"),
        ("TIMESTAMP '2024-01-01T00:00:00' + interval '1h'", "Timestamp(µs) 2024-01-01T01:00:00"),
        ("TIMESTAMP '2024-01-01T00:00:00' + interval '7d'", "Timestamp(µs) 2024-01-08T00:00:00"),
        ("TIMESTAMP '2024-01-01T00:00:00' - interval '500ms'", "Timestamp(µs) 2023-12-31T23:59:59.500"),
        ("TIMESTAMP '2024-01-01T00:00:00' + INTERVAL 5 MINUTE", "Timestamp(µs) 2024-01-01T00:05:00"),
        (
            "(SELECT date_bin(interval '60 second', time, timestamp '1970-01-01T00:00:00Z') FROM (SELECT TIMESTAMP '2024-01-01T00:01:59' AS time))",
            "Timestamp(µs) 2024-01-01T00:01:00",
        ),
        (
            "(SELECT date_bin(interval '10 second', time, timestamp '1970-01-01T00:00:00Z') as time_binned FROM (SELECT TIMESTAMP '2024-01-01T00:00:19Z' AS time))",
            "Timestamp(µs) 2024-01-01T00:00:10",
        ),
        ("DATE_TRUNC('WEEK', DATE '2024-02-29')", "Timestamp(µs) 2024-02-26T00:00:00"),
        ("DATE_TRUNC('quarter', TIMESTAMP '2024-02-29T01:00:00')", "Timestamp(µs) 2024-01-01T00:00:00"),
    ])
    .await;
}

/// Before they ask for rows, tools ask which columns there are.
#[tokio::test(flavor = "multi_thread")]
async fn statements_of_tools() {
    let mesh = Mesh::new(MESH).await;
    for (sql, expect) in [
        ("SELECT TRUE AS \"_\" FROM \"sales\".\"orders\" WHERE 1 <> 1 LIMIT 0", "_ Boolean"),
        ("SELECT * FROM sales.orders WHERE 1=0", "order_id Int64 | region Utf8 | amount Int64"),
        (
            "SELECT * FROM (SELECT region, amount FROM sales.orders) \"Custom SQL Query\" LIMIT 0",
            "region Utf8 | amount Int64",
        ),
        (
            "SELECT \"Custom SQL Query\".\"region\" AS \"region\", SUM(\"Custom SQL Query\".\"amount\") AS \"sum:amount:ok\" \
             FROM (SELECT * FROM sales.orders) \"Custom SQL Query\" GROUP BY 1 HAVING (COUNT(1) > 0)",
            "region Utf8 | sum:amount:ok Int64\nEU | 30",
        ),
        (
            "SELECT region AS region, SUM(amount) AS \"SUM(amount)\" FROM (SELECT * FROM sales.orders) AS virtual_table \
             GROUP BY 1 ORDER BY 2 DESC LIMIT 1000",
            "region Utf8 | SUM(amount) Int64\nEU | 30",
        ),
        (
            "select \"_\".\"order_id\", \"_\".\"amount\" from \"mesh\".\"sales\".\"orders\" \"_\" \
             where (\"_\".\"region\" = 'EU' and \"_\".\"region\" is not null) order by \"_\".\"order_id\" limit 1000",
            "order_id Int64 | amount Int64\n1 | 10\n2 | 20",
        ),
        (
            "SELECT {fn LCASE(o.region)} AS r, n FROM {oj sales.orders o LEFT OUTER JOIN (VALUES (1, 'one')) v(k, n) ON o.order_id = v.k} \
             ORDER BY o.order_id {limit 1}",
            "r Utf8 | n Utf8\neu | one",
        ),
        ("EXPLAIN FORMAT INDENT SELECT {fn SPACE(2)}", "plan_type Utf8 | plan Utf8"),
        ("SELECT {fn UPER('a')}", "Unsupported: `{fn UPER(…)}` is not offered at line 1, column 8\nhint: "),
    ] {
        let answer = mesh.answer("ana", sql).await;
        if expect.ends_with("hint: ") || sql.starts_with("EXPLAIN") {
            assert!(answer.starts_with(expect), "{sql}: {answer}");
        } else {
            assert_eq!(answer, expect, "{sql}");
        }
    }
}

/// SqlInfo 517 says what `{fn CONVERT(…)}` converts: each pair is planned, and runs over NULL.
#[tokio::test]
async fn what_is_said_to_convert_converts() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let info = ana.client.get_sql_info(vec![SqlInfo::SqlSupportsConvert]).await.unwrap();
    let rows = ana.client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    let batch = rows.try_collect::<Vec<_>>().await.unwrap().remove(0);
    let value = batch.column(1).as_union().value(0);
    let map = value.as_map().value(0);
    let (from, to) = (map.column(0).as_primitive::<Int32Type>(), map.column(1).as_list::<i32>());
    let word = |code: i32| SqlSupportsConvert::try_from(code).unwrap().as_str_name().replace("CONVERT_", "");
    let mut pairs = 0;
    for (from, to) in from.values().iter().zip(to.iter()) {
        for to in to.unwrap().as_primitive::<Int32Type>().values() {
            let (from, to) = (word(*from), word(*to));
            ana.fetch(&format!("SELECT {{fn CONVERT({{fn CONVERT(NULL, {from})}}, {to})}}"))
                .await
                .unwrap_or_else(|error| panic!("{from} to {to}: {error}"));
            pairs += 1;
        }
    }
    assert!(pairs > 150, "{pairs} pairs");
}
