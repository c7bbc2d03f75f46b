//! A caller at all doors at once: one login, one recorder.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::Schema;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult,
    Any, CommandPreparedStatementQuery, CommandStatementQuery, CommandStatementUpdate, ProstMessageExt,
};
use arrow_flight::{Action, Criteria, FlightData, FlightDescriptor, FlightInfo, IpcMessage, Ticket};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use meshgate::client::{Client, Login, connect};
use meshgate::proto::v1::session_option_value::OptionValue;
use meshgate::proto::v1::{SessionOptionValue, SetSessionOptionsRequest};
use meshgate::query::Session;
use prost::Message;
use secrecy::SecretString;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::harness::wire::{Recorded, Served};
use crate::harness::{error_text, render, run, without_ids};

pub(crate) struct Seat {
    session: Arc<Session>,
    flight: FlightServiceClient<Channel>,
    shell: Client,
    token: String,
    /// As Basic authorization says it.
    password: String,
    cookie: Option<String>,
    recorded: Recorded,
}

/// The code and the text, which is all that a client is given.
pub(crate) fn told(status: &Status) -> String {
    without_ids(&format!("{:?}: {}", status.code(), status.message()))
}

impl Seat {
    pub async fn take(served: &Served, who: &str) -> Self {
        let recorded = served.connect(who).await;
        let address = recorded.address;
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
        let token = recorded.client.token().cloned().expect("a bearer");
        let login = Login::Token(SecretString::from(token.clone()));
        let shell = connect(&format!("grpc://{address}"), &login, None).await.unwrap();
        let flight = FlightServiceClient::new(endpoint.connect().await.unwrap()).max_decoding_message_size(64 << 20);
        let password = format!("Basic {}", STANDARD.encode(format!("{who}:{who}")));
        Self { session: served.mesh.session(who), flight, shell, token, password, cookie: None, recorded }
    }

    /// Every byte that came from the server.
    pub fn received(&self) -> Vec<u8> {
        self.recorded.received()
    }

