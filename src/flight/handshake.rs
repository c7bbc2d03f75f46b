//! Who calls: on every RPC, and once more at Handshake, which answers a password with a bearer token.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use tonic::metadata::MetadataMap;

use super::session::cookie;
use super::{Door as _, Doors, Gateway};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::identity::Credentials;
use crate::query::{Change, Setting};

/// Who calls, as of this request.
pub(in crate::flight) struct Caller<D: Doors> {
    pub door: Arc<D::Door>,
    pub session: SessionOf,
}

/// What the session of a call hangs on.
pub(in crate::flight) enum SessionOf {
    Token(SecretString),
    /// The password comes with each call, and a cookie says which session it is of.
    Cookie(SecretString),
    /// It has none: it ends with the call.
    Call,
}

impl<D: Doors> Gateway<D> {
    /// The login that these headers belong to, as of this request.
    pub(in crate::flight) async fn login(&self, headers: &MetadataMap) -> Result<Arc<D::Door>> {
        Ok(self.caller(headers).await?.door)
    }

    /// A token names a session; a password opens a new one for each call, unless a cookie names one.
    pub(in crate::flight) async fn caller(&self, headers: &MetadataMap) -> Result<Caller<D>> {
        let (login, session) = match credentials(headers)? {
            Credentials::Bearer(token) => (self.tokens.redeem(&token)?, SessionOf::Token(token)),
            other => {
                let principal = self.authenticator.authenticate(other).await?;
                match cookie(headers) {
                    Some(cookie) => (self.session_of_cookie(&principal, &cookie)?, SessionOf::Cookie(cookie)),
                    None => (self.doors.open(principal), SessionOf::Call),
                }
            }
        };
        let kept = !matches!(session, SessionOf::Call);
        Ok(Caller { door: login.request(&says(headers)?, kept)?, session })
    }

    /// The token that answers a Handshake; none where the caller has one already.
    pub(in crate::flight) async fn shake_hands(&self, headers: &MetadataMap) -> Result<Option<SecretString>> {
        match credentials(headers)? {
            Credentials::Bearer(_) => self.login(headers).await.map(|_| None),
            other => {
                let door = self.doors.open(self.authenticator.authenticate(other).await?);
                for (setting, text) in says(headers)? {
                    door.set(&Change { setting, value: Some(text.to_owned()) })?;
                }
                let name = door.principal().name().clone();
                self.tokens.mint(&name, door).map(Some)
            }
        }
    }
}

fn credentials(headers: &MetadataMap) -> Result<Credentials> {
    Credentials::parse(headers.get_all("authorization").iter().map(tonic::metadata::MetadataValue::as_encoded_bytes))
}

/// What the headers set for this request.
pub(in crate::flight) fn says(headers: &MetadataMap) -> Result<Vec<(Setting, &str)>> {
    let mut says = Vec::new();
    for setting in Setting::ALL {
        let Some(name) = setting.header() else { continue };
        let mut values = headers.get_all(name).iter();
        let Some(value) = values.next() else { continue };
        let wrong = |why: &str| Diagnostic::error(Kind::Invalid, format!("the header `{name}` {why}"));
        if values.next().is_some() {
            return Err(wrong("is there more than once").hint("send it once"));
        }
        says.push((setting, str::from_utf8(value.as_encoded_bytes()).map_err(|_| wrong("is not text"))?));
    }
    Ok(says)
}

/// The header that carries a new token to the client.
pub(in crate::flight) fn bearer(token: &SecretString) -> String {
    format!("Bearer {}", token.expose_secret())
}
