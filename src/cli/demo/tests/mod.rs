//! What the acceptance table and the documentation rely on.

mod data;
mod folder;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::prepare;

const SCALE: f64 = 0.01;

/// One demo folder, made once for the tests that only read it.
fn shared() -> &'static Path {
    static DEMO: OnceLock<TempDir> = OnceLock::new();
    DEMO.get_or_init(|| fresh(SCALE)).path()
}

fn fresh(scale: f64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    assert!(!prepare(dir.path(), scale).unwrap().reused);
    dir
}

/// Every file below `folder` and its digest.
fn digests(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let digest = format!("{:x}", Sha256::digest(std::fs::read(&path).unwrap()));
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), digest);
            }
        }
    }
    found
}
