//! Domains, products, datasets, versions: one immutable [`Snapshot`].
//!
//! In: the files of `catalogs/`, read once. Out: every product that can be declared, and every finding. One broken contract
//! takes out its product only. Absent on purpose: principals, policy, the query engine.

mod conflict;
mod declare;
mod disk;
pub(crate) mod files;
mod governance;
mod load;
mod reference;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod walk;

pub use files::Files;
pub use governance::missing_governance;
pub use load::load;
pub use reference::resolve as resolve_reference;
pub use snapshot::{
    AttributeDeclaration, AttributeType, Domain, GovernanceRule, Mesh, Product, ProductFault, Snapshot, TableEntry,
};
