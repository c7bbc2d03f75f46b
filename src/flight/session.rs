//! Session options: the three actions of the Flight standard. Their bodies are bare messages, not wrapped in an Any.

use std::collections::HashMap;

use arrow_flight::Action;
use bytes::Bytes;
use prost::Message;
use secrecy::SecretString;

use super::{Door, Doors, Gateway};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::proto::v1::session_option_value::OptionValue;
use crate::proto::v1::set_session_options_result::{Error, Reason};
use crate::proto::v1::{
    CloseSessionResult, GetSessionOptionsResult, SessionOptionValue, SetSessionOptionsRequest, SetSessionOptionsResult,
    close_session_result::Status as Closing,
};
use crate::query::{Change, Setting};

/// What one request may say it is for; wins over what its session has set.
pub(in crate::flight) use crate::client::PURPOSE_HEADER;

/// Most options that one action may name.
const OPTIONS: usize = 64;

/// Sets what can be set; the answer names the rest, with the reason.
///
/// # Errors
/// `Invalid` for a body that cannot be read, `Stale` where there is no session to set anything of.
pub(in crate::flight) fn set_options<D: Door>(door: &D, action: &Action) -> Result<Bytes> {
    let request = SetSessionOptionsRequest::decode(action.body.clone())
        .map_err(|_| Diagnostic::error(Kind::Invalid, "the body of the action `SetSessionOptions` cannot be read"))?;
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

impl<D: Doors> Gateway<D> {
    /// Ends the login that this token stands for; a call that brought its password has none that could end.
    pub(in crate::flight) fn close_session(&self, token: Option<&SecretString>) -> Bytes {
        let status = match token {
            Some(token) => {
                self.tokens.forget(token);
                Closing::Closed
            }
            None => Closing::NotCloseable,
        };
        CloseSessionResult { status: status.into() }.encode_to_vec().into()
    }
}
