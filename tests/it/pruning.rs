//! Pruning survives policy: counted in bytes that the store was asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::harness::{Fixture, Mesh};

const MESH: &str = include_str!("fixtures/regions.txt");

/// Counts what is read.
#[derive(Debug)]
struct Counting {
    inner: InMemory,
    bytes: AtomicU64,
    files: std::sync::Mutex<Vec<String>>,
}

impl Counting {
    fn new(inner: InMemory) -> Arc<Self> {
        Arc::new(Self { inner, bytes: AtomicU64::new(0), files: std::sync::Mutex::default() })
    }

    /// Bytes and distinct files since the last call.
    fn take(&self) -> (u64, Vec<String>) {
        let mut files = std::mem::take(&mut *self.files.lock().unwrap());
        files.sort();
        files.dedup();
        (self.bytes.swap(0, Ordering::SeqCst), files)
    }
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counting")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        let result = self.inner.get_opts(location, options).await?;
        if !head {
            self.bytes.fetch_add(result.range.end - result.range.start, Ordering::SeqCst);
            self.files.lock().unwrap().push(location.to_string());
        }
        Ok(result)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.bytes.fetch_add(ranges.iter().map(|range| range.end - range.start).sum(), Ordering::SeqCst);
        self.files.lock().unwrap().push(location.to_string());
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// 40,000 rows in 20 row groups, ordered by `order_id`, half of them EU; about 3 MB uncompressed.
fn large() -> Vec<u8> {
    let rows = 40_000_i64;
    let schema = Arc::new(Schema::new(vec![
        Field::new("order_id", DataType::Int64, true),
        Field::new("region", DataType::Utf8, true),
        Field::new("amount", DataType::Int64, true),
        Field::new("payload", DataType::Utf8, true),
    ]));
    let payload = (0..rows).map(|i| format!("{:064x}", i.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed())));
    let batch = RecordBatch::try_new(
        Arc::clone(&schema),
        vec![
            Arc::new(Int64Array::from_iter_values(0..rows)),
            Arc::new(StringArray::from_iter_values((0..rows).map(|i| if i % 2 == 0 { "EU" } else { "US" }))),
            Arc::new(Int64Array::from_iter_values((0..rows).map(|i| i % 1000))),
            Arc::new(StringArray::from_iter_values(payload)),
        ],
    )
    .unwrap();
    let properties =
        WriterProperties::builder().set_max_row_group_row_count(Some(2_000)).set_dictionary_enabled(false).build();
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, schema, Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    out
}

