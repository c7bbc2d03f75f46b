//! A mesh of constants and a gateway on a loopback port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::flight_service_server::FlightServiceServer;
use arrow_flight::sql::client::FlightSqlServiceClient;
use async_trait::async_trait;
use datafusion::common::ScalarValue;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Server};

use crate::config::{Auth, Limits};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::discovery::VisibleTable;
use crate::flight::{Door, Doors, Gateway, Statement};
use crate::identity::{Authenticator, Principal, UsersFile};
use crate::query::{Change, Defaults, Egress, Setting};
use crate::telemetry::Clock;

/// What tests watch and change.
#[derive(Debug, Default)]
pub(super) struct World {
    /// Contracts and policies of today; from 100 on, statements have another column.
    pub generation: AtomicU8,
    /// What else evaluation can see of a caller.
    pub purpose: AtomicU8,
    pub planned: AtomicUsize,
    /// Streams that run now.
    pub running: Arc<AtomicUsize>,
}

pub(super) struct Mesh(pub Arc<World>);

impl Doors for Mesh {
    type Door = Fake;

    fn open(&self, principal: Principal) -> Arc<Fake> {
        Arc::new(Fake { principal, world: Arc::clone(&self.0) })
    }
}

pub(super) struct Fake {
    principal: Principal,
    world: Arc<World>,
}

#[derive(Clone)]
pub(super) struct FakePlan {
    sql: String,
    schema: SchemaRef,
    generation: [u8; 32],
    view: [u8; 32],
    parameters: Vec<Option<DataType>>,
    bound: bool,
    defaults: Defaults,
}

impl Statement for FakePlan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn generation(&self) -> [u8; 32] {
        self.generation
    }

    fn view(&self) -> [u8; 32] {
        self.view
    }

    fn parameters(&self) -> &[Option<DataType>] {
        &self.parameters
    }

    fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    fn weight(&self) -> usize {
        self.sql.len()
    }

    fn is_bound(&self) -> bool {
        self.parameters.is_empty() || self.bound
    }
}

struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Door for Fake {
    type Planned = FakePlan;

    /// Nothing here depends on what is set.
    fn request(&self, _says: &[(Setting, &str)], _kept: bool) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { principal: self.principal.clone(), world: Arc::clone(&self.world) }))
    }

    fn principal(&self) -> &Principal {
        &self.principal
    }

    fn settings(&self) -> Vec<(Setting, String)> {
        Vec::new()
    }

    fn set(&self, _change: &Change) -> Result<()> {
        Ok(())
    }

    fn generation(&self) -> [u8; 32] {
        [self.world.generation.load(Ordering::SeqCst); 32]
    }

    fn view(&self) -> [u8; 32] {
        let mut view = self.generation();
        view[0] = self.principal.name().as_str().as_bytes()[0];
        view[1] = self.world.purpose.load(Ordering::SeqCst);
        view
    }

    fn catalog(&self) -> String {
        "mesh".to_owned()
    }

    fn defaults(&self) -> Defaults {
        Defaults::default()
    }

    fn domains(&self) -> Result<Vec<String>> {
        Ok(vec!["logistics".to_owned(), "sales".to_owned()])
    }

    fn tables(&self) -> Result<Vec<VisibleTable>> {
        Ok(Vec::new())
    }

    /// `absent` does not exist, `set` has no rows, everything else is one column of 1, 2, 3.
    async fn plan(&self, sql: &str) -> Result<FakePlan> {
        self.world.planned.fetch_add(1, Ordering::SeqCst);
        if sql.contains("absent") {
            return Err(Diagnostic::error(Kind::NotFound, "table `absent` not found"));
        }
        let name = if self.generation()[0] < 100 { "n" } else { "m" };
        let fields = if sql.starts_with("set") { vec![] } else { vec![Field::new(name, DataType::Int64, true)] };
        Ok(FakePlan {
            sql: sql.to_owned(),
            schema: Arc::new(Schema::new(fields)),
            generation: self.generation(),
            view: self.view(),
            parameters: vec![None; sql.matches('?').count()],
            bound: false,
            defaults: Defaults::default(),
        })
    }

    async fn bind(&self, planned: &FakePlan, values: Vec<ScalarValue>) -> Result<FakePlan> {
        if values.len() != planned.parameters.len() {
            return Err(Diagnostic::error(Kind::Invalid, "another number of values"));
        }
        Ok(FakePlan { bound: true, ..planned.clone() })
    }

    async fn plan_again(&self, planned: &FakePlan) -> Result<FakePlan> {
        Ok(FakePlan { bound: planned.bound, ..self.plan(&planned.sql).await? })
    }

    /// `endless` repeats its rows for ever, `broken` fails after the first batch.
    async fn run(
        &self,
        planned: &FakePlan,
        wire: SchemaRef,
    ) -> Result<BoxStream<'static, Result<Egress<RecordBatch>>>> {
        self.world.running.fetch_add(1, Ordering::SeqCst);
        let running = Running(Arc::clone(&self.world.running));
        let rows = Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef;
        let batch = RecordBatch::try_new(wire, vec![rows]).unwrap();
        let good = move |_| {
            let _alive = &running;
            Ok(Egress::for_test(batch.clone()))
        };
        let times = if planned.sql.contains("endless") { usize::MAX } else { 1 };
        let rows = stream::iter(0..times).map(good);
        Ok(if planned.sql.contains("broken") {
            rows.chain(stream::iter([Err(Diagnostic::error(Kind::Unavailable, "product read failed"))])).boxed()
        } else {
            rows.boxed()
        })
    }
}

