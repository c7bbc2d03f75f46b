//! Which entries of a catalog folder are read: one set of rules for a folder on disk and for a git revision.
//!
//! Nothing that may have said something is passed over in silence. A link is followed where it stays inside the root. An entry with
//! a catalog ending that is no regular file, or whose ending is in another case, has no text and takes out what it may have said; so
//! do links that lead elsewhere, folders that cannot be listed and folders that are reached twice.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::files::{Files, GOVERNANCE, has_catalog_ending, is_catalog_file, is_hidden};
use crate::name::DomainName;

pub const DANGLING: &str = "it is a link that leads nowhere";
pub const OUTSIDE: &str = "it is a link out of the catalog folder";
pub const SPECIAL: &str = "it is neither a file nor a folder";

/// What an entry of a folder is, before links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    Folder,
    File,
    Link,
    /// A pipe, a socket, a device.
    Special,
}

/// A catalog folder. Paths are relative to its root, and the empty path is the root itself. Errors are reasons for people, such as
/// "it is a link that leads nowhere".
pub trait CatalogTree {
    /// The names of what lies in a folder, in any order.
    fn list(&self, folder: &Path) -> Result<Vec<(OsString, EntryKind)>, String>;
    /// What a link leads to in the end, by a path without links.
    fn resolve(&self, link: &Path) -> Result<(PathBuf, EntryKind), String>;
    /// The text of a regular file, by a path without links.
    fn read(&self, file: &Path) -> Result<String, String>;
}

/// Fills `files` with what lies in the tree.
///
/// # Errors
/// Why the root itself cannot be listed; everything else is kept in `files.unreadable`.
pub fn walk(tree: &impl CatalogTree, files: &mut Files) -> Result<(), String> {
    let mut walker = Walker { tree, files, reached: HashSet::new(), folders: VecDeque::new(), links: VecDeque::new() };
    walker.reached.insert(PathBuf::new());
    walker.folder("", Path::new(""))?;
    while let Some((key, path)) = walker.next() {
        if !walker.reached.insert(path.clone()) {
            walker.refuse(key, "the folder it leads to is read in another place already");
        } else if let Err(why) = walker.folder(&key, &path) {
            walker.refuse(key, &why);
        }
    }
    Ok(())
}

struct Walker<'a, T> {
    tree: &'a T,
    files: &'a mut Files,
    /// Folders by their paths without links.
    reached: HashSet<PathBuf>,
    /// Key and path of folders that are still to be read.
    folders: VecDeque<(String, PathBuf)>,
    /// Folders behind links. They come last, so that a folder is read where it lies and not where a link names it.
    links: VecDeque<(String, PathBuf)>,
}

