//! Small files, written whole or not at all.

use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;

use crate::diagnostic::{Diagnostic, Kind, Result};

/// Makes a folder and its parents; names the path element that stands in the way.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| {
        let reason = match path.ancestors().find(|ancestor| ancestor.is_file()) {
            Some(file) => format!("`{}` is a file, not a folder", file.display()),
            None => error.to_string(),
        };
        Diagnostic::error(Kind::Unavailable, format!("cannot make the folder `{}`: {reason}", path.display()))
            .hint("name a folder that can be written with `--dir`")
    })
}

/// Who may read a file besides its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Everyone,
    OwnerOnly,
}

/// Puts a file in place by rename, so that a reader (or a second start) never sees half of it. An existing file is replaced.
pub(super) fn write(path: &Path, content: &[u8], access: Access) -> Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    make_folder(folder)?;
    // A temporary file is its owner's alone until it says otherwise.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| unwritable(path, &error))?;
    file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(|error| unwritable(path, &error))?;
    #[cfg(not(unix))]
    let _ = access;
    #[cfg(unix)]
    if access == Access::Everyone {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(mode).map_err(|error| unwritable(path, &error))?;
    }
    file.persist(path).map(drop).map_err(|error| unwritable(path, &error))
}

/// As [`write()`], but an existing file stays as it is: it may have been edited.
pub(super) fn write_new(path: &Path, content: &[u8], access: Access) -> Result<()> {
    if path.exists() { Ok(()) } else { write(path, content, access) }
}

pub(super) fn unwritable(path: &Path, error: &dyn Display) -> Diagnostic {
    Diagnostic::error(Kind::Unavailable, format!("cannot write `{}`: {error}", path.display()))
        .hint("the demo needs a folder that can be written and 300 MB of space; name another with `--dir`")
}
