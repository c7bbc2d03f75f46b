//! The mesh at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::contract::{Contract, Dataset, SupportChannel};
use crate::diagnostic::{Diagnostic, Place};
use crate::name::{Classification, DomainName, Purpose, QualifiedProduct, QualifiedTable, RoleName, Tag};

/// `mesh.yaml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Mesh {
    /// The SQL catalog; a lower-case SQL identifier, `mesh` by default.
    pub name: String,
    pub roles: BTreeSet<RoleName>,
    pub tags: BTreeSet<Tag>,
    /// In rising sensitivity.
    pub classifications: Vec<Classification>,
    /// What a contract that says nothing is classified as; the highest unless `mesh.yaml` says otherwise.
    pub default_classification: Classification,
    pub principal_attributes: BTreeMap<String, AttributeDeclaration>,
    /// What sessions may say they are for; any text where `mesh.yaml` lists none.
    pub purposes: Option<BTreeSet<Purpose>>,
    /// Whether the mesh may be served without governance policies.
    pub governance: GovernanceRule,
}

/// What `mesh.yaml` says of a mesh without governance policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GovernanceRule {
    /// Nothing: it is served with a warning.
    Unstated,
    Optional,
    /// It must not be served; the place is where that is said.
    Required(Place),
}

/// One entry of `principal_attributes`: `region?: String`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttributeDeclaration {
    pub kind: AttributeType,
    pub required: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    Bool,
    Long,
    String,
    StringSet,
}

/// `domain.yaml` and what lies below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Domain {
    pub name: DomainName,
    pub description: Option<String>,
    pub owner_team: String,
    pub support: Vec<SupportChannel>,
}

/// A product whose contract was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    pub name: QualifiedProduct,
    pub contract: Arc<Contract>,
}

/// A contract that is not served, and why: its first finding, for the product table.
#[derive(Debug, Clone, PartialEq)]
pub struct ProductFault {
    pub domain: DomainName,
    /// The product's name as far as it could be read, else the file's.
    pub product: String,
    pub file: String,
    pub why: String,
}

/// What a SQL table name stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct TableEntry {
    pub table: QualifiedTable,
    pub product: Arc<Product>,
    /// Index into `product.contract.datasets`.
    pub dataset: usize,
}

impl TableEntry {
    pub fn dataset(&self) -> &Dataset {
        // INVARIANT: minted by mesh::load from the contract's own list.
        #[expect(clippy::indexing_slicing, reason = "minted from the contract's own list")]
        &self.product.contract.datasets[self.dataset]
    }
}

/// Everything that `catalogs/` declares, checked. Immutable; a reload makes another.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub mesh: Mesh,
    pub domains: BTreeMap<DomainName, Domain>,
    /// All checked products, also those whose status keeps them from being served.
    pub products: Vec<Arc<Product>>,
    /// SQL names: `orders` is the highest active major version, `orders_v1` pins one (only where more than one major is served).
    pub tables: BTreeMap<QualifiedTable, TableEntry>,
    pub faults: Vec<ProductFault>,
    /// Every finding of the load, warnings too.
    pub findings: Vec<Diagnostic>,
    /// SHA-256 over all contract and mesh files.
    pub digest: [u8; 32],
}

impl Snapshot {
    /// Who answers for a product: the contract's team, else the domain's.
    pub fn owner<'a>(&'a self, product: &'a Product) -> Option<&'a str> {
        let domain = || self.domains.get(&product.name.domain).map(|domain| domain.owner_team.as_str());
        product.contract.owner_team.as_deref().or_else(domain)
    }

    /// Whom to ask about a product, and where: `Sales Data (#sales-data)`.
    pub fn contact(&self, product: &Product) -> Option<String> {
        let channel = self.support(product).map(|support| format!(" ({})", support.channel)).unwrap_or_default();
        self.owner(product).map(|owner| format!("{owner}{channel}"))
    }

    /// Where to ask about a product: the contract's first channel, else the domain's.
    pub fn support<'a>(&'a self, product: &'a Product) -> Option<&'a SupportChannel> {
        let domain = || self.domains.get(&product.name.domain).and_then(|domain| domain.support.first());
        product.contract.support.first().or_else(domain)
    }
}
