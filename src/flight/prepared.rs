//! Prepared statements. Handles are stateful, local to a gateway, and of one principal.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult,
    CommandPreparedStatementQuery, ProstMessageExt as _,
};
use arrow_flight::{FlightDescriptor, FlightInfo};
use bytes::Bytes;
use datafusion::common::ScalarValue;
use prost::Message as _;

use super::encode::{self, Frames};
use super::parameters::parameter_schema;
use super::pending::KeptLimits;
use super::statement::{PlannedOf, answered_schema, outside_transactions, unbound};
use super::{Door as _, Doors, Gateway, Statement as _};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::name::PrincipalName;
use crate::query::unmarked;
use crate::telemetry::Clock;

/// How long an unused handle lives. Connection pools keep statements; clients that crash never close theirs.
pub(in crate::flight) const IDLE: Duration = Duration::from_hours(1);
/// Open handles of one principal.
const HANDLES_OF_ONE: usize = 256;

/// The handles of one gateway.
pub(in crate::flight) struct Handles<P> {
    entries: Mutex<HashMap<Bytes, Entry<P>>>,
    limits: KeptLimits,
    clock: Clock,
}

struct Entry<P> {
    principal: PrincipalName,
    statement: Prepared<P>,
    bytes: usize,
    last_used: i64,
}

#[derive(Clone)]
pub(in crate::flight) struct Prepared<P> {
    pub sql: String,
    pub planned: P,
}

impl<P: Clone> Handles<P> {
    pub(in crate::flight) fn new(limits: KeptLimits, clock: Clock) -> Self {
        Self { entries: Mutex::default(), limits, clock }
    }

    /// # Errors
    /// `Exhausted` where this principal, or all together, would keep too much.
    fn open(&self, principal: &PrincipalName, statement: Prepared<P>, bytes: usize) -> Result<Bytes> {
        let handle: [u8; 16] = rand::random();
        let handle = Bytes::copy_from_slice(&handle);
        let now = self.clock.unix_millis();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, entry| alive(entry.last_used, now));
        if entries.values().filter(|entry| entry.principal == *principal).count() >= HANDLES_OF_ONE {
            return Err(Diagnostic::error(
                Kind::Exhausted,
                format!("{HANDLES_OF_ONE} prepared statements of this principal are open"),
            )
            .hint("close statements that are no longer used"));
        }
        self.check_room(&entries, principal, bytes)?;
        entries.insert(handle.clone(), Entry { principal: principal.clone(), statement, bytes, last_used: now });
        Ok(handle)
    }

    /// # Errors
    /// `NotFound`, with one text for a handle that was never there, is closed, has expired, or is another principal's.
    fn get(&self, principal: &PrincipalName, handle: &Bytes) -> Result<Prepared<P>> {
        let now = self.clock.unix_millis();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry =
            entries.get_mut(handle).filter(|entry| entry.principal == *principal && alive(entry.last_used, now));
        let Some(entry) = entry else {
            return Err(Diagnostic::error(Kind::NotFound, "the prepared statement is not open here")
                .hint("prepare it again; handles end after an hour without use and are not shared between gateways"));
        };
        entry.last_used = now;
        Ok(entry.statement.clone())
    }

    /// The same statement, planned again.
    fn replace(&self, handle: &Bytes, planned: &P, bytes: usize) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(handle) {
            entry.statement.planned = planned.clone();
            entry.bytes = bytes;
        }
    }

    /// The same statement with other values.
    ///
    /// # Errors
    /// As opening one; the statement then keeps the values that it had.
    fn rebind(&self, principal: &PrincipalName, handle: &Bytes, planned: &P, bytes: usize) -> Result<()> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let more = bytes.saturating_sub(entries.get(handle).map_or(0, |entry| entry.bytes));
        self.check_room(&entries, principal, more)?;
        if let Some(entry) = entries.get_mut(handle) {
            entry.statement.planned = planned.clone();
            entry.bytes = bytes;
        }
        Ok(())
    }

    fn check_room(&self, entries: &HashMap<Bytes, Entry<P>>, principal: &PrincipalName, more: usize) -> Result<()> {
        let own = entries.values().filter(|entry| entry.principal == *principal).map(|entry| entry.bytes);
        let (own, all) = (own.sum::<usize>() + more, entries.values().map(|entry| entry.bytes).sum::<usize>() + more);
        if own > self.limits.bytes_of_one {
            let allowed = self.limits.bytes_of_one >> 10;
            let message = format!("prepared statements of this principal may take {allowed} KiB, and these take more");
            return Err(Diagnostic::error(Kind::Exhausted, message)
                .hint("close statements that are no longer used, or ask the operator to raise `limits.pending_mib`"));
        }
        if all > self.limits.bytes {
            return Err(Diagnostic::error(
                Kind::Exhausted,
                "the prepared statements of all principals take too much memory",
            )
            .hint("try again later, or ask the operator to raise `limits.pending_mib`"));
        }
        Ok(())
    }

    /// Closing what is not open is fine.
    fn close(&self, principal: &PrincipalName, handle: &Bytes) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.get(handle).is_some_and(|entry| entry.principal == *principal) {
            entries.remove(handle);
        }
    }
}

