//! Sessions of callers that bring a password with each call: by the cookie of the Flight standard.

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt as _};
use arrow_flight::{Action, FlightDescriptor};
use futures::TryStreamExt as _;
use meshgate::proto::v1::session_option_value::OptionValue;
use meshgate::proto::v1::{
    CloseSessionResult, GetSessionOptionsResult, SessionOptionValue, SetSessionOptionsRequest, close_session_result,
};
use prost::Message as _;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::harness::Mesh;
use crate::harness::wire::{SESSION_SECONDS, Served, Setting};

const MESH: &str = include_str!("fixtures/regions.txt");
const BARE: &str = "SELECT count(*) AS n FROM orders";

/// A client that keeps what it is told to keep, as a browser does.
struct Jar {
    flight: FlightServiceClient<Channel>,
    authorization: Option<&'static str>,
    cookie: Option<String>,
}

const ANA: Option<&str> = Some("Basic YW5hOmFuYQ");
const BOB: Option<&str> = Some("Basic Ym9iOmJvYg");

impl Jar {
    async fn new(served: &Served, authorization: Option<&'static str>) -> Self {
        Self { flight: served.flight().await, authorization, cookie: None }
    }

    fn asks<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let mut insert = |name: &'static str, value: &str| {
            request.metadata_mut().insert(name, value.parse().unwrap());
        };
        self.authorization.into_iter().for_each(|value| insert("authorization", value));
        self.cookie.iter().for_each(|value| insert("cookie", value));
        request
    }

    async fn act(&mut self, name: &str, body: Vec<u8>) -> Result<bytes::Bytes, Status> {
        let response = self.flight.do_action(self.asks(Action::new(name, body))).await?;
        let cookie = response.metadata().get("set-cookie").map(|value| value.to_str().unwrap().to_owned());
        if let Some(cookie) = cookie {
            assert!(!cookie.contains(';'), "{cookie}");
            self.cookie = Some(cookie);
        }
        Ok(response.into_inner().message().await?.unwrap().body)
    }

    async fn set(&mut self, name: &str, text: &str) -> Result<(), Status> {
        let value = SessionOptionValue { option_value: Some(OptionValue::StringValue(text.to_owned())) };
        let request = SetSessionOptionsRequest { session_options: [(name.to_owned(), value)].into() };
        self.act("SetSessionOptions", request.encode_to_vec()).await.map(drop)
    }

    async fn options(&mut self) -> Result<usize, Status> {
        let answer = self.act("GetSessionOptions", Vec::new()).await?;
        Ok(GetSessionOptionsResult::decode(answer).unwrap().session_options.len())
    }

    /// Plans and fetches, and tells whether both went well.
    async fn asks_sql(&mut self, sql: &str) -> Result<(), Status> {
        let command = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
        let request = self.asks(FlightDescriptor::new_cmd(command.as_any().encode_to_vec()));
        let info = self.flight.get_flight_info(request).await?.into_inner();
        let get = self.asks(info.endpoint[0].ticket.clone().unwrap());
        self.flight.do_get(get).await?.into_inner().try_collect::<Vec<_>>().await.map(drop)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_keeps_what_was_set() {
    let served = Served::start(MESH).await;
    let mut ana = Jar::new(&served, ANA).await;
    assert_eq!(ana.asks_sql(BARE).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(ana.options().await.unwrap(), 1);
    assert_eq!(ana.cookie, None, "a session begins when something is set");
    ana.set("schema", "sales").await.unwrap();
    let first = ana.cookie.clone().unwrap();
    assert!(first.starts_with("arrow_flight_session_id="), "{first}");
    ana.asks_sql(BARE).await.unwrap();
    assert_eq!(ana.options().await.unwrap(), 2);
    ana.asks_sql("SET timezone = 'UTC'").await.unwrap();
    assert_eq!(ana.options().await.unwrap(), 3, "what SQL sets is kept as well");
    assert_eq!(ana.cookie.as_ref(), Some(&first), "it stays one session");

    let mut other = Jar::new(&served, ANA).await;
    assert!(other.asks_sql(BARE).await.is_err(), "without the cookie there is no session");
    other.set("schema", "sales").await.unwrap();
    assert_ne!(other.cookie, Some(first));
    assert_eq!(other.options().await.unwrap(), 2);
}

/// What was set must not be lost without a word, and a session is of whoever began it.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_not_there_is_told() {
    let served = Served::start(MESH).await;
    let mut ana = Jar::new(&served, ANA).await;
    ana.set("schema", "sales").await.unwrap();
    let cookie = ana.cookie.clone();

    let mut bob = Jar::new(&served, BOB).await;
    bob.cookie.clone_from(&cookie);
    let stolen = bob.options().await.unwrap_err();
    bob.cookie = Some("arrow_flight_session_id=made-up".to_owned());
    let made_up = bob.options().await.unwrap_err();
    assert_eq!((stolen.code(), stolen.message()), (Code::Unauthenticated, made_up.message()));
    assert!(bob.asks_sql("SELECT 1").await.is_err(), "no other call goes on as if nothing was set");

    let mut wrong = Jar::new(&served, Some("Basic YW5hOndyb25n")).await;
    wrong.cookie.clone_from(&cookie);
    let refused = wrong.options().await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_ne!(refused.message(), made_up.message(), "a cookie is no password");

    let closed = ana.act("CloseSession", Vec::new()).await.unwrap();
    let status = CloseSessionResult::decode(closed).unwrap().status;
    assert_eq!(status, i32::from(close_session_result::Status::Closed));
    assert_eq!(ana.options().await.unwrap_err().message(), made_up.message());

    ana.cookie = None;
    ana.set("schema", "sales").await.unwrap();
    served.mesh.clock.advance(std::time::Duration::from_secs(SESSION_SECONDS));
    assert_eq!(ana.options().await.unwrap_err().message(), made_up.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_their_name_may_have_a_session_too() {
    let mesh = Mesh::new(MESH).await;
    let setting = Setting { anonymous: true, ..Setting::default() };
    let served = Served::start_on(mesh, MESH, setting).await;
    let mut nobody = Jar::new(&served, None).await;
    nobody.set("timezone", "UTC").await.unwrap();
    assert_eq!(nobody.options().await.unwrap(), 2);
    let mut ana = Jar::new(&served, ANA).await;
    ana.cookie = nobody.cookie.clone();
    assert_eq!(ana.options().await.unwrap_err().code(), Code::Unauthenticated);
}
