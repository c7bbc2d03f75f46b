//! The only table provider a session can reach.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column as Name, DataFusionError, Result, Statistics, internal_err};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use secrecy::SecretString;

use super::explain::deciding_policies;
use super::filter::{Compiler, Drift, all, columns_read, conjuncts};
use super::hash::HashKey;
use super::leakproof::{below, is_leakproof};
use super::openings::{Openings, Unopened};
use super::project::{Part, View, schema};
use super::promise::{BrokenPromise, Refusal};
use super::refusal::{opaque, opaque_run, unkept};
use super::scan::{Leaf, Private, ProductScan, projected};
use super::statistics::{VisibleReferences, declared, filtered, partitions};
use crate::contract::{Dataset, OnDrift};
use crate::mesh::TableEntry;
use crate::name::ColumnPath;
use crate::policy::Exposed;
use crate::source::{Open, RawTable, UnreadMembers};

/// One dataset as one principal sees it. Its schema is known without touching storage.
pub struct GovernedTable {
    entry: TableEntry,
    exposed: Exposed,
    source: Arc<dyn Open>,
    key: HashKey,
    /// Nothing of a reader runs below the policy, so that timing does not depend on hidden rows either.
    restricted: bool,
    schema: SchemaRef,
    /// Columns on which leakproof predicates and dynamic filters may run below the policy.
    passing: HashSet<String>,
    /// Known once the reader's view has said which other datasets it shows; until then estimates do without.
    references: OnceLock<VisibleReferences>,
    contact: Option<String>,
    deciding: OnceLock<Vec<String>>,
}

impl GovernedTable {
    /// `hash_key` is that of the dataset's domain; `restricted` is true for the mesh's highest classification.
    /// `None` when nothing of the dataset is visible, or a policy says what cannot be compiled (the log says which).
    pub fn new(
        entry: TableEntry,
        exposed: Exposed,
        source: Arc<dyn Open>,
        hash_key: Option<SecretString>,
        restricted: bool,
    ) -> Option<Self> {
        let key = HashKey::new(hash_key);
        let dataset = entry.dataset();
        let view = View::of(dataset, &exposed);
        if view.parts.is_empty() {
            return None;
        }
        if let Err(error) = compiled(&view, dataset) {
            tracing::error!(target: "meshgate::product", product = %entry.table, detail = %error, "dataset denied");
            return None;
        }
        let passing = view.parts.iter().filter(|part| !restricted && part.passes_through());
        let passing = passing.map(|part| part.column.name.to_string()).collect();
        let schema = schema(&view);
        let (references, deciding) = (OnceLock::new(), OnceLock::new());
        Some(Self { entry, exposed, source, key, restricted, schema, passing, references, contact: None, deciding })
    }

    /// Whom readers are told to ask where the data breaks its promise.
    #[must_use]
    pub fn with_contact(self, contact: Option<String>) -> Self {
        Self { contact, ..self }
    }

    pub fn entry(&self) -> &TableEntry {
        &self.entry
    }

    /// Names of the policies that decide about what the reader sees, sorted: those that EXPLAIN ACCESS names.
    pub fn policies(&self) -> &[String] {
        self.deciding.get_or_init(|| deciding_policies(self.entry.dataset(), &self.exposed))
    }

    /// Takes the foreign keys that estimates may use, the first time.
    pub(super) fn set_references(&self, visible: impl FnOnce() -> VisibleReferences) {
        self.references.get_or_init(visible);
    }

    /// What policy says of it for this principal.
    pub fn exposed(&self) -> &Exposed {
        &self.exposed
    }

    /// What an execution opens before it is planned.
    pub(super) fn unopened(&self) -> Unopened {
        Unopened { entry: self.entry.clone(), source: Arc::clone(&self.source), contact: self.contact.clone() }
    }

    /// True where the mask `hash` has a key; without one it shows NULL.
    pub(super) fn hashes(&self) -> bool {
        self.key.is_set()
    }

    fn accepts(&self, predicate: &Expr) -> bool {
        !self.restricted && is_leakproof(predicate, &self.schema, &self.passing)
    }

    fn statistics_of(&self, columns: &[usize], filters: &[Expr], limit: Option<usize>) -> Statistics {
        let none = VisibleReferences::new();
        let whole = declared(self.entry.dataset(), &self.schema, self.references.get().unwrap_or(&none));
        let whole =
            if filters.is_empty() { whole } else { filtered(&whole, self.entry.dataset(), &self.schema, filters) };
        projected(whole, columns, limit)
    }

