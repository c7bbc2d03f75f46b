//! One statement sees one version of a product, however often it names it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int64Type};
use async_trait::async_trait;
use datafusion::catalog::MemTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use meshgate::diagnostic::Result;
use meshgate::engine::{Engine, PrivateSession};
use meshgate::mesh::TableEntry;
use meshgate::source::{Open, RawTable};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use url::Url;

use crate::harness::{Fixture, Mesh, parquet, rows};

const MESH: &str = include_str!("fixtures/regions.txt");

/// A source in which every opening finds another version: its number stands in `amount`.
struct Versions {
    session: Arc<PrivateSession>,
    opened: Arc<AtomicI64>,
}

impl fmt::Debug for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Versions")
    }
}

#[async_trait]
impl Open for Versions {
    async fn open(&self, _: &TableEntry) -> Result<Arc<RawTable>> {
        let version = self.opened.fetch_add(1, Ordering::SeqCst) + 1;
        let batch = RecordBatch::try_from_iter([
            ("order_id", Arc::new(Int64Array::from(vec![version, version])) as ArrayRef),
            ("region", Arc::new(StringArray::from(vec!["EU", "US"])) as ArrayRef),
            ("amount", Arc::new(Int64Array::from(vec![version, version])) as ArrayRef),
        ]);
        let batch = batch.unwrap();
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
        let plan = LogicalPlanBuilder::scan("raw", provider_as_source(Arc::new(table)), None).unwrap().build().unwrap();
        Ok(Arc::new(RawTable::new(plan, Arc::clone(&self.session), [].into())))
    }
}

fn versions(text: &str) -> (Mesh, Arc<AtomicI64>) {
    let opened = Arc::new(AtomicI64::new(0));
    let mesh = Mesh::over_with(&Fixture::parse(text), [].into(), |_, engine: &Arc<Engine>| {
        let session = engine.private(&Url::parse("local://sales/").unwrap(), Arc::new(InMemory::new())).unwrap();
        Arc::new(Versions { session: Arc::new(session), opened: Arc::clone(&opened) })
    });
    (mesh, opened)
}

fn numbers(batches: &[RecordBatch]) -> BTreeSet<i64> {
    let columns = batches.iter().flat_map(RecordBatch::columns);
    let columns = columns.filter(|column| *column.data_type() == DataType::Int64);
    columns.flat_map(|column| column.as_primitive::<Int64Type>().iter().flatten().collect::<Vec<_>>()).collect()
}

const TWICE: &[&str] = &[
    "SELECT (SELECT max(amount) FROM sales.orders) a, (SELECT min(amount) FROM sales.orders) b, \
     (SELECT sum(amount) FROM sales.orders) c",
    "SELECT a.amount, b.order_id FROM sales.orders a JOIN sales.orders b ON a.region = b.region",
    "SELECT a.amount, b.order_id FROM sales.orders a CROSS JOIN sales.orders b",
    "SELECT amount FROM sales.orders UNION ALL SELECT order_id FROM sales.orders",
    "WITH o AS (SELECT amount, region FROM sales.orders) \
     SELECT a.amount, b.amount AS other FROM o a JOIN o b ON a.region = b.region",
    "SELECT amount FROM sales.orders o WHERE EXISTS (SELECT 1 FROM sales.orders p WHERE p.amount = o.amount)",
    "SELECT amount FROM sales.orders WHERE amount IN (SELECT order_id FROM sales.orders)",
    "SELECT amount, (SELECT max(p.amount) FROM sales.orders p WHERE p.region = o.region) m FROM sales.orders o",
    "WITH RECURSIVE r AS (SELECT amount, 1 AS step FROM sales.orders UNION ALL \
     SELECT o.amount, r.step + 1 FROM sales.orders o JOIN r ON o.amount = r.amount WHERE r.step < 3) SELECT amount FROM r",
    "SELECT amount FROM sales.orders WHERE amount = \
     (SELECT max(amount) FROM sales.orders WHERE amount <= (SELECT max(order_id) FROM sales.orders))",
];

