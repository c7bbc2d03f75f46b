//! Data that its owner replaces while the gateway serves it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use futures::StreamExt;
use futures::stream::BoxStream;
use meshgate::diagnostic::Kind;
use meshgate::flight::wire_schema;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::harness::{Fixture, Mesh, rows};

const SQL: &str = "SELECT order_id, amount FROM sales.orders ORDER BY order_id";
const FILE: &str = "orders.parquet";

/// So many visible orders with one amount.
fn orders(count: usize, amount: usize) -> PutPayload {
    let lines: Vec<String> = (0..count).map(|id| format!("\n{id},EU,{amount}")).collect();
    let lines = lines.concat();
    let batch = rows(&format!("order_id:i64,region:utf8,amount:i64{lines}"));
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(5_000)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap().into()
}

/// An owner who publishes the file again just before it is read.
#[derive(Debug)]
struct Republished {
    inner: InMemory,
    rows: usize,
    /// How many times it will be published again, and from which read on.
    left: AtomicUsize,
    after_reads: AtomicUsize,
    published: AtomicUsize,
}

impl Republished {
    async fn new(rows: usize) -> Arc<Self> {
        let inner = InMemory::new();
        inner.put(&FILE.into(), orders(rows, 0)).await.unwrap();
        let (left, after_reads, published) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { inner, rows, left, after_reads, published })
    }

    fn republish(&self, times: usize, after_reads: usize) {
        self.left.store(times, Ordering::SeqCst);
        self.after_reads.store(after_reads, Ordering::SeqCst);
    }

    fn mesh(self: &Arc<Self>) -> Mesh {
        let fixture = Fixture::parse(include_str!("fixtures/regions.txt"));
        Mesh::over(&fixture, [("sales".to_owned(), Arc::clone(self) as Arc<dyn ObjectStore>)].into())
    }
}

fn less_one(counter: &AtomicUsize) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl fmt::Display for Republished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("republished")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Republished {
    async fn get_opts(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        // What is read under a condition is data that was listed before.
        let is_data = options.if_match.is_some() && !options.head;
        if is_data && !less_one(&self.after_reads) && less_one(&self.left) {
            let version = self.published.fetch_add(1, Ordering::SeqCst) + 1;
            self.inner.put(&FILE.into(), orders(self.rows, version)).await?;
        }
        self.inner.get_opts(key, options).await
    }

    async fn get_ranges(&self, key: &Path, ranges: &[std::ops::Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        if !less_one(&self.after_reads) && less_one(&self.left) {
            let version = self.published.fetch_add(1, Ordering::SeqCst) + 1;
            self.inner.put(&FILE.into(), orders(self.rows, version)).await?;
        }
        self.inner.get_ranges(key, ranges).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn put_opts(&self, key: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(key, payload, options).await
    }

    async fn put_multipart_opts(&self, key: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(key, options).await
    }

    fn delete_stream(&self, keys: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(keys)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_file_is_opened_again_once() {
    let store = Republished::new(1).await;
    let mesh = store.mesh();
    let shown = |amount: usize| format!("order_id Int64 | amount Int64\n0 | {amount}");
    assert_eq!(mesh.answer("ana", SQL).await, shown(0));
    // Replaced within the interval in which the gateway does not list.
    store.inner.put(&FILE.into(), orders(1, 70)).await.unwrap();
    assert_eq!(mesh.answer("ana", SQL).await, shown(70));
    store.republish(1, 0);
    assert_eq!(mesh.answer("ana", SQL).await, shown(1), "replaced between its listing and its first read");
    for sql in [
        "SELECT count(*) AS n FROM sales.orders a JOIN sales.orders b ON a.amount = b.amount",
        "SELECT (SELECT min(amount) FROM sales.orders) + (SELECT max(amount) FROM sales.orders) AS n",
        "EXPLAIN ANALYZE SELECT max(order_id) AS n FROM sales.orders",
    ] {
        store.republish(1, 0);
        let answer = mesh.answer("ana", sql).await;
        assert!(!answer.contains("changed while it was read"), "{sql}: {answer}");
        assert_eq!(store.left.load(Ordering::SeqCst), 0, "{sql}: nothing was replaced");
    }

    // Behind every read: neither another look nor another attempt helps.
    store.republish(64, 0);
    let refused = mesh.answer("ana", SQL).await;
    store.republish(0, 0);
    assert!(refused.starts_with("Unavailable"), "{refused}");
    assert!(refused.contains("`sales.orders`") && refused.contains("ask again"), "{refused}");
    assert!(!refused.contains("parquet"), "no word of the store: {refused}");
    let last = store.published.load(Ordering::SeqCst);
    assert_eq!(mesh.answer("ana", SQL).await, shown(last), "the next statement looks again");
}

#[tokio::test(flavor = "multi_thread")]
async fn begun_answer_never_changes_its_state() {
    // More rows than a batch, so that an answer has begun before the end of the file is read.
    let store = Republished::new(40_000).await;
    let mesh = store.mesh();
    let session = mesh.session("ana");
    let planned = session.plan("SELECT amount FROM sales.orders").await.unwrap();
    // The reads of the first batches differ with the layout: the owner publishes later each time.
    let mut failed_late = 0;
    for after_reads in 0..12 {
        store.republish(1, after_reads);
        let before = store.published.load(Ordering::SeqCst);
        let mut batches = session.run(&planned, wire_schema(planned.schema())).await.unwrap();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(batch) = batches.next().await {
            match batch {
                Ok(batch) => {
                    let batch = batch.into_inner();
                    let column = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(batch.column(0));
                    seen.extend(column.values().iter().copied());
                }
                Err(error) => {
                    assert_eq!(error.kind, Kind::Unavailable, "{error}");
                    assert!(!seen.is_empty(), "before the first batch the product is opened again");
                    failed_late += 1;
                }
            }
        }
        assert!(seen.len() <= 1, "two states in one answer: {seen:?}");
        let now = store.published.load(Ordering::SeqCst);
        assert!(now - before <= 1);
    }
    assert!(failed_late > 0, "no file was replaced after the first batch");
}
