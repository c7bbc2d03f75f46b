//! DoAction: what there is, and who does it.

use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, Any,
    ProstMessageExt,
};
use arrow_flight::{Action, ActionType};
use bytes::Bytes;
use prost::Message as _;
use tonic::Request;

use super::session;
use super::{Doors, Gateway, status};
use crate::diagnostic::{Diagnostic, Kind, Result};

const CREATE_PREPARED: &str = "CreatePreparedStatement";
const CLOSE_PREPARED: &str = "ClosePreparedStatement";
const SET_OPTIONS: &str = "SetSessionOptions";
const GET_OPTIONS: &str = "GetSessionOptions";
const CLOSE_SESSION: &str = "CloseSession";
const CANCEL_INFO: &str = "CancelFlightInfo";
const CANCEL_QUERY: &str = "CancelQuery";
const RENEW_ENDPOINT: &str = "RenewFlightEndpoint";

/// What [`Gateway::act`] does, and nothing else.
const OFFERED: [(&str, &str); 8] = [
    (
        CREATE_PREPARED,
        "Prepares a statement: ActionCreatePreparedStatementRequest to ActionCreatePreparedStatementResult",
    ),
    (CLOSE_PREPARED, "Closes a prepared statement: ActionClosePreparedStatementRequest, no result"),
    (SET_OPTIONS, "Sets options of the session: SetSessionOptionsRequest to SetSessionOptionsResult"),
    (GET_OPTIONS, "Tells the options of the session: GetSessionOptionsRequest to GetSessionOptionsResult"),
    (CLOSE_SESSION, "Ends the session and its token: CloseSessionRequest to CloseSessionResult"),
    (CANCEL_INFO, "Ends a statement and its ticket: CancelFlightInfoRequest to CancelFlightInfoResult"),
    (CANCEL_QUERY, "The same, as older clients ask: ActionCancelQueryRequest to ActionCancelQueryResult"),
    (RENEW_ENDPOINT, "Prolongs the life of a ticket: RenewFlightEndpointRequest to FlightEndpoint"),
];

pub(in crate::flight) fn offered() -> [ActionType; 8] {
    OFFERED.map(|(name, description)| ActionType { r#type: name.to_owned(), description: description.to_owned() })
}

/// What an action answers.
pub(in crate::flight) struct Acted {
    pub body: Option<Bytes>,
    /// For a client that has a session from now on.
    pub cookie: Option<String>,
}

impl<D: Doors> Gateway<D> {
    pub(in crate::flight) async fn act(&self, request: Request<Action>) -> Result<Acted> {
        let caller = self.caller(request.metadata()).await?;
        let door = &caller.door;
        let action = request.get_ref();
        let body = match action.r#type.as_str() {
            CREATE_PREPARED => {
                let request: ActionCreatePreparedStatementRequest = unpack(action)?;
                Some(self.prepare(door, request).await?)
            }
            CLOSE_PREPARED => {
                let request: ActionClosePreparedStatementRequest = unpack(action)?;
                self.close_prepared(door, &request);
                None
            }
            SET_OPTIONS => return self.set_options(&caller, request.metadata(), action),
            GET_OPTIONS => Some(session::options(door.as_ref())),
            CLOSE_SESSION => Some(self.close_session(&caller)),
            CANCEL_INFO => Some(self.cancel_info(door, action)?),
            CANCEL_QUERY => {
                let request: ActionCancelQueryRequest = unpack(action)?;
                Some(self.cancel_query(door, &request)?)
            }
            RENEW_ENDPOINT => Some(self.renew_endpoint(door, action)?),
            other => return Err(status::not_offered(&format!("the action `{}` is", status::short(other)))),
        };
        Ok(Acted { body, cookie: None })
    }
}

fn unpack<M: ProstMessageExt>(action: &Action) -> Result<M> {
    let unreadable = || unreadable_body(&action.r#type);
    let any = Any::decode(action.body.clone()).map_err(|_| unreadable())?;
    any.unpack().ok().flatten().ok_or_else(unreadable)
}

pub(in crate::flight) fn unreadable_body(action: &str) -> Diagnostic {
    Diagnostic::error(Kind::Invalid, format!("the body of the action `{}` cannot be read", status::short(action)))
}
