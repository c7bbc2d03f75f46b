//! Statements: GetFlightInfo plans and seals a ticket, DoGet redeems it and runs.

use arrow::datatypes::SchemaRef;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt as _, TicketStatementQuery};
use arrow_flight::{FlightDescriptor, FlightInfo};
use bytes::Bytes;
use prost::Message as _;

use super::cancel::Fetch;
use super::encode::{self, Frames};
use super::info::flight_info;
use super::ticket::Bound;
use super::wire_schema::schema_in;
use super::{Door, Doors, Gateway, Statement as _, status};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::query::unmarked;

pub(in crate::flight) type PlannedOf<D> = <<D as Doors>::Door as Door>::Planned;

impl<D: Doors> Gateway<D> {
    /// Plans what a client sent as text, to be run as it is.
    pub(in crate::flight) async fn plan(&self, door: &D::Door, sql: &str) -> Result<PlannedOf<D>> {
        let planned = door.plan(sql).await?;
        if planned.is_bound() { Ok(planned) } else { Err(unbound(planned.parameters().len())) }
    }

    pub(in crate::flight) async fn plan_command(
        &self,
        door: &D::Door,
        command: &CommandStatementQuery,
    ) -> Result<PlannedOf<D>> {
        outside_transactions(command.transaction_id.as_ref())?;
        self.plan(door, &command.query).await
    }

    pub(in crate::flight) async fn statement_info(
        &self,
        door: &D::Door,
        command: CommandStatementQuery,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo> {
        let planned = self.plan_command(door, &command).await?;
        self.info_of_plan(door, command.query, planned, descriptor)
    }

    /// Keeps the plan and answers where to get its rows.
    pub(in crate::flight) fn info_of_plan(
        &self,
        door: &D::Door,
        sql: String,
        planned: PlannedOf<D>,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo> {
        let schema = answered_schema::<D>(&planned);
        let bound = Bound {
            id: rand::random(),
            view: planned.view(),
            generation: planned.generation(),
            schema: encode::schema_digest(&unmarked(&schema))?,
            sql,
            has_values: !planned.parameters().is_empty(),
            defaults: planned.defaults().planned(),
        };
        let (id, again) = (bound.id, !bound.has_values);
        let (sealed, expires_at) = self.sealer.seal(door.principal().name().as_str(), bound)?;
        let weight = planned.weight();
        self.pending.insert(door.principal().name(), id, planned, weight, again)?;
        flight_info(&schema, statement_ticket(sealed), Some(expires_at), descriptor)
    }

    pub(in crate::flight) async fn redeem(&self, door: &D::Door, sealed: &Bytes) -> Result<(Frames, Fetch)> {
        let bound = self.sealer.open(door.principal().name().as_str(), sealed)?;
        // From here on it can be called off; planning goes on to its end, and then nothing is fetched.
        let fetch = self.fetches.begin(bound.id)?;
        let planned = match self.pending.get(&bound.id) {
            Some(planned) if planned.view() == door.view() => planned,
            // Contracts and policies are the same, the caller is not: other attributes, another purpose.
            _ if bound.view != door.view() && bound.generation == door.generation() => {
                return Err(Diagnostic::error(
                    Kind::Stale,
                    "the ticket was issued for other attributes or another purpose",
                )
                .hint("send the statement again"));
            }
            // Policy has changed: today's decides.
            Some(planned) => door.plan_again(&planned).await?,
            None if bound.defaults != door.defaults().planned() => {
                return Err(Diagnostic::error(
                    Kind::Stale,
                    "the ticket was issued while the session had other settings",
                )
                .hint("send the statement again"));
            }
            None if bound.has_values => {
                return Err(Diagnostic::error(
                    Kind::Stale,
                    "the ticket is of a prepared statement that this gateway does not know, or no longer",
                )
                .hint("prepare the statement again"));
            }
            // Another instance issued it, or this one has forgotten it.
            None => self.plan(door, &bound.sql).await?,
        };
        if encode::schema_digest(&unmarked(&answered_schema::<D>(&planned)))? != bound.schema {
            return Err(Diagnostic::error(
                Kind::Stale,
                "the columns of the result have changed since it was announced",
            )
            .hint("send the statement again"));
        }
        Ok((self.run(door, &planned).await?, fetch))
    }

    pub(in crate::flight) async fn run(&self, door: &D::Door, planned: &PlannedOf<D>) -> Result<Frames> {
        let wire = wire_of::<D>(planned);
        let batches = door.run(planned, SchemaRef::clone(&wire)).await?;
        Ok(encode::stream(wire, batches, door.defaults().compression))
    }
}

/// What GetFlightInfo, GetSchema and prepare answer, and DoGet sends.
pub(in crate::flight) fn answered_schema<D: Doors>(planned: &PlannedOf<D>) -> SchemaRef {
    encode::announced(&wire_of::<D>(planned))
}

/// The columns that the batches of a result are rebuilt into.
pub(in crate::flight) fn wire_of<D: Doors>(planned: &PlannedOf<D>) -> SchemaRef {
    schema_in(planned.schema(), planned.defaults().types)
}

/// The bytes of a ticket that holds this sealed one.
pub(in crate::flight) fn statement_ticket(statement_handle: Bytes) -> Vec<u8> {
    TicketStatementQuery { statement_handle }.as_any().encode_to_vec()
}

/// # Errors
/// `Unsupported` where the client names a transaction: none was ever begun here.
pub(in crate::flight) fn outside_transactions(transaction: Option<&Bytes>) -> Result<()> {
    match transaction {
        Some(id) if !id.is_empty() => Err(status::not_offered("transactions are")),
        _ => Ok(()),
    }
}

/// For a statement that is to be run before its parameters have values.
pub(in crate::flight) fn unbound(parameters: usize) -> Diagnostic {
    Diagnostic::error(Kind::Invalid, format!("the statement has {parameters} parameters, and no values were bound"))
        .hint("prepare the statement and bind a value for each, or write the values into the statement")
}
