//! Statements: GetFlightInfo plans and seals a ticket, DoGet redeems it and runs.

use arrow::datatypes::SchemaRef;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt as _, TicketStatementQuery};
use arrow_flight::{FlightDescriptor, FlightInfo};
use bytes::Bytes;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use prost::Message as _;

use super::encode::{self, Frames};
use super::info::flight_info;
use super::ticket::Bound;
use super::wire_schema::wire_schema;
use super::{Door, Doors, Gateway, Statement as _, status};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::query::unmarked;

pub(in crate::flight) type PlannedOf<D> = <<D as Doors>::Door as Door>::Planned;

impl<D: Doors> Gateway<D> {
    /// Plans what a client sent as text.
    pub(in crate::flight) async fn plan(&self, door: &D::Door, sql: &str) -> Result<PlannedOf<D>> {
        if has_parameters(sql) {
            return Err(
                status::not_offered("statements with parameters are").hint("write the values into the statement")
            );
        }
        door.plan(sql).await
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
        };
        let id = bound.id;
        let statement_handle = self.sealer.seal(door.principal().name().as_str(), bound)?;
        self.pending.insert(id, planned);
        flight_info(&schema, TicketStatementQuery { statement_handle }.as_any().encode_to_vec(), descriptor)
    }

    pub(in crate::flight) async fn redeem(&self, door: &D::Door, sealed: &Bytes) -> Result<Frames> {
        let bound = self.sealer.open(door.principal().name().as_str(), sealed)?;
        let kept = self.pending.get(&bound.id).filter(|planned| planned.view() == door.view());
        let planned = match kept {
            Some(planned) => planned,
            // Contracts and policies are the same, the caller is not: other attributes, another purpose.
            None if bound.view != door.view() && bound.generation == door.generation() => {
                return Err(Diagnostic::error(
                    Kind::Stale,
                    "the ticket was issued for other attributes or another purpose",
                )
                .hint("send the statement again"));
            }
            // Another instance issued it, this one has forgotten it, or policy has changed: today's policy decides.
            None => self.plan(door, &bound.sql).await?,
        };
        if encode::schema_digest(&unmarked(&answered_schema::<D>(&planned)))? != bound.schema {
            return Err(Diagnostic::error(
                Kind::Stale,
                "the columns of the result have changed since it was announced",
            )
            .hint("send the statement again"));
        }
        self.run(door, &planned).await
    }

    pub(in crate::flight) async fn run(&self, door: &D::Door, planned: &PlannedOf<D>) -> Result<Frames> {
        let wire = wire_schema(planned.schema());
        let batches = door.run(planned, SchemaRef::clone(&wire)).await?;
        Ok(encode::stream(wire, batches))
    }
}

/// What GetFlightInfo, GetSchema and prepare answer, and DoGet sends.
pub(in crate::flight) fn answered_schema<D: Doors>(planned: &PlannedOf<D>) -> SchemaRef {
    encode::announced(&wire_schema(planned.schema()))
}

/// # Errors
/// `Unsupported` where the client names a transaction: none was ever begun here.
pub(in crate::flight) fn outside_transactions(transaction: Option<&Bytes>) -> Result<()> {
    match transaction {
        Some(id) if !id.is_empty() => Err(status::not_offered("transactions are")),
        _ => Ok(()),
    }
}

/// Looks at tokens, not at text: `'?'` is a value.
fn has_parameters(sql: &str) -> bool {
    Tokenizer::new(&GenericDialect {}, sql)
        .tokenize()
        .is_ok_and(|tokens| tokens.iter().any(|token| matches!(token, Token::Placeholder(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_among_tokens() {
        for (sql, expect) in [
            ("select ?", true),
            ("select $1", true),
            ("select a from t where b = $name", true),
            ("select '?', \"?\" -- ?", false),
            ("select '$1' /* $1 */", false),
            ("select 1", false),
        ] {
            assert_eq!(has_parameters(sql), expect, "{sql}");
        }
    }
}
