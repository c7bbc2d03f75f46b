//! Cedar: principal × dataset → [`Decision`].
//!
//! In: policy files, the mesh's snapshot, a principal. Out: for every leaf column what is offered, what is capped,
//! and under which condition over the row. Absent on purpose: tables, expressions of the query engine, object stores.
//!
//! At load a file becomes `document` parts, `lint` holds them to the `vocabulary` of the mesh, and Cedar validates
//! each against the `schema` of every dataset in its `scope`; the result is the [`PolicyStore`]. A question goes
//! `authorize` → `entities` → Cedar's partial evaluation → `residual` → `simplify` → [`Decision`].

// files → store
mod document;
mod fit;
mod lint;
mod load;
mod mentions;
mod report;
mod schema;
mod scope;
mod store;
mod syntax;
mod validate;
mod vocabulary;

// question → decision
mod authorize;
mod entities;
mod literal;
mod plan;
mod residual;
mod simplify;
mod slice;

// answers without a server: policies that say nothing, who is asked about, what policies state, what tests make them decide
mod dead;
mod principals;
mod stated;
mod trial;

// what crosses to the engine
mod condition;
mod decision;
mod mask;
// conditions for people
mod readable;

pub use authorize::ProductAction;
pub use condition::{Comparison, Condition, Literal, PatternPart, Term};
pub use decision::{Clause, ColumnRules, Decision, Exposed, Rule};
pub use document::STACK_BYTES;
pub use mask::{Mask, Revealing};
pub(crate) use principals::PRINCIPAL;
pub use principals::{Described, Principals, declares_attribute};
pub use readable::Readable;
pub use stated::{StatedCondition, StatedPolicy};
pub use store::PolicyStore;
pub use trial::Decided;

#[cfg(test)]
mod tests;
