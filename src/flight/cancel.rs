//! Results that are called off from outside their stream, and endpoints that are kept longer: both by the ticket, by its owner only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow_flight::sql::{ActionCancelQueryRequest, ActionCancelQueryResult, Command, ProstMessageExt as _};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo, RenewFlightEndpointRequest,
};
use bytes::Bytes;
use moka::sync::Cache;
use prost::Message;
use tokio_util::sync::CancellationToken;

use super::actions::unreadable_body;
use super::info::endpoint;
use super::service::command;
use super::statement::statement_ticket;
use super::ticket::{self, TicketId};
use super::{Door as _, Doors, Gateway};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::engine::CalledOff;

/// What is being fetched, by ticket, and which tickets were called off.
pub(in crate::flight) struct Fetches {
    running: Arc<Running>,
    /// For as long as their tickets live.
    called_off: Cache<TicketId, ()>,
}

#[derive(Default)]
struct Running(Mutex<HashMap<TicketId, (CancellationToken, usize)>>);

impl Fetches {
    pub(in crate::flight) fn new(capacity: u64, life: Duration) -> Self {
        let called_off = Cache::builder().max_capacity(capacity).time_to_live(life).build();
        Self { running: Arc::default(), called_off }
    }

    /// # Errors
    /// `Cancelled` for a ticket that was called off.
    pub(in crate::flight) fn begin(&self, id: TicketId) -> Result<Fetch> {
        let mut running = self.running.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.check(id)?;
        let (token, fetches) = running.entry(id).or_default();
        *fetches += 1;
        Ok(Fetch { id, token: token.clone(), running: Arc::clone(&self.running) })
    }

    fn check(&self, id: TicketId) -> Result<()> {
        if self.called_off.contains_key(&id) { Err(CalledOff::diagnostic()) } else { Ok(()) }
    }

    /// Ends what is being fetched by this ticket, and lets nothing be fetched by it any more.
    fn call_off(&self, id: TicketId) {
        let running = self.running.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.called_off.insert(id, ());
        if let Some((token, _)) = running.get(&id) {
            token.cancel();
        }
    }
}

/// One result under way. It is forgotten when this goes.
pub(in crate::flight) struct Fetch {
    id: TicketId,
    token: CancellationToken,
    running: Arc<Running>,
}

impl Fetch {
    /// Resolves when the result is called off.
    pub(in crate::flight) fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        let mut running = self.running.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, fetches)) = running.get_mut(&self.id) {
            *fetches -= 1;
            if *fetches == 0 {
                running.remove(&self.id);
            }
        }
    }
}

impl<D: Doors> Gateway<D> {
    /// `CancelFlightInfo` of the Flight standard. Its messages are bare.
    pub(in crate::flight) fn cancel_info(&self, door: &D::Door, action: &Action) -> Result<Bytes> {
        let request =
            CancelFlightInfoRequest::decode(action.body.clone()).map_err(|_| unreadable_body(&action.r#type))?;
        let status = self.call_off(door, &request.info.unwrap_or_default())?;
        Ok(CancelFlightInfoResult::new(status).encode_to_vec().into())
    }

    /// `CancelQuery`, the older action of Flight SQL that does the same.
    pub(in crate::flight) fn cancel_query(&self, door: &D::Door, request: &ActionCancelQueryRequest) -> Result<Bytes> {
        let info = FlightInfo::decode(request.info.clone()).map_err(|_| unreadable_body("CancelQuery"))?;
        // The numbers of both enumerations are the same.
        let result = self.call_off(door, &info)?.into();
        Ok(ActionCancelQueryResult { result }.as_any().encode_to_vec().into())
    }

    /// # Errors
    /// Those of opening a ticket; one that has expired may still be running, and can be called off.
    fn call_off(&self, door: &D::Door, info: &FlightInfo) -> Result<CancelStatus> {
        let tickets: Vec<&Bytes> = info.endpoint.iter().filter_map(|at| Some(&at.ticket.as_ref()?.ticket)).collect();
        if tickets.is_empty() {
            return Err(Diagnostic::error(Kind::Invalid, "the FlightInfo has no ticket")
                .hint("send the FlightInfo as GetFlightInfo answered it"));
        }
        let mut status = CancelStatus::Cancelled;
        for bytes in tickets {
            match command(bytes).map_err(|_| ticket::unreadable())? {
                Command::TicketStatementQuery(ticket) => {
                    let bound = self.sealer.identify(door.principal().name().as_str(), &ticket.statement_handle)?;
                    self.fetches.call_off(bound.id);
                    self.pending.forget(&bound.id);
                }
                // What describes the mesh is answered at once.
                _ => status = CancelStatus::NotCancellable,
            }
        }
        Ok(status)
    }

    /// `RenewFlightEndpoint`: the same statement under a ticket that lives from now on.
    pub(in crate::flight) fn renew_endpoint(&self, door: &D::Door, action: &Action) -> Result<Bytes> {
        let request =
            RenewFlightEndpointRequest::decode(action.body.clone()).map_err(|_| unreadable_body(&action.r#type))?;
        let ticket = request.endpoint.and_then(|endpoint| endpoint.ticket).unwrap_or_default();
        let Ok(Command::TicketStatementQuery(ticket)) = command(&ticket.ticket) else {
            return Err(ticket::unreadable());
        };
        let principal = door.principal().name().as_str();
        let bound = self.sealer.open(principal, &ticket.statement_handle)?;
        self.fetches.check(bound.id)?;
        self.pending.renew(&bound.id);
        let (sealed, expires_at) = self.sealer.seal(principal, bound)?;
        Ok(endpoint(statement_ticket(sealed), Some(expires_at)).encode_to_vec().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_called_off_by_its_ticket_and_not_begun_again() {
        let fetches = Fetches::new(8, Duration::from_mins(1));
        let (first, again) = (fetches.begin([1; 16]).unwrap(), fetches.begin([1; 16]).unwrap());
        let other = fetches.begin([2; 16]).unwrap();
        drop(first);
        fetches.call_off([1; 16]);
        assert!(again.token().is_cancelled(), "the second fetch of a ticket outlives the first");
        assert!(!other.token().is_cancelled());
        assert_eq!(fetches.begin([1; 16]).err().unwrap().kind, Kind::Cancelled);
        drop((again, other));
        assert!(fetches.running.0.lock().unwrap().is_empty(), "what has ended is forgotten");
    }
}
