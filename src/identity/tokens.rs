//! Bearer tokens of logins.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::credentials::refused;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::name::PrincipalName;
use crate::telemetry::Clock;

/// Logins that may be open at once.
const LOGINS: usize = 10_000;
/// Logins of one principal that may be open at once; the one that was idle longest gives way, since few clients say goodbye.
const LOGINS_OF_ONE: usize = 512;

/// Tokens and what they stand for. A token is known by its digest only.
pub struct Tokens<T> {
    logins: Mutex<HashMap<[u8; 32], Login<T>>>,
    idle: Duration,
    clock: Clock,
}

struct Login<T> {
    principal: PrincipalName,
    stands_for: T,
    last_used: i64,
}

impl<T: Clone> Tokens<T> {
    /// `idle` is how long an unused token lives.
    pub fn new(idle: Duration, clock: Clock) -> Self {
        Self { logins: Mutex::default(), idle, clock }
    }

    /// A new token of 256 random bits for a login of this principal.
    ///
    /// # Errors
    /// `Exhausted` where too many logins are open.
    pub fn mint(&self, principal: &PrincipalName, stands_for: T) -> Result<SecretString> {
        let bits: [u8; 32] = rand::random();
        let token = SecretString::from(URL_SAFE_NO_PAD.encode(bits));
        let now = self.clock.unix_millis();
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        // A login costs a password hash, so there is time to look at all of them; their sessions need not stay in memory.
        logins.retain(|_, login| self.alive(login, now));
        let of_one = || logins.iter().filter(|(_, login)| login.principal == *principal);
        if of_one().count() >= LOGINS_OF_ONE
            && let Some(oldest) = of_one().min_by_key(|(_, login)| login.last_used).map(|(digest, _)| *digest)
        {
            logins.remove(&oldest);
        }
        if logins.len() >= LOGINS {
            return Err(Diagnostic::error(Kind::Exhausted, "too many logins are open").hint("try again later"));
        }
        logins.insert(digest(&token), Login { principal: principal.clone(), stands_for, last_used: now });
        Ok(token)
    }

    /// What a token stands for; counts as a use.
    ///
    /// # Errors
    /// `Unauthenticated`, with one text for a token that was never given out here and for one that expired.
    pub fn redeem(&self, token: &SecretString) -> Result<T> {
        let now = self.clock.unix_millis();
        let digest = digest(token);
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        match logins.get_mut(&digest) {
            Some(login) if self.alive(login, now) => {
                login.last_used = now;
                Ok(login.stands_for.clone())
            }
            known => {
                if known.is_some() {
                    logins.remove(&digest);
                }
                Err(refused("the bearer token is not known here: it has expired, or another server issued it")
                    .hint("log in again with user and password"))
            }
        }
    }

    /// Ends the login of a token; one that is not known is as good as ended.
    pub fn forget(&self, token: &SecretString) {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest(token));
    }

    fn alive(&self, login: &Login<T>, now: i64) -> bool {
        now.saturating_sub(login.last_used) < i64::try_from(self.idle.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Tokens have 256 random bits: a digest without key or salt tells nothing, and the time of a look-up by digest neither.
fn digest(token: &SecretString) -> [u8; 32] {
    Sha256::digest(token.expose_secret().as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ana() -> PrincipalName {
        "ana".parse().unwrap()
    }

    #[test]
    fn a_token_lives_while_it_is_used() {
        let clock = Clock::manual(0);
        let tokens = Tokens::new(Duration::from_secs(100), clock.clone());
        let token = tokens.mint(&ana(), "session").unwrap();
        for _ in 0..5 {
            clock.advance(Duration::from_secs(99));
            assert_eq!(tokens.redeem(&token).unwrap(), "session");
        }
        clock.advance(Duration::from_secs(100));
        let expired = tokens.redeem(&token).unwrap_err();
        let foreign = tokens.redeem(&SecretString::from("of-another-server")).unwrap_err();
        assert_eq!(expired, foreign);
        assert_eq!(expired.kind, Kind::Unauthenticated);
    }

    #[test]
    fn the_oldest_login_of_a_principal_gives_way() {
        let clock = Clock::manual(0);
        let tokens = Tokens::new(Duration::from_secs(100), clock.clone());
        let first = tokens.mint(&ana(), 0).unwrap();
        let bob = tokens.mint(&"bob".parse().unwrap(), 0).unwrap();
        clock.advance(Duration::from_secs(1));
        let second = tokens.mint(&ana(), 1).unwrap();
        for n in 2..=LOGINS_OF_ONE {
            tokens.mint(&ana(), n).unwrap();
        }
        assert!(tokens.redeem(&first).is_err());
        assert!(tokens.redeem(&second).is_ok());
        assert!(tokens.redeem(&bob).is_ok());
    }

    #[test]
    fn a_forgotten_token_is_worth_nothing_and_the_others_go_on() {
        let tokens = Tokens::new(Duration::from_secs(100), Clock::manual(0));
        let (first, second) = (tokens.mint(&ana(), 1).unwrap(), tokens.mint(&ana(), 2).unwrap());
        tokens.forget(&first);
        tokens.forget(&first);
        assert_eq!(tokens.redeem(&first).unwrap_err().kind, Kind::Unauthenticated);
        assert_eq!(tokens.redeem(&second).unwrap(), 2);
    }

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let tokens = Tokens::new(Duration::from_secs(1), Clock::manual(0));
        let (a, b) = (tokens.mint(&ana(), ()).unwrap(), tokens.mint(&ana(), ()).unwrap());
        assert_ne!(a.expose_secret(), b.expose_secret());
        assert_eq!(a.expose_secret().len(), 43);
    }
}
