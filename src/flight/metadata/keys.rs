//! Keys, as contracts declare them.

use std::sync::{Arc, LazyLock};

use arrow::array::{Int32Array, StringArray, UInt8Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow_flight::sql::CommandGetPrimaryKeys;

use super::command::{batch, same};
use crate::diagnostic::Result;
use crate::discovery::{ForeignKey, VisibleTable};

pub(super) static PRIMARY: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("key_name", DataType::Utf8, true),
    ]))
});

/// Imported keys, exported keys and cross references.
pub(super) static FOREIGN: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("pk_catalog_name", DataType::Utf8, true),
        Field::new("pk_db_schema_name", DataType::Utf8, true),
        Field::new("pk_table_name", DataType::Utf8, false),
        Field::new("pk_column_name", DataType::Utf8, false),
        Field::new("fk_catalog_name", DataType::Utf8, true),
        Field::new("fk_db_schema_name", DataType::Utf8, true),
        Field::new("fk_table_name", DataType::Utf8, false),
        Field::new("fk_column_name", DataType::Utf8, false),
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("fk_key_name", DataType::Utf8, true),
        Field::new("pk_key_name", DataType::Utf8, true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]))
});

/// Names compare exactly, and a table that is not visible has no keys, like one that does not exist.
pub(super) fn primary(catalog: &str, tables: &[VisibleTable], command: &CommandGetPrimaryKeys) -> Result<RecordBatch> {
    let wanted = |table: &&VisibleTable| {
        same(command.catalog.as_deref(), catalog)
            && same(command.db_schema.as_deref(), &table.domain)
            && table.table == command.table
    };
    let keys: Vec<(&VisibleTable, &String, i32)> = tables
        .iter()
        .filter(wanted)
        .flat_map(|table| table.primary_key.iter().zip(1..).map(move |(column, sequence)| (table, column, sequence)))
        .collect();
    batch(
        &PRIMARY,
        vec![
            Arc::new(StringArray::from_iter_values(keys.iter().map(|_| catalog))),
            Arc::new(StringArray::from_iter_values(keys.iter().map(|(table, ..)| &table.domain))),
            Arc::new(StringArray::from_iter_values(keys.iter().map(|(table, ..)| &table.table))),
            Arc::new(StringArray::from_iter_values(keys.iter().map(|(_, column, _)| column))),
            Arc::new(Int32Array::from_iter_values(keys.iter().map(|(.., sequence)| *sequence))),
            Arc::new(keys.iter().map(|(table, ..)| table.primary_key_name()).collect::<StringArray>()),
        ],
    )
}

/// Which foreign keys are asked for: by the table that they point to, by the table that has them, or both.
#[derive(Debug, Clone, Default)]
pub(in crate::flight) struct Ends {
    pub to: Option<End>,
    pub from: Option<End>,
}

#[derive(Debug, Clone)]
pub(in crate::flight) struct End {
    pub catalog: Option<String>,
    pub db_schema: Option<String>,
    pub table: String,
}

impl End {
    fn is(&self, catalog: &str, domain: &str, table: &str) -> bool {
        same(self.catalog.as_deref(), catalog) && same(self.db_schema.as_deref(), domain) && self.table == table
    }
}

/// Rules of JDBC: nothing happens on update or delete.
const NO_ACTION: u8 = 3;

/// Sorted by the other end, as JDBC asks: by what is pointed to, or by what points where only the target is given.
pub(super) fn foreign(catalog: &str, tables: &[VisibleTable], ends: &Ends) -> Result<RecordBatch> {
    let wanted =
        |end: &Option<End>, domain: &str, table: &str| end.as_ref().is_none_or(|end| end.is(catalog, domain, table));
    let mut keys: Vec<(&VisibleTable, &ForeignKey)> = tables
        .iter()
        .flat_map(|table| table.foreign_keys.iter().map(move |key| (table, key)))
        .filter(|(table, key)| {
            wanted(&ends.to, &key.domain, &key.table) && wanted(&ends.from, &table.domain, &table.table)
        })
        .collect();
    if ends.to.is_none() {
        keys.sort_by_key(|(_, key)| (&key.domain, &key.table));
    }
    let rows: Vec<(&VisibleTable, &ForeignKey, &String, &String, i32)> = keys
        .iter()
        .flat_map(|(table, key)| {
            let pairs = key.targets.iter().zip(&key.columns).zip(1..);
            pairs.map(move |((target, column), sequence)| (*table, *key, target, column, sequence))
        })
        .collect();
    let rules = || Arc::new(UInt8Array::from(vec![NO_ACTION; rows.len()]));
    batch(
        &FOREIGN,
        vec![
            Arc::new(StringArray::from_iter_values(rows.iter().map(|_| catalog))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, key, ..)| &key.domain))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, key, ..)| &key.table))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, _, target, ..)| target))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|_| catalog))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|(table, ..)| &table.domain))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|(table, ..)| &table.table))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|(.., column, _)| column))),
            Arc::new(Int32Array::from_iter_values(rows.iter().map(|(.., sequence)| *sequence))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|(table, key, ..)| key.name(&table.table)))),
            Arc::new(rows.iter().map(|(_, key, ..)| key.unique_name(tables)).collect::<StringArray>()),
            rules(),
            rules(),
        ],
    )
}
