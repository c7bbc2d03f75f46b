//! Files that keep their promise in another form: other types, columns that came later, other names inside lists.

use std::sync::Arc;

use ::parquet::data_type::{ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use datafusion::arrow::array::{
    ArrayRef, BinaryArray, Date64Array, Decimal128Array, Int32Array, Int64Array, ListArray, MapBuilder, NullArray,
    StringArray, StringBuilder, StructArray, TimestampNanosecondArray, UInt64Array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::prelude::{col, lit};

use super::*;

fn ids(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn record(fields: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let fields =
        fields.into_iter().map(|(name, values)| (Arc::new(Field::new(name, values.data_type().clone(), true)), values));
    Arc::new(StructArray::from(fields.collect::<Vec<_>>()))
}

/// One list of all values.
fn list(values: ArrayRef) -> ArrayRef {
    let item = Arc::new(Field::new("element", values.data_type().clone(), true));
    Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([values.len()]), values, None))
}

/// Sixteen bytes with an annotation or without, and an enum, which Arrow's own writer does not make.
fn annotated(uuid: &str) -> Vec<u8> {
    let schema = format!(
        "message m {{ required int64 n; required fixed_len_byte_array(16) id{uuid}; required binary status (ENUM); }}"
    );
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[1, 2], None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let ids = [[0x9a; 16], [0; 16]].map(|id| FixedLenByteArray::from(id.to_vec()));
    column.typed::<FixedLenByteArrayType>().write_batch(&ids, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let words = [ByteArray::from("OPEN"), ByteArray::from(vec![0xff])];
    column.typed::<ByteArrayType>().write_batch(&words, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

#[tokio::test]
async fn uuids_and_enums_are_text() {
    let world = World::new();
    world.put("orders/a.parquet", annotated("")).await;
    let columns = vec![column("n", DataType::Int64), column("id", DataType::Utf8), column("status", DataType::Utf8)];
    let contract = entry(Format::Parquet, columns);
    let raw = world.open(&contract).await;
    let why = raw.unreadable(&root("id")).expect("sixteen bytes alone are no UUID");
    assert!(why.message.contains("is bytes, but the contract promises text"), "{why}");
    world.put("orders/a.parquet", annotated(" (UUID)")).await;
    let raw = world.open(&contract).await;
    assert_eq!(
        show(&raw, None).await.unwrap(),
        "n | id | status | drift.status\n\
         1 | 9a9a9a9a-9a9a-9a9a-9a9a-9a9a9a9a9a9a | OPEN | false\n\
         2 | 00000000-0000-0000-0000-000000000000 |  | true"
    );
    let words: ArrayRef = Arc::new(BinaryArray::from(vec![b"OPEN".as_slice(), b"\xff"]));
    let nothing: ArrayRef = Arc::new(NullArray::new(2));
    let bytes = parquet_bytes(vec![("n", ids(&[1, 2])), ("inner", record(vec![("status", words)])), ("none", nothing)]);
    world.put("nested/a.parquet", bytes).await;
    let text = || column("status", DataType::Utf8);
    let columns = vec![structure("inner", vec![text()]), structure("none", vec![text()])];
    let nested = entry_of("sales", local("nested"), Format::Parquet, columns);
    let shown = world.show(&nested).await;
    assert_eq!(shown, "inner | none | drift.inner.status\n{status: OPEN} |  | false\n{status: } |  | true");
    let one = col("id").eq(lit("9a9a9a9a-9a9a-9a9a-9a9a-9a9a9a9a9a9a"));
    assert_eq!(show(&raw, Some(one)).await.unwrap().lines().count(), 2);
    assert_eq!(show(&raw, Some(col("status").eq(lit("OPEN")))).await.unwrap().lines().count(), 2);
}

#[tokio::test]
async fn column_that_came_later_is_null_before() {
    let world = World::new();
    world
        .put(
            "orders/a.parquet",
            parquet_bytes(vec![("id", ids(&[1, 2])), ("at", record(vec![("plz", texts(&["x", "y"]))]))]),
        )
        .await;
    let at = record(vec![("plz", texts(&["z"])), ("no", ids(&[7]))]);
    let items = list(record(vec![("sku", texts(&["A"])), ("qty", ids(&[2]))]));
    let bytes = parquet_bytes(vec![("id", ids(&[3])), ("city", texts(&["Oslo"])), ("at", at), ("items", items)]);
    world.put("orders/b.parquet", bytes).await;
    let items = list(record(vec![("sku", texts(&["B"]))]));
    world.put("orders/c.parquet", parquet_bytes(vec![("id", ids(&[4])), ("items", items)])).await;
    let pair = vec![Field::new("article", DataType::Utf8, true), Field::new("qty", DataType::Int64, true)];
    let in_files = vec![Field::new("sku", DataType::Utf8, true), Field::new("qty", DataType::Int64, true)];
    let items = Column {
        list_in_files: Some(DataType::new_list(DataType::Struct(in_files.into()), true)),
        ..column("items", DataType::new_list(DataType::Struct(pair.into()), true))
    };
    let at = structure("at", vec![renamed("postcode", "plz", DataType::Utf8), column("no", DataType::Int64)]);
    let contract =
        entry(Format::Parquet, vec![column("id", DataType::Int64), column("city", DataType::Utf8), at, items]);
    let raw = world.open(&contract).await;
    assert_eq!(world.sources.state(&contract), State::Verified);
    assert_eq!(
        show(&raw, None).await.unwrap(),
        "id | city | at | items\n\
         1 |  | {postcode: x, no: }\n\
         2 |  | {postcode: y, no: }\n\
         3 | Oslo | {postcode: z, no: 7} | [{article: A, qty: 2}]\n\
         4 |  |  | [{article: B, qty: }]"
    );
    for (filter, rows) in [
        (col("city").eq(lit("Oslo")), 1),
        (col("city").not_eq(lit("Oslo")), 0),
        (col("city").is_null(), 3),
        (col("city").is_not_null(), 1),
        (col("city").is_null().or(col("id").gt(lit(2_i64))), 4),
        (col("id").gt(lit(1_i64)).and(col("city").eq(lit("Oslo"))), 1),
        (lit(true).eq(col("city").eq(lit("Oslo"))), 1),
    ] {
        let batches = run(&raw, Some(filter.clone())).await.unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), rows, "{filter}");
    }
}

/// Columns are held as texts while the engine adapts conditions to a file.
#[tokio::test]
async fn text_of_a_statement_names_no_column() {
    let world = World::new();
    let of_columns = |id: i64, name: &'static str| {
        let times = TimestampNanosecondArray::from(vec![-1]);
        parquet_bytes(vec![("id", ids(&[id])), ("name", texts(&[name])), ("at", Arc::new(times) as ArrayRef)])
    };
    world.put("orders/a.parquet", of_columns(1, "\0column:id")).await;
    world.put("orders/b.parquet", of_columns(2, "\0text:\0column:at")).await;
    let us = DataType::Timestamp(TimeUnit::Microsecond, None);
    let columns = vec![column("id", DataType::Int64), column("name", DataType::Utf8), column("at", us)];
    let raw = world.open(&entry(Format::Parquet, columns)).await;
    for (text, rows) in [("\0column:id", 1), ("\0text:\0column:at", 1), ("\0column:at", 0), ("\0column:name", 0)] {
        for (filter, rows) in [(col("name").eq(lit(text)), rows), (col("name").not_eq(lit(text)), 2 - rows)] {
            let batches = run(&raw, Some(filter.clone())).await.unwrap();
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), rows, "{filter:?}");
        }
    }
}

