//! Prepared statements with parameters, by the rows that clients bind: names of columns mean nothing, places do.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int8Array, Int32Array, Int64Array, NullArray,
    RecordBatch, StringArray, StringDictionaryBuilder, UInt64Array, UnionArray,
};
use arrow::datatypes::{DataType, Field, Int8Type, Schema, UnionFields};
use arrow_flight::sql::client::PreparedStatement;
use futures::TryStreamExt as _;
use tonic::transport::Channel;

use crate::harness::render;
use crate::harness::wire::{Recorded, Served};

const MESH: &str = include_str!("fixtures/regions.txt");

fn row(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let rows = arrow::array::RecordBatchOptions::new().with_row_count(Some(1));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &rows).unwrap()
}

fn int(value: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}

fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

/// As flightsql-dbapi sends a value.
fn union(value: i64) -> ArrayRef {
    let fields = [Field::new("i", DataType::Int64, true), Field::new("s", DataType::Utf8, true)];
    let fields = UnionFields::try_new([0, 1], fields).unwrap();
    let children: Vec<ArrayRef> = vec![int(value), Arc::new(StringArray::from(Vec::<&str>::new()))];
    Arc::new(
        UnionArray::try_new(fields, [0_i8].into_iter().collect(), Some([0_i32].into_iter().collect()), children)
            .unwrap(),
    )
}

fn dictionary(value: &str) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int8Type>::new();
    builder.append(value).unwrap();
    Arc::new(builder.finish())
}

async fn run(ana: &mut Recorded, prepared: &mut PreparedStatement<Channel>) -> Result<String, String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let info = prepared.execute().await.map_err(|error| told(&error))?;
    let rows = ana.client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.map_err(|error| told(&error))?;
    Ok(render(&rows.try_collect::<Vec<_>>().await.map_err(|error| told(&error))?))
}

