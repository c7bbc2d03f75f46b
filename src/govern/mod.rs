//! Policy meets table: what one principal sees of one dataset.
//!
//! In: a dataset's contract, what policy says of it for a principal ([`Exposed`](crate::policy::Exposed)), and a way to open it.
//! Out: [`GovernedTable`], the only table provider a session can reach, and [`ProductScan`], the only leaf it plans. Conditions
//! become one filter, masks one expression for each column, and both run below a leaf that shows nothing of them.
//! Absent on purpose: SQL text, gRPC, and any expression of a user that could fail on a hidden row.

// rules → what each cell shows
mod exposure;
// conditions → expressions that cannot fail
mod filter;
mod literal;
mod total;
// cells → expressions and the visible schema
mod cell;
mod hash;
mod mask;
mod project;
mod promise;
mod text;
// the same, said to people
mod explain;
// the table and its leaf
mod leakproof;
mod openings;
mod refusal;
mod scan;
mod selectivity;
mod statistics;
mod table;

#[cfg(test)]
mod tests;

// what a change of policies means
mod compare;
// what a principal sees of the mesh
mod catalog;
mod gate;
mod generation;
mod system;
mod view;

pub use catalog::MeshCatalog;
pub use compare::{ColumnDifference, Difference, Seen, Shift, compare};
pub use explain::{Explained, explain};
pub use gate::{AdmittedExecution, AdmittedPlan, OptimizedPlan, admit};
pub use generation::{Current, Generation};
pub use openings::Openings;
pub use project::{ColumnExposure, column_exposures};
pub use scan::ProductScan;
pub use system::SystemTable;
pub use table::GovernedTable;
pub use view::{PrincipalView, Resolution, view_digest};
