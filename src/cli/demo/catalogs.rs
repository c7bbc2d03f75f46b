//! The repository's `catalogs/`, carried in the binary.

use std::path::Path;

use rust_embed::RustEmbed;

use super::files::{self, Access};
use crate::diagnostic::Result;

#[derive(RustEmbed)]
#[folder = "catalogs"]
struct Catalogs;

/// Writes every file below `folder`; those that exist stay as they are, since they are there to be edited.
pub(super) fn write(folder: &Path) -> Result<()> {
    files::make_folder(folder)?;
    for name in Catalogs::iter() {
        if let Some(file) = Catalogs::get(&name) {
            files::write_new(&folder.join(&*name), &file.data, Access::Everyone)?;
        }
    }
    Ok(())
}

/// Names and contents, for tests.
#[cfg(test)]
pub(super) fn embedded() -> Vec<(String, Vec<u8>)> {
    Catalogs::iter().filter_map(|name| Some((name.to_string(), Catalogs::get(&name)?.data.into_owned()))).collect()
}
