//! Who calls: on every RPC, and once more at Handshake, which answers a password with a bearer token.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use tonic::metadata::MetadataMap;

use super::session::PURPOSE_HEADER;
use super::{Door as _, Doors, Gateway};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::identity::Credentials;
use crate::query::{Change, Setting};

impl<D: Doors> Gateway<D> {
    /// The login that these headers belong to, as of this request. A password opens a new session for each call, a token
    /// names one.
    pub(in crate::flight) async fn login(&self, headers: &MetadataMap) -> Result<Arc<D::Door>> {
        let (door, kept) = match credentials(headers)? {
            Credentials::Bearer(token) => (self.tokens.redeem(&token)?, true),
            other => (self.doors.open(self.authenticator.authenticate(other).await?), false),
        };
        door.request(purpose(headers)?, kept)
    }

    /// The token that answers a Handshake; none where the caller has one already.
    pub(in crate::flight) async fn shake_hands(&self, headers: &MetadataMap) -> Result<Option<SecretString>> {
        match credentials(headers)? {
            Credentials::Bearer(_) => self.login(headers).await.map(|_| None),
            other => {
                let door = self.doors.open(self.authenticator.authenticate(other).await?);
                if let Some(purpose) = purpose(headers)? {
                    door.set(&Change { setting: Setting::Purpose, value: Some(purpose.to_owned()) })?;
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

/// The token that these headers bring.
pub(in crate::flight) fn token(headers: &MetadataMap) -> Option<SecretString> {
    match credentials(headers) {
        Ok(Credentials::Bearer(token)) => Some(token),
        _ => None,
    }
}

/// What the headers say the request is for.
fn purpose(headers: &MetadataMap) -> Result<Option<&str>> {
    let mut values = headers.get_all(PURPOSE_HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let wrong = |why: &str| Diagnostic::error(Kind::Invalid, format!("the header `{PURPOSE_HEADER}` {why}"));
    if values.next().is_some() {
        return Err(wrong("is there more than once").hint("send it once"));
    }
    str::from_utf8(value.as_encoded_bytes()).map(Some).map_err(|_| wrong("is not text"))
}

/// The header that carries a new token to the client.
pub(in crate::flight) fn bearer(token: &SecretString) -> String {
    format!("Bearer {}", token.expose_secret())
}