#[tokio::test]
async fn what_no_file_has_is_told() {
    let world = World::new();
    world
        .put("orders/a.parquet", parquet_bytes(vec![("id", ids(&[1])), ("at", record(vec![("no", ids(&[7]))]))]))
        .await;
    world.put("orders/b.parquet", parquet_bytes(vec![("id", ids(&[2])), ("region", texts(&["EU"]))])).await;
    let required = Column { required: true, ..column("region", DataType::Utf8) };
    let at = structure("at", vec![column("no", DataType::Int64), column("stret", DataType::Utf8)]);
    let columns = vec![column("id", DataType::Int64), column("ctiy", DataType::Utf8), required, at];
    let contract = entry(Format::Parquet, columns);
    let raw = world.open(&contract).await;
    for (name, message) in [
        ("ctiy", "`orders/a.parquet` has no column `ctiy`, promised as text"),
        ("region", "`orders/a.parquet` has no column `region`, promised as text"),
    ] {
        assert_eq!(raw.unreadable(&root(name)).unwrap().message, message);
    }
    let inner = |name: &str| root("at").child(name.parse().unwrap());
    let why = raw.unreadable(&inner("stret")).unwrap();
    assert_eq!(why.message, "`orders/a.parquet` has no column `at.stret`, promised as text");
    assert!(raw.unreadable(&inner("no")).is_none(), "the other member is there");
    assert!(matches!(world.sources.state(&contract), State::Partial { .. }));
    // Policies read a required column in the files that have it; what no file has is marked.
    assert_eq!(
        show(&raw, None).await.unwrap(),
        "id | ctiy | region | at | drift.ctiy | drift.at.stret\n\
         1 |  |  | {no: 7, stret: } | true | true\n\
         2 |  | EU |  | true | true"
    );
}

#[tokio::test]
async fn later_column_does_not_end_skipping() {
    let world = World::new();
    let pad = |from: i64| {
        Arc::new(StringArray::from_iter_values((from..from + 2000).map(|i| format!("{i:0200}")))) as ArrayRef
    };
    let group = |columns: Vec<(&str, ArrayRef)>| {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(500)).build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        bytes
    };
    let first = (0..2000).collect::<Vec<_>>();
    let second = (2000..4000).collect::<Vec<_>>();
    world.put("orders/a.parquet", group(vec![("id", ids(&first)), ("pad", pad(0))])).await;
    let city = texts(&vec!["Oslo"; 2000]);
    world.put("orders/b.parquet", group(vec![("id", ids(&second)), ("pad", pad(2000)), ("city", city)])).await;
    let columns = vec![column("id", DataType::Int64), column("pad", DataType::Utf8), column("city", DataType::Utf8)];
    let raw = world.open(&entry(Format::Parquet, columns)).await;
    let read = |world: &World| std::mem::take(&mut *world.store.bytes.lock().unwrap());
    read(&world);
    assert_eq!(show(&raw, Some(col("id").eq(lit(7_i64)))).await.unwrap().lines().count(), 2);
    let some = read(&world);
    assert_eq!(show(&raw, None).await.unwrap().lines().count(), 4001);
    let all = read(&world);
    assert!(some * 4 < all, "{some} of {all} bytes");
}

