//! What clients put: `SET`, which JDBC and some calls of ADBC send as an update, and the parameters of prepared statements.

use std::time::Duration;

use arrow_flight::sql::{Command, DoPutPreparedStatementResult, DoPutUpdateResult};
use arrow_flight::{FlightData, PutResult};
use futures::StreamExt as _;
use prost::Message as _;
use tonic::{Request, Status, Streaming};

use super::parameters;
use super::service::{command, no_command};
use super::statement::{answered_schema, outside_transactions, wire_of};
use super::{Door as _, Doors, Gateway, Statement as _};
use crate::diagnostic::{Diagnostic, Kind, Result};

/// How long a client may take to say what it puts. It says so in its first message, with or without a schema.
const FIRST_MESSAGE: Duration = Duration::from_secs(5);

impl<D: Doors> Gateway<D> {
    /// Of an update that was not prepared only the first message is read: ADBC sends no schema, and nobody sends rows.
    pub(in crate::flight) async fn put(&self, request: Request<Streaming<FlightData>>) -> Result<PutResult> {
        let door = self.login(request.metadata()).await?;
        let missing = || Diagnostic::error(Kind::Invalid, "the first message of the upload has no command");
        let mut messages = request.into_inner();
        let first = tokio::time::timeout(FIRST_MESSAGE, messages.next()).await;
        let silent = || Diagnostic::error(Kind::Deadline, "the upload did not begin in time");
        let broken =
            |status: Status| Diagnostic::error(Kind::Cancelled, format!("the upload broke off: {}", status.message()));
        let first = first.map_err(|_| silent())?.ok_or_else(missing)?.map_err(broken)?;
        let planned = match command(&first.flight_descriptor.as_ref().ok_or_else(missing)?.cmd)? {
            Command::CommandPreparedStatementQuery(query) => {
                let values = parameters::values(first, messages).await?;
                self.bind_prepared(&door, &query.prepared_statement_handle, values).await?;
                let handle = Some(query.prepared_statement_handle);
                let result = DoPutPreparedStatementResult { prepared_statement_handle: handle };
                return Ok(PutResult { app_metadata: result.encode_to_vec().into() });
            }
            Command::CommandStatementUpdate(update) => {
                outside_transactions(update.transaction_id.as_ref())?;
                self.plan(&door, &update.query).await?
            }
            Command::CommandPreparedStatementUpdate(update) => {
                let planned = self.current(&door, &update.prepared_statement_handle).await?.planned;
                let values = parameters::values(first, messages).await?;
                if planned.parameters().is_empty() && !values.is_empty() {
                    let message = "values were given, and the statement has no parameters";
                    return Err(Diagnostic::error(Kind::Invalid, message).hint("run it once, without values"));
                }
                planned
            }
            other => return Err(no_command(&other)),
        };
        if !answered_schema::<D>(&planned).fields().is_empty() {
            return Err(Diagnostic::error(Kind::Invalid, "the statement changes nothing, it answers rows")
                .hint("run it as a query"));
        }
        let mut batches = door.run(&planned, wire_of::<D>(&planned)).await?;
        while batches.next().await.transpose()?.is_some() {}
        Ok(PutResult { app_metadata: DoPutUpdateResult { record_count: 0 }.encode_to_vec().into() })
    }
}
