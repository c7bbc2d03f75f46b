//! Session options: the three actions of the Flight standard. Their bodies are bare messages, not wrapped in an Any.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_flight::Action;
use bytes::Bytes;
use prost::Message;
use secrecy::{ExposeSecret as _, SecretString};
use tonic::metadata::MetadataMap;

use super::actions::{Acted, unreadable_body};
use super::handshake::{Caller, SessionOf, says};
use super::{Door, Doors, Gateway};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::identity::Principal;
use crate::proto::v1::session_option_value::OptionValue;
use crate::proto::v1::set_session_options_result::{Error, Reason};
use crate::proto::v1::{
    CloseSessionResult, GetSessionOptionsResult, SessionOptionValue, SetSessionOptionsRequest, SetSessionOptionsResult,
    close_session_result::Status as Closing,
};
use crate::query::{Change, Setting};

/// Names the session of calls that bring a password each, or nobody; the name that the Flight standard suggests.
const COOKIE: &str = "arrow_flight_session_id";

/// Most options that one action may name.
const OPTIONS: usize = 64;

/// Sets what can be set; the answer names the rest, with the reason.
///
/// # Errors
/// `Invalid` for a body that cannot be read, `Stale` where there is no session to set anything of.
fn set_options<D: Door>(door: &D, action: &Action) -> Result<Bytes> {
    let request = SetSessionOptionsRequest::decode(action.body.clone()).map_err(|_| unreadable_body(&action.r#type))?;
    if request.session_options.len() > OPTIONS {
        return Err(Diagnostic::error(Kind::Exhausted, format!("one action sets at most {OPTIONS} options")));
    }
    let mut errors = HashMap::new();
    for (name, value) in request.session_options {
        if let Some(reason) = set_option(door, &name, value)? {
            errors.insert(name, Error { value: reason.into() });
        }
    }
    Ok(SetSessionOptionsResult { errors }.encode_to_vec().into())
}

fn set_option<D: Door>(door: &D, name: &str, value: SessionOptionValue) -> Result<Option<Reason>> {
    let Ok(setting) = Setting::parse(name) else { return Ok(Some(Reason::InvalidName)) };
    let value = match value.option_value {
        None => None,
        Some(OptionValue::StringValue(text)) => Some(text),
        Some(_) => return Ok(Some(Reason::InvalidValue)),
    };
    match door.set(&Change { setting, value }) {
        Ok(()) => Ok(None),
        Err(refused) if refused.kind == Kind::Invalid => Ok(Some(Reason::InvalidValue)),
        Err(refused) => Err(refused),
    }
}

pub(in crate::flight) fn options<D: Door>(door: &D) -> Bytes {
    let value = |text| SessionOptionValue { option_value: Some(OptionValue::StringValue(text)) };
    let session_options =
        door.settings().into_iter().map(|(setting, text)| (setting.name().to_owned(), value(text))).collect();
    GetSessionOptionsResult { session_options }.encode_to_vec().into()
}

/// The session that the `cookie` headers of a call name.
pub(in crate::flight) fn cookie(headers: &MetadataMap) -> Option<SecretString> {
    let texts = headers.get_all("cookie").iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.split_once('='));
    // Java writes values between quotes once it has seen an attribute that it takes for RFC 2109.
    pairs.find(|(name, _)| name.trim() == COOKIE).map(|(_, value)| SecretString::from(value.trim().trim_matches('"')))
}

impl<D: Doors> Gateway<D> {
    /// Sets options; a call without a session gets one, and the cookie that names it.
    pub(in crate::flight) fn set_options(
        &self,
        caller: &Caller<D>,
        headers: &MetadataMap,
        action: &Action,
    ) -> Result<Acted> {
        if !matches!(caller.session, SessionOf::Call) {
            return Ok(Acted { body: Some(set_options(caller.door.as_ref(), action)?), cookie: None });
        }
        let principal = caller.door.principal();
        let session = self.doors.open(principal.clone());
        let body = set_options(session.request(&says(headers)?, true)?.as_ref(), action)?;
        let id = self.cookies.mint(principal.name(), session)?;
        // No attributes: with `Max-Age` Java would send it back in another form.
        Ok(Acted { body: Some(body), cookie: Some(format!("{COOKIE}={}", id.expose_secret())) })
    }

    /// # Errors
    /// `Unauthenticated`, with one text for a session that has ended, that another server began, or that is of somebody else: what it
    /// had set must not be lost without a word.
    pub(in crate::flight) fn session_of_cookie(
        &self,
        principal: &Principal,
        cookie: &SecretString,
    ) -> Result<Arc<D::Door>> {
        let session = self.cookies.redeem(cookie).ok().filter(|session| session.principal() == principal);
        session.ok_or_else(|| {
            Diagnostic::error(Kind::Unauthenticated, "the session that the cookie names is not open here")
                .hint("it has ended, or another server began it: connect again")
        })
    }

    /// Ends the session of this call; one that ends with it has none that could be ended.
    pub(in crate::flight) fn close_session(&self, caller: &Caller<D>) -> Bytes {
        let status = match &caller.session {
            SessionOf::Token(token) => {
                self.tokens.forget(token);
                Closing::Closed
            }
            SessionOf::Cookie(cookie) => {
                self.cookies.forget(cookie);
                Closing::Closed
            }
            SessionOf::Call => Closing::NotCloseable,
        };
        CloseSessionResult { status: status.into() }.encode_to_vec().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        for (sent, expected) in [
            (vec!["arrow_flight_session_id=abc"], Some("abc")),
            (vec!["a=b; arrow_flight_session_id=abc; c=d"], Some("abc")),
            (vec!["a=b", "arrow_flight_session_id=abc"], Some("abc")),
            (vec!["$Version=\"1\"; arrow_flight_session_id=\"abc\";$Path=\"/\""], Some("abc")),
            (vec!["x_arrow_flight_session_id=abc", "arrow_flight_session_id"], None),
            (vec![], None),
        ] {
            let mut headers = MetadataMap::new();
            for text in &sent {
                headers.append("cookie", text.parse().unwrap());
            }
            assert_eq!(cookie(&headers).map(|id| id.expose_secret().to_owned()).as_deref(), expected, "{sent:?}");
        }
    }
}
