//! The words of the mesh, parsed once at the edge.
//!
//! In: text from files, SQL and the wire. Out: names that need no further check. `FromStr` is the only
//! way to make one, so a path trick, a quoting bug or a second spelling cannot get past this folder.
//! Absent on purpose: what a name stands for.

mod ident;
mod qualified;

pub use ident::{
    Classification, ColumnName, DatasetName, DomainName, NameError, PrincipalName, ProductName, Purpose, RoleName, Tag,
    is_unseen,
};
pub use qualified::{ColumnPath, QualifiedProduct, QualifiedTable};
