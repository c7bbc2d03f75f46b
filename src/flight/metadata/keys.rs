//! Keys. Primary keys come from contracts; relationships between products are not served yet.

use std::sync::{Arc, LazyLock};

use arrow::array::{Int32Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow_flight::sql::CommandGetPrimaryKeys;

use super::command::{batch, same};
use crate::diagnostic::Result;
use crate::discovery::VisibleTable;

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
            Arc::new(StringArray::new_null(keys.len())),
        ],
    )
}
