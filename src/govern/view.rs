//! What one principal sees: every input that evaluation can see, and the generation it is evaluated under.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle, available_parallelism};

use datafusion::catalog::TableProvider as _;
use sha2::{Digest, Sha256};

use super::generation::Generation;
use super::statistics::{VisibleReferences, visible_references};
use super::table::GovernedTable;
use crate::identity::{AttributeValue, Principal};
use crate::mesh::{Product, TableEntry};
use crate::name::{ColumnName, DatasetName, DomainName, QualifiedTable};
use crate::policy::{Decision, ProductAction, STACK_BYTES};
use crate::telemetry::Clock;

/// As many tables are decided sooner than a thread is worth starting for.
const FEW: usize = 64;

/// A principal and a purpose under one generation. Two logins with equal inputs may share it; no others may.
pub struct PrincipalView {
    generation: Arc<Generation>,
    principal: Principal,
    purpose: String,
    digest: [u8; 32],
    clock: Clock,
    known: Mutex<BTreeMap<QualifiedTable, Option<Arc<GovernedTable>>>>,
}

/// What a name is to this principal.
#[derive(Debug, Clone)]
pub enum Resolution {
    Readable(Arc<GovernedTable>),
    /// May be known of, but shows nothing.
    Discoverable(Arc<Product>),
    /// Does not exist, or must look so.
    Unknown,
}

impl PrincipalView {
    pub fn new(generation: Arc<Generation>, principal: Principal, purpose: &str, clock: Clock) -> Self {
        let digest = view_digest(&generation, &principal, purpose);
        Self { generation, principal, purpose: purpose.to_owned(), digest, clock, known: Mutex::default() }
    }

    /// The key of every cache that holds something decided for this view.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    pub fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What the session says it is for; empty where it says nothing.
    pub fn purpose(&self) -> &str {
        &self.purpose
    }

    /// Resolves a name as SQL wrote it. A name that is no identifier does not exist.
    pub fn resolve(&self, domain: &str, table: &str) -> Resolution {
        let Some(entry) = self.entry(domain, table) else { return Resolution::Unknown };
        if let Some(table) = self.governed(&entry) {
            return Resolution::Readable(table);
        }
        if self.discovers(&entry.product) {
            return Resolution::Discoverable(Arc::clone(&entry.product));
        }
        Resolution::Unknown
    }

