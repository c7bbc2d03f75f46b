//! Datasets opened through [`Sources`] over stores in memory: what comes out, and what is refused.

mod blank;
mod damage;
mod delta;
mod fault;
mod faults;
mod lists;
mod meaning;
mod parquet;
mod promises;
mod pushdown;
mod refresh;
mod text;
mod vectors;
mod written;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::parquet::arrow::ArrowWriter;
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::collect;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use url::Url;

use super::{Open, RawTable, Sources, State, Stores};
use crate::config::Limits;
use crate::contract::{Column, Contract, Dataset, Format, Location, OnDrift, Server, Status, TextLayout};
use crate::diagnostic::Diagnostic;
use crate::engine::Engine;
use crate::mesh::{Product, TableEntry};
use crate::name::{ColumnName, QualifiedProduct, QualifiedTable};

fn column(name: &str, data_type: DataType) -> Column {
    Column {
        name: name.parse().unwrap(),
        physical_name: name.to_owned(),
        data_type,
        fields: Vec::new(),
        list_in_files: None,
        in_json: None,
        written: None,
        written_inside: BTreeMap::new(),
        description: None,
        tags: Vec::new(),
        classification: "internal".parse().unwrap(),
        required: false,
        unique: false,
        range: None,
        primary_key: None,
        partition_key: None,
        critical: false,
        quality: Vec::new(),
    }
}

fn renamed(name: &str, physical: &str, data_type: DataType) -> Column {
    Column { physical_name: physical.to_owned(), ..column(name, data_type) }
}

fn partition(name: &str, position: u32, data_type: DataType) -> Column {
    Column { partition_key: Some(position), ..column(name, data_type) }
}

fn structure(name: &str, fields: Vec<Column>) -> Column {
    let mut column = Column { fields, ..column(name, DataType::Null) };
    column.data_type = super::conform::promised_type(&column);
    column
}

/// The dataset `sales.orders` (or of another domain) at a location.
fn entry_of(domain: &str, location: Location, format: Format, columns: Vec<Column>) -> TableEntry {
    let (domain, product) = (domain.parse().unwrap(), "orders".parse().unwrap());
    let contract = Contract {
        id: "orders".to_owned(),
        domain,
        product,
        version: "1.0.0".parse().unwrap(),
        status: Status::Active,
        purpose: None,
        usage: None,
        limitations: None,
        tags: Vec::new(),
        classification: "internal".parse().unwrap(),
        owner_team: None,
        support: Vec::new(),
        server: Server { name: "production".to_owned(), location, format, layout: TextLayout::default() },
        datasets: vec![Dataset {
            name: "orders".parse().unwrap(),
            physical_name: "orders".to_owned(),
            description: None,
            tags: Vec::new(),
            classification: "internal".parse().unwrap(),
            row_count: None,
            on_drift: OnDrift::default(),
            columns,
            references: Vec::new(),
            quality: Vec::new(),
        }],
        sla: Vec::new(),
        file: "sales/orders.odcs.yaml".to_owned(),
    };
    let name = QualifiedProduct { domain: contract.domain.clone(), product: contract.product.clone() };
    let table = QualifiedTable { domain: contract.domain.clone(), table: "orders".parse().unwrap() };
    TableEntry { table, product: Arc::new(Product { name, contract: Arc::new(contract) }), dataset: 0 }
}

fn local(path: &str) -> Location {
    Location::Local { path: path.to_owned() }
}

fn s3(url: &str) -> Location {
    Location::S3 { url: url.to_owned() }
}

fn entry(format: Format, columns: Vec<Column>) -> TableEntry {
    entry_of("sales", local("{model}"), format, columns)
}

/// Stores in memory, all of which count what is read.
struct World {
    sources: Sources,
    store: Arc<Counting>,
}

impl World {
    /// One store: the local one of `sales`, and the bucket `lake` with the prefix `sales`.
    fn new() -> Self {
        let store = Arc::new(Counting::default());
        let mut stores = Stores::default();
        let shared: Arc<dyn ObjectStore> = Arc::clone(&store) as _;
        let sales = || "sales".parse().unwrap();
        stores.insert(sales(), &Url::parse("memory:///").unwrap(), Arc::clone(&shared));
        stores.insert(sales(), &Url::parse("s3://lake/sales").unwrap(), shared);
        Self::with(store, stores)
    }

