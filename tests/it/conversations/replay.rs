//! Says what a golden conversation says, as the client it was written from would.

use std::net::SocketAddr;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult,
    Any, CommandPreparedStatementQuery, CommandPreparedStatementUpdate, CommandStatementQuery, CommandStatementUpdate,
    DoPutPreparedStatementResult, DoPutUpdateResult, ProstMessageExt,
};
use arrow_flight::{Action, FlightData, FlightDescriptor, HandshakeRequest, Ticket};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::Bytes;
use futures::{TryStreamExt, stream};
use meshgate::proto::v1::session_option_value::OptionValue;
use meshgate::proto::v1::{SessionOptionValue, SetSessionOptionsRequest, SetSessionOptionsResult};
use prost::Message;
use tonic::metadata::{AsciiMetadataKey, BinaryMetadataKey, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::script::{Script, Step};
use super::{command, expect};

/// What a client keeps from one call to the next.
pub struct Replay<'a> {
    script: &'a Script,
    client: FlightServiceClient<Channel>,
    token: Option<String>,
    cookie: Option<String>,
    handle: Bytes,
    ticket: Option<Ticket>,
    announced: Schema,
}

impl<'a> Replay<'a> {
    pub async fn connect(script: &'a Script, address: SocketAddr) -> Self {
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        let client = FlightServiceClient::new(channel).max_decoding_message_size(script.receives.unwrap_or(usize::MAX));
        let announced = Schema::empty();
        Self { script, client, token: None, cookie: None, handle: Bytes::new(), ticket: None, announced }
    }

    pub async fn all(mut self) {
        for step in &self.script.steps {
            let answer = match step.call.rpc.as_str() {
                "Handshake" => self.handshake(step).await,
                "GetFlightInfo" => self.flight_info(step).await,
                "DoGet" => self.get(step).await,
                "DoPut" => self.put(step).await,
                "DoAction" => self.act(step).await,
                other => panic!("{}: the replay does not say {other}", step.place),
            };
            let code = answer.as_ref().map_or_else(Status::code, |()| Code::Ok);
            assert_eq!(Some(code), step.call.code, "{}: {answer:?}", step.place);
            if let Err(status) = answer {
                expect::refused(step, &status);
            }
        }
    }

    /// With the headers of the line, as this client fills them.
    fn request<T>(&self, step: &Step, message: T) -> Request<T> {
        let mut request = Request::new(message);
        for name in &step.call.headers {
            let value = match (name.as_str(), step.one("login")) {
                ("authorization", Some(login)) if login.starts_with("basic") => self.password(login),
                ("authorization", _) => self.token.clone().unwrap_or_else(|| panic!("{}: no token yet", step.place)),
                ("cookie", _) => self.cookie.clone().unwrap_or_else(|| panic!("{}: no cookie yet", step.place)),
                (own, _) => self.script.headers.get(own).cloned().unwrap_or_default(),
            };
            if name.ends_with("-bin") {
                let value = MetadataValue::from_bytes(value.as_bytes());
                request.metadata_mut().insert_bin(name.parse::<BinaryMetadataKey>().unwrap(), value);
            } else {
                request.metadata_mut().insert(name.parse::<AsciiMetadataKey>().unwrap(), value.parse().unwrap());
            }
        }
        request
    }

    fn password(&self, login: &str) -> String {
        let user = &self.script.user;
        let engine = match login {
            "basic padded" => STANDARD,
            "basic unpadded" => STANDARD_NO_PAD,
            other => panic!("`login: {other}` is none of those that are known"),
        };
        format!("Basic {}", engine.encode(format!("{user}:{user}")))
    }