    fn asks<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request
    }

    pub async fn info(&mut self, command: &Any) -> Result<FlightInfo, Status> {
        let request = self.asks(FlightDescriptor::new_cmd(command.encode_to_vec()));
        Ok(self.flight.get_flight_info(request).await?.into_inner())
    }

    pub async fn poll(&mut self, command: &Any) -> Result<FlightInfo, Status> {
        let request = self.asks(FlightDescriptor::new_cmd(command.encode_to_vec()));
        let polled = self.flight.poll_flight_info(request).await?.into_inner();
        assert_eq!(
            (polled.progress, polled.flight_descriptor),
            (Some(1.0), None),
            "progress would tell of hidden rows"
        );
        Ok(polled.info.unwrap())
    }

    pub async fn schema(&mut self, command: &Any) -> Result<String, Status> {
        let request = self.asks(FlightDescriptor::new_cmd(command.encode_to_vec()));
        let bytes = self.flight.get_schema(request).await?.into_inner().schema;
        Ok(schema_text(bytes))
    }

    /// Rows, and where the batches were cut.
    pub async fn get(&mut self, ticket: impl Into<Bytes>) -> Result<String, Status> {
        let request = self.asks(Ticket::new(ticket));
        rows(self.flight.do_get(request).await?.into_inner()).await
    }

    pub async fn act(&mut self, name: &str, body: Vec<u8>) -> Result<Vec<Bytes>, Status> {
        let request = self.asks(Action::new(name, body));
        let answer = self.flight.do_action(request).await?.into_inner();
        answer.map_ok(|result| result.body).try_collect().await
    }

    pub async fn prepare(&mut self, sql: &str) -> Result<(Bytes, String), Status> {
        let request = ActionCreatePreparedStatementRequest { query: sql.to_owned(), transaction_id: None };
        let body = self.act("CreatePreparedStatement", request.as_any().encode_to_vec()).await?.remove(0);
        let result: ActionCreatePreparedStatementResult = Any::decode(body).unwrap().unpack().unwrap().unwrap();
        Ok((result.prepared_statement_handle, schema_text(result.dataset_schema)))
    }

    pub async fn close(&mut self, handle: Bytes) -> Result<(), Status> {
        let request = ActionClosePreparedStatementRequest { prepared_statement_handle: handle };
        self.act("ClosePreparedStatement", request.as_any().encode_to_vec()).await.map(drop)
    }

    // The doors.

    pub async fn in_process(&mut self, sql: &str) -> String {
        match run(&self.session, sql).await {
            Ok(batches) => render(&batches),
            Err(error) => error_text(&error),
        }
    }

    pub async fn statement(&mut self, sql: &str) -> String {
        let info = self.info(&query(sql)).await;
        self.fetched(info).await
    }

    pub async fn polled(&mut self, sql: &str) -> String {
        let info = self.poll(&query(sql)).await;
        self.fetched(info).await
    }

    async fn fetched(&mut self, info: Result<FlightInfo, Status>) -> String {
        let answer = match info {
            Ok(info) => self.get(ticket(&info)).await,
            Err(status) => Err(status),
        };
        answer.unwrap_or_else(|status| told(&status))
    }

    /// A password with each call, and a session that a cookie names.
    pub async fn by_cookie(&mut self, sql: &str) -> String {
        let answer = async {
            if self.cookie.is_none() {
                self.cookie = Some(self.begin_session().await?);
            }
            let request = self.in_session(FlightDescriptor::new_cmd(query(sql).encode_to_vec()));
            let info = self.flight.get_flight_info(request).await?.into_inner();
            let request = self.in_session(Ticket::new(ticket(&info)));
            let frames = self.flight.do_get(request).await?.into_inner();
            Ok::<_, Status>(format!("{}\n{}", info_text(&info), rows(frames).await?))
        };
        answer.await.unwrap_or_else(|status| told(&status))
    }

    async fn begin_session(&mut self) -> Result<String, Status> {
        let value = SessionOptionValue { option_value: Some(OptionValue::StringValue("sales".to_owned())) };
        let request = SetSessionOptionsRequest { session_options: [("schema".to_owned(), value)].into() };
        let request = self.in_session(Action::new("SetSessionOptions", request.encode_to_vec()));
        let response = self.flight.do_action(request).await?;
        Ok(response.metadata().get("set-cookie").unwrap().to_str().unwrap().to_owned())
    }

    fn in_session<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.password.parse().unwrap());
        self.cookie.iter().for_each(|cookie| drop(request.metadata_mut().insert("cookie", cookie.parse().unwrap())));
        request
    }

    /// As an Arrow-native client asks: what is compressed is also compared by its length.
    pub async fn native(&mut self, sql: &str) -> String {
        fn in_native<T>(mut request: Request<T>) -> Request<T> {
            request.metadata_mut().insert("arrow-types", "native".parse().unwrap());
            request.metadata_mut().insert("arrow-compression", "zstd".parse().unwrap());
            request
        }
        let answer = async {
            let request = in_native(self.asks(FlightDescriptor::new_cmd(query(sql).encode_to_vec())));
            let info = self.flight.get_flight_info(request).await?.into_inner();
            let request = in_native(self.asks(Ticket::new(ticket(&info))));
            let frames: Vec<FlightData> = self.flight.do_get(request).await?.into_inner().try_collect().await?;
            let lengths: Vec<usize> = frames.iter().map(|frame| frame.data_body.len()).collect();
            let rows = rows(futures::stream::iter(frames.into_iter().map(Ok))).await?;
            Ok::<_, Status>(format!("{}\nlengths {lengths:?}\n{rows}", info_text(&info)))
        };
        answer.await.unwrap_or_else(|status| told(&status))
    }

    /// ListFlights, as text.
    pub async fn flights(&mut self) -> String {
        let request = self.asks(Criteria::default());
        let listed = match self.flight.list_flights(request).await {
            Ok(listed) => listed.into_inner().try_collect::<Vec<FlightInfo>>().await,
            Err(status) => Err(status),
        };
        let text = |info: &FlightInfo| format!("{:?} {}", info.flight_descriptor, info_text(info));
        listed.map_or_else(|status| told(&status), |all| all.iter().map(text).collect::<Vec<_>>().join("\n"))
    }

    /// A dataset by its path: its schema, where it is, and its rows.
    pub async fn path(&mut self, path: [&str; 2]) -> String {
        let descriptor = FlightDescriptor::new_path(path.map(str::to_owned).to_vec());
        let answer = async {
            let schema = self.flight.get_schema(self.asks(descriptor.clone())).await?.into_inner().schema;
            let info = self.flight.get_flight_info(self.asks(descriptor)).await?.into_inner();
            let rows = self.get(ticket(&info)).await?;
            Ok::<_, Status>(format!("{}\n{}\n{rows}", schema_text(schema), info_text(&info)))
        };
        answer.await.unwrap_or_else(|status| told(&status))
    }

    /// Twice executed, as pools do.
    pub async fn prepared(&mut self, sql: &str) -> String {
        self.try_prepared(sql).await.unwrap_or_else(|status| told(&status))
    }

    async fn try_prepared(&mut self, sql: &str) -> Result<String, Status> {
        let (handle, schema) = self.prepare(sql).await?;
        self.info(&executes(&handle)).await?;
        let info = self.info(&executes(&handle)).await?;
        let rows = self.get(ticket(&info)).await?;
        self.close(handle).await?;
        Ok(format!("{schema}\n{rows}"))
    }

    /// The statement as a table, of which a parameter keeps all rows.
    pub async fn bound(&mut self, sql: &str) -> String {
        let answer = async {
            let (handle, _) = self.prepare(&format!("SELECT * FROM ({sql}) q WHERE ?")).await?;
            self.bind(&handle, true).await?;
            let info = self.info(&executes(&handle)).await?;
            let rows = self.get(ticket(&info)).await?;
            self.close(handle).await?;
            let (schema, rows) = rows.split_once('\n').unwrap_or((rows.as_str(), ""));
            // A table has no order, whatever its query says.
            let mut rows: Vec<&str> = rows.lines().collect();
            rows.sort_unstable();
            Ok::<_, Status>(format!("{schema}\n{}", rows.join("\n")))
        };
        answer.await.unwrap_or_else(|status| told(&status))
    }

    /// For clients that use the command itself as a ticket; the handle stays open.
    pub async fn handle(&mut self, sql: &str) -> String {
        let answer = async {
            let (handle, _) = self.prepare(sql).await?;
            let described = self.schema(&executes(&handle)).await?;
            let rows = self.get(executes(&handle).encode_to_vec()).await?;
            Ok::<_, Status>(format!("{described}\n{rows}"))
        };
        answer.await.unwrap_or_else(|status| told(&status))
    }

    /// All that GetFlightInfo tells, but for the sealed ticket, of which the length is told.
    pub async fn announced(&mut self, sql: &str) -> String {
        self.info(&query(sql)).await.map_or_else(|status| told(&status), |info| info_text(&info))
    }

    pub async fn schema_of(&mut self, sql: &str) -> String {
        self.schema(&query(sql)).await.unwrap_or_else(|status| told(&status))
    }

    pub async fn explained(&mut self, explain: &str, sql: &str) -> String {
        self.statement(&format!("{explain} {sql}")).await
    }

    /// As JDBC sends what it takes for an update.
    pub async fn update(&mut self, sql: &str) -> String {
        let update = CommandStatementUpdate { query: sql.to_owned(), transaction_id: None };
        let descriptor = FlightDescriptor::new_cmd(update.as_any().encode_to_vec());
        let data = FlightData { flight_descriptor: Some(descriptor), ..FlightData::default() };
        let request = self.asks(futures::stream::iter([data]));
        match self.flight.do_put(request).await {
            Ok(answer) => format!("{:?}", answer.into_inner().try_collect::<Vec<_>>().await),
            Err(status) => told(&status),
        }
    }

    async fn bind(&mut self, handle: &Bytes, value: bool) -> Result<(), Status> {
        let value: ArrayRef = Arc::new(BooleanArray::from(vec![value]));
        let batch = RecordBatch::try_from_iter([("0", value)]).map_err(FlightError::from)?;
        let descriptor = FlightDescriptor::new_cmd(executes(handle).encode_to_vec());
        let encoder = FlightDataEncoderBuilder::new().with_flight_descriptor(Some(descriptor));
        let data: Vec<FlightData> = encoder.build(futures::stream::iter([Ok(batch)])).try_collect().await?;
        self.flight.do_put(self.asks(futures::stream::iter(data))).await?.into_inner().try_collect::<Vec<_>>().await?;
        Ok(())
    }

    /// The library that the REPL asks by.
    pub async fn typed(&mut self, sql: &str) -> String {
        let rows = match self.shell.execute(sql).await {
            Ok(rows) => rows,
            Err(error) => return error_text(&error),
        };
        let schema = rows.schema();
        match rows.collect().await {
            Ok(batches) => format!("{}\n{}", fields_text(&schema), render(&batches)),
            Err(error) => error_text(&error),
        }
    }

    /// What the REPL asks for `\dn`, `\d`, `\d name` and for completion.
    pub async fn browse(&mut self, domain: Option<&str>, table: Option<&str>) -> String {
        let domains = self.shell.domains().await.map_err(|error| error_text(&error));
        let tables = self.shell.tables(domain, table).await.map_err(|error| error_text(&error));
        format!("{domains:?}\n{tables:?}")
    }
}

