//! User and password.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordHasher as _, PasswordVerifier as _};
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use tokio::sync::Semaphore;

use super::credentials::refused;
use super::{Principal, UsersFile};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::name::PrincipalName;
use crate::telemetry::Clock;

/// How long a verified password need not be hashed again.
const REMEMBER: Duration = Duration::from_mins(1);

/// Hashes that may run at once: each takes 19 MiB and tens of milliseconds of one core.
const HASHES_AT_ONCE: usize = 4;

/// Verifies passwords against the users file.
pub(in crate::identity) struct Basic {
    users: UsersFile,
    /// Verified in place of a user that does not exist, so that a guess of a name takes as long as a guess of a password.
    dummy: String,
    /// Lives as long as the process: what is remembered tells nothing to who reads the memory of another.
    key: [u8; 32],
    remembered: Mutex<HashMap<PrincipalName, Remembered>>,
    hashes: Arc<Semaphore>,
    clock: Clock,
}

struct Remembered {
    digest: [u8; 32],
    expires: i64,
}

impl Basic {
    pub(in crate::identity) fn new(users: UsersFile, clock: Clock) -> Result<Self> {
        let dummy = dummy_hash(&users)?;
        Ok(Self {
            users,
            dummy,
            key: rand::random(),
            remembered: Mutex::default(),
            hashes: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            clock,
        })
    }

    /// The principal of this user.
    ///
    /// # Errors
    /// `Unauthenticated` with one text for an unknown user and for a wrong password.
    pub(in crate::identity) async fn verify(&self, name: &str, password: SecretString) -> Result<Principal> {
        let user = self.users.user(name);
        let hash = user.map_or(self.dummy.as_str(), |user| user.hash.as_str());
        let digest = self.digest(name, hash, &password);
        if let Some(user) = user
            && self.remembers(name, &digest)
        {
            return Ok(user.principal.clone());
        }
        let matches = self.hash_matches(hash.to_owned(), password).await?;
        match user {
            Some(user) if matches => {
                let expires = self.clock.unix_millis_after(REMEMBER);
                let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
                remembered.insert(user.principal.name().clone(), Remembered { digest, expires });
                Ok(user.principal.clone())
            }
            _ => Err(refused("user or password is wrong").hint("names and passwords compare exactly, also in case")),
        }
    }

    async fn hash_matches(&self, hash: String, password: SecretString) -> Result<bool> {
        let stopping = |_| Diagnostic::error(Kind::Unavailable, "the gateway is shutting down");
        let permit = Arc::clone(&self.hashes).acquire_owned().await.map_err(stopping)?;
        let work = tokio::task::spawn_blocking(move || {
            // Held until the work is done, also when the caller went away.
            let _permit = permit;
            PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok())
        });
        work.await.map_err(|_| Diagnostic::error(Kind::Internal, "a password could not be verified"))
    }

    fn remembers(&self, name: &str, digest: &[u8; 32]) -> bool {
        let now = self.clock.unix_millis();
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|_, known| known.expires > now);
        // Digests are keyed: the time a comparison takes says nothing of the password.
        remembered.get(name).is_some_and(|known| known.digest == *digest)
    }

    fn digest(&self, name: &str, hash: &str, password: &SecretString) -> [u8; 32] {
        let mut mac = keyed(&self.key);
        for part in [name, hash, password.expose_secret()] {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    #[cfg(test)]
    pub(in crate::identity) fn close_hashing(&self) {
        self.hashes.close();
    }
}

#[expect(clippy::expect_used, reason = "INVARIANT: HMAC takes a key of any length")]
fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// A hash of nobody's password, as costly as the costliest of the file.
fn dummy_hash(users: &UsersFile) -> Result<String> {
    let costliest = users
        .hashes()
        .filter_map(|hash| Params::try_from(&PasswordHash::new(hash).ok()?).ok())
        .max_by_key(|params| u64::from(params.m_cost()) * u64::from(params.t_cost()))
        .unwrap_or_default();
    let nobody: [u8; 32] = rand::random();
    let hash: PasswordHash = Argon2::from(costliest)
        .hash_password(&nobody)
        .map_err(|error| Diagnostic::error(Kind::Internal, format!("cannot prepare password checks: {error}")))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Kind;

    fn quick_hash(password: &str) -> String {
        let params = Params::new(8, 1, 1, None).unwrap();
        Argon2::from(params).hash_password(password.as_bytes()).unwrap().to_string()
    }

    fn basic(clock: &Clock) -> Basic {
        let text = format!("[users.ana]\npassword = '{}'\nroles = ['analyst']\n", quick_hash("secret:ana"));
        Basic::new(UsersFile::parse(&text, "users.toml").unwrap(), clock.clone()).unwrap()
    }

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[tokio::test]
    async fn wrong_password_and_unknown_user_are_told_apart_by_nothing() {
        let basic = basic(&Clock::manual(0));
        assert_eq!(basic.verify("ana", secret("secret:ana")).await.unwrap().name().as_str(), "ana");
        let wrong = basic.verify("ana", secret("secret")).await.unwrap_err();
        let unknown = basic.verify("nobody", secret("secret:ana")).await.unwrap_err();
        assert_eq!(wrong, unknown);
        assert_eq!(wrong.kind, Kind::Unauthenticated);
    }

    #[tokio::test]
    async fn an_unknown_user_costs_a_hash_too() {
        let basic = basic(&Clock::manual(0));
        let cost = |hash: &str| Params::try_from(&PasswordHash::new(hash).unwrap()).unwrap().m_cost();
        assert_eq!(cost(&basic.dummy), 8, "as costly as the users' own");
        basic.close_hashing();
        assert_eq!(basic.verify("nobody", secret("x")).await.unwrap_err().kind, Kind::Unavailable, "it tried to hash");
    }

    #[tokio::test]
    async fn a_verified_password_is_remembered_for_a_minute_and_a_wrong_one_never() {
        let clock = Clock::manual(0);
        let basic = basic(&clock);
        basic.verify("ana", secret("secret:ana")).await.unwrap();
        // From here on every hash fails, so what succeeds was remembered.
        basic.close_hashing();
        clock.advance(Duration::from_secs(59));
        basic.verify("ana", secret("secret:ana")).await.unwrap();
        assert_eq!(basic.verify("ana", secret("other")).await.unwrap_err().kind, Kind::Unavailable);
        clock.advance(Duration::from_secs(2));
        assert_eq!(basic.verify("ana", secret("secret:ana")).await.unwrap_err().kind, Kind::Unavailable);
    }
}
