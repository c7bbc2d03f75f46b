//! The mesh described as tables, through the principal's own view.
//!
//! In: a principal's view. Out: what this principal may know of domains, tables, columns and keys; no storage is touched.
//! Absent on purpose: gRPC.

mod constraints;
pub mod information_schema;
mod products;
mod sql_type;
mod tables;

pub use information_schema::InformationSchema;
pub use products::MeshSchema;
pub use sql_type::sql_type_name;
pub use tables::{ForeignKey, VisibleTable, visible_tables};
