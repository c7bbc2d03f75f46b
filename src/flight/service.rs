//! The ten RPCs. Each finds out who calls before it looks at what is asked, and hands over to its family's file.
//!
//! arrow-flight's `FlightSqlService` is not used: it hard-codes three RPCs as unimplemented, advertises actions that are
//! not there, and its handlers have no place for a login, so that one could be forgotten.

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::{Any, Command};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse,
    PollInfo, PutResult, SchemaResult, Ticket,
};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use prost::Message as _;
use tonic::{Request, Response, Status, Streaming};

use super::actions::Acted;
use super::cancel::{Fetch, Fetches};
use super::encode::{self, Frames};
use super::ending::Deadline;
use super::flights::{flights, statement_of};
use super::handshake::bearer;
use super::info::flight_info;
use super::metadata::Metadata;
use super::pending::{KeptLimits, Pending};
use super::prepared::Handles;
use super::statement::{PlannedOf, answered_schema};
use super::ticket::{self, Sealer};
use super::{Doors, actions, status};
use crate::config::Limits;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::identity::{Authenticator, Tokens};
use crate::query::Sessions;
use crate::telemetry::Clock;

/// The largest request. A statement of this size still arrives, so that what refuses it is `limits.statement_bytes`, in a sentence.
const LARGEST_REQUEST: usize = 16 * 1024 * 1024;

/// The Flight SQL service over one mesh.
pub struct Gateway<D: Doors = Sessions> {
    pub(in crate::flight) doors: Arc<D>,
    pub(in crate::flight) authenticator: Arc<Authenticator>,
    pub(in crate::flight) tokens: Tokens<Arc<D::Door>>,
    /// Sessions of callers that have no token.
    pub(in crate::flight) cookies: Tokens<Arc<D::Door>>,
    pub(in crate::flight) sealer: Sealer,
    /// Plans that were announced and wait to be fetched; without an entry a ticket is planned again.
    pub(in crate::flight) pending: Pending<PlannedOf<D>>,
    pub(in crate::flight) fetches: Fetches,
    pub(in crate::flight) prepared: Handles<PlannedOf<D>>,
    /// How long the rows of one statement may take.
    statement: Duration,
}

/// The service, to be added to a server. Tickets are sealed under a new key: they end with the process.
pub fn service<D: Doors>(
    sessions: Arc<D>,
    authenticator: Arc<Authenticator>,
    limits: &Limits,
    clock: Clock,
) -> FlightServiceServer<Gateway<D>> {
    Gateway::new(sessions, authenticator, limits, rand::random(), clock).into_server()
}

impl<D: Doors> Gateway<D> {
    /// Gateways with the same `ticket_key` redeem each other's tickets.
    pub fn new(
        doors: Arc<D>,
        authenticator: Arc<Authenticator>,
        limits: &Limits,
        ticket_key: [u8; 32],
        clock: Clock,
    ) -> Self {
        let life = Duration::from_secs(limits.ticket_seconds);
        let kept = KeptLimits::from(limits);
        Self {
            doors,
            tokens: authenticator.tokens(),
            cookies: authenticator.tokens(),
            authenticator,
            sealer: Sealer::new(ticket_key, life, clock.clone()),
            pending: Pending::new(kept, life, clock.clone()),
            fetches: Fetches::new(limits.pending_statements, life),
            prepared: Handles::new(kept, clock),
            statement: Duration::from_secs(limits.statement_seconds),
        }
    }

    /// The same, to be added to a server.
    pub fn into_server(self) -> FlightServiceServer<Self> {
        FlightServiceServer::new(self).max_decoding_message_size(LARGEST_REQUEST)
    }

    async fn flight_info(&self, request: Request<FlightDescriptor>) -> Result<FlightInfo> {
        let door = self.login(request.metadata()).await?;
        let descriptor = request.into_inner();
        if let Some(sql) = statement_of(&descriptor)? {
            let planned = self.plan(&door, &sql).await?;
            return self.info_of_plan(&door, sql, planned, descriptor);
        }
        let command = command(&descriptor.cmd)?;
        if let Some(metadata) = Metadata::parse(&command) {
            // Metadata needs no seal: whoever sends the command is answered what they may know.
            let ticket = descriptor.cmd.clone();
            return flight_info(&encode::announced(&metadata.schema()), ticket, None, descriptor);
        }
        match command {
            Command::CommandStatementQuery(command) => self.statement_info(&door, command, descriptor).await,
            Command::CommandPreparedStatementQuery(command) => self.prepared_info(&door, &command, descriptor).await,
            other => Err(no_command(&other)),
        }
    }

    async fn schema(&self, request: Request<FlightDescriptor>) -> Result<SchemaResult> {
        let door = self.login(request.metadata()).await?;
        if let Some(sql) = statement_of(request.get_ref())? {
            let schema = answered_schema::<D>(&self.plan(&door, &sql).await?);
            return Ok(SchemaResult { schema: encode::schema_bytes(&schema)? });
        }
        let command = command(&request.get_ref().cmd)?;
        let schema = match (Metadata::parse(&command), &command) {
            (Some(metadata), _) => encode::announced(&metadata.schema()),
            (None, Command::CommandStatementQuery(command)) => {
                answered_schema::<D>(&self.plan_command(&door, command).await?)
            }
            (None, Command::CommandPreparedStatementQuery(command)) => {
                answered_schema::<D>(&self.current(&door, &command.prepared_statement_handle).await?.planned)
            }
            (None, other) => return Err(no_command(other)),
        };
        Ok(SchemaResult { schema: encode::schema_bytes(&schema)? })
    }

