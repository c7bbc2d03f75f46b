//! SQL names: the highest active major version has the plain name, and where several are served each has its pinned one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::conflict::Candidate;
use super::{Product, TableEntry};
use crate::contract::Status;
use crate::diagnostic::{Diagnostic, Kind, Place};
use crate::name::{DatasetName, QualifiedTable};

/// One served version of a dataset.
struct Served<'a> {
    entry: TableEntry,
    major: u64,
    active: bool,
    place: Option<&'a Place>,
}

/// `products` and `candidates` are parallel.
pub fn register(
    products: &[Arc<Product>],
    candidates: &[Candidate],
    findings: &mut Vec<Diagnostic>,
) -> BTreeMap<QualifiedTable, TableEntry> {
    let mut by_name: BTreeMap<QualifiedTable, Vec<Served<'_>>> = BTreeMap::new();
    for (product, candidate) in products.iter().zip(candidates) {
        let contract = &product.contract;
        if !contract.status.is_served() {
            continue;
        }
        for (index, dataset) in contract.datasets.iter().enumerate() {
            let table = QualifiedTable { domain: contract.domain.clone(), table: dataset.name.clone() };
            let entry = TableEntry { table: table.clone(), product: Arc::clone(product), dataset: index };
            by_name.entry(table).or_default().push(Served {
                entry,
                major: contract.version.major,
                active: contract.status == Status::Active,
                place: candidate.places.datasets.get(index),
            });
        }
    }
    let mut tables = BTreeMap::new();
    for (name, versions) in &by_name {
        // Deprecated versions have the plain name only where no active one is left.
        if let Some(newest) = versions.iter().max_by_key(|served| (served.active, served.major)) {
            tables.insert(name.clone(), newest.entry.clone());
        }
        if versions.len() < 2 {
            continue;
        }
        for served in versions {
            let Ok(pinned) = format!("{}_v{}", name.table, served.major).parse::<DatasetName>() else { continue };
            let pinned = QualifiedTable { domain: name.domain.clone(), table: pinned };
            if let Some(real) = by_name.get(&pinned) {
                findings.push(collision(name, served, &pinned, real));
                continue;
            }
            tables.insert(pinned.clone(), TableEntry { table: pinned, ..served.entry.clone() });
        }
    }
    tables
}

fn collision(name: &QualifiedTable, served: &Served<'_>, pinned: &QualifiedTable, real: &[Served<'_>]) -> Diagnostic {
    let other = served.place.map_or_else(String::new, |place| format!(" (at {place})"));
    let finding = Diagnostic::error(
        Kind::Invalid,
        format!("the dataset `{pinned}` has the name of version {} of `{name}`{other}", served.major),
    )
    .hint(format!("rename the dataset; until then version {} cannot be pinned", served.major));
    match real.iter().find_map(|served| served.place) {
        Some(place) => finding.at(place.clone()),
        None => finding,
    }
}
