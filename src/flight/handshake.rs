//! Who calls: on every RPC, and once more at Handshake, which answers a password with a bearer token.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use tonic::metadata::MetadataMap;

use super::{Door as _, Doors, Gateway};
use crate::diagnostic::Result;
use crate::identity::Credentials;

impl<D: Doors> Gateway<D> {
    /// The login that these headers belong to. A password opens a new session for each call, a token names one.
    pub(in crate::flight) async fn login(&self, headers: &MetadataMap) -> Result<Arc<D::Door>> {
        match credentials(headers)? {
            Credentials::Bearer(token) => self.tokens.redeem(&token),
            other => Ok(self.doors.open(self.authenticator.authenticate(other).await?)),
        }
    }

    /// The token that answers a Handshake; none where the caller has one already.
    pub(in crate::flight) async fn shake_hands(&self, headers: &MetadataMap) -> Result<Option<SecretString>> {
        match credentials(headers)? {
            Credentials::Bearer(token) => self.tokens.redeem(&token).map(|_| None),
            other => {
                let door = self.doors.open(self.authenticator.authenticate(other).await?);
                let name = door.principal().name().clone();
                self.tokens.mint(&name, door).map(Some)
            }
        }
    }
}

fn credentials(headers: &MetadataMap) -> Result<Credentials> {
    Credentials::parse(headers.get_all("authorization").iter().map(tonic::metadata::MetadataValue::as_encoded_bytes))
}

/// The header that carries a new token to the client.
pub(in crate::flight) fn bearer(token: &SecretString) -> String {
    format!("Bearer {}", token.expose_secret())
}
