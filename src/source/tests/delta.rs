//! Delta: conforming, and the five ways in which a log names files that are not its domain's.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BinaryArray, Decimal128Array, Int32Array, Int64Array, ListArray, StringArray, StructArray,
    TimestampNanosecondArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::prelude::{Expr, col, lit};

use super::*;
use crate::diagnostic::Kind;

pub(super) fn data(ids: &[i64], text: &[&str]) -> Vec<u8> {
    let ids: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
    parquet_bytes(vec![("id", ids), ("s", Arc::new(StringArray::from(text.to_vec())))])
}

pub(super) fn add(path: &str, size: usize) -> String {
    let stats = r#"{\"numRecords\":2}"#;
    format!(
        "{{\"add\":{{\"path\":\"{path}\",\"partitionValues\":{{}},\"size\":{size},\"modificationTime\":0,\"dataChange\":true,\"stats\":\"{stats}\"}}}}\n"
    )
}

pub(super) fn log(protocol: &str, adds: &str) -> String {
    let field = |name: &str, kind: &str| {
        format!(r#"{{\"name\":\"{name}\",\"type\":\"{kind}\",\"nullable\":true,\"metadata\":{{}}}}"#)
    };
    let schema = format!(r#"{{\"type\":\"struct\",\"fields\":[{},{}]}}"#, field("id", "long"), field("s", "string"));
    format!(
        "{{\"protocol\":{protocol}}}\n{{\"metaData\":{{\"id\":\"a\",\"format\":{{\"provider\":\"parquet\",\"options\":{{}}}},\"schemaString\":\"{schema}\",\"partitionColumns\":[],\"configuration\":{{}},\"createdTime\":0}}}}\n{adds}"
    )
}

pub(super) const PROTOCOL: &str = r#"{"minReaderVersion":1,"minWriterVersion":2}"#;

pub(super) fn commit(version: u64) -> String {
    format!("_delta_log/{version:020}.json")
}

fn columns() -> Vec<Column> {
    vec![column("id", DataType::Int64), renamed("text", "s", DataType::Utf8)]
}

async fn table(world: &World, folder: &str, path: &str, size: usize) {
    world.put(&format!("{folder}/{}", commit(0)), log(PROTOCOL, &add(path, size))).await;
}

#[tokio::test]
async fn a_table_is_read_in_the_contract_s_names() {
    let world = World::new();
    let bytes = data(&[1, 2], &["a", "b"]);
    table(&world, "orders", "part-0.parquet", bytes.len()).await;
    world.put("orders/part-0.parquet", bytes).await;
    let contract = entry(Format::Delta, columns());
    let raw = world.open(&contract).await;
    assert_eq!(schema(&raw).get("text"), Some(&DataType::Utf8));
    assert_eq!(show(&raw, Some(col("id").gt(lit(1_i64)))).await.unwrap(), "id | text\n2 | b");
    assert_eq!(world.sources.row_count(&contract).await, Some(2));
    let error = world.refused(&entry(Format::Delta, vec![column("region", DataType::Utf8)])).await;
    assert_eq!(error.message, "`orders` has no column `region`, promised as text");
    let error = world.refused(&entry(Format::Delta, vec![column("id", DataType::Int32)])).await;
    assert!(error.message.contains("is a 64-bit integer, but the contract promises a 32-bit integer"), "{error}");
}

/// A policy's filter is one of these: rows for which it is NULL are not to be seen.
#[tokio::test]
async fn a_filter_that_is_null_lets_no_row_pass() {
    let world = World::new();
    let bytes = parquet_bytes(vec![("id", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)]);
    let add = |path: &str, value: &str| {
        add(path, bytes.len()).replace(r#""partitionValues":{}"#, &format!(r#""partitionValues":{{"s":{value}}}"#))
    };
    let adds = format!("{}{}", add("eu.parquet", r#""EU""#), add("none.parquet", "null"));
    let log = log(PROTOCOL, &adds).replace(r#""partitionColumns":[]"#, r#""partitionColumns":["s"]"#);
    world.put(&format!("orders/{}", commit(0)), log).await;
    for file in ["eu.parquet", "none.parquet"] {
        world.put(&format!("orders/{file}"), bytes.clone()).await;
    }
    let raw = world.open(&entry(Format::Delta, columns())).await;
    let null = || lit(ScalarValue::Boolean(None));
    let count = async |filter: Expr| show(&raw, Some(filter)).await.unwrap().lines().count().saturating_sub(1);
    assert_eq!(count(col("id").gt(lit(0_i64))).await, 4);
    assert_eq!(count(null()).await, 0);
    assert_eq!(count(col("text").eq(lit("EU"))).await, 2);
    assert_eq!(count(col("text").not_eq(lit("US"))).await, 2);
    assert_eq!(count(col("text").eq(lit("US")).or(null())).await, 0);
    assert_eq!(count(col("id").gt(lit(0_i64)).and(null())).await, 0);
    assert_eq!(count(col("text").is_null()).await, 2);
}

#[tokio::test]
async fn a_folder_without_a_log_is_said_so() {
    let world = World::new();
    let error = world.refused(&entry(Format::Delta, columns())).await;
    assert_eq!(error.kind, Kind::Unavailable, "{error}");
    assert!(error.message.contains("no Delta table in `orders`"), "{error}");
}

#[tokio::test]
async fn a_reader_feature_that_is_not_offered_is_named() {
    let world = World::new();
    let protocol = r#"{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["typeWidening","rowTelepathy"],"writerFeatures":["typeWidening","rowTelepathy"]}"#;
    world.put(&format!("orders/{}", commit(0)), log(protocol, "")).await;
    let error = world.refused(&entry(Format::Delta, columns())).await;
    assert_eq!(error.kind, Kind::Unsupported, "{error}");
    assert!(error.message.contains("rowTelepathy"), "{error}");
}

/// One asks nothing of a reader, the other lets files hold narrower types than the log says.
#[tokio::test]
async fn harmless_reader_features_are_read() {
    let world = World::new();
    let features = |names: &str| {
        format!(
            r#"{{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":[{names}],"writerFeatures":[{names}]}}"#
        )
    };
    let narrow = parquet_bytes(vec![
        ("id", Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef),
        ("s", Arc::new(StringArray::from(vec!["a", "b"]))),
    ]);
    let wide = data(&[5_000_000_000, 6], &["c", "d"]);
    let adds = add("narrow.parquet", narrow.len()) + &add("wide.parquet", wide.len());
    world.put("orders/narrow.parquet", narrow.clone()).await;
    world.put("orders/wide.parquet", wide).await;
    let names = r#""vacuumProtocolCheck","typeWidening""#;
    world.put(&format!("orders/{}", commit(0)), log(&features(names), &adds)).await;
    let contract = entry(Format::Delta, columns());
    let raw = world.open(&contract).await;
    assert_eq!(world.sources.state(&contract), State::Verified);
    assert_eq!(show(&raw, Some(col("id").lt(lit(3_i64)))).await.unwrap(), "id | text\n1 | a\n2 | b");
    assert_eq!(show(&raw, Some(col("id").gt(lit(6_i64)))).await.unwrap(), "id | text\n5000000000 | c");
    assert_eq!(world.sources.row_count(&contract).await, Some(4));
    // The next version is seen as well.
    world.put("orders/later.parquet", narrow.clone()).await;
    world.put(&format!("orders/{}", commit(1)), add("later.parquet", narrow.len())).await;
    assert_eq!(world.show(&contract).await.lines().count(), 7);
}

/// An empty text in the log is NULL (Delta protocol, "Partition Value Serialization").
#[tokio::test]
async fn empty_partition_value_is_null() {
    let world = World::new();
    let bytes = parquet_bytes(vec![("id", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]);
    let add = |path: &str, value: &str| {
        add(path, bytes.len()).replace(r#""partitionValues":{}"#, &format!(r#""partitionValues":{{"s":{value}}}"#))
    };
    let files = [("empty.parquet", r#""""#), ("x.parquet", r#""x""#), ("null.parquet", "null")];
    let adds: String = files.iter().map(|(path, value)| add(path, value)).collect();
    let log = log(PROTOCOL, &adds).replace(r#""partitionColumns":[]"#, r#""partitionColumns":["s"]"#);
    world.put(&format!("orders/{}", commit(0)), log).await;
    for (file, _) in files {
        world.put(&format!("orders/{file}"), bytes.clone()).await;
    }
    let raw = world.open(&entry(Format::Delta, columns())).await;
    let count = async |filter: Expr| show(&raw, Some(filter)).await.unwrap().lines().count().saturating_sub(1);
    assert_eq!(count(col("text").is_null()).await, 2);
    assert_eq!(count(col("text").is_not_null()).await, 1);
    assert_eq!(count(col("text").eq(lit(""))).await, 0);
    assert_eq!(count(col("text").not_eq(lit("y"))).await, 1);
    assert_eq!(count(col("text").eq(lit("x"))).await, 1);
    let shown = show(&raw, None).await.unwrap();
    assert_eq!(shown.lines().filter(|line| *line == "1").count(), 2, "{shown}");
}

/// The log says the first 32 characters of the largest text, and not one that is larger.
#[tokio::test]
async fn cut_maximum_skips_no_row() {
    let world = World::new();
    let long = "x".repeat(40);
    let bytes = data(&[1, 2], &["a", &long]);
    let stats =
        format!(r#"{{\"numRecords\":2,\"minValues\":{{\"s\":\"a\"}},\"maxValues\":{{\"s\":\"{}\"}}}}"#, &long[..32]);
    let adds = add("part-0.parquet", bytes.len()).replace(r#"{\"numRecords\":2}"#, &stats);
    assert!(adds.contains("maxValues"));
    world.put(&format!("orders/{}", commit(0)), log(PROTOCOL, &adds)).await;
    world.put("orders/part-0.parquet", bytes).await;
    let raw = world.open(&entry(Format::Delta, columns())).await;
    for filter in [
        col("text").eq(lit(long.as_str())),
        col("text").gt(lit(&long[..39])),
        col("text").in_list(vec![lit(long.as_str())], false),
        col("text").gt(lit(&long[..32])),
    ] {
        let shown = show(&raw, Some(filter.clone())).await.unwrap();
        assert_eq!(shown, format!("id | text\n2 | {long}"), "{filter}");
    }
    world.reads();
    assert!(show(&raw, Some(col("text").gt(lit("y")))).await.unwrap().lines().count() <= 1);
    assert_eq!(world.reads(), Vec::<String>::new(), "shorter texts still skip");
}

/// A list's elements have the contract's names, a number of the log's type is kept by its family.
#[tokio::test]
async fn promises_are_kept_by_delta_types() {
    let world = World::new();
    let items = {
        let sku: ArrayRef = Arc::new(StringArray::from(vec!["A"]));
        let inner = StructArray::from(vec![(Arc::new(Field::new("sku", DataType::Utf8, true)), sku)]);
        let item = Arc::new(Field::new("element", inner.data_type().clone(), true));
        Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([1]), Arc::new(inner), None)) as ArrayRef
    };
    let large = Decimal128Array::from(vec![12_345_678_901_234_567_890_123]).with_precision_and_scale(38, 2).unwrap();
    let raw: ArrayRef = Arc::new(BinaryArray::from(vec![b"OPEN".as_slice()]));
    let bytes = parquet_bytes(vec![("items", items), ("fee", Arc::new(large)), ("raw", raw)]);
    let field =
        |name: &str, kind: &str| format!(r#"{{"name":"{name}","type":{kind},"nullable":true,"metadata":{{}}}}"#);
    let list = r#"{"type":"array","elementType":{"type":"struct","fields":[{"name":"sku","type":"string","nullable":true,"metadata":{}}]},"containsNull":true}"#;
    let fields = [field("items", list), field("fee", r#""decimal(38,2)""#), field("raw", r#""binary""#)].join(",");
    let text = log(PROTOCOL, &add("part-0.parquet", bytes.len()));
    let mut lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines[1]["metaData"]["schemaString"] = format!(r#"{{"type":"struct","fields":[{fields}]}}"#).into();
    let text = lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    world.put(&format!("orders/{}", commit(0)), text).await;
    world.put("orders/part-0.parquet", bytes).await;
    let named =
        |name: &str| DataType::new_list(DataType::Struct(vec![Field::new(name, DataType::Utf8, true)].into()), true);
    let items = Column { list_in_files: Some(named("sku")), ..column("items", named("article")) };
    let columns = vec![items, column("fee", DataType::Float64), column("raw", DataType::Utf8)];
    let raw = world.open(&entry(Format::Delta, columns)).await;
    let shown = show(&raw, None).await.unwrap();
    assert_eq!(shown, "items | fee | raw | drift.fee | drift.raw\n[{article: A}] |  | OPEN | true | false");
}

/// Two domains on one bucket and one folder of files; `sales` claims what is `hr`'s.
#[tokio::test]
async fn a_log_cannot_name_a_file_of_another_domain() {
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join("secret.parquet");
    let bytes = data(&[1, 2], &["salary 100", "salary 200"]);
    std::fs::write(&secret, &bytes).unwrap();
    let world = World::new();
    for key in ["hr/part-0.parquet", "sales/own.parquet", "elsewhere/part-0.parquet"] {
        world.put(key, bytes.clone()).await;
    }
    let file = format!("file://{}", secret.display());
    let absolute = secret.display().to_string();
    let inside = entry_of("sales", s3("s3://lake/sales/inside"), Format::Delta, columns());
    table(&world, "sales/inside", "s3://lake/sales/own.parquet", bytes.len()).await;
    assert_eq!(world.show(&inside).await.lines().count(), 3, "the way itself is open");
    let forms = [
        "s3://hr-bucket/part-0.parquet",
        &file,
        &absolute,
        "../../hr/part-0.parquet",
        "/hr/part-0.parquet",
        "s3://lake/hr/part-0.parquet",
        "..%2F..%2Fhr%2Fpart-0.parquet",
        "%2e%2e/%2e%2e/hr/part-0.parquet",
        "local://hr/part-0.parquet",
        "memory:///hr/part-0.parquet",
        "S3://lake/hr/part-0.parquet",
    ];
    for (i, form) in forms.iter().enumerate() {
        let folder = format!("sales/t{i}");
        table(&world, &folder, form, bytes.len()).await;
        let on_s3 = entry_of("sales", s3(&format!("s3://lake/{folder}")), Format::Delta, columns());
        world.reads();
        let outcome = match world.sources.open(&on_s3).await {
            Ok(raw) => show(&raw, None).await,
            Err(error) => Err(error.message),
        };
        assert!(outcome.is_err(), "{form}: {outcome:?}");
        let touched: Vec<_> = world.reads().into_iter().filter(|key| !key.starts_with("sales/")).collect();
        assert!(touched.is_empty(), "{form}: {touched:?}");
    }
}

#[tokio::test]
async fn a_local_log_cannot_leave_its_root() {
    let home = tempfile::tempdir().unwrap();
    let (root, hr) = (home.path().join("sales"), home.path().join("hr"));
    let bytes = data(&[1, 2], &["salary 100", "salary 200"]);
    std::fs::create_dir_all(&hr).unwrap();
    std::fs::write(hr.join("part-0.parquet"), &bytes).unwrap();
    let storage = crate::config::DomainStorage { root: Some(root.clone()), ..Default::default() };
    let config = crate::config::Storage { domains: BTreeMap::from([("sales".to_owned(), storage)]) };
    let world = World::with(Arc::default(), Stores::from_config(&config).unwrap());
    let file = format!("file://{}", hr.join("part-0.parquet").display());
    let absolute = hr.join("part-0.parquet").display().to_string();
    let write = |name: &str, path: &str| {
        std::fs::create_dir_all(root.join(name).join("_delta_log")).unwrap();
        std::fs::write(root.join(name).join(commit(0)), log(PROTOCOL, &add(path, bytes.len()))).unwrap();
        entry_of("sales", local(name), Format::Delta, columns())
    };
    for (i, form) in ["../../hr/part-0.parquet", &file, &absolute, "link/part-0.parquet"].iter().enumerate() {
        let contract = write(&format!("t{i}"), form);
        #[cfg(unix)]
        if *form == "link/part-0.parquet" {
            std::os::unix::fs::symlink(&hr, root.join(format!("t{i}/link"))).unwrap();
        }
        let outcome = match world.sources.open(&contract).await {
            Ok(raw) => show(&raw, None).await,
            Err(error) => Err(error.message),
        };
        assert!(outcome.is_err(), "{form}: {outcome:?}");
    }
    // The same mechanism reads what is inside, over several commits.
    let contract = write("own", "part-0.parquet");
    for version in 1..12 {
        let path = format!("part-{version}.parquet");
        std::fs::write(root.join("own").join(commit(version)), add(&path, bytes.len())).unwrap();
        std::fs::write(root.join("own").join(path), &bytes).unwrap();
    }
    std::fs::write(root.join("own/part-0.parquet"), &bytes).unwrap();
    assert_eq!(world.show(&contract).await.lines().count(), 25);
    assert_eq!(world.sources.row_count(&contract).await, Some(24));
}

#[tokio::test]
async fn two_domains_on_one_bucket_and_two_buckets_with_equal_files_do_not_mix() {
    let (one, two) = (data(&[1, 2], &["AAAA", "AAAA"]), data(&[7, 8], &["BBBB", "BBBB"]));
    assert_eq!(one.len(), two.len());
    let mut stores = Stores::default();
    for (domain, bucket, bytes) in [("sales", "bucket-a", &one), ("hr", "bucket-b", &two)] {
        let store = InMemory::new();
        for format in ["delta", "plain"] {
            store.put(&format!("x/{format}/part-0.parquet").as_str().into(), bytes.clone().into()).await.unwrap();
        }
        let commit = format!("x/delta/{}", commit(0));
        let log = log(PROTOCOL, &add("part-0.parquet", bytes.len()));
        store.put(&commit.as_str().into(), log.into()).await.unwrap();
        stores.insert(domain.parse().unwrap(), &Url::parse(&format!("s3://{bucket}/x")).unwrap(), Arc::new(store));
    }
    let world = World::with(Arc::default(), stores);
    for (format, folder) in [(Format::Delta, "delta"), (Format::Parquet, "plain")] {
        for (domain, bucket, expected) in [("sales", "bucket-a", 0), ("hr", "bucket-b", 2)] {
            let contract = entry_of(domain, s3(&format!("s3://{bucket}/x/{folder}")), format, columns());
            let raw = world.open(&contract).await;
            let rows = run(&raw, Some(col("id").gt_eq(lit(7_i64)))).await.unwrap();
            assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), expected, "{domain} {folder}");
        }
    }
    let claimed = entry_of("sales", s3("s3://bucket-b/x/plain"), Format::Parquet, columns());
    assert!(world.refused(&claimed).await.message.contains("not the domain's"));
}

#[tokio::test]
async fn a_predicate_reaches_the_log_and_the_files() {
    let world = World::new();
    let mut adds = String::new();
    for (folder, ids) in [("s=a", [1, 2]), ("s=b", [8, 9])] {
        let ids: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
        let bytes = parquet_bytes(vec![("id", ids)]);
        let add = add(&format!("{folder}/p.parquet"), bytes.len());
        adds += &add.replace("\"partitionValues\":{}", &format!("\"partitionValues\":{{\"s\":\"{}\"}}", &folder[2..]));
        world.put(&format!("orders/{folder}/p.parquet"), bytes).await;
    }
    let log = log(PROTOCOL, &adds).replace("\"partitionColumns\":[]", "\"partitionColumns\":[\"s\"]");
    world.put(&format!("orders/{}", commit(0)), log).await;
    let raw = world.open(&entry(Format::Delta, columns())).await;
    assert_eq!(schema(&raw).get("text"), Some(&DataType::Utf8));
    world.reads();
    assert_eq!(show(&raw, Some(col("text").eq(lit("b")))).await.unwrap(), "id | text\n8 | b\n9 | b");
    let reads = world.reads();
    assert!(reads.iter().all(|key| key == "orders/s=b/p.parquet"), "{reads:?}");
}

/// Deletion vectors and checkpoints name files too.
#[tokio::test]
async fn what_a_log_points_to_besides_data_stays_inside_as_well() {
    let world = World::new();
    let bytes = data(&[1, 2], &["a", "b"]);
    world.put("hr/dv.bin", "secret").await;
    world.put("sales/t/part-0.parquet", bytes.clone()).await;
    let protocol = r#"{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]}"#;
    for form in ["s3://lake/hr/dv.bin", "s3://hr-bucket/dv.bin", "file:///etc/hostname", "s3://lake/sales/../hr/dv.bin"]
    {
        let vector = format!(
            "\"deletionVector\":{{\"storageType\":\"p\",\"pathOrInlineDv\":\"{form}\",\"offset\":1,\"sizeInBytes\":4,\"cardinality\":1}},\"dataChange\""
        );
        let add = add("part-0.parquet", bytes.len()).replace("\"dataChange\"", &vector);
        world.put(&format!("sales/t/{}", commit(0)), log(protocol, &add)).await;
        let contract = entry_of("sales", s3("s3://lake/sales/t"), Format::Delta, columns());
        world.reads();
        let outcome = match world.sources.open(&contract).await {
            Ok(raw) => show(&raw, None).await,
            Err(error) => Err(error.message),
        };
        assert!(outcome.is_err(), "{form}: {outcome:?}");
        let touched: Vec<_> = world.reads().into_iter().filter(|key| !key.starts_with("sales/")).collect();
        assert!(touched.is_empty(), "{form}: {touched:?}");
    }
}

/// As in Parquet products: the end of a day stays in its day.
#[tokio::test]
async fn nanoseconds_of_data_files_are_cut_down() {
    let world = World::new();
    let nanos = || Arc::new(TimestampNanosecondArray::from(vec![-1, 365 * 86_400 * 1_000_000_000 - 1])) as ArrayRef;
    let member = Arc::new(Field::new("at", nanos().data_type().clone(), true));
    let inner: ArrayRef = Arc::new(StructArray::from(vec![(member, nanos())]));
    let bytes = parquet_bytes(vec![("id", nanos()), ("s", inner)]);
    let inner = r#"{\"type\":\"struct\",\"fields\":[{\"name\":\"at\",\"type\":\"timestamp_ntz\",\"nullable\":true,\"metadata\":{}}]}"#;
    let protocol = r#"{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["timestampNtz"],"writerFeatures":["timestampNtz"]}"#;
    let log = log(protocol, &add("part-0.parquet", bytes.len()))
        .replace(r#"\"long\""#, r#"\"timestamp_ntz\""#)
        .replace(r#"\"type\":\"string\""#, &format!(r#"\"type\":{inner}"#));
    world.put(&format!("orders/{}", commit(0)), log).await;
    world.put("orders/part-0.parquet", bytes).await;
    let us = DataType::Timestamp(TimeUnit::Microsecond, None);
    let columns = [renamed("at", "id", us.clone()), renamed("inner", "s", DataType::Null)];
    let inner = Column { fields: vec![column("at", us.clone())], ..columns[1].clone() };
    let inner = Column { data_type: crate::source::conform::promised_type(&inner), ..inner };
    let raw = world.open(&entry(Format::Delta, vec![columns[0].clone(), inner])).await;
    let (first, second) = ("1969-12-31T23:59:59.999999", "1970-12-31T23:59:59.999999");
    let shown = show(&raw, None).await.unwrap();
    assert_eq!(shown, format!("at | inner\n{first} | {{at: {first}}}\n{second} | {{at: {second}}}"));
    let before = col("at").lt(lit(ScalarValue::TimestampMicrosecond(Some(0), None)));
    assert_eq!(show(&raw, Some(before)).await.unwrap(), format!("at | inner\n{first} | {{at: {first}}}"));
}
