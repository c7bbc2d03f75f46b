//! The one that says who calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::basic::Basic;
use super::credentials::refused;
use super::{ANONYMOUS, Credentials, Principal, Tokens, UsersFile};
use crate::config::Auth;
use crate::diagnostic::Result;
use crate::telemetry::Clock;

/// Turns credentials into a [`Principal`].
pub struct Authenticator {
    basic: Basic,
    anonymous: Option<Principal>,
    idle: Duration,
    clock: Clock,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("anonymous", &self.anonymous.is_some()).finish_non_exhaustive()
    }
}

impl Authenticator {
    /// Over users that were read already; `auth` says whether anonymous callers are accepted and how long a login lives.
    ///
    /// # Errors
    /// `Internal` where passwords cannot be verified at all.
    pub fn new(users: UsersFile, auth: &Auth, clock: Clock) -> Result<Self> {
        let anonymous = if auth.anonymous {
            Some(Principal::new(ANONYMOUS.parse()?, BTreeSet::new(), BTreeMap::new()))
        } else {
            None
        };
        Ok(Self {
            basic: Basic::new(users, clock.clone())?,
            anonymous,
            idle: Duration::from_secs(auth.session_seconds),
            clock,
        })
    }

    /// A store for the tokens of logins, with this authenticator's idle time. What a token stands for is the caller's affair.
    pub fn tokens<T: Clone>(&self) -> Tokens<T> {
        Tokens::new(self.idle, self.clock.clone())
    }

    /// The principal of a user with its password, or of a caller without credentials where that is accepted.
    ///
    /// # Errors
    /// `Unauthenticated`; also for a bearer token: those are redeemed at the [`Tokens`] that minted them.
    pub async fn authenticate(&self, credentials: Credentials) -> Result<Principal> {
        match credentials {
            Credentials::Basic { user, password } => self.basic.verify(&user, password).await,
            Credentials::Nothing => self.anonymous.clone().ok_or_else(|| {
                refused("this gateway asks for credentials")
                    .hint("log in with user and password (Handshake or `Basic`)")
            }),
            Credentials::Bearer(_) => Err(refused("a bearer token is not a login")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Kind;

    fn authenticator(anonymous: bool) -> Authenticator {
        let auth = Auth { users: "users.toml".into(), anonymous, session_seconds: 60 };
        Authenticator::new(UsersFile::default(), &auth, Clock::manual(0)).unwrap()
    }

    #[tokio::test]
    async fn anonymous_is_refused_unless_configured() {
        let refused = authenticator(false).authenticate(Credentials::Nothing).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Unauthenticated);
        let principal = authenticator(true).authenticate(Credentials::Nothing).await.unwrap();
        assert_eq!(principal.name().as_str(), ANONYMOUS);
        assert!(principal.roles().is_empty() && principal.attributes().is_empty());
    }
}