async fn rows(frames: impl Stream<Item = Result<FlightData, Status>> + Send + 'static) -> Result<String, Status> {
    let stream = FlightRecordBatchStream::new_from_flight_data(frames.map_err(FlightError::from));
    let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(|error| match error {
        FlightError::Tonic(status) => *status,
        other => Status::unknown(other.to_string()),
    })?;
    let sizes: Vec<usize> = batches.iter().map(RecordBatch::num_rows).collect();
    let metadata: Vec<_> = batches.first().map(|batch| batch.schema().metadata().clone()).into_iter().collect();
    Ok(format!("{}\nbatches {sizes:?} metadata {metadata:?}", render(&batches)))
}

pub(crate) fn query(sql: &str) -> Any {
    CommandStatementQuery { query: sql.to_owned(), transaction_id: None }.as_any()
}

pub(crate) fn executes(handle: &Bytes) -> Any {
    CommandPreparedStatementQuery { prepared_statement_handle: handle.clone() }.as_any()
}

pub(crate) fn ticket(info: &FlightInfo) -> Bytes {
    info.endpoint[0].ticket.clone().unwrap().ticket
}

fn schema_text(bytes: Bytes) -> String {
    if bytes.is_empty() {
        return "no schema".to_owned();
    }
    let schema = Schema::try_from(IpcMessage(bytes)).unwrap();
    fields_text(&schema)
}

