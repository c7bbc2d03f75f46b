//! The mesh described as tables, through the principal's own view.
//!
//! In: a principal's view. Out: what this principal may know of domains, tables, columns and keys; no storage is touched.
//! Absent on purpose: gRPC.

use arrow::datatypes::SchemaRef;

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