#[tokio::test]
async fn numbers_and_days_are_kept_by_their_families() {
    let world = World::new();
    let fees = Decimal128Array::from(vec![110, -5]).with_precision_and_scale(10, 2).unwrap();
    let large = Decimal128Array::from(vec![125, 12_345_678_901_234_567_890_123]);
    let whole = Decimal128Array::from(vec![4, 5]).with_precision_and_scale(10, 0).unwrap();
    let bytes = parquet_bytes(vec![
        ("fee", Arc::new(fees) as ArrayRef),
        ("large", Arc::new(large.with_precision_and_scale(38, 2).unwrap())),
        ("whole", Arc::new(whole)),
        ("count", ids(&[3, (1 << 60) + 1])),
        ("unsigned", Arc::new(UInt64Array::from(vec![7, u64::MAX]))),
        ("day", Arc::new(Date64Array::from(vec![19_782 * 86_400_000, -86_400_000]))),
    ]);
    world.put("orders/a.parquet", bytes).await;
    let columns = vec![
        column("fee", DataType::Float64),
        column("large", DataType::Float64),
        column("whole", DataType::Int64),
        column("count", DataType::Float64),
        column("unsigned", DataType::Int64),
        column("day", DataType::Date32),
    ];
    let raw = world.open(&entry(Format::Parquet, columns)).await;
    let names = ["fee", "large", "whole", "count", "unsigned", "day"].map(root);
    let marked: Vec<bool> = names.iter().map(|name| raw.drift_marker(name).is_some()).collect();
    assert_eq!(marked, [false, true, false, true, true, true]);
    assert_eq!(
        show(&raw, None).await.unwrap(),
        "fee | large | whole | count | unsigned | day | drift.large | drift.count | drift.unsigned | drift.day\n\
         1.1 | 1.25 | 4 | 3.0 | 7 | 2024-02-29 | false | false | false | false\n\
         -0.05 |  | 5 |  |  | 1969-12-31 | true | true | true | false"
    );
}

#[tokio::test]
async fn nanoseconds_stay_in_their_day() {
    let world = World::new();
    let times = || Arc::new(TimestampNanosecondArray::from(vec![-1, 365 * 86_400 * 1_000_000_000 - 1])) as ArrayRef;
    let one = || Arc::new(TimestampNanosecondArray::from(vec![-1])) as ArrayRef;
    let rows = vec![("id", ids(&[1, 2])), ("at", times()), ("inner", record(vec![("at", times())]))];
    world.put("orders/a.parquet", parquet_bytes(rows)).await;
    world.put("listed/a.parquet", parquet_bytes(vec![("at", list(record(vec![("at", one())])))])).await;
    let us = DataType::Timestamp(TimeUnit::Microsecond, None);
    let inner = structure("inner", vec![column("at", us.clone())]);
    let raw = world.open(&entry(Format::Parquet, vec![column("at", us.clone()), inner])).await;
    assert_eq!(
        show(&raw, None).await.unwrap(),
        "at | inner\n\
         1969-12-31T23:59:59.999999 | {at: 1969-12-31T23:59:59.999999}\n\
         1970-12-31T23:59:59.999999 | {at: 1970-12-31T23:59:59.999999}"
    );
    let element = DataType::Struct(vec![Field::new("at", us, true)].into());
    let columns = vec![column("at", DataType::new_list(element, true))];
    let listed = entry_of("sales", local("listed"), Format::Parquet, columns);
    assert_eq!(world.show(&listed).await, "at\n[{at: 1969-12-31T23:59:59.999999}]");
}

#[tokio::test]
async fn map_keeps_the_promise_of_a_list_of_pairs() {
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Array::builder(1));
    maps.keys().append_value("a");
    maps.values().append_value(1);
    maps.append(true).unwrap();
    maps.append(false).unwrap();
    let world = World::new();
    let bytes = parquet_bytes(vec![
        ("m", Arc::new(maps.finish()) as ArrayRef),
        ("raw", Arc::new(BinaryArray::from(vec![b"x".as_slice(), b"y"]))),
    ]);
    world.put("orders/a.parquet", bytes).await;
    let pair = vec![Field::new("word", DataType::Utf8, true), Field::new("n", DataType::Int64, true)];
    let columns =
        vec![column("m", DataType::new_list(DataType::Struct(pair.into()), true)), column("raw", DataType::Utf8)];
    let raw = world.open(&entry(Format::Parquet, columns)).await;
    assert_eq!(show(&raw, None).await.unwrap(), "m | raw | drift.raw\n[{word: a, n: 1}] | x | false\ny | false");
}
