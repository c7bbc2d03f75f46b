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
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            let kind = entry.file_type().map_err(|error| fail(&path, &error))?;
            if hidden || kind.is_symlink() {
                continue;
            }
            if kind.is_dir() {
                self.walk(root, &path)?;
                continue;
            }
            let wanted = path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "cedar");
            // A pipe would be waited for.
            if !wanted || !kind.is_file() {
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
    if size > MAX_FILE_BYTES {
        return Err("it is larger than 4 MiB".to_owned());
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}
