//! Parquet: conforming, hive folders, locations.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, DictionaryArray, Float32Array, Int32Array, Int64Array, LargeStringArray, StringArray,
    StructArray, TimestampMillisecondArray, TimestampNanosecondArray, UInt32Array,
};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::datatypes::{DataType, Field, Int8Type, TimeUnit};
use datafusion::prelude::{col, lit};

use super::*;
use crate::diagnostic::Kind;

fn ids(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[tokio::test]
async fn columns_come_in_the_contract_s_order_names_and_types() {
    let world = World::new();
    let region: DictionaryArray<Int8Type> = ["EU", "US"].into_iter().collect();
    let amount = Decimal128Array::from(vec![150, 250]).with_precision_and_scale(5, 2).unwrap();
    let bytes = parquet_bytes(vec![
        ("hidden", texts(&["x", "y"])),
        ("n", Arc::new(Int32Array::from(vec![1, 2]))),
        ("u", Arc::new(UInt32Array::from(vec![7, u32::MAX]))),
        ("f", Arc::new(Float32Array::from(vec![0.5, 1.5]))),
        ("region", Arc::new(region)),
        ("amount", Arc::new(amount)),
        ("ns", Arc::new(TimestampNanosecondArray::from(vec![1_000_001, 2_000_000]))),
        ("ms", Arc::new(TimestampMillisecondArray::from(vec![1, 2]).with_timezone("UTC"))),
        ("note", Arc::new(LargeStringArray::from(vec![Some("a"), None]))),
        ("id", ids(&[10, 20])),
    ]);
    world.put("orders/part-0.parquet", bytes).await;
    let us = DataType::Timestamp(TimeUnit::Microsecond, None);
    let columns = vec![
        renamed("order_id", "id", DataType::Int64),
        column("region", DataType::Utf8),
        column("note", DataType::Utf8),
        column("n", DataType::Int64),
        column("u", DataType::Int64),
        column("f", DataType::Float64),
        column("amount", DataType::Decimal128(12, 4)),
        column("ns", us.clone()),
        column("ms", us),
    ];
    let promised: BTreeMap<_, _> = columns.iter().map(|c| (c.name.to_string(), c.data_type.clone())).collect();
    let entry = entry(Format::Parquet, columns);
    assert_eq!(world.sources.state(&entry), State::Declared);
    let raw = world.open(&entry).await;
    assert_eq!(world.sources.state(&entry), State::Verified);
    assert_eq!(schema(&raw), promised);
    assert_eq!(
        show(&raw, None).await.unwrap(),
        "order_id | region | note | n | u | f | amount | ns | ms\n\
         10 | EU | a | 1 | 7 | 0.5 | 1.5000 | 1970-01-01T00:00:00.001 | 1970-01-01T00:00:00.001\n\
         20 | US |  | 2 | 4294967295 | 1.5 | 2.5000 | 1970-01-01T00:00:00.002 | 1970-01-01T00:00:00.002"
    );
    assert_eq!(show(&raw, Some(col("n").eq(lit(2_i64)))).await.unwrap().lines().count(), 2);
    assert!(raw.drift_marker(&root("n")).is_none());
    assert_eq!(world.sources.row_count(&entry).await, Some(2));
}

#[tokio::test]
async fn files_of_one_dataset_may_differ_where_all_conform() {
    let world = World::new();
    world.put("orders/a.parquet", parquet_bytes(vec![("id", ids(&[1]))])).await;
    let second = parquet_bytes(vec![("extra", texts(&["x"])), ("id", Arc::new(Int32Array::from(vec![2])))]);
    world.put("orders/b.parquet", second).await;
    world.put("orders/_SUCCESS", "").await;
    world.put("orders/.hidden.parquet", "").await;
    let raw = world.open(&entry(Format::Parquet, vec![column("id", DataType::Int64)])).await;
    let filtered = show(&raw, Some(col("id").gt(lit(1_i64)))).await.unwrap();
    assert_eq!(filtered, "id\n2");
}

#[tokio::test]
async fn a_struct_is_conformed_field_by_field() {
    let world = World::new();
    let fields = vec![
        (Arc::new(Field::new("plz", DataType::Utf8, true)), texts(&["10115", "0000"])),
        (Arc::new(Field::new("secret", DataType::Utf8, true)), texts(&["s", "s"])),
        (Arc::new(Field::new("no", DataType::Int32, true)), Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef),
    ];
    let address = StructArray::from((fields, Buffer::from([0b01])));
    world.put("orders/a.parquet", parquet_bytes(vec![("address", Arc::new(address))])).await;
    let fields = vec![column("no", DataType::Int64), renamed("postcode", "plz", DataType::Utf8)];
    let contract = entry(Format::Parquet, vec![structure("address", fields.clone())]);
    let raw = world.open(&contract).await;
    assert_eq!(schema(&raw).get("address"), Some(&contract.dataset().columns[0].data_type));
    assert_eq!(show(&raw, None).await.unwrap(), "address\n{no: 1, postcode: 10115}\n");

    let missing = vec![column("city", DataType::Utf8)];
    let error = world.refused(&entry(Format::Parquet, vec![structure("address", missing)])).await;
    assert!(error.message.contains("`orders/a.parquet` has no column `address.city`"), "{error}");
}

#[tokio::test]
async fn a_missing_or_incompatible_column_takes_the_product_out_and_says_why() {
    let world = World::new();
    world.put("orders/a.parquet", parquet_bytes(vec![("id", ids(&[1])), ("amount", texts(&["1"]))])).await;
    let error = world.refused(&entry(Format::Parquet, vec![column("region", DataType::Utf8)])).await;
    assert_eq!(error.message, "`orders/a.parquet` has no column `region`, promised as text");
    assert_eq!(error.hints[0], "it has `id`, `amount`");
    for (columns, message) in [
        (
            column("amount", DataType::Decimal128(12, 2)),
            "column `amount` of `orders/a.parquet` is text, but the contract promises decimal(12,2)",
        ),
        (
            column("id", DataType::Int32),
            "column `id` of `orders/a.parquet` is a 64-bit integer, but the contract promises a 32-bit integer",
        ),
        (
            column("id", DataType::Float32),
            "column `id` of `orders/a.parquet` is a 64-bit integer, but the contract promises a 32-bit float",
        ),
    ] {
        let error = world.refused(&entry(Format::Parquet, vec![columns])).await;
        assert_eq!((error.kind, error.message.as_str()), (Kind::Invalid, message));
    }
}

#[tokio::test]
async fn a_truncated_file_and_an_empty_folder_are_said_so() {
    let world = World::new();
    let contract = entry(Format::Parquet, vec![column("id", DataType::Int64)]);
    let error = world.refused(&contract).await;
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(error.message.contains("there is no `.parquet`"), "{error}");
    let mut bytes = parquet_bytes(vec![("id", ids(&[1, 2, 3]))]);
    bytes.truncate(bytes.len() - 20);
    world.put("orders/a.parquet", bytes).await;
    let error = world.refused(&contract).await;
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.message.contains("`orders/a.parquet` cannot be read: it is no whole Parquet file"), "{error}");
    assert!(error.hints[0].contains("write it again"));
}

