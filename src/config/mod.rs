//! What an operator sets: `meshgate.toml`, one small documented struct for each subsystem.
//!
//! In: TOML text. Out: [`Config`], refused when wrong (unknown keys too). The environment is read only here.
//! Absent on purpose: catalogs and policy.

mod auth;
mod limits;
mod listen;
mod secret;
mod storage;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::diagnostic::{Diagnostic, Kind, Place, Result};

pub use auth::Auth;
pub use limits::Limits;
pub use listen::Listen;
pub use secret::SecretRef;
pub use storage::{DomainStorage, S3Storage, Storage};

/// The whole of `meshgate.toml`. Relative paths are resolved against the folder of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder with `mesh.yaml`, `governance/` and one folder for each domain.
    pub catalogs: PathBuf,
    #[serde(default)]
    pub listen: Listen,
    pub auth: Auth,
    #[serde(default)]
    pub storage: Storage,
    #[serde(default)]
    pub limits: Limits,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `NotFound` or `Invalid`, with file, line and column.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Diagnostic::error(Kind::NotFound, format!("cannot read the configuration `{}`: {error}", path.display()))
                .hint("name the file with `--config meshgate.toml`; docs/CONFIGURATION.md lists its keys")
        })?;
        let base = path.parent().unwrap_or_else(|| Path::new("."));
        Self::parse(&text, &path.display().to_string(), base)
    }

    /// Parses TOML text; `file` names it in findings, `base` is where relative paths start.
    pub fn parse(text: &str, file: &str, base: &Path) -> Result<Self> {
        let mut config: Self = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            Diagnostic::error(Kind::Invalid, error.message().replace('\n', " "))
                .at(Place::at_offset(file, text, offset))
                .hint("docs/CONFIGURATION.md lists every key with its default")
        })?;
        config.catalogs = base.join(&config.catalogs);
        config.auth.resolve(base);
        config.storage.resolve(base);
        config.limits.resolve(base);
        Ok(config)
    }
}

/// The value of an environment variable, if it is set and not empty: the one place that reads it.
pub fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "config is where the environment is read")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "catalogs = 'catalogs'\n[auth]\nusers = 'users.toml'\n";

    #[test]
    fn relative_paths_start_at_the_file() {
        let config = Config::parse(SMALL, "meshgate.toml", Path::new("/etc/mesh")).unwrap();
        assert_eq!(config.catalogs, Path::new("/etc/mesh/catalogs"));
        assert_eq!(config.auth.users, Path::new("/etc/mesh/users.toml"));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place() {
        let error = Config::parse(&format!("{SMALL}pasword = 1\n"), "meshgate.toml", Path::new(".")).unwrap_err();
        assert_eq!(error.place.unwrap().to_string(), "meshgate.toml:4:1");
        assert!(error.message.contains("pasword"), "{}", error.message);
    }
}
