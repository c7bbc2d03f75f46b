//! A Flight SQL server that answers a few fixed statements, for the tests of the client and of the REPL.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::server::FlightSqlService;
use arrow_flight::sql::{
    CommandGetDbSchemas, CommandGetTables, CommandStatementQuery, ProstMessageExt, SqlInfo, TicketStatementQuery,
};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse, Ticket};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

type Batches = BoxStream<'static, Result<RecordBatch, FlightError>>;

/// A running server; it ends when this is dropped.
pub(crate) struct Fake {
    pub(crate) url: String,
    pub(crate) state: Arc<State>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
pub(crate) struct State {
    /// Streams that are being read.
    pub(crate) live: AtomicUsize,
    /// Logins so far; only the token of the last one is good.
    pub(crate) logins: AtomicUsize,
    pub(crate) statements: AtomicUsize,
    /// Answer the token in the message and not in the header.
    pub(crate) token_in_payload: AtomicBool,
}

#[derive(Clone)]
struct Service(Arc<State>);

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("grpc://{}", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        let service = FlightServiceServer::new(Service(Arc::clone(&state)));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
        });
        Self { url, state, _tasks: tasks }
    }

    /// Waits until the server has noticed that no stream is read any more.
    pub(crate) async fn is_idle(&self) {
        let idle = async {
            while self.state.live.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), idle).await.expect("the server still works for nobody");
    }
}

/// Counts a stream as long as the server keeps it.
struct Live(Arc<State>);

impl Live {
    fn new(state: &Arc<State>) -> Self {
        state.live.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(state))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Service {
    fn check<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let expect = format!("Bearer token-{}", self.0.logins.load(Ordering::SeqCst));
        match request.metadata().get("authorization") {
            Some(token) if token.as_bytes() == expect.as_bytes() => Ok(()),
            _ => Err(Status::unauthenticated("no valid token")),
        }
    }

    fn stream(&self, schema: SchemaRef, batches: Batches) -> Response<<Self as FlightService>::DoGetStream> {
        let live = Live::new(&self.0);
        let frames = FlightDataEncoderBuilder::new().with_schema(schema).build(batches).map_err(Status::from);
        Response::new(Box::pin(frames.inspect(move |_| {
            let _ = &live;
        })))
    }
}

fn numbers(from: i64, to: i64) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("n", Arc::new(Int64Array::from_iter_values(from..to)) as _, true)])
        .unwrap()
}

fn text(value: &str) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("t", Arc::new(StringArray::from(vec![value])) as _, true)]).unwrap()
}

/// One column whose values the server says are hashed.
fn masked() -> RecordBatch {
    let batch = text("3f9a");
    let schema = batch.schema();
    let field = schema.field(0).clone().with_metadata([("meshgate.exposure".to_owned(), "hash".to_owned())].into());
    RecordBatch::try_new(Arc::new(Schema::new(vec![field])), batch.columns().to_vec()).unwrap()
}

/// What `EXPLAIN ACCESS` answers about it.
fn explained() -> RecordBatch {
    let column = |name, rows: [&str; 2]| (name, Arc::new(StringArray::from(rows.to_vec())) as _, true);
    RecordBatch::try_from_iter_with_nullable([
        column("product", ["sales.orders"; 2]),
        column("dataset", ["sales.orders_v1"; 2]),
        column("column", ["(rows)", "t"]),
        column("exposure", ["all", "hash"]),
        column("policies", ["analysts", "pii"]),
        column("reason", ["every row by analysts", "masked\u{1b}[2J by pii"]),
        column("owner", ["sales-team"; 2]),
        column("support", ["#sales"; 2]),
    ])
    .unwrap()
}

fn all(batches: Vec<RecordBatch>) -> (SchemaRef, Batches) {
    (batches[0].schema(), stream::iter(batches.into_iter().map(Ok)).boxed())
}

