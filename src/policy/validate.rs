//! Every policy against every dataset it reaches, by Cedar's strict validator.
//!
//! A policy sees of a dataset only the columns it names, so datasets that look alike to the same policies are validated
//! once: ten thousand products need as many validations as there are ways in which policies can tell them apart.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{ValidationMode, ValidationWarning, Validator};

use super::document::Stated;
use super::fit::{Applies, CellFacts, applies, fits};
use super::report::{Report, Verdict};
use super::schema::{RowShape, SchemaBase, cell_kind};
use super::scope::Anchor;
use super::store::{Guarded, PolicyStore, Refusal};
use crate::contract::Dataset;
use crate::mesh::{Product, Snapshot, TableEntry};
use crate::name::{DomainName, QualifiedTable};

pub(super) struct Checked {
    pub tables: HashMap<QualifiedTable, Arc<Guarded>>,
    pub report: Report,
}

pub(super) fn validate(base: &SchemaBase, snapshot: &Snapshot, policies: &[Stated], refusals: &[Refusal]) -> Checked {
    let mut check = Check {
        base,
        policies,
        refusals,
        index: Index::of(policies),
        verdicts: HashMap::new(),
        report: Report::default(),
    };
    // `orders` and `orders_v2` may be one dataset of one contract.
    let mut same: HashMap<(*const Product, usize), Arc<Guarded>> = HashMap::new();
    let mut tables = HashMap::new();
    for (table, entry) in &snapshot.tables {
        let key = (Arc::as_ptr(&entry.product), entry.dataset);
        let guarded = same.entry(key).or_insert_with(|| Arc::new(check.guard(entry)));
        tables.insert(table.clone(), Arc::clone(guarded));
    }
    Checked { tables, report: check.report }
}

struct Check<'a> {
    base: &'a SchemaBase,
    policies: &'a [Stated],
    refusals: &'a [Refusal],
    index: Index,
    verdicts: HashMap<Likeness, Arc<Verdict>>,
    report: Report,
}

/// All that validation can depend on.
#[derive(PartialEq, Eq, Hash)]
struct Likeness {
    policies: Vec<usize>,
    rows: RowShape,
}

impl Check<'_> {
    fn guard(&mut self, entry: &TableEntry) -> Guarded {
        let product = &entry.product.name;
        let dataset = entry.dataset();
        let name = dataset.name.as_str();
        let shown = format!("{}.{name}", product.domain);
        if let Some(refusal) = self.refusals.iter().find(|refusal| refusal.reach.rows(product, name)) {
            return Guarded::new(entry.clone(), Some(refusal.why.clone()), Vec::new());
        }
        let all = self.policies;
        let reaches =
            |at: &usize| all.get(*at).is_some_and(|policy| policy.is_about("read") && policy.reach.rows(product, name));
        let indices: Vec<usize> =
            self.index.near(product.domain.as_str(), &product.to_string()).filter(reaches).collect();
        let policies: Vec<&Stated> = indices.iter().filter_map(|at| all.get(*at)).collect();
        let mut denied = None;
        let verdict = self.verdict(&product.domain, dataset, &indices, &policies);
        match verdict {
            Err(why) => {
                self.report.no_schema(&shown, &why);
                denied = Some(why);
            }
            Ok(verdict) => {
                if let Some(id) = verdict.failed().next() {
                    denied = Some(format!("policy `{id}` does not validate"));
                }
                self.report.validated(&shown, &policies, &verdict);
            }
        }
        let untyped = dataset.paths().into_iter().filter(|(_, column)| cell_kind(&column.data_type).is_none());
        for path in untyped.map(|(path, _)| path.to_string()) {
            for policy in policies.iter().filter(|policy| policy.mentions.attributes.contains(&path)) {
                denied = Some(format!("policy `{}` reads `{path}`, which has no Cedar type", policy.id));
                self.report.untyped(&policy.id, &path, &shown);
            }
        }
        for policy in policies.iter().filter(|policy| policy.is_permit()) {
            self.check_mask(entry, policy, &shown);
        }
        Guarded::new(entry.clone(), denied, indices)
    }

    fn verdict(
        &mut self,
        domain: &DomainName,
        dataset: &Dataset,
        indices: &[usize],
        policies: &[&Stated],
    ) -> Result<Arc<Verdict>, String> {
        let rows = RowShape::of(domain, dataset, policies.iter().copied());
        let key = Likeness { policies: indices.to_vec(), rows };
        if let Some(verdict) = self.verdicts.get(&key) {
            return Ok(Arc::clone(verdict));
        }
        let schema = self.base.dataset(domain, dataset, &key.rows)?;
        let set = PolicyStore::set(policies.iter().map(|policy| &policy.cedar))?;
        let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
        let errors = result.validation_errors();
        let impossible: HashSet<String> = result
            .validation_warnings()
            .filter(|warning| matches!(warning, ValidationWarning::ImpossiblePolicy(_)))
            .map(|warning| warning.policy_id().to_string())
            .collect();
        let verdict = Arc::new(Verdict {
            errors: errors.map(|error| (error.policy_id().to_string(), DetailedError::from(error))).collect(),
            impossible,
        });
        self.verdicts.insert(key, Arc::clone(&verdict));
        Ok(verdict)
    }

    fn check_mask(&mut self, entry: &TableEntry, policy: &Stated, shown: &str) {
        if policy.fits_everything() {
            return;
        }
        let leaves = entry.dataset().leaves().into_iter().filter(|(_, column)| column.is_served());
        for (path, column) in leaves.filter(|(_, column)| !fits(policy.mask, &column.data_type)) {
            let facts = CellFacts::new(&entry.product, &path, column);
            match applies(&policy.pst, &facts) {
                Applies::Never => {}
                verdict => self.report.misfit(&policy.id, verdict == Applies::Can, shown, path),
            }
        }
    }
}

/// Policies by what their heads anchor on.
struct Index {
    anywhere: Vec<usize>,
    domains: HashMap<String, Vec<usize>>,
    products: HashMap<String, Vec<usize>>,
}

impl Index {
    fn of(policies: &[Stated]) -> Self {
        let mut index = Self { anywhere: Vec::new(), domains: HashMap::new(), products: HashMap::new() };
        for (at, policy) in policies.iter().enumerate() {
            let list = match (&policy.reach.anchor, &policy.reach.only) {
                (Anchor::Product(product), _) => index.products.entry(product.clone()).or_default(),
                (Anchor::Domain(domain), _) => index.domains.entry(domain.clone()).or_default(),
                (Anchor::Anything, Some(only)) if only.contains("::") => {
                    let domain = only.split("::").next().unwrap_or_default();
                    index.domains.entry(domain.to_owned()).or_default()
                }
                (Anchor::Anything, _) => &mut index.anywhere,
            };
            list.push(at);
        }
        index
    }

    fn near<'a>(&'a self, domain: &str, product: &str) -> impl Iterator<Item = usize> + 'a {
        let domains = self.domains.get(domain).into_iter().flatten();
        let products = self.products.get(product).into_iter().flatten();
        self.anywhere.iter().chain(domains).chain(products).copied()
    }
}
