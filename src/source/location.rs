//! A contract's location → a place in the domain's storage, or a refusal.

use glob::{MatchOptions, Pattern};
use object_store::path::Path;

use super::store::{Placement, Stores};
use crate::contract::Location;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::mesh::TableEntry;

/// Files below `folder` (or the one file `folder` names), as far as `pattern` admits them.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub placement: Placement,
    /// A whole key; without wildcards.
    pub folder: Path,
    /// Over whole keys.
    pub pattern: Option<Pattern>,
}

/// As shells do: `*` stays within a folder, `**` does not.
const GLOB: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

impl Place {
    /// # Errors
    /// `Invalid` for a location that leaves the domain's root, bucket or prefix, or could be read as leaving it.
    pub(super) fn resolve(stores: &Stores, entry: &TableEntry) -> Result<Self> {
        let contract = &entry.product.contract;
        let location = &contract.server.location;
        let written = match location {
            Location::Local { path } => path,
            Location::S3 { url } => url,
        };
        let text = written.replace("{model}", &entry.dataset().physical_name);
        let refuse = |why: &str| {
            Diagnostic::error(Kind::Invalid, format!("the location `{}` {why}", printable(&text))).hint(format!(
                "`{}` must name a place inside the storage of domain `{}`",
                contract.file, contract.domain
            ))
        };
        let placement = stores.placement(&contract.domain, location)?;
        let path = match location {
            Location::Local { .. } => text.as_str(),
            Location::S3 { .. } => {
                let rest = text.strip_prefix("s3://").ok_or_else(|| refuse("does not start with `s3://`"))?;
                let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
                if Some(bucket) != placement.url.host_str() {
                    return Err(refuse("names a bucket that is not the domain's"));
                }
                key
            }
        };
        let segments = segments(path).map_err(refuse)?;
        let plain = segments.iter().take_while(|s| !s.contains(['*', '?', '[', ']'])).count();
        let wild = plain < segments.len();
        let key = |parts: &[&str]| Path::parse(parts.join("/")).map_err(|_| refuse("is not a valid key"));
        let (head, _) = segments.split_at(plain);
        let mut folder = key(head)?;
        let mut pattern = segments.join("/");
        if let Location::Local { .. } = location {
            // Relative to the domain's root, which is the prefix of a store that was handed in.
            folder = placement.prefix.parts().chain(folder.parts()).collect();
            pattern =
                if placement.prefix.as_ref().is_empty() { pattern } else { format!("{}/{pattern}", placement.prefix) };
        }
        if !folder.prefix_matches(&placement.prefix) {
            return Err(refuse("is outside the domain's prefix"));
        }
        let compiled =
            |text: &str| Pattern::new(text).map_err(|error| refuse(&format!("has a wrong wildcard: {error}")));
        let pattern = if wild { Some(compiled(&pattern)?) } else { None };
        Ok(Self { placement, folder, pattern })
    }

    pub(super) fn admits(&self, key: &Path) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches_with(key.as_ref(), GLOB))
    }

    /// A key as the owner of the data would write it: relative to the domain's storage.
    pub(super) fn relative(&self, key: &Path) -> String {
        key.prefix_match(&self.placement.prefix)
            .map_or_else(|| key.to_string(), |parts| parts.collect::<Path>().to_string())
    }
}

/// Splits into names. Nothing is decoded or folded: what could be read in two ways is refused.
fn segments(path: &str) -> std::result::Result<Vec<&str>, &'static str> {
    if path.contains("://") {
        return Err("has a scheme of its own");
    }
    if path.starts_with('/') {
        return Err("is absolute");
    }
    if path.contains('\\') {
        return Err("has a backslash; separate folders with `/`");
    }
    if path.contains('%') {
        return Err("has a `%`; write names as they are, nothing is percent-decoded");
    }
    if path.chars().any(char::is_control) {
        return Err("has a control character");
    }
    if path.contains(['{', '}']) {
        return Err("has a placeholder other than `{model}`");
    }
    let mut names = Vec::new();
    for name in path.trim_end_matches('/').split('/') {
        match name {
            "." => {}
            ".." => return Err("leaves its folder with `..`"),
            "" if path.trim_end_matches('/').is_empty() => {}
            "" => return Err("has an empty folder name"),
            drive if drive.len() == 2 && drive.ends_with(':') => return Err("is absolute"),
            name => names.push(name),
        }
    }
    Ok(names)
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
