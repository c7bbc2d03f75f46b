//! The decisions of two sides for every principal → what changes.

use std::collections::{BTreeMap, BTreeSet};

use super::side::Side;
use crate::govern::{Difference, Seen, Shift, compare};
use crate::mesh::{Product, TableEntry};
use crate::name::{QualifiedProduct, QualifiedTable};
use crate::policy::{Decision, Described, ProductAction};

/// Everything that a change of `catalogs/` means for the people asked about.
pub struct Report {
    pub base: String,
    pub head: String,
    /// How many principals were asked about.
    pub principals: usize,
    /// Products that only the second side serves, and those that only the first does.
    pub added: Vec<String>,
    pub removed: Vec<String>,
    /// Those for whom something changes.
    pub people: Vec<Person>,
    /// What a reader must know to trust it.
    pub notes: Vec<String>,
}

pub struct Person {
    pub name: String,
    /// Empty where none was given.
    pub purpose: String,
    pub products: Vec<ProductChange>,
    pub datasets: Vec<DatasetChange>,
}

/// Something one may do with a product as a whole.
pub struct ProductChange {
    pub product: String,
    pub action: &'static str,
    pub shift: Shift,
}

pub struct DatasetChange {
    pub table: QualifiedTable,
    pub difference: Difference,
    /// Which rows; `None` where the dataset is not visible.
    pub rows_before: Option<String>,
    pub rows_after: Option<String>,
    /// How many rows, where data was given.
    pub counts: Option<Counts>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    pub before: Result<u64, String>,
    pub after: Result<u64, String>,
}

impl Report {
    pub fn of(base: &Side, head: &Side, people: &[&Described], now: i64) -> Self {
        let served = |side: &Side| -> BTreeSet<String> {
            side.snapshot.tables.values().map(|entry| entry.product.name.to_string()).collect()
        };
        let (before, after) = (served(base), served(head));
        let notes = [base, head].into_iter().filter(|side| side.errors > 0).map(|side| {
            let (label, errors) = (&side.label, side.errors);
            let what = if errors == 1 { "error" } else { "errors" };
            format!(
                "`{label}` has {errors} {what} (`meshgate check` tells them); what they take out counts as not visible"
            )
        });
        Self {
            base: base.label.clone(),
            head: head.label.clone(),
            principals: people.len(),
            added: after.difference(&before).cloned().collect(),
            removed: before.difference(&after).cloned().collect(),
            notes: notes.collect(),
            people: people.iter().filter_map(|described| Person::of(base, head, described, now)).collect(),
        }
    }

    /// True where somebody gains something, or might.
    pub fn widens(&self) -> bool {
        self.people.iter().any(|person| person.shift().gains())
    }

    pub fn gaining(&self) -> usize {
        self.people.iter().filter(|person| person.shift().gains()).count()
    }

    pub fn losing(&self) -> usize {
        self.people.iter().filter(|person| person.shift().loses()).count()
    }
}

impl Person {
    fn of(base: &Side, head: &Side, who: &Described, now: i64) -> Option<Self> {
        let tables: BTreeSet<&QualifiedTable> =
            base.snapshot.tables.keys().chain(head.snapshot.tables.keys()).collect();
        let (mut datasets, mut readable) = (Vec::new(), [BTreeSet::new(), BTreeSet::new()]);
        for table in tables {
            let [before, after] = [base, head].map(|side| {
                let entry = side.snapshot.tables.get(table)?;
                Some((entry, seen(side, who, now, entry)?))
            });
            for (products, side) in readable.iter_mut().zip([&before, &after]) {
                products.extend(side.iter().map(|(entry, _)| entry.product.name.clone()));
            }
            let (before, after) = (before.map(|(_, seen)| seen), after.map(|(_, seen)| seen));
            if let Some(difference) = compare(before.as_ref(), after.as_ref()) {
                let rows = |side: Option<Seen>| side.map(|seen| seen.rows());
                let table = table.clone();
                let (rows_before, rows_after) = (rows(before), rows(after));
                datasets.push(DatasetChange { table, difference, rows_before, rows_after, counts: None });
            }
        }
        let products = product_changes(base, head, who, now, &readable);
        if datasets.is_empty() && products.is_empty() {
            return None;
        }
        Some(Self { name: who.principal.name().to_string(), purpose: who.purpose.clone(), products, datasets })
    }

    /// All of it together.
    pub fn shift(&self) -> Shift {
        let datasets = self.datasets.iter().map(|change| change.difference.shift);
        let all = datasets.chain(self.products.iter().map(|change| change.shift));
        all.reduce(Shift::and).unwrap_or(Shift::Both)
    }
}

/// A purpose that a side does not declare is stated in no session there, so nobody sees anything with it.
fn seen(side: &Side, who: &Described, now: i64, entry: &TableEntry) -> Option<Seen> {
    if !side.admits(&who.purpose) {
        return None;
    }
    match side.policies.authorize(&who.principal, &who.purpose, now, entry) {
        Decision::Hidden { .. } => None,
        Decision::Exposed(exposed) => Seen::of(entry.dataset(), &exposed),
    }
}

/// Who may read something of a product may also know of it, so that discovery is told only where reading does not tell it.
fn product_changes(
    base: &Side,
    head: &Side,
    who: &Described,
    now: i64,
    readable: &[BTreeSet<QualifiedProduct>; 2],
) -> Vec<ProductChange> {
    let versions = |side: &'_ Side| -> BTreeMap<QualifiedProduct, Vec<std::sync::Arc<Product>>> {
        let mut out: BTreeMap<QualifiedProduct, Vec<std::sync::Arc<Product>>> = BTreeMap::new();
        for product in side.snapshot.products.iter().filter(|product| product.contract.status.is_served()) {
            out.entry(product.name.clone()).or_default().push(std::sync::Arc::clone(product));
        }
        out
    };
    let sides = [(base, versions(base)), (head, versions(head))];
    let names: BTreeSet<&QualifiedProduct> = sides.iter().flat_map(|(_, versions)| versions.keys()).collect();
    let mut changes = Vec::new();
    for name in names {
        for action in ProductAction::ALL {
            let may = |index: usize| {
                let (side, versions) = sides.get(index)?;
                if !side.admits(&who.purpose) {
                    return None;
                }
                let (principal, purpose) = (&who.principal, who.purpose.as_str());
                let asked =
                    |product: &std::sync::Arc<Product>| side.policies.may(action, principal, purpose, now, product);
                let reads =
                    action == ProductAction::Discover && readable.get(index).is_some_and(|names| names.contains(name));
                Some(reads || versions.get(name)?.iter().any(asked))
            };
            let [before, after] = [may(0).unwrap_or(false), may(1).unwrap_or(false)];
            let [read_before, read_after] = [readable[0].contains(name), readable[1].contains(name)];
            if before == after
                || (action == ProductAction::Discover && read_before != read_after && after == read_after)
            {
                continue;
            }
            let shift = if after { Shift::Gains } else { Shift::Loses };
            changes.push(ProductChange { product: name.to_string(), action: action.name(), shift });
        }
    }
    changes
}
