//! The text of `catalogs/`, read once so that one load sees one state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::disk::DiskTree;
use super::walk::walk;
use crate::diagnostic::{Diagnostic, Kind, Result};

/// Relative path with `/` → text. Only `.yaml`, `.yml` and `.cedar` files are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// What findings put before a relative path, so that places can be clicked; empty in tests.
    pub root: String,
    pub texts: BTreeMap<String, String>,
    /// Relative path of a file, folder or link → why its text is not there: not UTF-8, a link that leads nowhere, not permitted. Each
    /// takes out what it may have said.
    pub unreadable: BTreeMap<String, String>,
    /// Files that were most likely meant to be read: among policies `pii.cedar.txt` and `.pii.cedar`, among domains `sales`.
    pub skipped: BTreeSet<String>,
}

/// The folder of policies that speak of all domains.
pub(crate) const GOVERNANCE: &str = "governance";

pub(crate) const MAX_FILE_BYTES: u64 = 4 << 20;

const ENDINGS: [&str; 3] = [".yaml", ".yml", ".cedar"];

/// Why a catalog file of this size is not read, if it is not.
pub(crate) fn oversized(bytes: u64) -> Option<String> {
    (bytes > MAX_FILE_BYTES).then(|| "it is larger than 4 MiB".to_owned())
}

/// The text of a catalog file, or why there is none.
pub(crate) fn text(bytes: Vec<u8>) -> std::result::Result<String, String> {
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}

/// True for the names and paths of files that belong to a mesh.
pub(crate) fn is_catalog_file(path: &str) -> bool {
    ENDINGS.iter().any(|ending| path.ends_with(ending))
}

/// The same for endings in any case: what is named so was meant to be read.
pub(crate) fn has_catalog_ending(path: &str) -> bool {
    is_catalog_file(&path.to_ascii_lowercase())
}

/// True where policies may have stood in what cannot be read at this path. Below a domain a file that ends in `.yaml` has none.
pub(crate) fn may_carry_policy(path: &str) -> bool {
    let top = path.split('/').next().unwrap_or_default();
    let lower = path.to_ascii_lowercase();
    top.eq_ignore_ascii_case(GOVERNANCE) || ![".yaml", ".yml"].iter().any(|ending| lower.ends_with(ending))
}

/// True for names that hide a file, or a folder with all that lies in it.
pub(crate) fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// True for tests of policies: they say nothing of what is served.
pub(crate) fn is_test(path: &str) -> bool {
    [".test.yaml", ".test.yml"].iter().any(|ending| path.ends_with(ending))
}

impl Files {
    /// Reads a folder by the rules of `mesh::walk`.
    ///
    /// # Errors
    /// `NotFound` when the folder is missing, `Invalid` where it cannot be listed. What cannot be read below it is kept in
    /// `unreadable`.
    pub fn read(root: &Path) -> Result<Self> {
        if !root.is_dir() {
            return Err(Diagnostic::error(
                Kind::NotFound,
                format!("there is no catalog folder at `{}`", root.display()),
            )
            .hint("name the folder that holds `mesh.yaml`"));
        }
        let mut files = Self { root: root.display().to_string(), ..Self::default() };
        let read = DiskTree::open(root).map_err(|error| error.to_string()).and_then(|tree| walk(&tree, &mut files));
        read.map_err(|why| {
            Diagnostic::error(Kind::Invalid, format!("cannot read `{}`: {why}", root.display()))
                .hint("the gateway must be allowed to list the catalog folder")
        })?;
        Ok(files)
    }

    /// How findings name a file.
    pub fn display(&self, relative: &str) -> String {
        if self.root.is_empty() {
            relative.to_owned()
        } else {
            format!("{}/{relative}", self.root.trim_end_matches('/'))
        }
    }

    /// Why a file has no text, as a finding.
    pub(crate) fn unreadable(&self, relative: &str) -> Option<Diagnostic> {
        let why = self.unreadable.get(relative)?;
        let place = crate::diagnostic::Place { file: self.display(relative), line: 1, column: 1 };
        let what = if has_catalog_ending(relative) { "file" } else { "entry" };
        Some(
            Diagnostic::error(Kind::Invalid, format!("the {what} cannot be read: {why}"))
                .hint("a catalog file is UTF-8 text of at most 4 MiB")
                .hint("it is a regular file that ends in `.cedar`, `.yaml` or `.yml`; links stay inside the catalog folder")
                .at(place),
        )
    }
}
