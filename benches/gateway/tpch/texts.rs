//! The texts of the 22 queries, from the test files of DataFusion's own release, and with the tables where an arm has them.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use datafusion::sql::sqlparser::ast::{Ident, ObjectNamePart, visit_relations_mut};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::TABLES;

const CRATE: &str = "datafusion-sqllogictest";

/// One of the 22.
#[derive(Debug)]
pub struct Query {
    pub number: usize,
    text: String,
}

impl Query {
    /// The text with each table below the schema that is named for it.
    pub fn with(&self, schema: impl Fn(&str) -> String) -> String {
        let mut statements = Parser::parse_sql(&GenericDialect {}, &self.text).unwrap();
        let _ = visit_relations_mut(&mut statements, |relation| {
            let name = relation.to_string();
            if TABLES.iter().any(|(table, _)| *table == name) {
                relation.0.insert(0, ObjectNamePart::Identifier(Ident::new(schema(&name))));
            }
            ControlFlow::<()>::Continue(())
        });
        statements[0].to_string()
    }

    /// As the gateway has them.
    pub fn of_domains(&self) -> String {
        self.with(|table| TABLES.iter().find(|(name, _)| *name == table).unwrap().1.to_owned())
    }
}

pub fn queries() -> Vec<Query> {
    let folder = folder();
    (1..=22)
        .map(|number| {
            let path = folder.join(format!("q{number}.slt.part"));
            let file = std::fs::read_to_string(&path).unwrap();
            let record = file.split_once("\nquery ").unwrap().1;
            let text = record.split_once('\n').unwrap().1.split_once("\n----").unwrap().0;
            Query { number, text: text.to_owned() }
        })
        .collect()
}

/// Cargo fetched the crate, which is only among the packages of the lock file and never compiled.
fn folder() -> PathBuf {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let package = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == CRATE).unwrap();
    Path::new(package["manifest_path"].as_str().unwrap()).with_file_name("test_files").join("tpch/answers")
}
