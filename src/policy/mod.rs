//! Cedar: principal × dataset → [`Decision`].
//!
//! In: policy files, the mesh's snapshot, a principal. Out: for every leaf column what is offered, what is capped,
//! and under which condition over the row. Absent on purpose: tables, expressions of the query engine, object stores.

mod condition;
mod decision;
mod mask;

pub use condition::{Comparison, Condition, Literal, PatternPart, Term};
pub use decision::{Clause, ColumnRules, Decision, Exposed, Rule};
pub use mask::{Mask, Revealing};
