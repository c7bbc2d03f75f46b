//! All policies of the mesh, checked against it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use cedar_policy::{Policy, PolicySet, Schema};

use super::document::{Stated, with_room};
use super::entities::Subject;
use super::fit::CellFacts;
use super::load;
use super::plan::Plan;
use super::residual::Row;
use super::schema::{RowShape, SchemaBase, cell_kind};
use super::scope::Reach;
use super::slice::{Audiences, Classes};
use crate::diagnostic::Diagnostic;
use crate::identity::Principal;
use crate::mesh::{Files, Mesh, Product, Snapshot, TableEntry};
use crate::name::{QualifiedProduct, QualifiedTable};

/// Every policy file of one state of `catalogs/`. Immutable; a reload makes another.
#[derive(Debug)]
pub struct PolicyStore {
    /// SHA-256 over the policy files.
    pub digest: [u8; 32],
    pub(super) findings: Vec<Diagnostic>,
    pub(super) refuses_to_serve: bool,
    pub(super) mesh: Mesh,
    pub(super) base: SchemaBase,
    pub(super) policies: Vec<Stated>,
    /// Some policy needs more stack than a thread usually has.
    pub(super) large: bool,
    /// What refused policies might have been about: all of it is denied.
    pub(super) refusals: Vec<Refusal>,
    pub(super) tables: HashMap<QualifiedTable, Arc<Guarded>>,
    pub(super) products: OnceLock<Result<Schema, String>>,
    pub(super) schemas: Mutex<HashMap<RowShape, Arc<Schema>>>,
}

/// Something that no policy can be trusted to guard.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub reach: Reach,
    pub why: String,
}

/// One dataset and the policies that can bear on reading it.
#[derive(Debug)]
pub(super) struct Guarded {
    pub entry: TableEntry,
    pub denied: Option<String>,
    /// Indices into the store's policies.
    pub policies: Vec<usize>,
    audiences: OnceLock<Audiences>,
    prepared: OnceLock<Result<Prepared, String>>,
}

/// What evaluation needs, made at the first question: for ten thousand datasets it would be held for nothing.
#[derive(Debug)]
pub(super) struct Prepared {
    pub schema: Arc<Schema>,
    /// What of a row the policies read.
    pub shape: RowShape,
    pub row: Row,
    pub subject: Subject,
    /// What policies are told of each leaf column, in the contract's order.
    pub columns: Vec<CellFacts>,
    /// How each policy that was asked about tells those apart.
    classes: RwLock<HashMap<usize, Arc<Classes>>>,
    /// What to ask, by the policies that are about a principal.
    plans: RwLock<HashMap<Vec<usize>, Arc<Plan>>>,
}

/// More are not kept: where policies name users there may be one for each of them.
const PLANS: usize = 128;

impl Prepared {
    /// How a policy, given by its index in the store, tells the columns apart.
    pub fn classes(&self, at: usize, policy: &Stated) -> Arc<Classes> {
        if let Some(known) = self.classes.read().unwrap_or_else(PoisonError::into_inner).get(&at) {
            return Arc::clone(known);
        }
        let classes = Arc::new(Classes::of(policy, &self.columns));
        self.classes.write().unwrap_or_else(PoisonError::into_inner).insert(at, Arc::clone(&classes));
        classes
    }

    /// What to ask for principals about whom these of the store's policies are.
    pub fn plan(&self, about: Vec<usize>, store: &PolicyStore) -> Result<Arc<Plan>, String> {
        if let Some(known) = self.plans.read().unwrap_or_else(PoisonError::into_inner).get(&about) {
            return Ok(Arc::clone(known));
        }
        let plan = Arc::new(Plan::of(&about, store, self)?);
        let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= PLANS {
            plans.clear();
        }
        plans.insert(about, Arc::clone(&plan));
        Ok(plan)
    }
}

impl PolicyStore {
    /// Reads and checks `governance/*.cedar` and `<domain>/policies/*.cedar`. Never fails: what is wrong is found and denied.
    pub fn load(files: &Files, snapshot: &Snapshot) -> Self {
        with_room(|| load::load(files, snapshot)).unwrap_or_else(|why| load::nothing(snapshot, &why))
    }

    /// Everything that is wrong, with its place.
    pub fn findings(&self) -> &[Diagnostic] {
        &self.findings
    }

    /// A governance file cannot be read or does not parse: the mesh must not be served.
    pub fn refuses_to_serve(&self) -> bool {
        self.refuses_to_serve
    }

    /// Why nothing of this table is shown to anyone, if so.
    pub fn denied(&self, table: &QualifiedTable) -> Option<&str> {
        self.tables.get(table)?.denied.as_deref()
    }

    /// Every policy by id with where it stands, for `check` and listings.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &crate::diagnostic::Place)> {
        self.policies.iter().map(|policy| (policy.id.as_str(), &policy.place))
    }

    pub(super) fn refused(&self, reaches: impl Fn(&Reach) -> bool) -> Option<&str> {
        self.refusals.iter().find(|refusal| reaches(&refusal.reach)).map(|refusal| refusal.why.as_str())
    }

    /// The schema for rows of this shape, made at the first question about any.
    fn rows(&self, shape: &RowShape) -> Result<Arc<Schema>, String> {
        let known = || self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = known().get(shape) {
            return Ok(Arc::clone(schema));
        }
        let schema = Arc::new(self.base.rows(shape)?);
        known().insert(shape.clone(), Arc::clone(&schema));
        Ok(schema)
    }

    pub(super) fn set<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Result<PolicySet, String> {
        PolicySet::from_policies(policies.into_iter().cloned()).map_err(|error| error.to_string())
    }
}

impl Guarded {
    pub fn new(entry: TableEntry, denied: Option<String>, policies: Vec<usize>) -> Self {
        Self { entry, denied, policies, audiences: OnceLock::new(), prepared: OnceLock::new() }
    }

    pub fn product(&self) -> &Product {
        &self.entry.product
    }

    /// Indices of the policies that can hold for this principal; `policies` are the store's.
    pub fn about(&self, principal: &Principal, policies: &[Stated]) -> BTreeSet<usize> {
        self.audiences.get_or_init(|| Audiences::of(&self.policies, policies)).of_principal(principal)
    }

    pub fn prepared(&self, store: &PolicyStore) -> Result<&Prepared, String> {
        self.prepared.get_or_init(|| self.prepare(store)).as_ref().map_err(Clone::clone)
    }

    fn prepare(&self, store: &PolicyStore) -> Result<Prepared, String> {
        let QualifiedProduct { domain, .. } = &self.entry.product.name;
        let dataset = self.entry.dataset();
        let columns: BTreeMap<_, _> = dataset
            .paths()
            .into_iter()
            .filter_map(|(path, column)| Some((path, cell_kind(&column.data_type)?)))
            .collect();
        let ancestors =
            BTreeSet::from([format!("Product::\"{}\"", self.entry.product.name), format!("Domain::\"{domain}\"")]);
        let shape = RowShape::of(domain, dataset, self.policies.iter().filter_map(|at| store.policies.get(*at)));
        let row = Row { columns, ancestors, kind: shape.kind.clone() };
        let schema = store.rows(&shape)?;
        let subject = Subject::rows(&schema, self.product(), &row.kind)?;
        let facts = |(path, column): (_, &_)| CellFacts::new(self.product(), &path, column);
        let columns = dataset.leaves().into_iter().map(facts).collect();
        Ok(Prepared { schema, shape, row, subject, columns, classes: RwLock::default(), plans: RwLock::default() })
    }
}
