//! Who may connect.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::number::at_least_one;

/// `[auth]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The users file (`meshgate user add` writes it): names, Argon2id hashes, roles, attributes.
    pub users: PathBuf,
    /// Accept callers without credentials as the principal `anonymous`, without roles. Default false.
    #[serde(default)]
    pub anonymous: bool,
    /// Seconds after which an unused login ends. Default 8 hours.
    #[serde(default = "session_seconds", deserialize_with = "at_least_one")]
    pub session_seconds: u64,
}

fn session_seconds() -> u64 {
    8 * 60 * 60
}

impl Auth {
    pub(super) fn resolve(&mut self, base: &Path) {
        self.users = base.join(&self.users);
    }
}
