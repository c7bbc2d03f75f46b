//! The folder for spilled data.
//!
//! Spilled data is below the policy: hidden rows and unmasked values. So the folder is closed to others, and what a killed gateway left
//! behind goes when the next one starts. A lock that ends with its process tells a folder in use from one that was left.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use datafusion::common::DataFusionError;

use crate::diagnostic::{Diagnostic, Kind, Result};

/// Default folders have this name and a random end.
const OWN: &str = "meshgate-spill-";
/// As long as a default folder has no lock, it has this name, under which no other gateway looks for it.
const UNLOCKED: &str = "meshgate-unlocked-";
/// Where the lock lies in a default folder, and the data beside it.
const LOCK: &str = "lock";
const DATA: &str = "data";
/// The same below a configured folder.
const CONFIGURED_LOCK: &str = "meshgate-spill.lock";
const CONFIGURED_DATA: &str = "meshgate-spill";

/// A folder for spilled data that is empty at first, closed to others, and no other gateway's as long as this lives.
#[derive(Debug)]
pub(in crate::engine) struct SpillFolder {
    data: PathBuf,
    /// A default folder, which goes with the engine.
    own: Option<PathBuf>,
    _lock: File,
}

impl SpillFolder {
    /// Makes the folder below `configured`, or a default one below the system's temporary folder. Below a configured folder it is one of
    /// our own, so that emptying it can never take what somebody else keeps there.
    ///
    /// # Errors
    /// `Invalid` when it cannot be made or emptied, or another gateway uses it.
    pub fn open(configured: Option<&Path>) -> Result<Self> {
        let failed = |folder: &Path, error: io::Error| unusable(folder, &DataFusionError::IoError(error));
        if let Some(folder) = configured {
            return Self::open_below(folder).map_err(|error| failed(&folder.join(CONFIGURED_DATA), error));
        }
        let temporary = std::env::temp_dir();
        Self::open_default(&temporary).map_err(|error| failed(&temporary, error))
    }

    /// Where the data goes.
    pub fn path(&self) -> &Path {
        &self.data
    }

    /// Removes it with all data, at the end of the process: whatever still runs then fails where it reads data again.
    pub fn remove(&self) {
        // Without it the next start empties a configured folder, and nobody else can read it.
        let _ = fs::remove_dir_all(self.own.as_ref().unwrap_or(&self.data));
    }

    fn open_below(folder: &Path) -> io::Result<Self> {
        make_private(folder)?;
        let lock = File::options().create(true).truncate(false).write(true).open(folder.join(CONFIGURED_LOCK))?;
        if !is_free(&lock)? {
            return Err(io::Error::other("another gateway uses it"));
        }
        let data = folder.join(CONFIGURED_DATA);
        if fs::symlink_metadata(&data).is_ok() {
            fs::remove_dir_all(&data)?;
        }
        make_private(&data)?;
        Ok(Self { data, own: None, _lock: lock })
    }

    fn open_default(temporary: &Path) -> io::Result<Self> {
        let made = tempfile::Builder::new().prefix(UNLOCKED).tempdir_in(temporary)?;
        close_to_others(made.path())?;
        let lock = File::create_new(made.path().join(LOCK))?;
        lock.lock()?;
        make_private(&made.path().join(DATA))?;
        let name = made.path().file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let own = temporary.join(format!("{OWN}{}", name.trim_start_matches(UNLOCKED)));
        fs::rename(made.path(), &own)?;
        // It has another name now, under which it is removed when the engine goes.
        let _ = made.keep();
        let folder = Self { data: own.join(DATA), own: Some(own.clone()), _lock: lock };
        remove_left_over(temporary, &own)?;
        Ok(folder)
    }
}

impl Drop for SpillFolder {
    fn drop(&mut self) {
        if let Some(own) = &self.own
            && let Err(error) = fs::remove_dir_all(own)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, folder = %own.display(), "a folder of spilled data stays behind");
        }
    }
}

/// Removes the default folders of gateways that are gone. One that cannot be removed stays, with a line in the log.
fn remove_left_over(temporary: &Path, own: &Path) -> io::Result<()> {
    let owner = fs::symlink_metadata(own)?;
    for entry in fs::read_dir(temporary)? {
        let Ok(entry) = entry else { continue };
        let path = entry.path();
        if !entry.file_name().to_string_lossy().starts_with(OWN) || path == own {
            continue;
        }
        match remove_unused(&path, &owner) {
            Ok(false) => {}
            Ok(true) => tracing::info!(folder = %path.display(), "removed spilled data of a gateway that is gone"),
            Err(error) => tracing::warn!(%error, folder = %path.display(), "left-over spilled data cannot be removed"),
        }
    }
    Ok(())
}