/// A schema in full. Metadata has no order of its own.
fn fields_text(schema: &Schema) -> String {
    let sorted = |metadata: &HashMap<String, String>| metadata.clone().into_iter().collect::<BTreeMap<_, _>>();
    let mut text = format!("{:?}", sorted(schema.metadata()));
    for field in schema.fields() {
        let bare = field.as_ref().clone().with_metadata(HashMap::new());
        write!(text, "\n{bare:?} {:?}", sorted(field.metadata())).unwrap();
    }
    text
}

pub(crate) fn info_text(info: &FlightInfo) -> String {
    let endpoints: Vec<String> = info
        .endpoint
        .iter()
        .map(|endpoint| {
            let length = endpoint.ticket.as_ref().map(|ticket| ticket.ticket.len());
            format!("{:?} {:?} {:?} {length:?}", endpoint.location, endpoint.expiration_time, endpoint.app_metadata)
        })
        .collect();
    assert_eq!((info.total_records, info.total_bytes), (-1, -1), "totals would tell of hidden rows");
    assert!(info.endpoint.iter().all(|endpoint| endpoint.location.is_empty()), "a place is told");
    let schema = schema_text(info.schema.clone());
    format!("{schema}\n{} {:?} {endpoints:?}", info.ordered, info.app_metadata)
}