async fn partitioned(world: &World) -> TableEntry {
    for (year, month, id) in [("2023", "01", 1), ("2024", "01", 2), ("2024", "02", 3)] {
        let bytes = parquet_bytes(vec![("id", ids(&[id]))]);
        world.put(&format!("orders/order_year={year}/month={month}/part-0.parquet"), bytes).await;
    }
    // The contract lists month first; the position decides.
    entry(
        Format::Parquet,
        vec![
            partition("month", 2, DataType::Int32),
            column("id", DataType::Int64),
            partition("order_year", 1, DataType::Int32),
        ],
    )
}

#[tokio::test]
async fn a_predicate_on_a_partition_column_reads_only_those_folders() {
    let world = World::new();
    let contract = partitioned(&world).await;
    let raw = world.open(&contract).await;
    assert_eq!(world.reads().len(), 3, "one footer each");
    let rows = show(&raw, Some(col("order_year").eq(lit(2024)).and(col("month").eq(lit(2))))).await.unwrap();
    assert_eq!(rows, "month | id | order_year\n2 | 3 | 2024");
    assert_eq!(world.reads(), ["orders/order_year=2024/month=02/part-0.parquet"]);
    let none = show(&raw, Some(col("order_year").gt(lit(2030)))).await.unwrap();
    assert!(none.lines().count() <= 1, "{none}");
    assert_eq!(world.reads(), Vec::<String>::new());
    assert_eq!(show(&raw, None).await.unwrap().lines().count(), 4);
}

#[tokio::test]
async fn a_file_outside_the_promised_folders_takes_the_product_out() {
    let world = World::new();
    let contract = partitioned(&world).await;
    world.put("orders/stray.parquet", parquet_bytes(vec![("id", ids(&[9]))])).await;
    let error = world.refused(&contract).await;
    assert_eq!(error.message, "`orders/stray.parquet` is not in a folder `order_year=…`");
    let world = World::new();
    let contract = partitioned(&world).await;
    world.put("orders/order_year=old/month=01/x.parquet", parquet_bytes(vec![("id", ids(&[9]))])).await;
    let error = world.refused(&contract).await;
    assert!(error.message.contains("`order_year=old`, but the contract promises a 32-bit integer"), "{error}");
}

