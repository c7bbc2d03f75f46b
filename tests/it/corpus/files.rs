//! Where the test files of DataFusion lie, and the records in them.

use std::path::{Path, PathBuf};
use std::process::Command;

use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::Statement as Sql;
use sqllogictest::{Location, QueryExpect, Record};

use super::render::Letter;

const CRATE: &str = "datafusion-sqllogictest";

/// The folder of test files, in the crate that Cargo.lock names.
pub fn folder() -> PathBuf {
    let metadata = metadata("--offline").or_else(|_| metadata("--locked"));
    let metadata = metadata.unwrap_or_else(|said| panic!("the crate `{CRATE}` could not be located:\n{said}"));
    let packages = metadata["packages"].as_array().unwrap();
    let found = packages.iter().find(|package| package["name"] == CRATE);
    let found = found.unwrap_or_else(|| panic!("`{CRATE}` is not among the packages of Cargo.lock"));
    let engine = packages.iter().find(|package| package["name"] == "datafusion").unwrap();
    assert_eq!(found["version"], engine["version"], "the test files are those of another DataFusion");
    let manifest = Path::new(found["manifest_path"].as_str().unwrap());
    let folder = manifest.with_file_name("test_files");
    assert!(folder.is_dir(), "`{CRATE}` has no folder `test_files`: {}", folder.display());
    folder
}

fn metadata(how: &str) -> Result<serde_json::Value, String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", how]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.output().map_err(|error| format!("cargo does not run: {error}"))?;
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Every `.slt` file below `folder`, the largest first: the last to start should not be the last to end.
pub fn scripts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(folder, &mut found);
    found.sort();
    found.sort_by_key(|path| std::cmp::Reverse(path.metadata().unwrap().len()));
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "slt") {
            found.push(path);
        }
    }
}

/// The text of a record that asks something and expects rows.
pub fn question(record: &Record<Letter>) -> Option<(&str, &Location)> {
    let Record::Query { sql, loc, expected: QueryExpect::Results { .. }, .. } = record else { return None };
    let statements = DFParser::parse_sql(sql).ok()?;
    let asks = |statement: &Statement| matches!(statement, Statement::Statement(sql) if matches!(**sql, Sql::Query(_)));
    (statements.len() == 1 && asks(&statements[0])).then_some((sql.as_str(), loc))
}

/// Names a record as `array/array_append.slt:12`, and one that was included with the place that includes it.
pub fn place(folder: &Path, loc: &Location) -> String {
    loc.to_string().replace(&format!("{}/", folder.display()), "").replace('\n', " ")
}