    /// Every table of which some cell may be shown, sorted by domain and name.
    pub fn readable(&self) -> Vec<Arc<GovernedTable>> {
        let snapshot = Arc::clone(self.generation.snapshot());
        let entries: Vec<&TableEntry> = snapshot.tables.values().collect();
        let governed =
            |share: &[&TableEntry]| share.iter().filter_map(|entry| self.governed(entry)).collect::<Vec<_>>();
        let decided = self.lock().len();
        let threads = available_parallelism().map_or(1, NonZero::get);
        if entries.len().saturating_sub(decided) <= FEW || threads == 1 {
            return governed(&entries);
        }
        // Of ten thousand, one after the other keeps a caller waiting.
        thread::scope(|scope| {
            let shares = entries.chunks(entries.len().div_ceil(threads));
            let work = |share| {
                thread::Builder::new()
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(scope, move || governed(share))
                    .map_err(|_| share)
            };
            let shares: Vec<_> = shares.map(work).collect();
            let answer = |share: Result<ScopedJoinHandle<'_, _>, &[&TableEntry]>| match share {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                Err(share) => governed(share),
            };
            shares.into_iter().flat_map(answer).collect()
        })
    }

    /// Readable tables of one domain.
    pub fn readable_in(&self, domain: &str) -> Vec<Arc<GovernedTable>> {
        let snapshot = Arc::clone(self.generation.snapshot());
        let of_domain = snapshot.tables.values().filter(|entry| entry.table.domain.as_str() == domain);
        of_domain.filter_map(|entry| self.governed(entry)).collect()
    }

    /// True where the product may be known of, because a policy says so or because something of it may be read.
    pub fn discovers(&self, product: &Product) -> bool {
        let now = self.clock.unix_millis();
        self.generation.policies().may(ProductAction::Discover, &self.principal, &self.purpose, now, product)
            || self.generation.tables_of(&product.name).any(|entry| self.governed(entry).is_some())
    }

    /// True where the values in the product's policies may be shown.
    pub fn audits(&self, product: &Product) -> bool {
        self.generation.policies().may(
            ProductAction::Audit,
            &self.principal,
            &self.purpose,
            self.clock.unix_millis(),
            product,
        )
    }

    fn entry(&self, domain: &str, table: &str) -> Option<TableEntry> {
        let name =
            QualifiedTable { domain: domain.parse::<DomainName>().ok()?, table: table.parse::<DatasetName>().ok()? };
        self.generation.snapshot().tables.get(&name).cloned()
    }

    fn governed(&self, entry: &TableEntry) -> Option<Arc<GovernedTable>> {
        let (table, _) = self.decided(entry);
        if let Some(table) = &table {
            table.set_references(|| self.visible_references(entry));
        }
        table
    }

    /// Keys of other datasets that this principal sees. A dataset that is decided by the hour counts as one that is not shown, so that
    /// estimates do not change with it.
    fn visible_references(&self, entry: &TableEntry) -> VisibleReferences {
        let tables = || self.generation.tables_of(&entry.product.name);
        let shown = |dataset: usize, key: &ColumnName| {
            let other = tables().find(|other| other.dataset == dataset && Arc::ptr_eq(&other.product, &entry.product));
            let other = other.map(|other| self.decided(other));
            other.is_some_and(|(table, keep)| {
                keep && table.is_some_and(|table| table.schema().column_with_name(key.as_str()).is_some())
            })
        };
        visible_references(&entry.product.contract, entry.dataset(), shown)
    }

    /// The decision about one dataset, and whether it holds at any time.
    fn decided(&self, entry: &TableEntry) -> (Option<Arc<GovernedTable>>, bool) {
        if let Some(known) = self.lock().get(&entry.table) {
            return (known.clone(), true);
        }
        let decision =
            self.generation.policies().authorize(&self.principal, &self.purpose, self.clock.unix_millis(), entry);
        let (table, keep) = match decision {
            Decision::Hidden { why, reads_clock } => {
                tracing::debug!(principal = %self.principal.name(), table = %entry.table, why, "hidden");
                (None, !reads_clock)
            }
            Decision::Exposed(exposed) => {
                let keep = !exposed.reads_clock;
                let domain = &entry.table.domain;
                let restricted =
                    self.generation.snapshot().mesh.classifications.last() == Some(&entry.dataset().classification);
                let table = GovernedTable::new(
                    entry.clone(),
                    exposed,
                    Arc::clone(self.generation.source()),
                    self.generation.hash_key(domain).cloned(),
                    restricted,
                );
                let contact = self.generation.snapshot().contact(&entry.product);
                (table.map(|table| Arc::new(table.with_contact(contact))), keep)
            }
        };
        if keep {
            self.lock().insert(entry.table.clone(), table.clone());
        }
        (table, keep)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<QualifiedTable, Option<Arc<GovernedTable>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PrincipalView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrincipalView").field("principal", self.principal.name()).finish_non_exhaustive()
    }
}

/// Every variable part goes in behind its length, so that no two inputs give the same bytes.
pub fn view_digest(generation: &Generation, principal: &Principal, purpose: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut put = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    put(principal.name().as_str());
    put(purpose);
    put(&principal.roles().len().to_string());
    for role in principal.roles() {
        put(role.as_str());
    }
    for (name, value) in principal.attributes() {
        put(name);
        match value {
            AttributeValue::Bool(value) => put(&format!("bool {value}")),
            AttributeValue::Long(value) => put(&format!("long {value}")),
            AttributeValue::String(value) => put(&format!("string {value}")),
            AttributeValue::StringSet(values) => {
                put(&format!("set {}", values.len()));
                for value in values {
                    put(value);
                }
            }
        }
    }
    hash.update(generation.digest());
    hash.finalize().into()
}
