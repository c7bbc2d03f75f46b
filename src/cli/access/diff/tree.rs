//! The folder of a git revision as a tree of catalog files, read by the rules of a folder on disk.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use crate::mesh::files;
use crate::mesh::walk::{CatalogTree, DANGLING, EntryKind, OUTSIDE, SPECIAL};

/// What `git ls-tree -r` lists below one folder.
#[derive(Debug, Default)]
pub struct GitTree {
    nodes: BTreeMap<PathBuf, Node>,
    children: BTreeMap<PathBuf, Vec<(OsString, EntryKind)>>,
    /// Bytes of blobs by id.
    blobs: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug)]
enum Node {
    Folder,
    Submodule,
    Blob { id: String, bytes: u64 },
    Link { id: String, bytes: u64 },
}

impl Node {
    fn kind(&self) -> EntryKind {
        match self {
            Self::Folder | Self::Submodule => EntryKind::Folder,
            Self::Blob { .. } => EntryKind::File,
            Self::Link { .. } => EntryKind::Link,
        }
    }
}

/// As many links may lead from one to the next; more are a loop.
const MAX_LINKS: usize = 40;
/// No path is longer.
const MAX_TARGET_BYTES: u64 = 4096;

impl GitTree {
    /// Reads the answer of `ls-tree -r -z -l`: `mode type id size<TAB>path` for each entry.
    pub fn parse(listed: &[u8]) -> Self {
        let mut tree = Self::default();
        for entry in listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            tree.insert(entry);
        }
        tree
    }

    fn insert(&mut self, entry: &[u8]) -> Option<()> {
        let tab = entry.iter().position(|byte| *byte == b'\t')?;
        let (head, path) = (entry.get(..tab)?, entry.get(tab + 1..)?);
        let head = String::from_utf8_lossy(head);
        let mut head = head.split_whitespace();
        let (mode, kind, id, size) = (head.next()?, head.next()?, head.next()?.to_owned(), head.next()?);
        let bytes = size.parse().unwrap_or(u64::MAX);
        let node = match (kind, mode) {
            ("blob", "120000") => Node::Link { id, bytes },
            ("blob", _) => Node::Blob { id, bytes },
            _ => Node::Submodule,
        };
        let mut path = PathBuf::from(OsStr::from_bytes(path));
        let mut node = node;
        // Folders are listed by what lies in them only.
        while let (Some(name), Some(parent)) =
            (path.file_name().map(OsStr::to_owned), path.parent().map(Path::to_owned))
        {
            let kind = node.kind();
            if self.nodes.insert(path, node).is_some() {
                break;
            }
            self.children.entry(parent.clone()).or_default().push((name, kind));
            (path, node) = (parent, Node::Folder);
        }
        Some(())
    }

    /// Ids of the links, whose texts are where they lead.
    pub fn links(&self) -> Vec<String> {
        let short = |node: &Node| match node {
            Node::Link { id, bytes } if *bytes <= MAX_TARGET_BYTES => Some(id.clone()),
            _ => None,
        };
        self.nodes.values().filter_map(short).collect()
    }

    /// Ids of the blobs that may be read as catalog files: by their own name, or through a link. The links must be known by then.
    pub fn candidates(&self) -> Vec<String> {
        let named = self.nodes.iter().filter(|(path, _)| path.to_str().is_some_and(files::is_catalog_file));
        let named = named.map(|(path, _)| path.clone());
        let links = self.nodes.iter().filter(|(_, node)| node.kind() == EntryKind::Link);
        let targets = links.filter_map(|(path, _)| Some(self.follow(path).ok()?.0));
        let readable = |path: PathBuf| match self.nodes.get(&path)? {
            Node::Blob { id, bytes } if files::oversized(*bytes).is_none() => Some(id.clone()),
            _ => None,
        };
        named.chain(targets).filter_map(readable).collect()
    }

    /// Makes a blob known.
    pub fn know(&mut self, id: String, bytes: Vec<u8>) {
        self.blobs.insert(id, bytes);
    }

    fn follow(&self, path: &Path) -> Result<(PathBuf, EntryKind), String> {
        let (mut at, mut kind, mut followed) = (PathBuf::new(), EntryKind::Folder, 0);
        let mut ahead: VecDeque<OsString> = path.iter().map(OsStr::to_owned).collect();
        while let Some(name) = ahead.pop_front() {
            if kind != EntryKind::Folder {
                return Err(DANGLING.to_owned());
            }
            if name == ".." {
                if !at.pop() {
                    return Err(OUTSIDE.to_owned());
                }
                continue;
            }
            let next = at.join(&name);
            match self.nodes.get(&next).ok_or(DANGLING)? {
                Node::Link { id, .. } => {
                    followed += 1;
                    if followed > MAX_LINKS {
                        return Err("it is a link that cannot be followed: it leads back to itself".to_owned());
                    }
                    let target = self.blobs.get(id).ok_or(DANGLING)?;
                    for part in Path::new(OsStr::from_bytes(target)).components().rev() {
                        match part {
                            Component::Normal(_) | Component::ParentDir => {
                                ahead.push_front(part.as_os_str().to_owned());
                            }
                            Component::CurDir => {}
                            Component::RootDir | Component::Prefix(_) => return Err(OUTSIDE.to_owned()),
                        }
                    }
                }
                node => (at, kind) = (next, node.kind()),
            }
        }
        Ok((at, kind))
    }
}