    fn private(&self, raw: &RawTable, columns: &[usize], predicates: &[Expr], limit: Option<usize>) -> Result<Private> {
        let dataset: &Dataset = self.entry.dataset();
        let view = View::of(dataset, &self.exposed);
        let markers = dataset.leaves().into_iter().filter_map(|(path, _)| {
            let marker = raw.drift_marker(&path)?.to_owned();
            Some((path, marker))
        });
        let promise = (dataset.on_drift == OnDrift::Refuse).then(|| BrokenPromise {
            table: self.entry.table.to_string(),
            column: String::new(),
            contact: self.contact.clone().unwrap_or_else(|| "the owner of the product".to_owned()),
        });
        let mut compiler = Compiler { dataset, drift: markers.collect(), refuses: None };
        let table = self.entry.table.to_string();
        let opaque = |error| opaque(&table, &error);
        let rows = compiler.rows(&view.rows).map_err(opaque)?;
        let mut filters: Vec<Expr> = rows.clone().into_iter().collect();
        compiler.refuses = promise.map(|promise| Refusal { promise, rows });
        let mut late = Vec::new();
        for predicate in predicates {
            // A row in which it reads a broken value is no row that it does not hold in.
            let reads_checked = predicate.column_refs().into_iter().any(|column| compiler.checks(column.name()));
            if reads_checked { &mut late } else { &mut filters }.push(below(predicate.clone())?);
        }
        // A statement that does not read such a column or member is answered as if it were whole; policies see it as marked.
        let asked: HashSet<&str> = predicates.iter().flat_map(Expr::column_refs).map(Name::name).collect();
        let asked = view.parts.iter().filter(|part| asked.contains(part.column.name.as_str()));
        let shown = columns.iter().filter_map(|index| view.parts.get(*index)).chain(asked);
        if let Some(why) = shown.flat_map(Part::cells_read).find_map(|path| raw.unreadable(path).cloned()) {
            return Err(DataFusionError::External(Box::new(unkept(&table, self.contact.as_deref(), &why))));
        }
        let mut exprs = Vec::with_capacity(columns.len());
        for index in columns {
            let Some(part) = view.parts.get(*index) else {
                return internal_err!("a column out of range was asked for");
            };
            let expr = part.expr(&compiler, &self.key).map_err(opaque)?;
            exprs.push(expr.alias(part.column.name.as_str()));
        }
        let filter = (!filters.is_empty()).then(|| all(conjuncts(all(filters))));
        let late = (!late.is_empty()).then(|| compiler.late(all(late)));
        let scalars = dataset.columns.iter().filter(|column| !column.data_type.is_nested() && column.is_served());
        let promised = scalars.map(|column| (column.name.to_string(), column.data_type.clone())).collect();
        let unread = UnreadMembers::new(unread_members(dataset, &view));
        Ok(Private { promised, filter, late, columns: exprs, limit, unread })
    }
}

/// The members of structs whose values neither are shown in any row nor decide about one, in names of files.
fn unread_members(dataset: &Dataset, view: &View<'_>) -> Vec<Vec<String>> {
    if dataset.columns.iter().all(|column| column.fields.is_empty()) {
        return Vec::new();
    }
    let shown = view.parts.iter().flat_map(Part::cells_read);
    let asked = view.conditions().into_iter().flatten().flat_map(|condition| columns_read(condition));
    let read: HashSet<&ColumnPath> = shown.chain(asked).collect();
    let members = dataset.leaves().into_iter().filter(|(path, _)| path.segments().len() > 1 && !read.contains(path));
    members.map(|(path, _)| dataset.path_in_files(&path)).collect()
}

/// Whether what policy says can be made into expressions. Conditions are all of it that may not.
fn compiled(view: &View<'_>, dataset: &Dataset) -> crate::diagnostic::Result<()> {
    let compiler = Compiler { dataset, drift: Drift::new(), refuses: None };
    view.conditions().into_iter().try_for_each(|conditions| compiler.permitted(conditions).map(drop))
}

/// False where a governed table would deny the dataset for what its policies say.
pub(super) fn compiles(dataset: &Dataset, exposed: &Exposed) -> bool {
    compiled(&View::of(dataset, exposed), dataset).is_ok()
}

impl fmt::Debug for GovernedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GovernedTable({})", self.entry.table)
    }
}

#[async_trait]
impl TableProvider for GovernedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let answer = |predicate: &&Expr| {
            if self.accepts(predicate) {
                TableProviderFilterPushDown::Exact
            } else {
                TableProviderFilterPushDown::Unsupported
            }
        };
        Ok(filters.iter().map(answer).collect())
    }

    fn statistics(&self) -> Option<Statistics> {
        let columns: Vec<usize> = (0..self.schema.fields().len()).collect();
        Some(self.statistics_of(&columns, &[], None))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if !filters.iter().all(|predicate| self.accepts(predicate)) {
            return internal_err!("a predicate that was not accepted was pushed below a policy");
        }
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema: Schema = self.schema.project(&columns)?;
        let table = self.entry.table.to_string();
        // What is read was opened for this execution, once for all places that name the product.
        let openings = state.config().get_extension::<Openings>();
        let Some(raw) = openings.as_ref().and_then(|openings| openings.of(&self.entry)) else {
            return internal_err!("`{table}` was not opened before it was planned");
        };
        let private = self.private(raw, &columns, filters, limit)?;
        let leaf = Leaf {
            policies: self.policies().to_vec(),
            statistics: self.statistics_of(&columns, filters, limit),
            partitions: partitions(self.entry.dataset(), state.config().target_partitions()),
            passing: schema.fields().iter().map(|field| self.passing.contains(field.name())).collect(),
            schema: Arc::new(schema),
            contact: self.contact.clone(),
            table: table.clone(),
        };
        let opaque =
            |error| opaque_run(&table, self.contact.as_deref(), openings.as_deref(), &raw.watch().review(error));
        let scan = ProductScan::open(raw, private, leaf).await.map_err(opaque)?;
        Ok(Arc::new(scan))
    }
}
