//! What an operator sets: `meshgate.toml`, one small documented struct for each subsystem.
//!
//! In: TOML text. Out: [`Config`], refused when wrong (unknown keys too). The environment is read only here.
//! Absent on purpose: catalogs and policy.

mod auth;
mod limits;
mod listen;
mod number;
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
    fn numbers_that_would_stop_everything_are_refused_in_plain_words() {
        for (section, key) in [
            ("limits", "memory_mib"),
            ("limits", "statement_memory_mib"),
            ("limits", "spill_mib"),
            ("limits", "partitions"),
            ("limits", "statement_bytes"),
            ("limits", "statement_tokens"),
            ("limits", "statement_depth"),
            ("limits", "planning_seconds"),
            ("limits", "store_seconds"),
            ("limits", "pending_statements"),
            ("limits", "pending_mib"),
            ("listen", "connections"),
            ("listen", "connections_per_address"),
            ("limits", "ticket_seconds"),
        ] {
            for (given, named) in [("0", "integer `0`"), ("-1", "integer `-1`"), ("'much'", "string \"much\"")] {
                let error = parse(&format!("{SMALL}[{section}]\n{key} = {given}\n")).unwrap_err();
                assert!(error.message.contains(named), "{}", error.message);
                assert!(error.message.ends_with("expected a whole number from 1"), "{}", error.message);
                let column = key.len() + 4;
                assert_eq!(error.place.unwrap().to_string(), format!("meshgate.toml:5:{column}"));
            }
        }
        assert!(parse(&format!("{SMALL}session_seconds = 0\n")).is_err());
        assert_eq!(parse(&format!("{SMALL}[listen]\ndrain_seconds = 0\n")).unwrap().listen.drain_seconds, 0);
    }

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, "meshgate.toml", Path::new("."))
    }

    /// Keys by dotted path; the names of domains stand for any.
    fn keys(table: &toml::Table, above: &str, out: &mut Vec<String>) {
        for (key, value) in table {
            let path = format!("{above}{}", if above == "storage.domains." { "*" } else { key });
            match value {
                toml::Value::Table(below) => keys(below, &format!("{path}."), out),
                _ => out.push(path),
            }
        }
    }

    #[test]
    fn the_documented_keys_are_those_that_are_read_with_their_defaults() {
        let page = include_str!("../../docs/CONFIGURATION.md");
        let block = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        // What is optional stands there as a comment; here it counts.
        let block = block.replace("\n# ", "\n");
        let documented = parse(&block).unwrap();
        assert_eq!(documented.storage.domains.len(), 2);
        let sales = &documented.storage.domains["sales"];
        let s3 = documented.storage.domains["hr"].s3.as_ref().unwrap();
        assert!(sales.root.is_some() && sales.hash_key.is_some() && s3.endpoint.is_some() && !s3.prefix.is_empty());

        let mut found = Vec::new();
        keys(&block.parse().unwrap(), "", &mut found);
        found.sort();
        found.dedup();
        let s3 = ["access_key_id", "bucket", "endpoint", "prefix", "region", "secret_access_key"];
        let mut expected: Vec<String> = s3.iter().map(|key| format!("storage.domains.*.s3.{key}")).collect();
        expected.extend(
            "catalogs auth.anonymous auth.session_seconds auth.users limits.memory_mib limits.partitions \
             limits.pending_mib limits.pending_statements limits.planning_seconds limits.spill_dir limits.spill_mib \
             limits.statement_bytes limits.statement_depth limits.statement_memory_mib limits.statement_seconds \
             limits.statement_tokens limits.store_seconds limits.ticket_seconds \
             listen.address listen.allow_plaintext_network listen.connections listen.connections_per_address \
             listen.drain_seconds storage.domains.*.hash_key \
             storage.domains.*.root"
                .split_whitespace()
                .map(str::to_owned),
        );
        expected.sort();
        assert_eq!(found, expected);

        // Every value shown is the default, but those that depend on the machine.
        let plain = parse(SMALL).unwrap();
        let machine = |limits: &Limits| Limits { spill_dir: None, partitions: 1, ..limits.clone() };
        assert_eq!(documented.limits.memory_of_statement(), plain.limits.memory_of_statement());
        let machine = |limits: &Limits| Limits { statement_memory_mib: None, ..machine(limits) };
        assert_eq!(format!("{:?}", machine(&documented.limits)), format!("{:?}", machine(&plain.limits)));
        assert_eq!(format!("{:?}", documented.listen), format!("{:?}", plain.listen));
        assert_eq!(format!("{:?}", documented.auth), format!("{:?}", plain.auth));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place() {
        let error = Config::parse(&format!("{SMALL}pasword = 1\n"), "meshgate.toml", Path::new(".")).unwrap_err();
        assert_eq!(error.place.unwrap().to_string(), "meshgate.toml:4:1");
        assert!(error.message.contains("pasword"), "{}", error.message);
    }
}
