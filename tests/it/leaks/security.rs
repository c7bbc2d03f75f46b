//! docs/SECURITY.md promises nothing that nobody holds: each test and type that it names is there.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// `room::file::name` is declared in `room/file.rs`, or within that room; `room::file::tests::name` may stand in the file itself.
fn is_there(name: &str) -> bool {
    let mut parts: Vec<&str> = name.split("::").collect();
    let item = parts.pop().unwrap();
    if let Some((&"tests", file)) = parts.split_last()
        && is_there(&format!("{}::{item}", file.join("::")))
    {
        return true;
    }
    let is_type = item.starts_with(char::is_uppercase);
    let declared = |text: &str| {
        let heads: &[&str] = if is_type { &["struct ", "enum "] } else { &["fn "] };
        heads.iter().any(|head| {
            let whole = format!("{head}{item}");
            text.match_indices(&whole)
                .any(|(at, _)| !text[at + whole.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    };
    let declared_in = |path: &Path| fs::read_to_string(path).is_ok_and(|text| declared(&text));
    ["src", "tests/it"].iter().any(|top| {
        let place = parts.iter().fold(root().join(top), |path, part| path.join(part));
        // A type is named by its room's face, wherever in the room it is declared.
        let inside = fs::read_dir(&place).into_iter().flatten().flatten().map(|entry| entry.path());
        declared_in(&place.with_extension("rs"))
            || (is_type && inside.into_iter().any(|path| declared_in(&path) || declared_in(&path.join("product.rs"))))
    })
}

#[test]
fn every_test_and_type_that_the_promises_name_is_there() {
    let text = fs::read_to_string(root().join("docs/SECURITY.md")).unwrap();
    let mut missing = Vec::new();
    let mut invariants = 0;
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let names: Vec<&str> = line.split('`').skip(1).step_by(2).filter(|word| word.contains("::")).collect();
        if line.split('|').nth(1).is_some_and(|cell| cell.trim().parse::<u8>().is_ok()) {
            invariants += 1;
            assert!(!names.is_empty(), "nobody holds: {line}");
        }
        missing.extend(names.into_iter().filter(|name| !is_there(name)).map(str::to_owned));
    }
    assert_eq!(invariants, 14);
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(
        !is_there("leaks::suite::no_such_test") && !is_there("query::Nothing") && !is_there("leaks::suite::no_answer")
    );
}

#[test]
fn readers_are_shown_the_way_to_the_promises() {
    for file in ["README.md", "docs/ARCHITECTURE.md"] {
        assert!(fs::read_to_string(root().join(file)).unwrap().contains("SECURITY.md"), "{file} does not link it");
    }
}
