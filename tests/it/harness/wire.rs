//! The gateway behind a socket, and a client whose received bytes are recorded as they come off the wire.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use argon2::{Argon2, Params, PasswordHasher as _};
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::{Action, Ticket};
use bytes::Bytes;
use futures::TryStreamExt;
use meshgate::config::{Auth, Limits};
use meshgate::flight;
use meshgate::gateway::{Admission, serve};
use meshgate::identity::{Authenticator, UsersFile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::{Fixture, Mesh, render};

/// An unused login ends after this.
pub const SESSION_SECONDS: u64 = 600;

/// How a mesh is served.
pub struct Setting {
    pub limits: Limits,
    pub anonymous: bool,
    pub ticket_key: [u8; 32],
    pub admission: Admission,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            limits: Limits { partitions: 2, ..Limits::default() },
            anonymous: false,
            ticket_key: rand::random(),
            admission: Admission::default(),
        }
    }
}

/// A served mesh. Every user's password is the user's name. It stops when it goes.
pub struct Served {
    pub mesh: Mesh,
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl Served {
    pub async fn start(text: &str) -> Self {
        Self::start_with(text, Limits { partitions: 2, ..Limits::default() }).await
    }

    pub async fn start_with(text: &str, limits: Limits) -> Self {
        let mesh = Mesh::with_limits(text, limits.clone()).await;
        Self::start_on(mesh, text, Setting { limits, ..Setting::default() }).await
    }

    /// Serves a mesh that was made from `text`.
    pub async fn start_on(mesh: Mesh, text: &str, setting: Setting) -> Self {
        let Setting { limits, anonymous, ticket_key, admission } = setting;
        let users = UsersFile::parse(&with_passwords(&Fixture::parse(text).users), "users.toml").unwrap();
        let auth = Auth { users: "users.toml".into(), anonymous, session_seconds: SESSION_SECONDS };
        let authenticator = Arc::new(Authenticator::new(users, &auth, mesh.clock.clone()).unwrap());
        let sessions = Arc::clone(&mesh.sessions);
        let gateway = flight::Gateway::new(sessions, authenticator, &limits, ticket_key, mesh.clock.clone());
        let service = gateway.into_server();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            serve(listener, service, admission, Duration::from_millis(500), stopped).await.unwrap();
        });
        Self { mesh, address, stop: Some(stop), server: Some(server) }
    }

    /// A client of the bare protocol, without credentials.
    pub async fn flight(&self) -> FlightServiceClient<Channel> {
        let channel = Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap();
        FlightServiceClient::new(channel)
    }

    /// Logs in through a recorder.
    pub async fn connect(&self, who: &str) -> Recorded {
        let recorded = Arc::new(Mutex::new(Vec::new()));
        let proxy = recorder(self.address, Arc::clone(&recorded)).await;
        let channel = Endpoint::from_shared(format!("http://{proxy}")).unwrap().connect().await.unwrap();
        let mut client = FlightSqlServiceClient::new(channel);
        client.handshake(who, who).await.unwrap();
        Recorded { client, address: proxy, bytes: recorded }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}

/// A client and every byte that the server sent to it.
pub struct Recorded {
    pub client: FlightSqlServiceClient<Channel>,
    /// Where the recorder listens: what else connects there is recorded too.
    pub address: SocketAddr,
    bytes: Arc<Mutex<Vec<u8>>>,
}

/// The same login, on the same connection.
impl Clone for Recorded {
    fn clone(&self) -> Self {
        let mut client = FlightSqlServiceClient::new_from_inner(self.client.inner().clone());
        if let Some(token) = self.client.token() {
            client.set_token(token.clone());
        }
        Self { client, address: self.address, bytes: Arc::clone(&self.bytes) }
    }
}

/// How a statement gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Statement,
    Prepared,
}

impl Recorded {
    pub async fn fetch_batches(&mut self, sql: &str) -> Result<Vec<RecordBatch>, String> {
        Ok(self.batches_by(Door::Statement, sql).await?.1)
    }

    /// With the schema, which is there even if no row is.
    pub async fn fetch_typed(&mut self, sql: &str) -> Result<(Schema, Vec<RecordBatch>), String> {
        self.batches_by(Door::Statement, sql).await
    }

    pub async fn fetch_by(&mut self, door: Door, sql: &str) -> Result<String, String> {
        Ok(render(&self.batches_by(door, sql).await?.1))
    }

    async fn batches_by(&mut self, door: Door, sql: &str) -> Result<(Schema, Vec<RecordBatch>), String> {
        fn text(error: impl std::fmt::Display) -> String {
            error.to_string()
        }
        let info = match door {
            Door::Statement => self.client.execute(sql.to_owned(), None).await.map_err(text)?,
            Door::Prepared => {
                let mut prepared = self.client.prepare(sql.to_owned(), None).await.map_err(text)?;
                // A handle that is used again and one that is left open must not matter.
                prepared.execute().await.map_err(text)?;
                let info = prepared.execute().await.map_err(text)?;
                prepared.close().await.map_err(text)?;
                info
            }
        };
        assert_eq!((info.total_records, info.total_bytes), (-1, -1), "totals would tell of hidden rows");
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let stream = self.client.do_get(ticket).await.map_err(|error| error.to_string())?;
        let batches =
            stream.try_collect().await.map_err(|error: arrow_flight::error::FlightError| error.to_string())?;
        Ok((info.try_decode_schema().map_err(text)?, batches))
    }

    pub async fn fetch(&mut self, sql: &str) -> Result<String, String> {
        Ok(render(&self.fetch_batches(sql).await?))
    }

    pub fn received(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    /// A message under this login, for the bare protocol.
    pub fn asks<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let bearer = format!("Bearer {}", self.client.token().unwrap());
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        request
    }

    /// The body of an action's one result; empty where there is none.
    pub async fn act(&mut self, name: &str, body: Vec<u8>) -> Result<Bytes, Status> {
        let request = self.asks(Action::new(name, body));
        let mut answers = self.client.inner_mut().do_action(request).await?.into_inner();
        Ok(answers.message().await?.map(|result| result.body).unwrap_or_default())
    }

    /// Where the rows of a statement are.
    pub async fn ticket(&mut self, sql: &str) -> Ticket {
        let info = self.client.execute(sql.to_owned(), None).await.unwrap();
        info.endpoint[0].ticket.clone().unwrap()
    }
}

/// Passes bytes on and keeps what comes from the server.
async fn recorder(server: SocketAddr, recorded: Arc<Mutex<Vec<u8>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let upstream = TcpStream::connect(server).await.unwrap();
            // Small frames must not wait for each other: the recorder would cost more than the gateway.
            client.set_nodelay(true).unwrap();
            upstream.set_nodelay(true).unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = upstream.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            let recorded = Arc::clone(&recorded);
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 << 10];
                while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
                    recorded.lock().unwrap().extend_from_slice(&buffer[..length]);
                    if to_client.write_all(&buffer[..length]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

/// Replaces `password = "x"` by the hash of the user's own name: a quick one, since some doors bring the password with each call.
pub fn with_passwords(users: &str) -> String {
    let quick = Argon2::from(Params::new(8, 1, 1, None).unwrap());
    let mut out = String::new();
    let mut name = "";
    for line in users.lines() {
        if let Some(user) = line.trim().strip_prefix("[users.").and_then(|rest| rest.strip_suffix(']')) {
            name = user;
        }
        if line.trim().starts_with("password") {
            let hash = quick.hash_password(name.as_bytes()).unwrap();
            out += &format!("password = \"{hash}\"\n");
        } else {
            out += &format!("{line}\n");
        }
    }
    out
}