    /// Planning is the work of a poll; rows are made when they are fetched. So the first answer is the last.
    async fn poll(&self, request: Request<FlightDescriptor>) -> Result<PollInfo> {
        let info = self.flight_info(request).await?;
        let expiration_time = info.endpoint.first().and_then(|endpoint| endpoint.expiration_time);
        Ok(PollInfo { info: Some(info), flight_descriptor: None, progress: Some(1.0), expiration_time })
    }

    async fn get(&self, request: Request<Ticket>) -> Result<(Frames, Option<Fetch>)> {
        let door = self.login(request.metadata()).await?;
        let command = command(&request.get_ref().ticket).map_err(|_| ticket::unreadable())?;
        match (Metadata::parse(&command), &command) {
            (Some(metadata), _) => Ok((encode::described(metadata.answer(door.as_ref())?), None)),
            (None, Command::TicketStatementQuery(ticket)) => {
                let (frames, fetch) = self.redeem(&door, &ticket.statement_handle).await?;
                Ok((frames, Some(fetch)))
            }
            (None, Command::CommandPreparedStatementQuery(command)) => {
                Ok((self.run_prepared(&door, command).await?, None))
            }
            _ => Err(ticket::unreadable()),
        }
    }

    /// For what is not there: also then, only who may connect is answered.
    async fn refuse<T>(&self, headers: &tonic::metadata::MetadataMap, what: &str) -> Result<T, Status> {
        let refusal = match self.login(headers).await {
            Ok(_) => status::not_offered(what),
            Err(error) => error,
        };
        Err(status::of(&refusal))
    }
}

pub(in crate::flight) fn command(bytes: &bytes::Bytes) -> Result<Command> {
    let unreadable = || Diagnostic::error(Kind::Invalid, "the command cannot be read as a Flight SQL message");
    let any = Any::decode(bytes.clone()).map_err(|_| unreadable())?;
    Command::try_from(any).map_err(|_| unreadable())
}

pub(in crate::flight) fn no_command(command: &Command) -> Diagnostic {
    match command.type_url().rsplit(['/', '.']).next() {
        Some(name) if !name.is_empty() => status::not_offered(&format!("the command `{}` is", status::short(name))),
        _ => status::not_offered("descriptors without a command are"),
    }
}

fn answer<T>(result: Result<T>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|error| status::of(&error))
}

#[tonic::async_trait]
impl<D: Doors> FlightService for Gateway<D> {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = Frames;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;

    /// Waits for no message: Go, C++ and Python send none. The token is in the initial headers, the stream is empty.
    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let deadline = Deadline::of_client(request.metadata());
        let token = deadline.answer(self.shake_hands(request.metadata())).await.map_err(|error| status::of(&error))?;
        let mut response = Response::new(stream::empty().boxed());
        if let Some(token) = token {
            let header = bearer(&token).parse().map_err(|_| Status::internal("the token is no header"))?;
            response.metadata_mut().insert("authorization", header);
        }
        Ok(response)
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        let deadline = Deadline::of_client(request.metadata());
        answer(deadline.answer(self.flight_info(request)).await)
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let deadline = Deadline::of_client(request.metadata());
        answer(deadline.answer(self.schema(request)).await)
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let deadline = Deadline::of_statement(request.metadata(), self.statement);
        answer(deadline.answer(self.get(request)).await.map(|(frames, fetch)| deadline.bound(frames, fetch)))
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let deadline = Deadline::of_client(request.metadata());
        let Acted { body, cookie } = deadline.answer(self.act(request)).await.map_err(|error| status::of(&error))?;
        let mut response = Response::new(stream::iter(body.map(|body| Ok(arrow_flight::Result { body }))).boxed());
        if let Some(cookie) = cookie {
            let header = cookie.parse().map_err(|_| Status::internal("the cookie is no header"))?;
            response.metadata_mut().insert("set-cookie", header);
        }
        Ok(response)
    }

    async fn list_actions(&self, request: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        self.login(request.metadata()).await.map_err(|error| status::of(&error))?;
        Ok(Response::new(stream::iter(actions::offered().map(Ok)).boxed()))
    }

    async fn list_flights(&self, request: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        let deadline = Deadline::of_client(request.metadata());
        let listed = deadline.answer(async {
            let door = self.login(request.metadata()).await?;
            flights(door.as_ref(), request.get_ref())
        });
        answer(listed.await.map(|listed| stream::iter(listed.into_iter().map(Ok)).boxed()))
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        let deadline = Deadline::of_client(request.metadata());
        answer(deadline.answer(self.poll(request)).await)
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        let deadline = Deadline::of_client(request.metadata());
        let result = deadline.answer(self.put(request)).await;
        answer(result.map(|result| stream::iter([Ok(result)]).boxed()))
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        self.refuse(request.metadata(), "DoExchange is").await
    }
}
