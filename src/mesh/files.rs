//! The text of `catalogs/`, read once so that one load sees one state.

use std::collections::BTreeMap;
use std::path::Path;

use crate::diagnostic::{Diagnostic, Kind, Result};

/// Relative path with `/` → text. Only `.yaml`, `.yml` and `.cedar` files are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// What findings put before a relative path, so that places can be clicked; empty in tests.
    pub root: String,
    pub texts: BTreeMap<String, String>,
    /// Relative path → why its text is not there: not UTF-8, too large, not permitted. Each takes out what it would have said.
    pub unreadable: BTreeMap<String, String>,
}

const MAX_FILE_BYTES: u64 = 4 << 20;

/// Why a catalog file of this size is not read, if it is not.
pub(crate) fn oversized(bytes: u64) -> Option<String> {
    (bytes > MAX_FILE_BYTES).then(|| "it is larger than 4 MiB".to_owned())
}

/// The text of a catalog file, or why there is none.
pub(crate) fn text(bytes: Vec<u8>) -> std::result::Result<String, String> {
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}

/// True for the names of files that belong to a mesh; a name that begins with a dot hides a file or all in a folder.
pub(crate) fn is_catalog_file(name: &str) -> bool {
    !is_hidden(name) && [".yaml", ".yml", ".cedar"].iter().any(|ending| name.ends_with(ending))
}

/// True for names of files and folders that are passed over.
pub(crate) fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// True for tests of policies: they say nothing of what is served.
pub(crate) fn is_test(path: &str) -> bool {
    [".test.yaml", ".test.yml"].iter().any(|ending| path.ends_with(ending))
}

impl Files {
    /// Reads a folder. Hidden files, links that leave the folder and other endings are passed over.
    ///
    /// # Errors
    /// `NotFound` when the folder is missing, `Invalid` for a folder that cannot be listed. A single file that cannot be read
    /// is kept in `unreadable`.
    pub fn read(root: &Path) -> Result<Self> {
        if !root.is_dir() {
            return Err(Diagnostic::error(
                Kind::NotFound,
                format!("there is no catalog folder at `{}`", root.display()),
            )
            .hint("name the folder that holds `mesh.yaml`"));
        }
        let mut files = Self { root: root.display().to_string(), ..Self::default() };
        files.walk(root, root)?;
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
        Some(
            Diagnostic::error(Kind::Invalid, format!("the file cannot be read: {why}"))
                .hint("a catalog file is UTF-8 text of at most 4 MiB")
                .at(place),
        )
    }

    fn walk(&mut self, root: &Path, folder: &Path) -> Result<()> {
        let fail = |path: &Path, error: &dyn std::fmt::Display| {
            Diagnostic::error(Kind::Invalid, format!("cannot read `{}`: {error}", path.display()))
                .hint("the catalog folder holds text in UTF-8 that the gateway may read, each file below 4 MiB")
        };
        let mut entries: Vec<_> = std::fs::read_dir(folder)
            .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
            .map_err(|error| fail(folder, &error))?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().map_err(|error| fail(&path, &error))?;
            if is_hidden(&name) || kind.is_symlink() {
                continue;
            }
            if kind.is_dir() {
                self.walk(root, &path)?;
                continue;
            }
            // A pipe would be waited for.
            if !is_catalog_file(&name) || !kind.is_file() {
                continue;
            }
            let relative = path.strip_prefix(root).map_err(|error| fail(&path, &error))?;
            let key = relative.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
            match read_text(&path) {
                Ok(text) => self.texts.insert(key, text),
                Err(why) => self.unreadable.insert(key, why),
            };
        }
        Ok(())
    }
}

fn read_text(path: &Path) -> std::result::Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if let Some(why) = oversized(size) {
        return Err(why);
    }
    text(std::fs::read(path).map_err(|error| error.to_string())?)
}
