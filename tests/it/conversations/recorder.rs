//! The recorder: a proxy that hands on every message as it is and notes a [`Call`] for each RPC.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse,
    PollInfo, PutResult, SchemaResult, Ticket,
};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Extensions, Request, Response, Status, Streaming};

use super::call::{Call, Filters};
use super::command;

/// Larger than anything that is sent: the limits to be tested are those of the two ends.
const LARGEST: usize = 64 << 20;

/// A recorder in front of a server; it ends when it goes.
pub struct Recorder {
    /// Where clients connect.
    pub address: SocketAddr,
    calls: Calls,
    server: JoinHandle<()>,
}

impl Recorder {
    pub async fn start(gateway: SocketAddr) -> Self {
        let channel = Endpoint::from_shared(format!("http://{gateway}")).unwrap().connect().await.unwrap();
        let upstream = FlightServiceClient::new(channel).max_decoding_message_size(LARGEST);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Calls::default();
        let proxy = Proxy { upstream, calls: calls.clone() };
        let service = FlightServiceServer::new(proxy).max_decoding_message_size(LARGEST);
        let server = tokio::spawn(async move {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
        });
        Self { address, calls, server }
    }

    /// A line for each RPC so far, in the order in which they began.
    pub fn lines(&self) -> Vec<String> {
        self.calls.0.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Debug, Clone, Default)]
struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    fn begin(&self, rpc: &str, (command, filters): (Option<String>, Filters), metadata: &MetadataMap) -> Noted {
        let mut calls = self.0.lock().unwrap();
        calls.push(Call::begin(rpc, command, filters, metadata));
        Noted { calls: self.clone(), at: calls.len() - 1 }
    }
}

/// The place of one call, to note its end in.
#[derive(Debug, Clone)]
struct Noted {
    calls: Calls,
    at: usize,
}

impl Noted {
    fn end(&self, code: Code) {
        self.calls.0.lock().unwrap()[self.at].code = Some(code);
    }

    fn answer<T>(&self, answer: Result<Response<T>, Status>) -> Result<Response<T>, Status> {
        self.end(answer.as_ref().map_or_else(Status::code, |_| Code::Ok));
        answer
    }

    /// Fine as soon as something was answered: some clients read one message and go. What fails after it is noted instead.
    fn stream<T: Send + 'static>(&self, answer: Result<Response<Streaming<T>>, Status>) -> Answered<T> {
        let (metadata, messages, _) = answer.inspect_err(|status| self.end(status.code()))?.into_parts();
        let (noted, ended) = (self.clone(), self.clone());
        let messages =
            messages.inspect(move |message| noted.end(message.as_ref().map_or_else(Status::code, |_| Code::Ok)));
        let end = stream::once(async move { ended.end_of_stream() }).filter_map(|()| async { None });
        Ok(Response::from_parts(metadata, messages.chain(end).boxed(), Extensions::default()))
    }

    fn end_of_stream(&self) {
        self.calls.0.lock().unwrap()[self.at].code.get_or_insert(Code::Ok);
    }
}

type Stream<T> = BoxStream<'static, Result<T, Status>>;
type Answered<T> = Result<Response<Stream<T>>, Status>;

struct Proxy {
    upstream: FlightServiceClient<Channel>,
    calls: Calls,
}

/// All that the client says in one call. It is read to its end first: a gateway that answers sooner would leave open how much
/// was said.
async fn said<T>(request: Request<Streaming<T>>) -> Result<(MetadataMap, Vec<T>), Status> {
    let (metadata, _, messages) = request.into_parts();
    Ok((metadata, messages.try_collect().await?))
}

fn onward<T>(metadata: MetadataMap, message: T) -> Request<T> {
    Request::from_parts(metadata, Extensions::default(), message)
}

#[tonic::async_trait]
impl FlightService for Proxy {
    type HandshakeStream = Stream<HandshakeResponse>;
    type ListFlightsStream = Stream<FlightInfo>;
    type DoGetStream = Stream<FlightData>;
    type DoPutStream = Stream<PutResult>;
    type DoActionStream = Stream<arrow_flight::Result>;
    type ListActionsStream = Stream<ActionType>;
    type DoExchangeStream = Stream<FlightData>;

    async fn handshake(&self, request: Request<Streaming<HandshakeRequest>>) -> Answered<HandshakeResponse> {
        let (metadata, messages) = said(request).await?;
        let mut filters = vec![("messages".to_owned(), json!(messages.len()))];
        if messages.iter().any(|message| !message.payload.is_empty()) {
            filters.push(("payload".to_owned(), json!(true)));
        }
        let noted = self.calls.begin("Handshake", (None, filters), &metadata);
        noted.stream(self.upstream.clone().handshake(onward(metadata, stream::iter(messages))).await)
    }

    async fn list_flights(&self, request: Request<Criteria>) -> Answered<FlightInfo> {
        let (metadata, _, criteria) = request.into_parts();
        let noted = self.calls.begin("ListFlights", (None, Vec::new()), &metadata);
        noted.stream(self.upstream.clone().list_flights(onward(metadata, criteria)).await)
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        let (metadata, _, descriptor) = request.into_parts();
        let noted = self.calls.begin("GetFlightInfo", command::of_descriptor(&descriptor), &metadata);
        noted.answer(self.upstream.clone().get_flight_info(onward(metadata, descriptor)).await)
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        let (metadata, _, descriptor) = request.into_parts();
        let noted = self.calls.begin("PollFlightInfo", command::of_descriptor(&descriptor), &metadata);
        noted.answer(self.upstream.clone().poll_flight_info(onward(metadata, descriptor)).await)
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let (metadata, _, descriptor) = request.into_parts();
        let noted = self.calls.begin("GetSchema", command::of_descriptor(&descriptor), &metadata);
        noted.answer(self.upstream.clone().get_schema(onward(metadata, descriptor)).await)
    }

    /// Without its command: to a client, what is in a ticket is the server's affair.
    async fn do_get(&self, request: Request<Ticket>) -> Answered<FlightData> {
        let (metadata, _, ticket) = request.into_parts();
        let noted = self.calls.begin("DoGet", (None, Vec::new()), &metadata);
        noted.stream(self.upstream.clone().do_get(onward(metadata, ticket)).await)
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Answered<PutResult> {
        let (metadata, messages) = said(request).await?;
        let noted = self.calls.begin("DoPut", command::of_upload(&messages), &metadata);
        noted.stream(self.upstream.clone().do_put(onward(metadata, stream::iter(messages))).await)
    }

    async fn do_action(&self, request: Request<Action>) -> Answered<arrow_flight::Result> {
        let (metadata, _, action) = request.into_parts();
        let filters = command::of_action(&action.r#type, &action.body);
        let noted = self.calls.begin("DoAction", (Some(action.r#type.clone()), filters), &metadata);
        noted.stream(self.upstream.clone().do_action(onward(metadata, action)).await)
    }

    async fn list_actions(&self, request: Request<Empty>) -> Answered<ActionType> {
        let (metadata, _, empty) = request.into_parts();
        let noted = self.calls.begin("ListActions", (None, Vec::new()), &metadata);
        noted.stream(self.upstream.clone().list_actions(onward(metadata, empty)).await)
    }

    async fn do_exchange(&self, request: Request<Streaming<FlightData>>) -> Answered<FlightData> {
        let (metadata, messages) = said(request).await?;
        let noted = self.calls.begin("DoExchange", command::of_upload(&messages), &metadata);
        noted.stream(self.upstream.clone().do_exchange(onward(metadata, stream::iter(messages))).await)
    }
}
