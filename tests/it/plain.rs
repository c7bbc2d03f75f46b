//! The types of results are those that drivers read, and say what SQL calls them.

use std::collections::HashMap;

use arrow::datatypes::Schema;
use arrow_flight::IpcMessage;
use arrow_flight::sql::CommandGetTables;
use futures::TryStreamExt as _;

use crate::harness::wire::Served;
use crate::harness::{Mesh, check};

const MESH: &str = include_str!("fixtures/regions.txt");

#[tokio::test(flavor = "multi_thread")]
async fn unsigned_numbers_get_a_sign() {
    let mesh = Mesh::new(MESH).await;
    check(
        &mesh,
        "ana",
        "SELECT arrow_cast(255, 'UInt8') AS a, arrow_cast(65535, 'UInt16') AS b, arrow_cast(4294967295, 'UInt32') AS c, \
         arrow_cast('18446744073709551615', 'UInt64') AS d",
        "a Int16 | b Int32 | c Int64 | d Decimal128(20, 0)
         255 | 65535 | 4294967295 | 18446744073709551615",
    )
    .await;
    check(
        &mesh,
        "ana",
        "SELECT [arrow_cast(255, 'UInt8')] AS l, struct(arrow_cast(4294967295, 'UInt32')) AS s, \
         MAP {'k': arrow_cast(1, 'UInt64')} AS m, arrow_cast(arrow_cast(7, 'UInt16'), 'Dictionary(Int8, UInt16)') AS d",
        "l List(Int16) | s Struct(\"c0\": Int64) | m Map(\"entries\": non-null Struct(\"key\": non-null Utf8, \"value\": Decimal128(20, 0)), unsorted) | d Int32
         [255] | {c0: 4294967295} | {k: 1} | 7",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ranks_and_counts_are_bigint() {
    let mesh = Mesh::new(MESH).await;
    check(
        &mesh,
        "ana",
        "SELECT row_number() OVER w AS a, rank() OVER w AS b, dense_rank() OVER w AS c, ntile(2) OVER w AS d, \
         count(*) OVER w AS e, approx_distinct(amount) OVER w AS f, row_number() OVER w - 5 AS g \
         FROM sales.orders WINDOW w AS (ORDER BY order_id) ORDER BY a",
        "a Int64 | b Int64 | c Int64 | d Int64 | e Int64 | f Int64 | g Int64
         1 | 1 | 1 | 1 | 1 | 1 | -4
         2 | 2 | 2 | 2 | 2 | 2 | -3",
    )
    .await;
    check(
        &mesh,
        "ana",
        "SELECT region, grouping(region) AS g, approx_distinct(order_id) AS a, regr_count(order_id, amount) AS r, count(*) AS c \
         FROM sales.orders GROUP BY ROLLUP (region) HAVING regr_count(order_id, amount) > 1 ORDER BY g",
        "region Utf8 | g Int32 | a Int64 | r Int64 | c Int64
         EU | 0 | 2 | 2 | 2
         NULL | 1 | 2 | 2 | 2",
    )
    .await;
    check(
        &mesh,
        "ana",
        "SELECT max(n) AS m, array_length([1, 2]) AS l, cardinality([1, 2]) AS c, array_positions([1, 2], 2) AS p \
         FROM (SELECT row_number() OVER (ORDER BY order_id) AS n FROM sales.orders) WHERE n <= 1",
        "m Int64 | l Int64 | c Int64 | p List(Int64)
         1 | 2 | 2 | [2]",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_are_utc() {
    let mesh = Mesh::new(MESH).await;
    check(
        &mesh,
        "ana",
        "SELECT at AT TIME ZONE '+05:30' AS a, at AT TIME ZONE 'Europe/Zurich' AS b, [at AT TIME ZONE '+05:30'] AS c \
         FROM (SELECT arrow_cast('2024-07-01T12:00:00Z', 'Timestamp(Microsecond, Some(\"UTC\"))') AS at)",
        "a Timestamp(µs, \"UTC\") | b Timestamp(µs, \"UTC\") | c List(Timestamp(µs, \"UTC\"))
         2024-07-01T12:00:00Z | 2024-07-01T12:00:00Z | [2024-07-01T12:00:00Z]",
    )
    .await;
}

fn words(schema: &Schema) -> Vec<HashMap<&str, &str>> {
    let fields = schema.fields().iter();
    fields
        .map(|field| {
            let words = field.metadata().iter();
            words.filter_map(|(key, word)| Some((key.strip_prefix("ARROW:FLIGHT:SQL:")?, word.as_str()))).collect()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn results_tell_precision_and_type() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let sql = "SELECT CAST(1.5 AS DECIMAL(12, 2)) AS fee, amount AS price, region FROM sales.orders";
    let expect = [
        HashMap::from([("TYPE_NAME", "DECIMAL(12,2)"), ("PRECISION", "12"), ("SCALE", "2")]),
        HashMap::from([("TYPE_NAME", "BIGINT"), ("PRECISION", "19"), ("SCALE", "0")]),
        HashMap::from([("TYPE_NAME", "VARCHAR")]),
    ];
    let mut prepared = ana.client.prepare(sql.to_owned(), None).await.unwrap();
    assert_eq!(words(prepared.dataset_schema().unwrap()), expect);
    let info = prepared.execute().await.unwrap();
    let announced = Schema::try_from(IpcMessage(info.schema.clone())).unwrap();
    assert_eq!(words(&announced), expect);
    let rows = ana.client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    let rows: Vec<_> = rows.try_collect().await.unwrap();
    assert_eq!(words(&rows[0].schema()), expect);

    // Those of a table are told by GetTables too.
    let info =
        ana.client.get_tables(CommandGetTables { include_schema: true, ..CommandGetTables::default() }).await.unwrap();
    let tables = ana.client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    let tables: Vec<_> = tables.try_collect().await.unwrap();
    let bytes = arrow::array::AsArray::as_binary::<i32>(tables[0].column(4)).value(0).to_vec();
    let described = Schema::try_from(IpcMessage(bytes.into())).unwrap();
    let described = words(&described);
    assert_eq!((described[2]["TYPE_NAME"], described[2]["PRECISION"]), ("BIGINT", "19"));
}
