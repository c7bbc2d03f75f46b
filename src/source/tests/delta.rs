//! Delta: conforming, and the five ways in which a log names files that are not its domain's.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};
use datafusion::arrow::datatypes::DataType;
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
    let protocol = r#"{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["typeWidening"],"writerFeatures":["typeWidening"]}"#;
    world.put(&format!("orders/{}", commit(0)), log(protocol, "")).await;
    let error = world.refused(&entry(Format::Delta, columns())).await;
    assert_eq!(error.kind, Kind::Unsupported, "{error}");
    assert!(error.message.contains("typeWidening"), "{error}");
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