    fn with(store: Arc<Counting>, stores: Stores) -> Self {
        let limits = Limits { partitions: 2, ..Limits::default() };
        let sources = Sources::new(Engine::new(&limits).unwrap(), stores).with_refresh(Duration::ZERO);
        Self { sources, store }
    }

    async fn put(&self, key: &str, bytes: impl Into<PutPayload>) {
        self.store.inner.put(&key.into(), bytes.into()).await.unwrap();
    }

    async fn open(&self, entry: &TableEntry) -> Arc<RawTable> {
        self.sources.open(entry).await.unwrap()
    }

    async fn refused(&self, entry: &TableEntry) -> Diagnostic {
        let error = self.sources.open(entry).await.unwrap_err();
        assert_eq!(self.sources.state(entry), State::Out { why: error.clone() });
        error
    }

    async fn show(&self, entry: &TableEntry) -> String {
        show(self.open(entry).await.as_ref(), None).await.unwrap()
    }

    /// Requests of any kind since the last call.
    fn asked(&self) -> usize {
        let lists = self.store.lists.swap(0, Ordering::Relaxed);
        std::mem::take(&mut *self.store.reads.lock().unwrap()).len() + lists
    }

    fn reads(&self) -> Vec<String> {
        let mut reads = std::mem::take(&mut *self.store.reads.lock().unwrap());
        reads.dedup();
        reads
    }
}

/// Runs the plan as a leaf would, and shows the rows.
async fn show(raw: &RawTable, filter: Option<Expr>) -> Result<String, String> {
    let batches = run(raw, filter).await?;
    let text = pretty_format_batches(&batches).unwrap().to_string();
    let lines = text.lines().filter(|line| !line.starts_with('+')).map(|line| line.trim_matches(['|', ' ']).to_owned());
    let lines = lines.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>().join(" | "));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn plan(raw: &RawTable) -> LogicalPlan {
    #[expect(clippy::disallowed_methods, reason = "what stands before policy is what is tested here")]
    raw.expose_raw().clone()
}

async fn run(raw: &RawTable, filter: Option<Expr>) -> Result<Vec<RecordBatch>, String> {
    let state = raw.session().state();
    let mut plan = LogicalPlanBuilder::from(plan(raw));
    if let Some(filter) = filter {
        plan = plan.filter(filter).unwrap();
    }
    let plan = plan.build().unwrap();
    let physical = state.create_physical_plan(&plan).await.map_err(|error| error.to_string())?;
    let task = raw.session().task_context(&state.runtime_env().memory_pool);
    collect(physical, task).await.map_err(|error| error.to_string())
}

fn parquet_bytes(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// The schema of the output, as `name type` pairs.
fn schema(raw: &RawTable) -> BTreeMap<String, DataType> {
    plan(raw).schema().fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect()
}

fn root(name: &str) -> crate::name::ColumnPath {
    crate::name::ColumnPath::root(name.parse::<ColumnName>().unwrap())
}

/// A store in memory that notes which keys are read.
#[derive(Debug, Default)]
struct Counting {
    inner: InMemory,
    reads: Mutex<Vec<String>>,
    bytes: Mutex<u64>,
    lists: AtomicUsize,
    /// Says that all was written in the same second.
    coarse: AtomicBool,
    /// Answers as a server does whose bucket is not there.
    gone: AtomicBool,
}

fn dated(meta: ObjectMeta, coarse: bool) -> ObjectMeta {
    if coarse { ObjectMeta { last_modified: chrono::DateTime::UNIX_EPOCH, ..meta } } else { meta }
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counting")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Counting {
    async fn get_opts(&self, key: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.reads.lock().unwrap().push(key.to_string());
        let mut result = self.inner.get_opts(key, options).await?;
        result.meta = dated(result.meta, self.coarse.load(Ordering::Relaxed));
        *self.bytes.lock().unwrap() += result.range.end - result.range.start;
        Ok(result)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        if self.gone.load(Ordering::Relaxed) {
            let error = object_store::Error::NotFound { path: "lake".to_owned(), source: "NoSuchBucket".into() };
            return futures::stream::once(std::future::ready(Err(error))).boxed();
        }
        self.lists.fetch_add(1, Ordering::Relaxed);
        let coarse = self.coarse.load(Ordering::Relaxed);
        self.inner.list(prefix).map_ok(move |meta| dated(meta, coarse)).boxed()
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
