//! Figures as Markdown for people and as JSON for programs.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::measure::{Ratio, machine, table};

/// All tables of a race.
pub struct Report {
    scale: f64,
    groups: Map<String, Value>,
}

/// A cell: what it is, and how it is shown.
pub enum Cell {
    Name(String),
    /// With so many digits after the point.
    Number(f64, usize),
    Ratio(Ratio),
}

impl Cell {
    pub fn name(text: impl std::fmt::Display) -> Self {
        Self::Name(format!("{text}"))
    }

    fn shown(&self) -> String {
        match self {
            Self::Name(text) => text.clone(),
            Self::Number(value, digits) => format!("{value:.digits$}"),
            Self::Ratio(ratio) => ratio.to_string(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Name(text) => json!(text),
            Self::Number(value, _) => json!(value),
            Self::Ratio(ratio) => json!({ "median": ratio.median, "low": ratio.low, "high": ratio.high }),
        }
    }
}

impl Report {
    pub fn new(scale: f64) -> Self {
        Self { scale, groups: Map::new() }
    }

    /// Prints a table at once, and keeps it.
    pub fn add(&mut self, group: &str, title: &str, head: &[&str], rows: &[Vec<Cell>]) {
        println!("### {title}\n");
        table(head, &rows.iter().map(|row| row.iter().map(Cell::shown).collect()).collect::<Vec<_>>());
        let row = |row: &Vec<Cell>| -> Value {
            head.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), cell.json())).collect::<Map<_, _>>().into()
        };
        self.groups.insert(group.to_owned(), rows.iter().map(row).collect());
    }

    pub fn write(&self, path: &Path) {
        let whole = json!({ "machine": machine(), "scale": self.scale, "groups": self.groups });
        std::fs::write(path, format!("{whole:#}\n")).unwrap();
        println!("The same as JSON: {}", path.display());
    }
}
