//! Updates: the way in which JDBC, and some calls of ADBC, send `SET`. Nothing else is an update here.

use std::time::Duration;

use arrow_flight::sql::{Command, DoPutUpdateResult};
use arrow_flight::{FlightData, PutResult};
use futures::StreamExt as _;
use prost::Message as _;
use tonic::{Request, Status, Streaming};

use super::service::{command, no_command};
use super::statement::{answered_schema, outside_transactions};
use super::wire_schema::wire_schema;
use super::{Door as _, Doors, Gateway, Statement as _};
use crate::diagnostic::{Diagnostic, Kind, Result};

/// How long a client may take to say what it puts. It says so in its first message, with or without a schema.
const FIRST_MESSAGE: Duration = Duration::from_secs(5);

impl<D: Doors> Gateway<D> {
    /// Reads the first message only: ADBC sends no schema, and nobody sends rows.
    pub(in crate::flight) async fn put(&self, request: Request<Streaming<FlightData>>) -> Result<PutResult> {
        let door = self.login(request.metadata()).await?;
        let missing = || Diagnostic::error(Kind::Invalid, "the first message of the upload has no command");
        let first = tokio::time::timeout(FIRST_MESSAGE, request.into_inner().next()).await;
        let silent = || Diagnostic::error(Kind::Deadline, "the upload did not begin in time");
        let broken =
            |status: Status| Diagnostic::error(Kind::Cancelled, format!("the upload broke off: {}", status.message()));
        let first = first.map_err(|_| silent())?.ok_or_else(missing)?.map_err(broken)?;
        let planned = match command(&first.flight_descriptor.ok_or_else(missing)?.cmd)? {
            Command::CommandStatementUpdate(update) => {
                outside_transactions(update.transaction_id.as_ref())?;
                self.plan(&door, &update.query).await?
            }
            Command::CommandPreparedStatementUpdate(update) => {
                self.current(&door, &update.prepared_statement_handle).await?.planned
            }
            other => return Err(no_command(&other)),
        };
        if !answered_schema::<D>(&planned).fields().is_empty() {
            return Err(Diagnostic::error(Kind::Invalid, "the statement changes nothing, it answers rows")
                .hint("run it as a query"));
        }
        let mut batches = door.run(&planned, wire_schema(planned.schema())).await?;
        while batches.next().await.transpose()?.is_some() {}
        Ok(PutResult { app_metadata: DoPutUpdateResult { record_count: 0 }.encode_to_vec().into() })
    }
}
