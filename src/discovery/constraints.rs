//! Keys as `information_schema` tells them: `table_constraints`, `key_column_usage`, `referential_constraints` and
//! `constraint_column_usage` of ISO/IEC 9075-11. Contracts declare them and nothing enforces them.

use std::sync::Arc;

use super::information_schema::{Cell, catalog_name, system_table};
use super::tables::{VisibleTable, visible_tables};
use crate::govern::{PrincipalView, SystemTable};

/// What each constraint is called, and the table that it is on.
const ON_TABLE: [&str; 6] =
    ["constraint_catalog", "constraint_schema", "constraint_name", "table_catalog", "table_schema", "table_name"];
const KIND: [&str; 2] = ["constraint_type", "enforced"];
const USAGE: [&str; 3] = ["column_name", "ordinal_position", "position_in_unique_constraint"];
/// The columns that a constraint speaks of: its own of a primary key, those it points to of a foreign one.
const COLUMN: [&str; 7] = [
    "table_catalog",
    "table_schema",
    "table_name",
    "column_name",
    "constraint_catalog",
    "constraint_schema",
    "constraint_name",
];
const REFERENCE: [&str; 9] = [
    "constraint_catalog",
    "constraint_schema",
    "constraint_name",
    "unique_constraint_catalog",
    "unique_constraint_schema",
    "unique_constraint_name",
    "match_option",
    "update_rule",
    "delete_rule",
];

pub(super) fn tables(view: &Arc<PrincipalView>) -> [(&'static str, Arc<SystemTable>); 4] {
    let (constraints, usage) = ([&ON_TABLE[..], &KIND].concat(), [&ON_TABLE[..], &USAGE].concat());
    [
        ("table_constraints", system_table(view, &constraints, table_constraints)),
        ("key_column_usage", system_table(view, &usage, key_column_usage)),
        ("referential_constraints", system_table(view, &REFERENCE, referential_constraints)),
        ("constraint_column_usage", system_table(view, &COLUMN, constraint_column_usage)),
    ]
}

fn table_constraints(view: &PrincipalView) -> Vec<Vec<Cell>> {
    let catalog = catalog_name(view);
    let row = |table: &VisibleTable, name: String, kind: &str| {
        let place = [&catalog, &table.domain, &name, &catalog, &table.domain, &table.table];
        let mut row: Vec<Cell> = place.map(|text| text.as_str().into()).to_vec();
        row.extend([kind.into(), "NO".into()]);
        row
    };
    let mut rows = Vec::new();
    for table in visible_tables(view) {
        rows.extend(table.primary_key_name().map(|name| row(&table, name, "PRIMARY KEY")));
        rows.extend(table.foreign_keys.iter().map(|key| row(&table, key.name(&table.table), "FOREIGN KEY")));
    }
    rows
}

fn key_column_usage(view: &PrincipalView) -> Vec<Vec<Cell>> {
    let catalog = catalog_name(view);
    let tables = visible_tables(view);
    let mut rows = Vec::new();
    for table in &tables {
        let mut add = |name: &str, column: &str, at: u64, there: Option<u64>| {
            let place = [&catalog, &table.domain, name, &catalog, &table.domain, &table.table, column];
            let mut row: Vec<Cell> = place.map(Cell::from).to_vec();
            row.extend([Cell::Number(Some(at)), Cell::Number(there)]);
            rows.push(row);
        };
        if let Some(name) = table.primary_key_name() {
            for (at, column) in (1..).zip(&table.primary_key) {
                add(&name, column, at, None);
            }
        }
        for key in &table.foreign_keys {
            let unique = key.target(&tables);
            for ((at, column), target) in (1..).zip(&key.columns).zip(&key.targets) {
                let there = unique.and_then(|other| (1..).zip(&other.primary_key).find(|(_, name)| *name == target));
                add(&key.name(&table.table), column, at, there.map(|(at, _)| at));
            }
        }
    }
    rows
}

fn referential_constraints(view: &PrincipalView) -> Vec<Vec<Cell>> {
    let catalog = catalog_name(view);
    let tables = visible_tables(view);
    let mut rows = Vec::new();
    for table in &tables {
        for key in &table.foreign_keys {
            // Only where the key points to a primary key does the constraint there have a name.
            let unique = key.unique_name(&tables);
            let known = unique.is_some();
            let told = |text: &str| Cell::Text(known.then(|| text.to_owned()));
            rows.push(vec![
                catalog.as_str().into(),
                table.domain.as_str().into(),
                key.name(&table.table).as_str().into(),
                told(&catalog),
                told(&key.domain),
                Cell::Text(unique),
                "NONE".into(),
                "NO ACTION".into(),
                "NO ACTION".into(),
            ]);
        }
    }
    rows
}

fn constraint_column_usage(view: &PrincipalView) -> Vec<Vec<Cell>> {
    let catalog = catalog_name(view);
    let mut rows = Vec::new();
    for table in &visible_tables(view) {
        let mut add = |(domain, name, column): (&str, &str, &str), constraint: &str| {
            let place = [&catalog, domain, name, column, &catalog, &table.domain, constraint];
            rows.push(place.map(Cell::from).to_vec());
        };
        if let Some(name) = table.primary_key_name() {
            for column in &table.primary_key {
                add((&table.domain, &table.table, column), &name);
            }
        }
        for key in &table.foreign_keys {
            for target in &key.targets {
                add((&key.domain, &key.table, target), &key.name(&table.table));
            }
        }
    }
    rows
}
