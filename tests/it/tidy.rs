//! The map of the code is held by a test: imports point only downward, and the documented table is this one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Folder → rank. A room may import rooms of a lower rank, and itself. Two rooms of one rank know nothing of each other.
const LAYERS: [(&str, u8); 21] = [
    ("name", 0),
    ("diagnostic", 0),
    ("proto", 0),
    ("config", 1),
    ("telemetry", 1),
    ("client", 1),
    ("contract", 2),
    ("identity", 2),
    ("engine", 2),
    ("mesh", 3),
    ("policy", 4),
    ("source", 4),
    ("audit", 5),
    ("govern", 5),
    ("discovery", 6),
    ("query", 7),
    ("flight", 8),
    ("control", 8),
    ("steward", 8),
    ("gateway", 9),
    ("cli", 10),
];

/// The one pair of a rank that may meet, in this direction: what is wrong with a name is said as a diagnostic.
const NEIGHBOURS: [(&str, &str); 1] = [("diagnostic", "name")];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn rank(room: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == room).map(|(_, rank)| *rank)
}

/// Rooms named by `crate::room` anywhere in a file, with the line.
fn imports(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for part in code.split("crate::").skip(1) {
            if let Some(group) = part.strip_prefix('{') {
                for word in group.trim_end_matches(['}', ';', ' ']).split(',') {
                    found.push((number + 1, word.trim().split("::").next().unwrap_or_default().to_owned()));
                }
            } else {
                let room: String = part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                found.push((number + 1, room));
            }
        }
    }
    found
}

fn upward(room: &str, text: &str) -> Vec<(usize, String)> {
    let Some(own) = rank(room) else { return Vec::new() };
    imports(text)
        .into_iter()
        .filter(|(_, other)| other != room)
        .filter(|(_, other)| rank(other).is_some_and(|theirs| theirs >= own))
        .filter(|(_, other)| !NEIGHBOURS.contains(&(room, other.as_str())))
        .collect()
}

#[test]
fn imports_point_downward() {
    let source = root().join("src");
    let mut findings = Vec::new();
    for file in rust_files(&source) {
        let relative = file.strip_prefix(&source).unwrap();
        let room =
            relative.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
        if room == "lib" || room == "main" {
            continue;
        }
        assert!(rank(&room).is_some(), "`{room}` has no place in the layer table");
        for (line, other) in upward(&room, &fs::read_to_string(&file).unwrap()) {
            findings.push(format!("{}:{line}: `{room}` imports `{other}`", relative.display()));
        }
    }
    assert!(findings.is_empty(), "imports that do not point downward:\n{}", findings.join("\n"));
}

#[test]
fn an_upward_import_would_be_found() {
    assert_eq!(upward("source", "use crate::govern::View;\n"), [(1, "govern".to_owned())]);
    assert_eq!(upward("source", "use crate::{name::Tag, query::Session};\n"), [(1, "query".to_owned())]);
    assert_eq!(upward("source", "use crate::policy::Mask;\n"), [(1, "policy".to_owned())]);
    assert_eq!(upward("govern", "use crate::source::Open;\n"), []);
}

#[test]
fn the_documented_table_is_this_one() {
    let text = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let mut documented = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let Ok(rank) = cells[1].parse::<u8>() else { continue };
        for room in cells[2].split(',') {
            documented.insert(room.trim().trim_matches('`').to_owned(), rank);
        }
    }
    // `main` is the switch in front of `cli`.
    documented.remove("main");
    let expected: BTreeMap<String, u8> = LAYERS.iter().map(|(room, rank)| ((*room).to_owned(), *rank)).collect();
    assert_eq!(documented, expected);
}

#[test]
fn files_stay_small() {
    let mut sizes: Vec<(usize, PathBuf)> = ["src", "tests/it"]
        .iter()
        .flat_map(|folder| rust_files(&root().join(folder)))
        .map(|file| (fs::read_to_string(&file).unwrap().lines().count(), file))
        .collect();
    sizes.sort();
    let large: Vec<_> = sizes.iter().filter(|(lines, _)| *lines > 450).collect();
    assert!(large.len() * 10 <= sizes.len(), "more than one file in ten is over 450 lines: {large:#?}");
    assert!(sizes.last().is_some_and(|(lines, _)| *lines <= 700), "a file outgrew its room: {:?}", sizes.last());
}

#[test]
fn nothing_names_a_machine() {
    // Split so that this file does not find itself.
    let forbidden =
        [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("index.cra", "tes.io"), concat!("pypi.o", "rg")];
    let mut findings = Vec::new();
    for folder in ["src", "tests", "docs", "catalogs", "proto"] {
        let mut stack = vec![root().join(folder)];
        while let Some(path) = stack.pop() {
            if path.is_dir() {
                stack.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else if let Ok(text) = fs::read_to_string(&path) {
                findings.extend(
                    forbidden
                        .iter()
                        .filter(|word| text.contains(**word))
                        .map(|word| format!("{}: {word}", path.display())),
                );
            }
        }
    }
    assert!(findings.is_empty(), "{findings:#?}");
}
