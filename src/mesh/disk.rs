//! A catalog folder on disk.

use std::ffi::OsString;
use std::fs::{self, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::files;
use super::walk::{CatalogTree, DANGLING, EntryKind, OUTSIDE, SPECIAL};

/// The folder by its path without links.
pub struct DiskTree {
    root: PathBuf,
}

impl DiskTree {
    /// # Errors
    /// The folder does not exist, or may not be reached.
    pub fn open(root: &Path) -> io::Result<Self> {
        Ok(Self { root: fs::canonicalize(root)? })
    }
}

impl CatalogTree for DiskTree {
    fn list(&self, folder: &Path) -> Result<Vec<(OsString, EntryKind)>, String> {
        let entries = fs::read_dir(self.root.join(folder)).map_err(|error| error.to_string())?;
        let named = |entry: fs::DirEntry| Ok((entry.file_name(), entry_kind(entry.file_type()?)));
        entries.map(|entry| entry.and_then(named)).collect::<io::Result<_>>().map_err(|error| error.to_string())
    }

    fn resolve(&self, link: &Path) -> Result<(PathBuf, EntryKind), String> {
        let target = fs::canonicalize(self.root.join(link)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => DANGLING.to_owned(),
            _ => format!("it is a link that cannot be followed: {error}"),
        })?;
        let below = target.strip_prefix(&self.root).map_err(|_| OUTSIDE.to_owned())?;
        let kind = fs::symlink_metadata(&target).map_err(|error| error.to_string())?.file_type();
        Ok((below.to_owned(), entry_kind(kind)))
    }

    /// The file may have been replaced since it was listed: opening neither waits for the writer of a pipe nor follows a link.
    fn read(&self, file: &Path) -> Result<String, String> {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
            .open(self.root.join(file))
            .map_err(|error| error.to_string())?;
        let metadata = opened.metadata().map_err(|error| error.to_string())?;
        if !metadata.is_file() {
            return Err(SPECIAL.to_owned());
        }
        if let Some(why) = files::oversized(metadata.len()) {
            return Err(why);
        }
        let mut bytes = Vec::new();
        opened.take(files::MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        match files::oversized(bytes.len() as u64) {
            Some(why) => Err(why),
            None => files::text(bytes),
        }
    }
}

fn entry_kind(kind: FileType) -> EntryKind {
    if kind.is_symlink() {
        EntryKind::Link
    } else if kind.is_dir() {
        EntryKind::Folder
    } else if kind.is_file() {
        EntryKind::File
    } else {
        EntryKind::Special
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_files_neither_block_nor_mislead() {
        let folder = tempfile::tempdir().unwrap();
        let tree = DiskTree::open(folder.path()).unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("real"), "text").unwrap();
        assert_eq!(tree.read(Path::new("real")).unwrap(), "text");
        // What was listed as a file is something else by the time it is opened.
        assert!(std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        assert_eq!(tree.read(Path::new("pipe")).unwrap_err(), SPECIAL);
        std::os::unix::fs::symlink("real", path("link")).unwrap();
        assert!(tree.read(Path::new("link")).is_err());
        assert!(tree.read(Path::new("gone")).is_err());
    }
}