/// Removes a folder of the same user that nobody else may write to and whose lock no process holds. Anything else may be another's.
fn remove_unused(folder: &Path, owner: &fs::Metadata) -> io::Result<bool> {
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || !is_private(&found, owner) {
        return Ok(false);
    }
    let lock = folder.join(LOCK);
    if !fs::symlink_metadata(&lock).is_ok_and(|lock| lock.is_file()) || !is_free(&File::open(lock)?)? {
        return Ok(false);
    }
    fs::remove_dir_all(folder).map(|()| true)
}

/// Takes the lock if no process has it.
fn is_free(lock: &File) -> io::Result<bool> {
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(unix)]
fn is_private(found: &fs::Metadata, owner: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    found.uid() == owner.uid() && found.mode() & 0o777 == 0o700
}

/// A temporary folder has the mode that the process makes folders with, which lets others look in.
#[cfg(unix)]
fn close_to_others(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn close_to_others(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn is_private(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// An operator's words for a folder that cannot be used.
pub(in crate::engine) fn unusable(folder: &Path, error: &DataFusionError) -> Diagnostic {
    Diagnostic::error(Kind::Invalid, format!("cannot use `{}` for spilled data: {error}", folder.display()))
        .hint("set `limits.spill_dir` to a folder that the gateway may write to and no other gateway uses")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    /// What a killed gateway leaves.
    fn abandon(temporary: &Path, name: &str) -> PathBuf {
        let folder = temporary.join(format!("{OWN}{name}"));
        make_private(&folder.join(DATA)).unwrap();
        fs::write(folder.join(DATA).join("rows"), "hidden").unwrap();
        fs::write(folder.join(LOCK), "").unwrap();
        folder
    }

    #[test]
    fn configured_folder_is_private_and_emptied() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("not-ours"), "kept").unwrap();
        fs::create_dir_all(home.path().join(CONFIGURED_DATA).join("left-over")).unwrap();
        let folder = SpillFolder::open(Some(home.path())).unwrap();
        assert_eq!(names(home.path()), [CONFIGURED_DATA, CONFIGURED_LOCK, "not-ours"]);
        assert_eq!((names(folder.path()).len(), mode(folder.path())), (0, 0o700));
        let beside = SpillFolder::open(Some(home.path())).unwrap_err();
        assert!(beside.message.contains("another gateway uses it"), "{}", beside.message);
        drop(folder);
        SpillFolder::open(Some(home.path())).unwrap();
    }

    #[test]
    fn default_folders_of_dead_gateways_go() {
        let temporary = tempfile::tempdir().unwrap();
        abandon(temporary.path(), "dead");
        let folder = SpillFolder::open_default(temporary.path()).unwrap();
        assert_eq!(names(temporary.path()).len(), 1);
        assert_eq!((mode(folder.path()), mode(folder.path().parent().unwrap())), (0o700, 0o700));
        drop(folder);
        assert_eq!(names(temporary.path()).len(), 0);
    }

    #[test]
    fn folders_of_others_stay() {
        let temporary = tempfile::tempdir().unwrap();
        let living = SpillFolder::open_default(temporary.path()).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let target = abandon(elsewhere.path(), "target");
        symlink(&target, temporary.path().join(format!("{OWN}link"))).unwrap();
        let open = abandon(temporary.path(), "open");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(temporary.path().join(format!("{OWN}unlocked"))).unwrap();
        let linked = abandon(temporary.path(), "linked");
        fs::remove_file(linked.join(LOCK)).unwrap();
        symlink(target.join(LOCK), linked.join(LOCK)).unwrap();
        let before = names(temporary.path()).len();
        let beside = SpillFolder::open_default(temporary.path()).unwrap();
        assert_eq!(names(temporary.path()).len(), before + 1);
        assert!(living.path().exists() && target.join(DATA).join("rows").exists());
        drop(beside);
    }

    #[test]
    fn folder_below_a_file_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = SpillFolder::open(Some(&file.path().join("below"))).unwrap_err();
        assert!(refused.message.contains("for spilled data"), "{}", refused.message);
    }
}
