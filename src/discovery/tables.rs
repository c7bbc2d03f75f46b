//! What a view may know of tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use crate::contract::KeyReference;
use crate::govern::{GovernedTable, PrincipalView};
use crate::mesh::resolve_reference;
use crate::name::QualifiedTable;
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
    /// Keys of which every column is visible, here and in the table that they point to.
    pub foreign_keys: Vec<ForeignKey>,
}

impl VisibleTable {
    /// What constraints are called; contracts give them no names.
    pub fn primary_key_name(&self) -> Option<String> {
        (!self.primary_key.is_empty()).then(|| format!("{}_pkey", self.table))
    }
}

/// A relationship of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    pub columns: Vec<String>,
    /// The domain and table that it points to.
    pub domain: String,
    pub table: String,
    /// As many columns there, in the same order.
    pub targets: Vec<String>,
}

impl ForeignKey {
    /// What the constraint on `table` is called.
    pub fn name(&self, table: &str) -> String {
        format!("{table}_{}_fkey", self.columns.join("_"))
    }

    /// The table that it points to, among all that are visible in their order.
    pub fn target<'a>(&self, tables: &'a [VisibleTable]) -> Option<&'a VisibleTable> {
        let at = tables.binary_search_by(|table| (&table.domain, &table.table).cmp(&(&self.domain, &self.table)));
        tables.get(at.ok()?)
    }

    /// The name of the primary key there, if that is what it points to.
    pub fn unique_name(&self, tables: &[VisibleTable]) -> Option<String> {
        self.target(tables).filter(|table| table.primary_key == self.targets)?.primary_key_name()
    }
}

/// Every table the view may read, sorted by domain and name.
pub fn visible_tables(view: &PrincipalView) -> Vec<VisibleTable> {
    let readable = view.readable();
    let schemas: BTreeMap<&QualifiedTable, SchemaRef> =
        readable.iter().map(|table| (&table.entry().table, table.schema())).collect();
    readable.iter().map(|table| describe(table, view, &schemas)).collect()
}

fn describe(
    table: &Arc<GovernedTable>,
    view: &PrincipalView,
    readable: &BTreeMap<&QualifiedTable, SchemaRef>,
) -> VisibleTable {
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
        foreign_keys: dataset
            .references
            .iter()
            .filter_map(|reference| foreign_key(table, reference, view, readable))
            .collect(),
        schema,
    }
}

/// None where a column is hidden on either side, or where its targets are not of one table.
fn foreign_key(
    table: &Arc<GovernedTable>,
    reference: &KeyReference,
    view: &PrincipalView,
    readable: &BTreeMap<&QualifiedTable, SchemaRef>,
) -> Option<ForeignKey> {
    let (home, tables) = (&table.entry().table.domain, &view.generation().snapshot().tables);
    let columns: Vec<String> = reference.columns.iter().map(ToString::to_string).collect();
    let own = table.schema();
    let mut there: Option<QualifiedTable> = None;
    let mut targets = Vec::new();
    for target in &reference.targets {
        let (found, column) = resolve_reference(target, home, tables)?;
        readable.get(&found)?.column_with_name(&column)?;
        if there.get_or_insert_with(|| found.clone()) != &found {
            return None;
        }
        targets.push(column);
    }
    let visible = columns.iter().all(|name| own.column_with_name(name).is_some());
    let there = there.filter(|_| visible && columns.len() == targets.len())?;
    Some(ForeignKey { columns, domain: there.domain.to_string(), table: there.table.to_string(), targets })
}