async fn counted_mesh(classification: &str) -> (Mesh, Arc<Counting>) {
    let text = MESH.replace("value: internal", &format!("value: {classification}")).replace(
        "      - {name: amount, logicalType: integer, required: true}",
        "      - {name: amount, logicalType: integer, required: true}\n      - {name: payload, logicalType: string}",
    );
    let store = InMemory::new();
    store.put(&"orders.parquet".into(), large().into()).await.unwrap();
    let store = Counting::new(store);
    let stores: BTreeMap<String, Arc<dyn ObjectStore>> = [("sales".to_owned(), Arc::clone(&store) as _)].into();
    (Mesh::over(&Fixture::parse(&text), stores), store)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leakproof_predicate_and_a_join_skip_row_groups() {
    let (mesh, store) = counted_mesh("internal").await;
    let all = "SELECT count(payload) AS n FROM sales.orders";
    assert_eq!(mesh.answer("ana", all).await, "n Int64\n20000");
    store.take();
    assert_eq!(mesh.answer("ana", all).await, "n Int64\n20000");
    let (whole, _) = store.take();
    for (what, sql, answer) in [
        (
            "predicate",
            "SELECT count(payload) AS n FROM sales.orders WHERE order_id BETWEEN 30000 AND 30003",
            "n Int64\n2",
        ),
        (
            "dynamic filter of a join",
            "SELECT count(o.payload) AS n FROM (VALUES (30000), (30002), (30004)) v(k) JOIN sales.orders o ON o.order_id = v.k",
            "n Int64\n3",
        ),
    ] {
        assert_eq!(mesh.answer("ana", sql).await, answer, "{what}");
        let (part, _) = store.take();
        assert!(part * 4 < whole, "the {what} read {part} of {whole} bytes");
    }
    // A predicate that is not leakproof stays above the policy and reads everything.
    assert_eq!(
        mesh.answer("ana", "SELECT count(payload) AS n FROM sales.orders WHERE abs(order_id) = 30000").await,
        "n Int64\n1"
    );
    let (part, _) = store.take();
    assert!(part * 10 > whole * 9, "an unsafe predicate went below the policy: {part} of {whole} bytes");
}

/// How far a filter that narrows while it runs has narrowed follows row groups, hidden rows among them: `EXPLAIN ANALYZE` counts without.
#[tokio::test(flavor = "multi_thread")]
async fn explain_analyze_counts_all_visible_rows() {
    let (mesh, _) = counted_mesh("internal").await;
    for sql in [
        "SELECT order_id FROM sales.orders ORDER BY order_id LIMIT 1",
        "SELECT order_id FROM sales.orders ORDER BY amount DESC LIMIT 3",
        "SELECT min(order_id) FROM sales.orders",
        "SELECT o.order_id FROM (VALUES (30000)) v(k) JOIN sales.orders o ON o.order_id = v.k",
    ] {
        let plan = mesh.answer("ana", &format!("EXPLAIN ANALYZE {sql}")).await;
        let leaf = plan.lines().find(|line| line.contains("ProductScan: sales.orders")).unwrap();
        assert!(leaf.contains("output_rows=20.00 K"), "{sql}: {plan}");
    }
}

/// Nothing of a reader runs below the policy of a restricted dataset: how much is read, and so how long it takes, is always the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_dataset_is_read_whole() {
    let (mesh, store) = counted_mesh("restricted").await;
    let all = "SELECT count(payload) AS n, min(order_id) AS id FROM sales.orders";
    mesh.answer("ana", all).await;
    store.take();
    mesh.answer("ana", all).await;
    let (whole, _) = store.take();
    for (sql, answer) in [
        ("SELECT count(payload) AS n FROM sales.orders WHERE order_id BETWEEN 30000 AND 30003", "n Int64\n2"),
        (
            "SELECT count(o.payload) AS n FROM (VALUES (30000), (30002), (30004)) v(k) JOIN sales.orders o ON o.order_id = v.k",
            "n Int64\n3",
        ),
        (
            "SELECT count(payload) AS n FROM (SELECT payload FROM sales.orders ORDER BY order_id DESC LIMIT 1)",
            "n Int64\n1",
        ),
    ] {
        assert_eq!(mesh.answer("ana", sql).await, answer);
        let (part, _) = store.take();
        assert!(part * 10 > whole * 9, "{sql} read {part} of {whole} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_columns_that_are_asked_for_are_read() {
    let (mesh, store) = counted_mesh("internal").await;
    mesh.answer("ana", "SELECT sum(amount) FROM sales.orders").await;
    store.take();
    mesh.answer("ana", "SELECT * FROM sales.orders").await;
    let (whole, _) = store.take();
    mesh.answer("ana", "SELECT sum(amount) FROM sales.orders").await;
    let (part, _) = store.take();
    assert!(part * 3 < whole, "read {part} of {whole} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_predicate_on_the_partition_column_reads_that_partition() {
    let text = MESH
        .replace("path: \"{model}.parquet\"", "path: orders")
        .replace(
            "      - {name: amount, logicalType: integer, required: true}",
            "      - {name: amount, logicalType: integer, required: true}\n      - {name: order_year, logicalType: integer, required: true, partitioned: true, partitionKeyPosition: 1}",
        )
        .replace(
            "//- data/sales/orders.parquet",
            "//- data/sales/orders/order_year=2023/part-0.parquet\norder_id:i64,region:utf8,amount:i64\n11,EU,1\n12,US,2\n//- data/sales/orders/order_year=2024/part-0.parquet",
        );
    let text = text.split("  - name: secrets").next().unwrap().to_owned()
        + "//- sales/policies"
        + text.split("//- sales/policies").nth(1).unwrap();
    let fixture = Fixture::parse(&text);
    let inner = InMemory::new();
    for (path, bytes) in &fixture.data["sales"] {
        inner.put(&path.as_str().into(), bytes.clone().into()).await.unwrap();
    }
    let store = Counting::new(inner);
    let stores: BTreeMap<String, Arc<dyn ObjectStore>> = [("sales".to_owned(), Arc::clone(&store) as _)].into();
    let mesh = Mesh::over(&fixture, stores);
    assert_eq!(mesh.answer("ana", "SELECT count(*) AS n FROM sales.orders").await, "n Int64\n3");
    store.take();
    let sql = "SELECT order_id, order_year FROM sales.orders WHERE order_year = 2023";
    assert_eq!(mesh.answer("ana", sql).await, "order_id Int64 | order_year Int64\n11 | 2023");
    let (_, files) = store.take();
    assert!(!files.is_empty() && files.iter().all(|file| file.contains("order_year=2023")), "{files:?}");
}

/// Tools ask which columns there are, and mean no rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_asks_for_columns_only_reads_nothing() {
    let (mesh, store) = counted_mesh("internal").await;
    mesh.answer("ana", "SELECT count(payload) FROM sales.orders").await;
    assert!(store.take().0 > 0, "reading is counted");
    for sql in [
        "SELECT TRUE AS \"_\" FROM sales.orders WHERE 1 <> 1 LIMIT 0",
        "SELECT * FROM sales.orders WHERE 1=0",
        "SELECT * FROM sales.orders LIMIT 0",
        "SELECT * FROM (SELECT region, sum(amount) FROM sales.orders GROUP BY 1) \"Custom SQL Query\" LIMIT 0",
        "SELECT {fn UCASE(a.region)} FROM {oj sales.orders a LEFT OUTER JOIN sales.orders b USING (order_id)} WHERE 0 = 1",
    ] {
        let answer = mesh.answer("ana", sql).await;
        assert_eq!(answer.lines().count(), 1, "{sql}: {answer}");
        assert_eq!(store.take(), (0, Vec::new()), "{sql}");
    }
}
