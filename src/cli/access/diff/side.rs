//! One state of `catalogs/`: a folder, or a git revision.

use std::path::Path;
use std::sync::Arc;

use super::git;
use crate::diagnostic::{Diagnostic, Kind, Result, Severity};
use crate::mesh::{Files, Snapshot, load};
use crate::policy::PolicyStore;

/// Contracts and policies of one state, as a gateway would load them.
pub struct Side {
    /// As the caller wrote it.
    pub label: String,
    pub snapshot: Arc<Snapshot>,
    pub policies: PolicyStore,
    /// Errors that `meshgate check` would tell.
    pub errors: usize,
}

impl Side {
    /// A folder that exists is a folder; anything else is `REVISION` or `REVISION:path`.
    ///
    /// # Errors
    /// Where nothing can be read, or `mesh.yaml` is broken. Everything else that is wrong is denied, as it would be when served.
    pub fn load(given: &str) -> Result<Self> {
        let files = files(given)?;
        let snapshot = load(&files).map_err(|findings| {
            let more = findings.len().saturating_sub(1);
            let first = findings.into_iter().find(|finding| finding.severity == Severity::Error);
            let first =
                first.unwrap_or_else(|| Diagnostic::error(Kind::Invalid, format!("`{given}` cannot be loaded")));
            let folder = if Path::new(given).is_dir() { given } else { "the folder of that revision, checked out," };
            if more == 0 {
                first
            } else {
                first.hint(format!("{more} more findings: `meshgate check` of {folder} shows them"))
            }
        })?;
        let policies = PolicyStore::load(&files, &snapshot);
        let findings = snapshot.findings.iter().chain(policies.findings());
        let errors = findings.filter(|finding| finding.severity == Severity::Error).count();
        Ok(Self { label: given.to_owned(), snapshot: Arc::new(snapshot), policies, errors })
    }

    /// True where a session may state `purpose`; empty text is none.
    pub fn admits(&self, purpose: &str) -> bool {
        purpose.is_empty() || self.snapshot.mesh.purposes.as_ref().is_none_or(|known| known.contains(purpose))
    }
}

fn files(given: &str) -> Result<Files> {
    let folder = Path::new(given);
    if folder.is_dir() {
        return Files::read(folder);
    }
    let (revision, path) = given.split_once(':').unwrap_or((given, "catalogs"));
    let path = path.trim_start_matches("./").trim_matches('/');
    git::read(revision, path, &format!("{revision}:{path}"))
}