async fn ask(ana: &mut Recorded, sql: &str, values: RecordBatch) -> Result<String, String> {
    let mut prepared = ana.client.prepare(sql.to_owned(), None).await.map_err(|error| error.to_string())?;
    prepared.set_parameters(values).map_err(|error| error.to_string())?;
    let answer = run(ana, &mut prepared).await;
    prepared.close().await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_bound_by_place_from_every_shape_that_clients_send() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let all = "SELECT order_id FROM sales.orders WHERE amount >= ? AND region = ? ORDER BY order_id";
    let expect = ana.fetch(&all.replacen('?', "20", 1).replacen('?', "'EU'", 1)).await.unwrap();
    assert!(expect.lines().count() > 1, "{expect}");
    for values in [
        row(vec![("0", int(20)), ("1", text("EU"))]),
        row(vec![("$2", int(20)), ("$1", text("EU"))]),
        row(vec![("", Arc::new(Int8Array::from(vec![20]))), ("", dictionary("EU"))]),
        row(vec![("param_0", union(20)), ("param_1", text("EU"))]),
        row(vec![("a", Arc::new(Int32Array::from(vec![20]))), ("b", text("EU"))]),
        row(vec![("a", Arc::new(Float64Array::from(vec![20.0]))), ("b", text("EU"))]),
        row(vec![("a", text("20")), ("b", text("EU"))]),
    ] {
        assert_eq!(ask(&mut ana, all, values.clone()).await.unwrap(), expect, "{values:?}");
    }
    let turned = "SELECT order_id FROM sales.orders WHERE amount >= $2 AND region = $1 ORDER BY order_id";
    assert_eq!(ask(&mut ana, turned, row(vec![("0", text("EU")), ("1", int(20))])).await.unwrap(), expect);
    // By the place in the text, whatever the order of what an escape stands for.
    let places = row(vec![("a", text("b")), ("b", text("abc")), ("c", int(7))]);
    let answer = ask(&mut ana, "SELECT {fn LOCATE(?, ?)} AS at, {fn MOD(?, 4)} AS rest", places).await.unwrap();
    assert!(answer.ends_with("\n2 | 3"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn places_of_every_kind_take_values() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    for (sql, values, expect) in [
        ("SELECT ? AS a, ? AS b", vec![("0", int(7)), ("1", text("x"))], "a Int64 | b Utf8\n7 | x"),
        (
            "SELECT count(*) AS n FROM sales.orders WHERE order_id IN (?, ?)",
            vec![("0", int(1)), ("1", int(2))],
            "n Int64\n2",
        ),
        ("SELECT count(*) AS n FROM sales.orders WHERE region LIKE ?", vec![("0", text("%"))], "n Int64\n2"),
        (
            "SELECT order_id FROM sales.orders ORDER BY order_id LIMIT ? OFFSET ?",
            vec![("0", int(1)), ("1", int(1))],
            "order_id Int64\n2",
        ),
        ("SELECT abs(?) AS a", vec![("0", int(-3))], "a Int64\n3"),
        (
            "SELECT count(*) AS n FROM sales.orders WHERE amount > (SELECT min(amount) + ? FROM sales.orders)",
            vec![("0", int(0))],
            "n Int64\n1",
        ),
        ("SELECT ? IS NULL AS a", vec![("0", Arc::new(NullArray::new(1)) as ArrayRef)], "a Boolean\ntrue"),
        (
            "SELECT count(*) AS n FROM sales.orders WHERE region = ?",
            vec![("0", Arc::new(NullArray::new(1)) as ArrayRef)],
            "n Int64\n0",
        ),
        (
            "SELECT count(*) AS n FROM sales.orders WHERE ?",
            vec![("0", Arc::new(BooleanArray::from(vec![true])) as ArrayRef)],
            "n Int64\n2",
        ),
        ("SELECT repeat('x', ?) AS a", vec![("0", int(3))], "a Utf8\nxxx"),
    ] {
        assert_eq!(ask(&mut ana, sql, row(values)).await.as_deref(), Ok(expect), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_learn_what_to_bind() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let places: Vec<String> = (2..=10).map(|at| format!("region = ${at}")).collect();
    let sql = format!("SELECT order_id, $12 AS x FROM sales.orders WHERE amount > $1 AND ({})", places.join(" OR "));
    let prepared = ana.client.prepare(sql, None).await.unwrap();
    let schema = prepared.parameter_schema().unwrap();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12"]);
    assert!(schema.fields().iter().all(|field| field.is_nullable()));
    assert_eq!(schema.field(0).data_type(), &DataType::Int64);
    assert!(schema.fields().iter().skip(1).all(|field| field.data_type() == &DataType::Utf8), "{schema}");
    assert_eq!(prepared.dataset_schema().unwrap().field(0).name(), "order_id");
}

const FAMILIES: &str = r#"
//- mesh.yaml
name: mesh
roles: [analyst]
tags: []
classifications: [internal]
//- users.toml
[users.ana]
password = "x"
roles = ["analyst"]
//- sales/domain.yaml
name: sales
owner: {team: sales-team}
//- sales/numbers.odcs.yaml
apiVersion: v3.1.0
kind: DataContract
id: sales-numbers
name: numbers
version: 1.0.0
status: active
domain: sales
customProperties: [{property: meshgateClassification, value: internal}]
servers: [{server: local, type: local, path: "{model}.parquet", format: parquet}]
schema:
  - name: numbers
    properties:
      - {name: small, logicalType: integer}
      - {name: price, logicalType: number, physicalType: "decimal(12,2)"}
      - {name: ratio, logicalType: number}
      - {name: name, logicalType: string}
      - {name: day, logicalType: date}
//- sales/policies/all.cedar
@id("all") permit (principal in Role::"analyst", action == Action::"read", resource is sales::numbers);
//- data/sales/numbers.parquet
small:i32,price:dec,ratio:f64,name:utf8,day:date
1,1.50,0.5,one,2024-01-01
2,2.25,1.5,two,2024-01-02
2147483647,3.00,2.5,three,2024-01-03
"#;

#[tokio::test(flavor = "multi_thread")]
async fn places_tell_the_widest_type() {
    let served = Served::start(FAMILIES).await;
    let mut ana = served.connect("ana").await;
    let mut wrong = Vec::new();
    let moment = "Timestamp(ms)";
    for (condition, expect) in [
        ("small > ?", "Int64"),
        ("? = small", "Int64"),
        ("small BETWEEN ? AND ?", "Int64 Int64"),
        ("? BETWEEN small AND 7", "Int64"),
        ("small IN (?, ?, 3)", "Int64 Int64"),
        ("? IN (small, 3)", "Int64"),
        ("small + ? > 1", "Int64"),
        ("price = ?", "Decimal128(38, 2)"),
        ("price * ? > 1", "Decimal128(38, 2)"),
        ("ratio < ?", "Float64"),
        ("name = ?", "Utf8"),
        ("name LIKE ?", "Utf8"),
        ("? || name = 'x'", "Utf8"),
        ("lower(name) = lower(?)", "Utf8"),
        ("left(name, ?) = left(?, ?)", "Int64 Utf8 Int64"),
        ("abs(?) = small", "Int64"),
        ("coalesce(small, ?) = 1", "Int64"),
        ("coalesce(?, name) = 'x'", "Utf8"),
        ("power(2, ?) = ratio", "Float64"),
        ("day = ?", "Date32"),
        ("day < ? + INTERVAL '1 day'", "Date32"),
        ("day BETWEEN ? - INTERVAL '1 day' AND ?", "Date32 Date32"),
        ("date_trunc('month', ?) = day", moment),
        ("? - INTERVAL '1 day' IS NOT NULL", moment),
        ("? IS NULL OR small = ?", "Int64 Int64"),
        ("name = ? OR ? IS NULL", "Utf8 Utf8"),
        ("? IS NULL", "Utf8"),
        ("? = ?", "Utf8 Utf8"),
        ("CASE WHEN ? THEN small ELSE ? END = 1", "Boolean Int64"),
        ("CASE small WHEN ? THEN ? ELSE 'x' END = 'x'", "Int64 Utf8"),
        ("CAST(? AS INT) = 1", "Int64"),
        ("CAST(? AS DATE) = day", "Date32"),
        ("NOT ?", "Boolean"),
        ("small = ? AND ?", "Int64 Boolean"),
        ("? IN (SELECT small FROM sales.numbers)", "Int64"),
        ("small > (SELECT min(small) + ? FROM sales.numbers)", "Int64"),
        ("small = $1 OR ratio = $1", "Float64"),
        ("small = $1 OR name = $1", "Utf8"),
        ("true LIMIT ? OFFSET ?", "Int64 Int64"),
        ("true FETCH FIRST ? ROWS ONLY", "Int64"),
    ] {
        let sql = format!("SELECT small FROM sales.numbers WHERE {condition}");
        let told = match ana.client.prepare(sql, None).await {
            Ok(prepared) => {
                let schema = prepared.parameter_schema().unwrap();
                schema.fields().iter().map(|field| field.data_type().to_string()).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        };
        if told != expect {
            wrong.push(format!("{condition}\n  tells {told}\n  not   {expect}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What is beyond the range of a column, or between two of its values, is compared as it is.
#[tokio::test(flavor = "multi_thread")]
async fn values_beyond_a_column_keep_their_meaning() {
    let served = Served::start(FAMILIES).await;
    let mut ana = served.connect("ana").await;
    let float = |value: f64| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
    let decimal = |value: i128, scale: i8| {
        let array = Decimal128Array::from(vec![value]).with_precision_and_scale(38, scale).unwrap();
        Arc::new(array) as ArrayRef
    };
    let mut wrong = Vec::new();
    for (condition, value, expect) in [
        ("small > ?", int(3_000_000_000), 0),
        ("small < ?", int(3_000_000_000), 3),
        ("small <> ?", int(4_294_967_297), 3),
        ("small = ?", int(4_294_967_297), 0),
        ("small >= ?", int(-3_000_000_000), 3),
        ("small NOT IN (?, 1)", int(3_000_000_000), 2),
        ("small BETWEEN 1 AND ?", int(3_000_000_000), 3),
        ("small > ?", Arc::new(UInt64Array::from(vec![u64::MAX])) as ArrayRef, 0),
        ("small = ?", float(1.5), 0),
        ("small > ?", float(1.5), 2),
        ("small > ?", decimal(15, 1), 2),
        ("small = ?", text("2"), 1),
        ("price = ?", decimal(15, 1), 1),
        ("price < ?", decimal(1_501, 3), 1),
        ("price < ?", float(1.5), 0),
        ("price < ?", int(3), 2),
        ("price = ?", text("1.505"), 0),
        ("price = ?", text("1.5"), 1),
        ("price < ?", decimal(10_i128.pow(30), 0), 3),
        ("ratio < ?", float(1e300), 3),
        ("ratio = ?", int(1), 0),
        ("day < ? + INTERVAL '1 day'", Arc::new(Date32Array::from(vec![19_723])) as ArrayRef, 1),
        ("true LIMIT ?", int(2), 2),
    ] {
        let limit = condition.strip_prefix("true").unwrap_or_default();
        let condition = condition.split(" LIMIT").next().unwrap();
        let sql = format!("SELECT count(*) AS n FROM (SELECT small FROM sales.numbers WHERE {condition}{limit}) t");
        let answer = ask(&mut ana, &sql, row(vec![("0", Arc::clone(&value))])).await;
        if answer != Ok(format!("n Int64\n{expect}")) {
            wrong.push(format!("{condition} with {value:?}: {answer:?}, not {expect}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let both =
        row(vec![("0", Arc::new(NullArray::new(1)) as ArrayRef), ("1", Arc::new(NullArray::new(1)) as ArrayRef)]);
    let all = "SELECT count(*) AS n FROM sales.numbers WHERE ? IS NULL OR small = ?";
    assert_eq!(ask(&mut ana, all, both).await.unwrap(), "n Int64\n3");
    let one = row(vec![("0", int(1)), ("1", int(1))]);
    assert_eq!(ask(&mut ana, all, one).await.unwrap(), "n Int64\n1");
    let same = row(vec![("0", int(1)), ("1", text("1"))]);
    assert_eq!(ask(&mut ana, "SELECT ? = ? AS x", same).await.unwrap(), "x Boolean\ntrue");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_is_bound_again_and_keeps_what_was_bound() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let sql = "SELECT count(*) AS n FROM sales.orders WHERE region = ?";
    let mut prepared = ana.client.prepare(sql.to_owned(), None).await.unwrap();
    let unbound = run(&mut ana, &mut prepared).await.unwrap_err();
    assert!(unbound.contains("1 parameters, and no values"), "{unbound}");
    for (region, n) in [("EU", 2), ("US", 0), ("EU", 2)] {
        prepared.set_parameters(row(vec![("0", text(region))])).unwrap();
        for _ in 0..2 {
            assert_eq!(run(&mut ana, &mut prepared).await.unwrap(), format!("n Int64\n{n}"));
        }
    }
    prepared.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_values_are_told_and_harm_nothing() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let sql = "SELECT count(*) AS n FROM sales.orders WHERE amount = ?";
    let two_rows = RecordBatch::try_from_iter([("0", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)]).unwrap();
    for (values, expect) in [
        (row(vec![("0", text("SECRET"))]), "parameter 1 is VARCHAR, which cannot be read as BIGINT"),
        (row(vec![("0", int(1)), ("1", int(2))]), "the statement has 1 parameters, 2 values were given"),
        (row(vec![]), "the statement has 1 parameters, 0 values were given"),
        (two_rows, "the parameters have more rows than one"),
        (row(vec![("0", text(&"x".repeat(2_000_000)))]), "the parameters take more than"),
    ] {
        let error = ask(&mut ana, sql, values).await.unwrap_err();
        assert!(error.contains(expect) && !error.contains("SECRET"), "{error}");
    }
    for (sql, expect) in [
        ("SELECT $name", "parameters have no names"),
        ("SELECT ?, $1", "stand in one statement"),
        ("SELECT $1001", "at most 1000 parameters"),
    ] {
        let error = ana.client.prepare(sql.to_owned(), None).await.err().unwrap().to_string();
        assert!(error.contains(expect), "{error}");
    }
    let error = ask(&mut ana, "SET timezone = 'UTC'", row(vec![("0", int(1))])).await.unwrap_err();
    assert!(error.contains("has 0 parameters, 1 values were given"), "{error}");
    // A size is looked at once it is known.
    let error = ask(&mut ana, "SELECT repeat('x', ?)", row(vec![("0", int(100_000_000))])).await.unwrap_err();
    assert!(error.contains("at most"), "{error}");
    assert_eq!(ask(&mut ana, sql, row(vec![("0", int(-1))])).await.unwrap(), "n Int64\n0");
}