impl CatalogTree for GitTree {
    fn list(&self, folder: &Path) -> Result<Vec<(OsString, EntryKind)>, String> {
        if matches!(self.nodes.get(folder), Some(Node::Submodule)) {
            return Err("it is a submodule, whose files are not in this revision".to_owned());
        }
        Ok(self.children.get(folder).cloned().unwrap_or_default())
    }

    fn resolve(&self, link: &Path) -> Result<(PathBuf, EntryKind), String> {
        self.follow(link)
    }

    fn read(&self, file: &Path) -> Result<String, String> {
        let Some(Node::Blob { id, bytes }) = self.nodes.get(file) else { return Err(SPECIAL.to_owned()) };
        if let Some(why) = files::oversized(*bytes) {
            return Err(why);
        }
        files::text(self.blobs.get(id).cloned().ok_or("it is not in this repository")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::{Files, walk::walk};

    fn read(entries: &[(&str, &str, &str)]) -> Files {
        let mut tree = GitTree::default();
        for (mode, path, text) in entries {
            let kind = if *mode == "160000" { "commit" } else { "blob" };
            tree.insert(format!("{mode} {kind} {path} {}\t{path}", text.len()).as_bytes()).unwrap();
            tree.know((*path).to_owned(), text.as_bytes().to_vec());
        }
        let mut files = Files::default();
        walk(&tree, &mut files).unwrap();
        files
    }

    #[test]
    fn git_links_follow_the_rules_of_disks() {
        let (file, link, submodule) = ("100644", "120000", "160000");
        let files = read(&[
            (file, "..2024/mesh.yaml", "name: m"),
            (link, "..data", "..2024"),
            (link, "mesh.yaml", "..data/mesh.yaml"),
            (link, "governance/out.cedar", "../../elsewhere.cedar"),
            (link, "governance/absolute.cedar", "/etc/passwd"),
            (link, "governance/gone.cedar", "./nothing.cedar"),
            (link, "governance/loop.cedar", "loop.cedar"),
            (link, "governance/through.cedar", "real.cedar/x"),
            (file, "governance/real.cedar", "// real"),
            (file, "governance/PII.CEDAR", ""),
            (file, "governance/pii.cedar.bak", ""),
            (file, "governance/dir.cedar/x", ""),
            (link, "hr", "sales"),
            (file, "sales/domain.yaml", "name: sales"),
            (link, "sales/again", "../governance"),
            (submodule, "sales/policies", ""),
        ]);
        let texts: Vec<(&str, &str)> = files.texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        assert_eq!(
            texts,
            [("governance/real.cedar", "// real"), ("mesh.yaml", "name: m"), ("sales/domain.yaml", "name: sales")]
        );
        let unreadable: Vec<(&str, &str)> =
            files.unreadable.iter().map(|(path, why)| (path.as_str(), why.as_str())).collect();
        let twice = "the folder it leads to is read in another place already";
        assert_eq!(
            unreadable,
            [
                ("governance/PII.CEDAR", "its ending is not in lower case"),
                ("governance/absolute.cedar", OUTSIDE),
                ("governance/dir.cedar", "it is a folder"),
                ("governance/gone.cedar", DANGLING),
                ("governance/loop.cedar", "it is a link that cannot be followed: it leads back to itself"),
                ("governance/out.cedar", OUTSIDE),
                ("governance/through.cedar", DANGLING),
                ("hr", twice),
                ("sales/again", twice),
                ("sales/policies", "it is a submodule, whose files are not in this revision"),
            ]
        );
        assert_eq!(files.skipped.into_iter().collect::<Vec<_>>(), ["governance/pii.cedar.bak"]);
    }
}
