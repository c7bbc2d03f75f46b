//! The history file: in the XDG state folder, for its owner only.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use reedline::FileBackedHistory;

use crate::config::environment;
use crate::diagnostic::{Diagnostic, Kind, Result};

const CAPACITY: usize = 10_000;

/// `$XDG_STATE_HOME/meshgate/history`, else `~/.local/state/meshgate/history`.
pub(super) fn path() -> Option<PathBuf> {
    place(environment("XDG_STATE_HOME"), environment("HOME"))
}

fn place(state: Option<String>, home: Option<String>) -> Option<PathBuf> {
    // The XDG specification tells programs to ignore relative paths.
    let absolute = |path: String| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let state =
        state.and_then(absolute).or_else(|| home.and_then(absolute).map(|home| home.join(".local").join("state")))?;
    Some(state.join("meshgate").join("history"))
}

/// Opens the history. Statements hold values that others should not read: the folder is 0700, the file 0600,
/// also when they were found wider open.
///
/// # Errors
/// `Unavailable`, naming the file; a session goes on without history then.
pub(super) fn open(path: &Path) -> Result<FileBackedHistory> {
    let fail = |why: &dyn std::fmt::Display| {
        Diagnostic::warning(Kind::Unavailable, format!("no history is kept: cannot use `{}`: {why}", path.display()))
            .hint("set `XDG_STATE_HOME` to a folder you can write to")
    };
    prepare(path).map_err(|error| fail(&error))?;
    FileBackedHistory::with_file(CAPACITY, path.to_owned()).map_err(|error| fail(&error))
}

fn prepare(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    let file = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

#[cfg(test)]
mod tests {
    use reedline::{History, HistoryItem};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_reads_the_history() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state/meshgate/history");
        let mut history = open(&path).unwrap();
        history.save(HistoryItem::from_command_line("select 1;")).unwrap();
        history.sync().unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(fs::read_to_string(&path).unwrap(), "select 1;\n");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        open(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn it_stands_in_the_state_folder() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(place(text("/s"), text("/h")), Some("/s/meshgate/history".into()));
        assert_eq!(place(text("relative"), text("/h")), Some("/h/.local/state/meshgate/history".into()));
        assert_eq!(place(None, None), None);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_said() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("file"), "").unwrap();
        let error = open(&home.path().join("file/meshgate/history")).unwrap_err();
        assert!(error.message.starts_with("no history is kept"), "{}", error.message);
    }
}