    async fn handshake(&mut self, step: &Step) -> Result<(), Status> {
        let messages = vec![HandshakeRequest::default(); command::read(&step.call, "messages")];
        let request = self.request(step, stream::iter(messages));
        let answer = self.client.handshake(request).await?;
        self.token = expect::token(step, answer.metadata()).or(self.token.take());
        self.cookie = answer
            .metadata()
            .get("set-cookie")
            .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap_or_default().to_owned());
        // The C++ client reads none, and a Java one expects none.
        let messages: Vec<_> = answer.into_inner().try_collect().await?;
        assert!(messages.is_empty(), "{}: {messages:?}", step.place);
        Ok(())
    }

    async fn flight_info(&mut self, step: &Step) -> Result<(), Status> {
        let descriptor = FlightDescriptor::new_cmd(self.command(step).encode_to_vec());
        let answer = self.client.get_flight_info(self.request(step, descriptor.clone())).await?;
        expect::no_token(step, answer.metadata());
        let info = answer.into_inner();
        self.announced = expect::announced(step, &info, &descriptor);
        self.ticket = info.endpoint.into_iter().next().and_then(|endpoint| endpoint.ticket);
        Ok(())
    }

    async fn get(&mut self, step: &Step) -> Result<(), Status> {
        let ticket = self.ticket.take().unwrap_or_else(|| panic!("{}: no ticket yet", step.place));
        let answer = self.client.do_get(self.request(step, ticket)).await?;
        expect::no_token(step, answer.metadata());
        let frames: Vec<FlightData> = answer.into_inner().try_collect().await?;
        let schema = Schema::try_from(&frames[0]).unwrap();
        expect::plain(step, &frames);
        let frames = stream::iter(frames.into_iter().map(Ok::<_, FlightError>));
        let batches: Vec<RecordBatch> =
            FlightRecordBatchStream::new_from_flight_data(frames).try_collect().await.unwrap();
        expect::sent(step, &schema, &self.announced, &batches);
        Ok(())
    }

    async fn put(&mut self, step: &Step) -> Result<(), Status> {
        let descriptor = FlightDescriptor::new_cmd(self.command(step).encode_to_vec());
        let messages = match step.call.filter("parameters") {
            Some(_) => {
                let row = parameters(step);
                let encoder = FlightDataEncoderBuilder::new().with_flight_descriptor(Some(descriptor));
                // Who has nothing to bind sends a schema without columns and no row.
                let encoder = encoder.with_schema(row.schema());
                let rows = (row.num_columns() > 0).then_some(Ok(row));
                encoder.build(stream::iter(rows)).try_collect().await.unwrap()
            }
            None => vec![FlightData::new().with_descriptor(descriptor)],
        };
        let answer = self.client.do_put(self.request(step, stream::iter(messages))).await?;
        expect::no_token(step, answer.metadata());
        let answers: Vec<_> = answer.into_inner().try_collect().await?;
        match (step.one("updated"), answers.first()) {
            (Some(count), Some(answer)) => {
                let result = DoPutUpdateResult::decode(answer.app_metadata.clone()).unwrap();
                assert_eq!(result.record_count.to_string(), count, "{}", step.place);
            }
            (None, Some(answer)) => {
                let result = DoPutPreparedStatementResult::decode(answer.app_metadata.clone()).unwrap();
                self.handle = result.prepared_statement_handle.unwrap_or(self.handle.clone());
            }
            (_, None) => panic!("{}: nothing was answered", step.place),
        }
        Ok(())
    }

    async fn act(&mut self, step: &Step) -> Result<(), Status> {
        let name = step.call.command.as_deref().unwrap_or_default();
        let body = match name {
            "CreatePreparedStatement" => {
                let query = sql(step);
                ActionCreatePreparedStatementRequest { query, transaction_id: None }.as_any().encode_to_vec()
            }
            "ClosePreparedStatement" => {
                let prepared_statement_handle = self.handle.clone();
                ActionClosePreparedStatementRequest { prepared_statement_handle }.as_any().encode_to_vec()
            }
            "SetSessionOptions" => {
                let options = step.all("set").into_iter().map(|text| text.split_once('=').unwrap());
                let value =
                    |text: &str| SessionOptionValue { option_value: Some(OptionValue::StringValue(text.to_owned())) };
                let session_options = options.map(|(name, text)| (name.to_owned(), value(text))).collect();
                SetSessionOptionsRequest { session_options }.encode_to_vec()
            }
            _ => Vec::new(),
        };
        let answer = self.client.do_action(self.request(step, Action::new(name, body))).await?;
        expect::no_token(step, answer.metadata());
        let answers: Vec<_> = answer.into_inner().try_collect().await?;
        match (name, answers.as_slice()) {
            ("CreatePreparedStatement", [result]) => {
                let any = Any::decode(result.body.clone()).unwrap();
                let result: ActionCreatePreparedStatementResult = any.unpack().unwrap().unwrap();
                expect::prepared(step, &result);
                self.handle = result.prepared_statement_handle;
            }
            ("SetSessionOptions", [result]) => {
                let errors = SetSessionOptionsResult::decode(result.body.clone()).unwrap().errors;
                assert_eq!((step.one("errors"), errors.len()), (Some("none"), 0), "{}: {errors:?}", step.place);
            }
            ("ClosePreparedStatement", []) | ("CloseSession", [_]) => {}
            (_, answers) => panic!("{}: {} results", step.place, answers.len()),
        }
        Ok(())
    }

    fn command(&self, step: &Step) -> Any {
        let prepared_statement_handle = self.handle.clone();
        match step.call.command.as_deref() {
            Some("CommandStatementQuery") => CommandStatementQuery { query: sql(step), transaction_id: None }.as_any(),
            Some("CommandStatementUpdate") => {
                CommandStatementUpdate { query: sql(step), transaction_id: None }.as_any()
            }
            Some("CommandPreparedStatementQuery") => {
                CommandPreparedStatementQuery { prepared_statement_handle }.as_any()
            }
            Some("CommandPreparedStatementUpdate") => {
                CommandPreparedStatementUpdate { prepared_statement_handle }.as_any()
            }
            _ => command::metadata(&step.call).unwrap_or_else(|| panic!("{}: no such command", step.place)),
        }
    }
}

fn sql(step: &Step) -> String {
    step.one("sql").unwrap_or_else(|| panic!("{}: `sql: …` is missing", step.place)).to_owned()
}

/// One row of the columns that the line names.
fn parameters(step: &Step) -> RecordBatch {
    let columns: Vec<String> = command::read(&step.call, "parameters");
    let values = step.one("bind").map_or(Vec::new(), |text| text.split(" | ").collect());
    assert_eq!(columns.len(), values.len(), "{}: a value for each parameter", step.place);
    let field = |column: &String| {
        let (name, of) = column.split_once(':').unwrap();
        let (of, nullable) = of.strip_suffix('?').map_or((of, false), |of| (of, true));
        Field::new(name, of.parse::<DataType>().unwrap(), nullable)
    };
    let fields: Vec<Field> = columns.iter().map(field).collect();
    let value = |(field, text): (&Field, &&str)| -> ArrayRef {
        let text: ArrayRef = Arc::new(StringArray::from(vec![(*text != "NULL").then_some(*text)]));
        cast(&text, field.data_type()).unwrap()
    };
    let arrays = fields.iter().zip(&values).map(value).collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(1));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).unwrap()
}