fn alive(last_used: i64, now: i64) -> bool {
    now.saturating_sub(last_used) < i64::try_from(IDLE.as_millis()).unwrap_or(i64::MAX)
}

impl<D: Doors> Gateway<D> {
    /// The body of the action's result.
    pub(in crate::flight) async fn prepare(
        &self,
        door: &D::Door,
        request: ActionCreatePreparedStatementRequest,
    ) -> Result<Bytes> {
        outside_transactions(request.transaction_id.as_ref())?;
        let planned = door.plan(&request.query).await?;
        let schema = answered_schema::<D>(&planned);
        let is_update = schema.fields().is_empty();
        // Clients take an empty one for a statement without rows.
        let dataset_schema = if is_update { Bytes::new() } else { encode::schema_bytes(&schema)? };
        let parameter_schema = match planned.parameters() {
            [] => Bytes::new(),
            types => encode::schema_bytes(&parameter_schema(types))?,
        };
        let weight = planned.weight() + request.query.len();
        let statement = Prepared { sql: request.query, planned };
        let prepared_statement_handle = self.prepared.open(door.principal().name(), statement, weight)?;
        let result =
            ActionCreatePreparedStatementResult { prepared_statement_handle, dataset_schema, parameter_schema };
        let mut any = result.as_any();
        // Field 4, `is_update`, which arrow-flight's message does not have yet: tag, value.
        any.value = [any.value.as_ref(), &[4 << 3, u8::from(is_update)]].concat().into();
        Ok(any.encode_to_vec().into())
    }

    /// Binds values under the same handle: some clients do not look at the one that they are answered.
    pub(in crate::flight) async fn bind_prepared(
        &self,
        door: &D::Door,
        handle: &Bytes,
        values: Vec<ScalarValue>,
    ) -> Result<()> {
        let prepared = self.prepared.get(door.principal().name(), handle)?;
        let planned = door.bind(&prepared.planned, values).await?;
        let weight = planned.weight() + prepared.sql.len();
        self.prepared.rebind(door.principal().name(), handle, &planned, weight)
    }

    pub(in crate::flight) fn close_prepared(&self, door: &D::Door, request: &ActionClosePreparedStatementRequest) {
        self.prepared.close(door.principal().name(), &request.prepared_statement_handle);
    }

