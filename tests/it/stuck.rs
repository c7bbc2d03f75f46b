//! Computations that nobody can interrupt: they hold up neither other callers, nor the end of their own statement.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::CancelFlightInfoRequest;
use arrow_flight::decode::FlightRecordBatchStream;
use async_trait::async_trait;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::provider_as_source;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream;
use meshgate::config::Limits;
use meshgate::diagnostic::Result;
use meshgate::engine::Engine;
use meshgate::mesh::TableEntry;
use meshgate::source::{Open, RawTable};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use prost::Message as _;
use tonic::Code;
use url::Url;

use crate::ending::{last, released};
use crate::harness::wire::{Recorded, Served, Setting};
use crate::harness::{Fixture, Mesh};

const MESH: &str = include_str!("fixtures/regions.txt");
/// The gateway takes a hundredth of it; a machine with other work on it is slow.
const SOON: Duration = Duration::from_secs(5);
/// A computation is let go after this even if a test fails.
const LONG: Duration = Duration::from_secs(15);

/// A thread that computes until it is let go.
#[derive(Default)]
struct Computation {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stuck: usize,
    let_go: bool,
}

impl Computation {
    fn run(&self) {
        let mut state = self.state.lock().unwrap();
        state.stuck += 1;
        self.changed.notify_all();
        drop(self.changed.wait_timeout_while(state, LONG, |state| !state.let_go).unwrap());
    }

    /// Waits until so many threads compute.
    fn wait_for(&self, stuck: usize) {
        let state = self.state.lock().unwrap();
        let waited = self.changed.wait_timeout_while(state, LONG, |state| state.stuck < stuck).unwrap();
        assert!(!waited.1.timed_out(), "nothing computes");
    }

    fn let_go(&self) {
        self.state.lock().unwrap().let_go = true;
        self.changed.notify_all();
    }
}

impl fmt::Debug for Computation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Computation")
    }
}

/// Tables whose rows take for ever, in one call.
#[derive(Debug)]
struct Stuck {
    engine: Arc<Engine>,
    computation: Arc<Computation>,
}

#[async_trait]
impl Open for Stuck {
    async fn open(&self, _: &TableEntry) -> Result<Arc<RawTable>> {
        let fields = [("order_id", DataType::Int64), ("region", DataType::Utf8), ("amount", DataType::Int64)];
        let fields: Vec<Field> = fields.map(|(name, kind)| Field::new(name, kind, true)).into();
        let schema = Arc::new(Schema::new(fields));
        let partition = || -> Arc<dyn PartitionStream> {
            Arc::new(Rows { schema: Arc::clone(&schema), computation: Arc::clone(&self.computation) })
        };
        let table = StreamingTable::try_new(Arc::clone(&schema), vec![partition(), partition()]).unwrap();
        let plan =
            LogicalPlanBuilder::scan("stuck", provider_as_source(Arc::new(table)), None).unwrap().build().unwrap();
        let session = self.engine.private(&Url::parse("local://sales/").unwrap(), Arc::new(InMemory::new())).unwrap();
        Ok(Arc::new(RawTable::new(plan, Arc::new(session), BTreeMap::new())))
    }
}

#[derive(Debug)]
struct Rows {
    schema: SchemaRef,
    computation: Arc<Computation>,
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let computation = Arc::clone(&self.computation);
        let rows = stream::poll_fn(move |_| {
            computation.run();
            std::task::Poll::Ready(None)
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}

async fn serve_stuck(limits: Limits) -> (Served, Arc<Computation>) {
    let computation = Arc::new(Computation::default());
    let fixture = Fixture::parse(MESH);
    let stores = fixture.stores().await.into_iter().map(|(domain, store)| (domain, store as Arc<dyn ObjectStore>));
    let mesh = Mesh::over_with(&fixture, stores.collect(), |_, engine| {
        Arc::new(Stuck { engine: Arc::clone(engine), computation: Arc::clone(&computation) })
    });
    (Served::start_on(mesh, MESH, Setting { limits, ..Setting::default() }).await, computation)
}

/// A statement under way, with both of its partitions inside one call.
async fn begin(who: &mut Recorded) -> (arrow_flight::FlightInfo, FlightRecordBatchStream) {
    let sql = "SELECT region, count(*) AS n FROM sales.orders GROUP BY region";
    let info = who.client.execute(sql.to_owned(), None).await.unwrap();
    let rows = who.client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    (info, rows)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stuck_statements_leave_others_alone() {
    let (served, computation) = serve_stuck(Limits { partitions: 2, ..Limits::default() }).await;
    let (mut ana, mut bob) = (served.connect("ana").await, served.connect("bob").await);
    let (_, first) = begin(&mut ana).await;
    let (_, second) = begin(&mut ana).await;
    computation.wait_for(4);
    let start = Instant::now();
    assert_eq!(bob.fetch("SELECT 1 AS one").await.unwrap(), "one Int64\n1");
    served.connect("bob").await;
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    drop((first, second));
    computation.let_go();
    released(&served).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_statement_ends_at_its_limit() {
    let limits = Limits { statement_seconds: 1, partitions: 2, ..Limits::default() };
    let (served, computation) = serve_stuck(limits).await;
    let mut ana = served.connect("ana").await;
    let start = Instant::now();
    let (_, rows) = begin(&mut ana).await;
    computation.wait_for(2);
    assert_eq!(last(rows).await, Code::DeadlineExceeded);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    computation.let_go();
    released(&served).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_statement_is_called_off() {
    let (served, computation) = serve_stuck(Limits { partitions: 2, ..Limits::default() }).await;
    let mut ana = served.connect("ana").await;
    let (info, rows) = begin(&mut ana).await;
    computation.wait_for(2);
    let start = Instant::now();
    ana.act("CancelFlightInfo", CancelFlightInfoRequest::new(info).encode_to_vec()).await.unwrap();
    assert_eq!(last(rows).await, Code::Cancelled);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    computation.let_go();
    released(&served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn planning_that_nobody_waits_for_gives_its_threads_back() {
    let limits = Limits { planning_seconds: 1, partitions: 2, ..Limits::default() };
    let served = Served::start_with(MESH, limits).await;
    // More than a minute of planning.
    let columns: Vec<String> = (0..20).map(|first| format!("x + {first}{} AS c{first}", "+1".repeat(230))).collect();
    let sql = format!("SELECT {} FROM (VALUES (1)) AS t(x)", columns.join(", "));
    // As many as a login may have planned at once.
    for _ in 0..4 {
        let mut ana = served.connect("ana").await;
        let refused = ana.fetch(&sql).await.unwrap_err();
        assert!(refused.contains("planning took longer than 1 seconds"), "{refused}");
    }
    let (mut ana, start) = (served.connect("ana").await, Instant::now());
    let mut answer = ana.fetch("SELECT 1 AS one").await;
    while answer.is_err() && start.elapsed() < LONG {
        answer = ana.fetch("SELECT 1 AS one").await;
    }
    assert_eq!(answer.unwrap(), "one Int64\n1");
}