/// The statements this server knows.
fn answer(sql: &str) -> Result<(SchemaRef, Batches), Status> {
    match sql.trim() {
        "select 1" | "set x = 'y'" => Ok(all(vec![numbers(1, 2)])),
        "select million" => {
            let batches = stream::iter((0..1_000).map(|i| Ok(numbers(i * 1_000, (i + 1) * 1_000))));
            Ok((numbers(0, 0).schema(), batches.boxed()))
        }
        "select forever" => {
            let batches = stream::unfold(0, |i| async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Some((Ok(numbers(i, i + 1)), i + 1))
            });
            Ok((numbers(0, 0).schema(), batches.boxed()))
        }
        "select late" => {
            let late = Status::resource_exhausted("the query needs more memory; hint: ask for fewer rows");
            let batches = stream::iter([Ok(numbers(0, 3)), Err(FlightError::from(late))]);
            Ok((numbers(0, 0).schema(), batches.boxed()))
        }
        "select masked" => Ok(all(vec![masked()])),
        "EXPLAIN ACCESS select masked" => Ok(all(vec![explained()])),
        "select evil" => Ok(all(vec![text("a\u{1b}[2Jb")])),
        "select current_user" | "SELECT current_user" => Ok(all(vec![text("ana")])),
        "SHOW meshgate.purpose" => {
            let row = [("name", "meshgate.purpose"), ("value", "fraud-detection")];
            let row = row.map(|(name, value)| (name, Arc::new(StringArray::from(vec![value])) as _, true));
            Ok(all(vec![RecordBatch::try_from_iter_with_nullable(row).unwrap()]))
        }
        "set x = 1" => Ok((Arc::new(Schema::empty()), stream::empty().boxed())),
        other => {
            let column = other.find("wrong").map_or(1, |at| at + 1);
            Err(Status::invalid_argument(format!(
                "no column `wrong` at line 1, column {column}\nhint: did you mean `right`?"
            )))
        }
    }
}

fn info(schema: &Schema, ticket: Vec<u8>, descriptor: FlightDescriptor) -> Response<FlightInfo> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket { ticket: ticket.into() });
    let info = FlightInfo::new().try_with_schema(schema).unwrap();
    Response::new(info.with_endpoint(endpoint).with_descriptor(descriptor))
}

#[tonic::async_trait]
impl FlightSqlService for Service {
    type FlightService = Self;

    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>>, Status> {
        let expect = format!("Basic {}", BASE64_STANDARD.encode("ana:ana"));
        if request.metadata().get("authorization").is_none_or(|basic| basic.as_bytes() != expect.as_bytes()) {
            return Err(Status::unauthenticated("wrong user or password"));
        }
        let token = format!("token-{}", self.0.logins.fetch_add(1, Ordering::SeqCst) + 1);
        if self.0.token_in_payload.load(Ordering::SeqCst) {
            let message = HandshakeResponse { protocol_version: 0, payload: token.into() };
            return Ok(Response::new(stream::iter([Ok(message)]).boxed()));
        }
        let mut response: Response<Pin<Box<dyn Stream<Item = _> + Send>>> = Response::new(stream::empty().boxed());
        response.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.check(&request)?;
        self.0.statements.fetch_add(1, Ordering::SeqCst);
        let (schema, _) = answer(&query.query)?;
        let ticket = TicketStatementQuery { statement_handle: query.query.into() };
        Ok(info(&schema, ticket.as_any().encode_to_vec(), request.into_inner()))
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        self.check(&request)?;
        let (schema, batches) = answer(std::str::from_utf8(&ticket.statement_handle).unwrap())?;
        Ok(self.stream(schema, batches))
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.check(&request)?;
        let ticket = query.as_any().encode_to_vec();
        Ok(info(&query.into_builder().schema(), ticket, request.into_inner()))
    }

    async fn do_get_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        self.check(&request)?;
        let mut builder = query.into_builder();
        builder.append("mesh", "sales");
        let schema = builder.schema();
        Ok(self.stream(schema, stream::iter([builder.build()]).boxed()))
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.check(&request)?;
        let ticket = query.as_any().encode_to_vec();
        Ok(info(&query.into_builder().schema(), ticket, request.into_inner()))
    }

    async fn do_get_tables(
        &self,
        query: CommandGetTables,
        request: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        self.check(&request)?;
        let remarks = |text: &str| [("ARROW:FLIGHT:SQL:REMARKS".to_owned(), text.to_owned())].into();
        let key = Field::new("order_id", DataType::Int64, false).with_metadata(remarks("the key"));
        let orders = Schema::new_with_metadata(
            vec![key, Field::new("region", DataType::Utf8, true)],
            remarks("what customers bought"),
        );
        let mut builder = query.into_builder();
        builder.append("mesh", "sales", "orders", "TABLE", &orders).unwrap();
        builder.append("mesh", "sales", "order_lines", "TABLE", &Schema::empty()).unwrap();
        let schema = builder.schema();
        Ok(self.stream(schema, stream::iter([builder.build()]).boxed()))
    }

    async fn register_sql_info(&self, _id: i32, _info: &SqlInfo) {}
}
