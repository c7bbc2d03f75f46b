//! What a view may know of tables.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use crate::govern::{GovernedTable, PrincipalView};
use datafusion::catalog::TableProvider;

/// A table this principal may read some cells of; the one source of every metadata command and of `information_schema`.
#[derive(Debug, Clone)]
pub struct VisibleTable {
    pub domain: String,
    pub table: String,
    /// Visible columns only, as the logical plan sees them; no metadata.
    pub schema: SchemaRef,
    /// The contract's description of the dataset.
    pub remarks: Option<String>,
    /// Descriptions by visible column.
    pub column_remarks: Vec<Option<String>>,
    /// Names of the primary key's columns in key order; empty unless every one of them is visible.
    pub primary_key: Vec<String>,
}

/// Every table the view may read, sorted by domain and name.
pub fn visible_tables(view: &PrincipalView) -> Vec<VisibleTable> {
    view.readable().iter().map(describe).collect()
}

fn describe(table: &Arc<GovernedTable>) -> VisibleTable {
    let schema = table.schema();
    let dataset = table.entry().dataset();
    let column_remarks = schema
        .fields()
        .iter()
        .map(|field| {
            dataset.columns.iter().find(|c| c.name.as_str() == field.name()).and_then(|c| c.description.clone())
        })
        .collect();
    let key: Vec<String> = dataset.primary_key().iter().map(|column| column.name.to_string()).collect();
    let whole = key.iter().all(|name| schema.column_with_name(name).is_some());
    VisibleTable {
        domain: table.entry().table.domain.to_string(),
        table: table.entry().table.table.to_string(),
        remarks: dataset.description.clone(),
        column_remarks,
        primary_key: if whole { key } else { Vec::new() },
        schema,
    }
}