#[tokio::test]
async fn hive_writers_null_and_escapes_are_read_back() {
    let world = World::new();
    for (folder, id) in [("__HIVE_DEFAULT_PARTITION__", 1), ("a%2Fb", 2)] {
        let key = Path::parse(format!("orders/kind={folder}/p.parquet")).unwrap();
        let bytes = parquet_bytes(vec![("id", ids(&[id]))]);
        world.store.inner.put(&key, bytes.into()).await.unwrap();
    }
    let contract = entry(Format::Parquet, vec![column("id", DataType::Int64), partition("kind", 1, DataType::Utf8)]);
    let raw = world.open(&contract).await;
    assert_eq!(show(&raw, Some(col("kind").is_null())).await.unwrap().lines().last(), Some("1"));
    assert_eq!(show(&raw, Some(col("kind").eq(lit("a/b")))).await.unwrap().lines().last(), Some("2 | a/b"));
}

#[tokio::test]
async fn a_wildcard_stays_in_its_folder() {
    let world = World::new();
    for (key, id) in [
        ("raw/orders-1.parquet", 1),
        ("raw/orders-2.parquet", 2),
        ("raw/other.parquet", 3),
        ("raw/x/orders-4.parquet", 4),
    ] {
        world.put(key, parquet_bytes(vec![("id", ids(&[id]))])).await;
    }
    let at = |path: &str| entry_of("sales", local(path), Format::Parquet, vec![column("id", DataType::Int64)]);
    assert_eq!(world.show(&at("raw/{model}-*.parquet")).await, "id\n1\n2");
    assert_eq!(world.show(&at("./raw/other.parquet")).await, "id\n3");
    assert_eq!(world.show(&at("raw/**/orders-4.parquet")).await, "id\n4");
}

#[tokio::test]
async fn a_location_that_leaves_the_domain_is_refused() {
    let world = World::new();
    for key in ["hr/orders/a.parquet", "orders/a.parquet", "sales2/orders/a.parquet", "sales/orders/a.parquet"] {
        world.put(key, parquet_bytes(vec![("id", ids(&[1]))])).await;
    }
    let open = |location| entry_of("sales", location, Format::Parquet, vec![column("id", DataType::Int64)]);
    assert_eq!(world.show(&open(s3("s3://lake/sales/{model}/"))).await, "id\n1");
    for path in [
        "../hr/orders",
        "orders/../../hr",
        "/etc",
        "file:///etc",
        "s3://lake/hr",
        "%2e%2e/hr",
        "..%2fhr",
        "orders%00",
        "a//b",
        "C:/hr",
        "..\\hr",
        "orders/..",
        "..",
        "{schema}/x",
        "orders\n/x",
    ] {
        let error = world.refused(&open(local(path))).await;
        assert_eq!(error.kind, Kind::Invalid, "{path}: {error}");
        assert!(error.message.starts_with("the location `"), "{path}: {error}");
    }
    for url in [
        "s3://hr-bucket/orders",
        "s3://lake/hr/orders",
        "s3://lake/sales2/orders",
        "s3://lake/sales/../hr/orders",
        "s3://lake",
        "s3://lake/",
        "s3://lake/*/orders",
        "s3://user@lake/sales",
        "s3://lake:9000/sales",
        "s3a://lake/sales",
        "file:///lake/sales",
        "s3://lake/sales/%2e%2e/hr",
        "s3:///sales/orders",
        "s3://lake//sales/orders",
    ] {
        let error = world.refused(&open(s3(url))).await;
        assert_eq!(error.kind, Kind::Invalid, "{url}: {error}");
        assert!(error.message.starts_with("the location `"), "{url}: {error}");
    }
    assert_eq!(world.reads().iter().filter(|key| !key.starts_with("sales/")).count(), 0);
}

#[tokio::test]
async fn a_predicate_on_a_bare_column_skips_row_groups() {
    let world = World::new();
    let batch = RecordBatch::try_from_iter(vec![
        ("id", ids(&(0..4000).collect::<Vec<_>>())),
        ("pad", Arc::new(StringArray::from_iter_values((0..4000).map(|i| format!("{i:0200}")))) as ArrayRef),
    ])
    .unwrap();
    let properties =
        ::parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(500)).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let size = bytes.len();
    world.put("orders/a.parquet", bytes).await;
    let columns = vec![renamed("key", "id", DataType::Int64), column("pad", DataType::Utf8)];
    let raw = world.open(&entry(Format::Parquet, columns)).await;
    let read = |world: &World| std::mem::take(&mut *world.store.bytes.lock().unwrap());
    read(&world);
    assert_eq!(show(&raw, Some(col("key").eq(lit(7_i64)))).await.unwrap().lines().count(), 2);
    let some = read(&world);
    assert_eq!(show(&raw, None).await.unwrap().lines().count(), 4001);
    let all = read(&world);
    assert!(some * 4 < all, "{some} of {all} bytes of a file of {size}");
}