    pub(in crate::flight) async fn prepared_info(
        &self,
        door: &D::Door,
        command: &CommandPreparedStatementQuery,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo> {
        let prepared = self.ready(door, &command.prepared_statement_handle).await?;
        self.info_of_plan(door, prepared.sql, prepared.planned, descriptor)
    }

    /// For clients that use the command itself as a ticket.
    pub(in crate::flight) async fn run_prepared(
        &self,
        door: &D::Door,
        command: &CommandPreparedStatementQuery,
    ) -> Result<Frames> {
        let prepared = self.ready(door, &command.prepared_statement_handle).await?;
        self.run(door, &prepared.planned).await
    }

    /// As [`Self::current`], if each parameter has a value.
    async fn ready(&self, door: &D::Door, handle: &Bytes) -> Result<Prepared<PlannedOf<D>>> {
        let prepared = self.current(door, handle).await?;
        if prepared.planned.is_bound() { Ok(prepared) } else { Err(unbound(prepared.planned.parameters().len())) }
    }

    /// The statement, planned under the view of today.
    pub(in crate::flight) async fn current(&self, door: &D::Door, handle: &Bytes) -> Result<Prepared<PlannedOf<D>>> {
        let mut prepared = self.prepared.get(door.principal().name(), handle)?;
        if prepared.planned.view() != door.view() {
            let planned = door.plan_again(&prepared.planned).await?;
            if unmarked(&answered_schema::<D>(&planned)) != unmarked(&answered_schema::<D>(&prepared.planned)) {
                return Err(Diagnostic::error(Kind::Stale, "the columns of the prepared statement have changed")
                    .hint("prepare it again"));
            }
            self.prepared.replace(handle, &planned, planned.weight() + prepared.sql.len());
            prepared.planned = planned;
        }
        Ok(prepared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: KeptLimits = KeptLimits { bytes: 1_000, bytes_of_one: 600, plans: 1 };

    fn statement(sql: &str) -> Prepared<()> {
        Prepared { sql: sql.to_owned(), planned: () }
    }

    fn name(name: &str) -> PrincipalName {
        name.parse().unwrap()
    }

    #[test]
    fn a_handle_is_of_its_principal_only_and_may_be_closed_twice() {
        let handles = Handles::new(LIMITS, Clock::manual(0));
        let handle = handles.open(&name("ana"), statement("select 1"), 1).unwrap();
        let foreign = handles.get(&name("bob"), &handle).err().unwrap();
        handles.close(&name("bob"), &handle);
        assert_eq!(handles.get(&name("ana"), &handle).unwrap().sql, "select 1");
        handles.close(&name("ana"), &handle);
        handles.close(&name("ana"), &handle);
        assert_eq!(handles.get(&name("ana"), &handle).err().unwrap(), foreign);
    }

    #[test]
    fn unused_handles_expire_and_no_principal_may_hold_all() {
        let clock = Clock::manual(0);
        let handles = Handles::new(LIMITS, clock.clone());
        for _ in 0..HANDLES_OF_ONE {
            handles.open(&name("ana"), statement("select 1"), 1).unwrap();
        }
        assert_eq!(handles.open(&name("ana"), statement("select 1"), 1).err().unwrap().kind, Kind::Exhausted);
        let bobs = handles.open(&name("bob"), statement("select 1"), 1).unwrap();
        clock.advance(IDLE);
        assert!(handles.get(&name("bob"), &bobs).is_err());
        handles.open(&name("ana"), statement("select 1"), 1).unwrap();
    }

    #[test]
    fn heavy_statements_are_refused_and_leave_room_to_others() {
        let handles = Handles::new(LIMITS, Clock::manual(0));
        let heavy = handles.open(&name("ana"), statement("select 1"), 400).unwrap();
        let refused = handles.open(&name("ana"), statement("select 1"), 201).err().unwrap();
        assert_eq!(refused.kind, Kind::Exhausted);
        assert!(refused.hints[0].contains("limits.pending_mib"), "{refused:?}");
        handles.open(&name("bob"), statement("select 1"), 500).unwrap();
        assert_eq!(handles.open(&name("kim"), statement("select 1"), 200).err().unwrap().kind, Kind::Exhausted);
        assert_eq!(handles.rebind(&name("ana"), &heavy, &(), 601).unwrap_err().kind, Kind::Exhausted);
        handles.rebind(&name("ana"), &heavy, &(), 100).unwrap();
        handles.open(&name("kim"), statement("select 1"), 200).unwrap();
    }
}
