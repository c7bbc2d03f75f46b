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
}

const MAX_FILE_BYTES: u64 = 4 << 20;

impl Files {
    /// Reads a folder. Hidden files, links that leave the folder and other endings are passed over.
    ///
    /// # Errors
    /// `NotFound` when the folder is missing, `Invalid` for a file that is not UTF-8 or larger than 4 MiB.
    pub fn read(root: &Path) -> Result<Self> {
        if !root.is_dir() {
            return Err(Diagnostic::error(
                Kind::NotFound,
                format!("there is no catalog folder at `{}`", root.display()),
            )
            .hint("name the folder that holds `mesh.yaml`"));
        }
        let mut files = Self { root: root.display().to_string(), texts: BTreeMap::new() };
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
            if !wanted {
                continue;
            }
            let size = entry.metadata().map_err(|error| fail(&path, &error))?.len();
            if size > MAX_FILE_BYTES {
                return Err(fail(&path, &"it is larger than 4 MiB"));
            }
            let text = std::fs::read_to_string(&path).map_err(|error| fail(&path, &error))?;
            let relative = path.strip_prefix(root).map_err(|error| fail(&path, &error))?;
            let key = relative.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
            self.texts.insert(key, text);
        }
        Ok(())
    }
}