#[tokio::test(flavor = "multi_thread")]
async fn each_execution_opens_a_product_once() {
    let (mesh, opened) = versions(MESH);
    let session = mesh.session("ana");
    for sql in TWICE {
        let before = opened.load(Ordering::SeqCst);
        session.plan(sql).await.unwrap();
        assert_eq!(opened.load(Ordering::SeqCst), before, "planning opens nothing: {sql}");
        for execution in 1..=2 {
            let batches = mesh.batches("ana", sql).await.unwrap();
            assert_eq!(opened.load(Ordering::SeqCst), before + execution, "{sql}");
            assert_eq!(numbers(&batches), [before + execution].into(), "{sql}");
        }
    }
    for sql in ["EXPLAIN SELECT amount FROM sales.orders", "EXPLAIN ANALYZE SELECT amount FROM sales.orders"] {
        let before = opened.load(Ordering::SeqCst);
        mesh.batches("ana", sql).await.unwrap();
        assert_eq!(opened.load(Ordering::SeqCst), before + 1, "{sql}");
    }
    // What the optimizer finds to be empty, as clients ask for the columns of a table, is not opened.
    for sql in ["SELECT * FROM sales.orders WHERE 1 = 0", "SELECT * FROM sales.orders LIMIT 0"] {
        let before = opened.load(Ordering::SeqCst);
        mesh.batches("ana", sql).await.unwrap();
        assert_eq!(opened.load(Ordering::SeqCst), before, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_names_of_a_version_are_opened_once() {
    let (mesh, opened) = versions(&(MESH.to_owned() + &crate::versions::second("2.0.0", "active")));
    let sql = "SELECT a.amount, b.amount AS other FROM sales.orders a JOIN sales.orders_v2 b ON a.region = b.region";
    assert_eq!(numbers(&mesh.batches("ana", sql).await.unwrap()), [1].into());
    assert_eq!(opened.load(Ordering::SeqCst), 1);
    mesh.batches("ana", "SELECT 1 FROM sales.orders_v1 a, sales.orders_v2 b").await.unwrap();
    assert_eq!(opened.load(Ordering::SeqCst), 3, "two versions of the contract are two products");
}

/// A store in which a writer commits just before each listing of a Delta log.
#[derive(Debug)]
struct Committing {
    inner: Arc<InMemory>,
    version: Arc<AtomicUsize>,
}

impl fmt::Display for Committing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("committing")
    }
}

impl Committing {
    fn after_commit(
        &self,
        list: impl FnOnce(&InMemory) -> BoxStream<'static, object_store::Result<ObjectMeta>> + Send + 'static,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let (inner, version) = (Arc::clone(&self.inner), Arc::clone(&self.version));
        let listed = async move {
            let version = version.fetch_add(1, Ordering::SeqCst) + 1;
            let bytes = parquet(&rows("order_id:i64,region:utf8,amount:i64\n1,EU,10"));
            let add = serde_json::json!({ "add": { "path": format!("part-{version}.parquet"), "partitionValues": {},
                "size": bytes.len(), "modificationTime": 0, "dataChange": true } });
            inner.put(&format!("orders/part-{version}.parquet").into(), bytes.into()).await?;
            let commit = format!("orders/_delta_log/{version:020}.json");
            inner.put(&commit.into(), add.to_string().into()).await?;
            Ok::<_, object_store::Error>(list(&inner))
        };
        stream::once(listed).try_flatten().boxed()
    }
}

#[async_trait]
impl ObjectStore for Committing {
    async fn get_opts(&self, key: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.inner.get_opts(key, options).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let prefix = prefix.cloned();
        self.after_commit(move |inner| inner.list(prefix.as_ref()))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let (prefix, offset) = (prefix.cloned(), offset.clone());
        self.after_commit(move |inner| inner.list_with_offset(prefix.as_ref(), &offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn put_opts(&self, key: &Path, payload: PutPayload, options: PutOptions) -> object_store::Result<PutResult> {
        self.inner.put_opts(key, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        key: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(key, options).await
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(keys)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_never_show_two_delta_versions() {
    let text = MESH
        .replace("path: \"{model}.parquet\", format: parquet", "path: \"{model}\", format: delta")
        .replace("data/sales/orders.parquet", "data/sales/orders/")
        .replace(
            "order_id:i64,region:utf8,amount:i64\n1,EU,10\n2,EU,20",
            "order_id:i64,region:utf8,amount:i64\n1,EU,10",
        );
    let fixture = Fixture::parse(&text);
    let inner = Arc::clone(&fixture.stores().await["sales"]);
    let store = Arc::new(Committing { inner, version: Arc::default() });
    let mesh = Mesh::over(&fixture, [("sales".to_owned(), store as Arc<dyn ObjectStore>)].into());
    // Each version has one visible row more, and each counts in three ways.
    let sql = "SELECT (SELECT count(*) FROM sales.orders) a, (SELECT count(order_id) FROM sales.orders) b, \
               (SELECT sum(amount) / 10 FROM sales.orders) c";
    let mut seen = BTreeSet::new();
    for execution in 0..4 {
        let version = numbers(&mesh.batches("ana", sql).await.unwrap());
        assert_eq!(version.len(), 1, "execution {execution} saw the versions {version:?}");
        seen.extend(version);
    }
    assert_eq!(seen.len(), 4, "each execution sees what was committed before it: {seen:?}");
}
