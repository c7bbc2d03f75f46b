//! A panic ends one statement, says nothing of itself, and the process lives.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::provider_as_source;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{ColumnarValue, LogicalPlanBuilder, Volatility, col, create_udf};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream;
use meshgate::diagnostic::Result;
use meshgate::engine::Engine;
use meshgate::mesh::TableEntry;
use meshgate::source::{Open, RawTable};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use url::Url;

use crate::harness::wire::{Served, Setting};
use crate::harness::{Fixture, Mesh};

const MESH: &str = include_str!("fixtures/regions.txt");
const SECRET: &str = "a value of a hidden row";

const NOWHERE: u8 = 0;
const OPENING: u8 = 1;
const EXECUTING: u8 = 2;
const STREAMING: u8 = 3;
const COMPUTING: u8 = 4;

/// Panics where it is told to.
struct Traps {
    sources: Arc<dyn Open>,
    engine: Arc<Engine>,
    at: Arc<AtomicU8>,
}

impl fmt::Debug for Traps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traps")
    }
}

#[async_trait]
impl Open for Traps {
    async fn open(&self, entry: &TableEntry) -> Result<Arc<RawTable>> {
        match self.at.load(Ordering::SeqCst) {
            NOWHERE => self.sources.open(entry).await,
            OPENING => panic!("{SECRET}"),
            at => Ok(self.trapped(at)),
        }
    }
}

impl Traps {
    fn trapped(&self, at: u8) -> Arc<RawTable> {
        let fields = [("order_id", DataType::Int64), ("region", DataType::Utf8), ("amount", DataType::Int64)];
        let fields: Vec<Field> = fields.map(|(name, kind)| Field::new(name, kind, true)).into();
        let schema = Arc::new(Schema::new(fields));
        let partition = Arc::new(Trap { at, schema: Arc::clone(&schema) });
        let table = StreamingTable::try_new(schema, vec![partition]).unwrap();
        let mut plan = LogicalPlanBuilder::scan("trap", provider_as_source(Arc::new(table)), None).unwrap();
        if at == COMPUTING {
            let body = Arc::new(|_: &[ColumnarValue]| panic!("{SECRET}"));
            // Every statement reads the column, if only for its policy.
            let function = create_udf("trap", vec![DataType::Utf8], DataType::Utf8, Volatility::Volatile, body);
            let computed = function.call(vec![col("region")]).alias("region");
            plan = plan.project(vec![col("order_id"), computed, col("amount")]).unwrap();
        }
        let plan = plan.build().unwrap();
        let url = Url::parse("local://sales/").unwrap();
        let session = self.engine.private(&url, Arc::new(InMemory::new())).unwrap();
        Arc::new(RawTable::new(plan, Arc::new(session), BTreeMap::new()))
    }
}

#[derive(Debug)]
struct Trap {
    at: u8,
    schema: SchemaRef,
}

impl PartitionStream for Trap {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        assert_ne!(self.at, EXECUTING, "{SECRET}");
        let (at, schema) = (self.at, Arc::clone(&self.schema));
        let batches = stream::once(async move {
            assert_ne!(at, STREAMING, "{SECRET}");
            let text = Arc::new(StringArray::from(vec!["EU"]));
            let number = Arc::new(Int64Array::from(vec![1]));
            Ok(RecordBatch::try_new(schema, vec![Arc::clone(&number) as _, text, number])?)
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_one_statement_wherever_it_happens() {
    let at = Arc::new(AtomicU8::new(NOWHERE));
    let fixture = Fixture::parse(MESH);
    let stores = fixture.stores().await.into_iter().map(|(domain, store)| (domain, store as Arc<dyn ObjectStore>));
    let mesh = Mesh::over_with(&fixture, stores.collect(), |sources, engine| {
        Arc::new(Traps { sources, engine: Arc::clone(engine), at: Arc::clone(&at) })
    });
    let served = Served::start_on(mesh, MESH, Setting::default()).await;
    let mut ana = served.connect("ana").await;
    for sql in [
        "SELECT order_id FROM sales.orders",
        // With tasks of its own between the trap and the stream.
        "SELECT region, count(*) AS n FROM sales.orders GROUP BY region ORDER BY n",
        "SELECT a.order_id FROM sales.orders a JOIN sales.orders b ON a.order_id = b.order_id ORDER BY 1",
    ] {
        for place in [OPENING, EXECUTING, STREAMING, COMPUTING] {
            at.store(place, Ordering::SeqCst);
            let error = ana.fetch(sql).await.unwrap_err();
            assert!(error.contains("Internal") || error.contains("internal"), "at {place}: {error}");
            assert!(!error.contains(SECRET), "at {place}: {error}");
            assert!(error.contains("correlation id") || error.contains("reference"), "at {place}: {error}");
            at.store(NOWHERE, Ordering::SeqCst);
            // The same connection, the same login, the same table.
            let rows = ana.fetch("SELECT count(*) AS n FROM sales.orders").await.unwrap();
            assert_eq!(rows, "n Int64\n2", "after {place}: {sql}");
        }
    }
}