#[tokio::test]
async fn a_missing_bucket_is_said_so_in_every_format() {
    let world = World::new();
    world.store.gone.store(true, Ordering::Relaxed);
    for format in [Format::Parquet, Format::Delta, Format::Csv, Format::Json] {
        let location = s3("s3://lake/sales/orders");
        let error = world.refused(&entry_of("sales", location, format, vec![column("id", DataType::Int64)])).await;
        assert_eq!(error.kind, Kind::Unavailable, "{error}");
        assert!(error.message.starts_with("cannot read `s3://lake/sales/orders`"), "{error}");
        assert!(error.hints[0].contains("check that the bucket or folder exists"), "{error:?}");
    }
}

#[tokio::test]
async fn a_local_folder_is_read_whatever_its_name() {
    let home = tempfile::tempdir().unwrap();
    let folders = ["orders.parquet", "with space/größe", "kind=a b"];
    for folder in folders {
        std::fs::create_dir_all(home.path().join(folder)).unwrap();
        std::fs::write(home.path().join(folder).join("p.parquet"), parquet_bytes(vec![("id", ids(&[1]))])).unwrap();
    }
    let storage = crate::config::DomainStorage { root: Some(home.path().to_owned()), ..Default::default() };
    let config = crate::config::Storage { domains: BTreeMap::from([("sales".to_owned(), storage)]) };
    let world = World::with(Arc::default(), Stores::from_config(&config).unwrap());
    for folder in folders {
        let contract = entry_of("sales", local(folder), Format::Parquet, vec![column("id", DataType::Int64)]);
        assert_eq!(world.show(&contract).await, "id\n1", "{folder}");
    }
    let columns = vec![column("id", DataType::Int64), partition("kind", 1, DataType::Utf8)];
    let contract = entry_of("sales", local("kind=*/*.parquet"), Format::Parquet, columns);
    assert_eq!(world.show(&contract).await, "id | kind\n1 | a b");
}

/// They would fail as they are read, for whoever may not see them.
#[tokio::test]
async fn times_without_microseconds_are_null_and_marked() {
    let us = DataType::Timestamp(TimeUnit::Microsecond, None);
    let contract = entry(Format::Parquet, vec![column("id", DataType::Int64), column("ms", us.clone())]);
    let world = World::new();
    let bytes = |ms: Vec<Option<i64>>| {
        let count = i64::try_from(ms.len()).unwrap();
        let other = TimestampMillisecondArray::from(vec![i64::MAX; ms.len()]);
        parquet_bytes(vec![
            ("id", ids(&(0..count).collect::<Vec<_>>())),
            ("ms", Arc::new(TimestampMillisecondArray::from(ms))),
            ("unpromised", Arc::new(other)),
        ])
    };
    world.put("orders/a.parquet", bytes(vec![Some(1), None])).await;
    world.put("orders/b.parquet", bytes(vec![None, None])).await;
    assert_eq!(world.open(&contract).await.drift_marker(&root("ms")), None, "where all fit, nothing is marked");
    world.put("orders/c.parquet", bytes(vec![Some(1), Some(9_223_372_036_854_775_000), None])).await;
    let raw = world.open(&contract).await;
    let lost = show(&raw, Some(col("\"drift.ms\"").is_true())).await.unwrap();
    assert_eq!(lost, "id | ms | drift.ms\n1 |  | true");
    assert_eq!(show(&raw, Some(col("\"drift.ms\"").is_not_true())).await.unwrap().lines().count(), 7);
    // Inside of a struct each field has a marker of its own.
    let inner = vec![(
        Arc::new(Field::new("ms", DataType::Timestamp(TimeUnit::Millisecond, None), true)),
        Arc::new(TimestampMillisecondArray::from(vec![i64::MAX, 1])) as ArrayRef,
    )];
    let nested = parquet_bytes(vec![("id", ids(&[1, 2])), ("at", Arc::new(StructArray::from(inner)))]);
    world.put("nested/a.parquet", nested).await;
    let columns = vec![column("id", DataType::Int64), structure("at", vec![renamed("when", "ms", us)])];
    let contract = entry_of("sales", local("nested"), Format::Parquet, columns);
    let raw = world.open(&contract).await;
    assert_eq!(world.sources.state(&contract), State::Verified);
    let rows = "1 | {when: } | true\n2 | {when: 1970-01-01T00:00:00.001} | false";
    assert_eq!(show(&raw, None).await.unwrap(), format!("id | at | drift.at.when\n{rows}"));
}
