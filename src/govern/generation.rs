//! Contracts and policies as one immutable whole, swapped whole.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::mesh::{Snapshot, TableEntry};
use crate::name::{DomainName, QualifiedProduct, QualifiedTable};
use crate::policy::PolicyStore;
use crate::source::{Open, State};

/// Everything a decision rests on but the principal. Its digest goes into views, plans and tickets.
pub struct Generation {
    snapshot: Arc<Snapshot>,
    policies: PolicyStore,
    source: Arc<dyn Open>,
    hash_keys: BTreeMap<DomainName, SecretString>,
    /// The tables of each product, all its versions together: looking through all tables for each product is quadratic.
    by_product: BTreeMap<QualifiedProduct, Vec<QualifiedTable>>,
    digest: [u8; 32],
}

impl Generation {
    /// `hash_keys` are the operator's, by domain; where one is missing the mask `hash` shows NULL.
    pub fn new(
        snapshot: Arc<Snapshot>,
        policies: PolicyStore,
        source: Arc<dyn Open>,
        hash_keys: BTreeMap<DomainName, SecretString>,
    ) -> Arc<Self> {
        let digest = Sha256::new().chain_update(snapshot.digest).chain_update(policies.digest).finalize().into();
        let mut by_product: BTreeMap<QualifiedProduct, Vec<QualifiedTable>> = BTreeMap::new();
        for entry in snapshot.tables.values() {
            by_product.entry(entry.product.name.clone()).or_default().push(entry.table.clone());
        }
        Arc::new(Self { snapshot, policies, source, hash_keys, by_product, digest })
    }

    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    pub fn policies(&self) -> &PolicyStore {
        &self.policies
    }

    pub(in crate::govern) fn tables_of(&self, product: &QualifiedProduct) -> impl Iterator<Item = &TableEntry> {
        let names = self.by_product.get(product).into_iter().flatten();
        names.filter_map(|table| self.snapshot.tables.get(table))
    }

    /// What was found of a dataset's data when somebody last looked.
    pub fn state(&self, entry: &TableEntry) -> State {
        self.source.state(entry)
    }

    pub(in crate::govern) fn source(&self) -> &Arc<dyn Open> {
        &self.source
    }

    pub(in crate::govern) fn hash_key(&self, domain: &DomainName) -> Option<&SecretString> {
        self.hash_keys.get(domain)
    }

    /// SHA-256 over contracts and policies.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation").field("mesh", &self.snapshot.mesh.name).finish_non_exhaustive()
    }
}

/// The generation that new statements are planned under.
#[derive(Debug)]
pub struct Current(RwLock<Arc<Generation>>);

impl Current {
    pub fn new(generation: Arc<Generation>) -> Self {
        Self(RwLock::new(generation))
    }

    pub fn get(&self) -> Arc<Generation> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another generation in place; statements that run keep the one they started with.
    pub fn swap(&self, generation: Arc<Generation>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = generation;
    }
}