impl<T: CatalogTree> Walker<'_, T> {
    fn next(&mut self) -> Option<(String, PathBuf)> {
        self.folders.pop_front().or_else(|| self.links.pop_front())
    }

    fn refuse(&mut self, key: String, why: &str) {
        self.files.unreadable.insert(key, why.to_owned());
    }

    fn folder(&mut self, key: &str, path: &Path) -> Result<(), String> {
        let mut entries = self.tree.list(path)?;
        // A folder that is reached twice is reached by the same name each time.
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, kind) in entries {
            let shown = name.to_string_lossy();
            let below = if key.is_empty() { shown.to_string() } else { format!("{key}/{shown}") };
            if is_hidden(&shown) {
                if kind == EntryKind::Folder && is_among_policies(&below) && self.hides_policies(&path.join(&name)) {
                    self.files.skipped.insert(below);
                } else {
                    self.pass_over(below);
                }
            } else if name.to_str().is_none() {
                // Whatever its ending was meant to be.
                self.refuse(below, "its name is not UTF-8");
            } else if kind == EntryKind::Link {
                match self.tree.resolve(&path.join(&name)) {
                    Ok((target, EntryKind::Folder)) if !is_taken(&below) => self.links.push_back((below, target)),
                    Ok((target, kind)) => self.entry(below, target, kind),
                    Err(why) => self.refuse(below, &why),
                }
            } else {
                self.entry(below, path.join(&name), kind);
            }
        }
        Ok(())
    }

    /// True for a hidden folder with policies in it. Those of two dots belong to mounts, whose links lead into them.
    fn hides_policies(&self, folder: &Path) -> bool {
        let is_of_mount = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".."));
        let entries = self.tree.list(folder).unwrap_or_default();
        !is_of_mount && entries.iter().any(|(name, _)| has_catalog_ending(&name.to_string_lossy()))
    }

    fn entry(&mut self, key: String, path: PathBuf, kind: EntryKind) {
        let named = has_catalog_ending(&key);
        match kind {
            EntryKind::File | EntryKind::Special if is_place_of_policies(&key) => self.refuse(key, "it is no folder"),
            EntryKind::Folder if named => self.refuse(key, "it is a folder"),
            EntryKind::Folder if is_taken(&key) => self.refuse(key, "the folder's name is not in lower case"),
            EntryKind::Folder => self.folders.push_back((key, path)),
            EntryKind::File if is_catalog_file(&key) => match self.tree.read(&path) {
                Ok(text) => _ = self.files.texts.insert(key, text),
                Err(why) => self.refuse(key, &why),
            },
            EntryKind::File if named => self.refuse(key, "its ending is not in lower case"),
            EntryKind::Special | EntryKind::Link if named => self.refuse(key, SPECIAL),
            EntryKind::File | EntryKind::Special | EntryKind::Link => self.pass_over(key),
        }
    }

    /// Remembers a file that lies among policies and is none by its name, or is named as a domain: most often it was meant to be read.
    fn pass_over(&mut self, key: String) {
        let (folder, name) = key.rsplit_once('/').unwrap_or(("", &key));
        let lower = name.to_lowercase();
        let a_note = lower.rsplit_once('.').is_some_and(|(_, ending)| ending == "md")
            || lower.starts_with("readme")
            || is_hidden(name);
        let among_domains = folder.is_empty() && name.parse::<DomainName>().is_ok();
        if among_domains || is_among_policies(&key) && (lower.contains(".cedar") || !a_note) {
            self.files.skipped.insert(key);
        }
    }
}

/// True below a folder of policies.
fn is_among_policies(key: &str) -> bool {
    let mut folders = key.rsplit_once('/').map_or("", |(folder, _)| folder).split('/');
    folders.next() == Some(GOVERNANCE) || folders.next() == Some("policies")
}

/// True where only a folder of policies may stand. A link that was checked out as a file is none.
fn is_place_of_policies(key: &str) -> bool {
    let policies = |(_, name): (&str, &str)| name.eq_ignore_ascii_case("policies");
    key.split_once('/').map_or_else(|| key.eq_ignore_ascii_case(GOVERNANCE), policies)
}

/// True where a folder or link stands at a place or under a name that no folder may have.
fn is_taken(key: &str) -> bool {
    has_catalog_ending(key) || key != GOVERNANCE && key.eq_ignore_ascii_case(GOVERNANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folders by path; one that is not there cannot be listed. The text of a file is its path.
    struct Folders(Vec<(&'static str, Vec<(&'static str, EntryKind)>)>);

    impl CatalogTree for Folders {
        fn list(&self, folder: &Path) -> Result<Vec<(OsString, EntryKind)>, String> {
            let found = self.0.iter().find(|(path, _)| Path::new(path) == folder).ok_or("permission denied")?;
            Ok(found.1.iter().map(|(name, kind)| (OsString::from(name), *kind)).collect())
        }

        fn resolve(&self, _: &Path) -> Result<(PathBuf, EntryKind), String> {
            Err(DANGLING.to_owned())
        }

        fn read(&self, file: &Path) -> Result<String, String> {
            Ok(file.display().to_string())
        }
    }

    #[test]
    fn folders_that_cannot_be_listed_are_unreadable() {
        use EntryKind::{File, Folder};
        let root = vec![("governance", Folder), ("mesh.yaml", File), ("sales", Folder), ("hr", Folder)];
        let tree = Folders(vec![("", root), ("sales", vec![("domain.yaml", File), ("policies", Folder)])]);
        let mut files = Files::default();
        walk(&tree, &mut files).unwrap();
        assert_eq!(files.texts.keys().collect::<Vec<_>>(), ["mesh.yaml", "sales/domain.yaml"]);
        let expected =
            ["governance", "hr", "sales/policies"].map(|path| (path.to_owned(), "permission denied".to_owned()));
        assert_eq!(files.unreadable, expected.into());
        assert!(walk(&Folders(Vec::new()), &mut Files::default()).is_err(), "without its root there is no mesh");
    }
}
