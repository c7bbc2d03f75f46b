//! Names made of several words.

use std::fmt;

use super::{ColumnName, DatasetName, DomainName, ProductName};

/// A product in its domain, written `sales.orders`; the Cedar id of a `Product`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedProduct {
    pub domain: DomainName,
    pub product: ProductName,
}

impl fmt::Display for QualifiedProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.domain, self.product)
    }
}

/// A dataset at one major version: `sales.orders` (the highest active) or `sales.orders_v1` (pinned).
///
/// `table` is the SQL name, `dataset` the ODCS object it stands for; both majors share one Cedar row type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedTable {
    pub domain: DomainName,
    pub table: DatasetName,
}

impl fmt::Display for QualifiedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.domain, self.table)
    }
}

/// A column, or a field inside a struct column: `address.street`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnPath(Vec<ColumnName>);

impl ColumnPath {
    pub fn root(name: ColumnName) -> Self {
        Self(vec![name])
    }

    /// The path of a field below this one.
    #[must_use]
    pub fn child(&self, name: ColumnName) -> Self {
        let mut segments = self.0.clone();
        segments.push(name);
        Self(segments)
    }

    /// Never empty; the first is the top-level column.
    pub fn segments(&self) -> &[ColumnName] {
        &self.0
    }

    /// True for this path itself and for every path below it.
    pub fn starts_with(&self, other: &ColumnPath) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl fmt::Display for ColumnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            f.write_str(segment.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for ColumnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}
