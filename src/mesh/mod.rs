//! Domains, products, datasets, versions: one immutable [`Snapshot`].
//!
//! In: the files of `catalogs/`, read once. Out: every product that can be declared, and every finding. One broken contract
//! takes out its product only. Absent on purpose: principals, policy, the query engine.

mod files;
mod snapshot;

pub use files::Files;
pub use snapshot::{AttributeDeclaration, AttributeType, Domain, Mesh, Product, ProductFault, Snapshot, TableEntry};