/// A gateway that serves until the test's runtime ends.
pub(super) struct Served {
    pub world: Arc<World>,
    pub clock: Clock,
    address: SocketAddr,
}

pub(super) async fn serve() -> Served {
    serve_with_key([9; 32]).await
}

pub(super) async fn serve_with_key(key: [u8; 32]) -> Served {
    let clock = Clock::manual(0);
    let world = Arc::new(World::default());
    let gateway =
        Gateway::new(Arc::new(Mesh(Arc::clone(&world))), authenticator(&clock), &Limits::default(), key, clock.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder()
        .add_service(FlightServiceServer::new(gateway))
        .serve_with_incoming(TcpListenerStream::new(listener));
    #[expect(clippy::disallowed_methods, reason = "the task ends with the test's runtime")]
    tokio::spawn(server);
    Served { world, clock, address }
}

/// `ana` and `bob`; each password is the name.
fn authenticator(clock: &Clock) -> Arc<Authenticator> {
    use argon2::{Argon2, Params, PasswordHasher as _};
    let quick = Argon2::from(Params::new(8, 1, 1, None).unwrap());
    let user = |name: &str| {
        let hash = quick.hash_password(name.as_bytes()).unwrap();
        format!("[users.{name}]\npassword = '{hash}'\n")
    };
    let users = UsersFile::parse(&(user("ana") + &user("bob")), "users.toml").unwrap();
    let auth = Auth { users: "users.toml".into(), anonymous: false, session_seconds: 3600 };
    Arc::new(Authenticator::new(users, &auth, clock.clone()).unwrap())
}

impl Served {
    async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    /// A Flight client without credentials.
    pub(super) async fn flight(&self) -> FlightServiceClient<Channel> {
        FlightServiceClient::new(self.channel().await)
    }

    /// A Flight SQL client without credentials.
    pub(super) async fn stranger(&self) -> FlightSqlServiceClient<Channel> {
        FlightSqlServiceClient::new(self.channel().await)
    }

    /// A Flight SQL client that has logged in.
    pub(super) async fn login(&self, name: &str) -> FlightSqlServiceClient<Channel> {
        let mut client = self.stranger().await;
        client.handshake(name, name).await.unwrap();
        assert!(client.token().is_some(), "the Handshake was answered with a token");
        client
    }
}

/// The status inside the client's error.
pub(super) fn status_of(error: arrow_flight::error::FlightError) -> tonic::Status {
    match error {
        arrow_flight::error::FlightError::Tonic(status) => *status,
        other => panic!("not a status: {other}"),
    }
}

/// A request with this authorization.
pub(super) fn with<T>(message: T, authorization: &str) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", authorization.parse().unwrap());
    request
}
