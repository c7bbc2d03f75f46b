//! Foreign keys: do their targets exist? A warning only, since the other side may come later.

use std::collections::BTreeMap;

use super::TableEntry;
use super::conflict::Candidate;
use crate::contract::{Contract, Dataset};
use crate::diagnostic::{Diagnostic, Kind, nearest};
use crate::name::{DatasetName, DomainName, QualifiedTable};

pub fn check(candidates: &[Candidate], tables: &BTreeMap<QualifiedTable, TableEntry>, findings: &mut Vec<Diagnostic>) {
    let known = tables.keys().map(ToString::to_string).collect::<Vec<_>>();
    // Searching all names for each of very many dead keys would take long, and tell nothing more.
    let mut suggestions = 100_u32;
    for candidate in candidates {
        let contract = &candidate.contract;
        for (dataset, places) in contract.datasets.iter().zip(&candidate.places.references) {
            for (reference, place) in dataset.references.iter().zip(places) {
                for target in &reference.targets {
                    if exists(target, contract, tables) {
                        continue;
                    }
                    let given = target.rsplit_once('.').map_or(target.as_str(), |(table, _)| table);
                    let hint = match nearest(given, known.iter().map(String::as_str).filter(|_| suggestions > 0)) {
                        Some(word) if word != given => format!("did you mean the dataset `{word}`?"),
                        _ => "write `dataset.column`, or `domain/file.odcs.yaml#schema/dataset/properties/column` for another domain".to_owned(),
                    };
                    suggestions = suggestions.saturating_sub(1);
                    findings.push(
                        Diagnostic::warning(
                            Kind::Invalid,
                            format!("the key points to `{target}`, which is not served"),
                        )
                        .hint(hint)
                        .at(place.clone()),
                    );
                }
            }
        }
    }
}

fn exists(target: &str, contract: &Contract, tables: &BTreeMap<QualifiedTable, TableEntry>) -> bool {
    meanings(target, &contract.domain).iter().any(|(table, column)| {
        let own = table.domain == contract.domain
            && contract.datasets.iter().any(|dataset| dataset.name == table.table && has(dataset, column));
        own || tables.get(table).is_some_and(|entry| has(entry.dataset(), column))
    })
}

/// The dataset and column that a key's target names, if they are served; `home` is the domain whose contract says so.
pub fn resolve(
    target: &str,
    home: &DomainName,
    tables: &BTreeMap<QualifiedTable, TableEntry>,
) -> Option<(QualifiedTable, String)> {
    meanings(target, home)
        .into_iter()
        .find(|(table, column)| tables.get(table).is_some_and(|entry| has(entry.dataset(), column)))
}

fn has(dataset: &Dataset, column: &str) -> bool {
    dataset.columns.iter().any(|c| c.name.as_str() == column)
}

/// `customers.customer_id` in the same domain, `sales.customers.customer_id`, `schema/customers/properties/customer_id`; a contract's
/// file before `#` says by its folder which domain is meant, as the standard writes keys that leave a contract. A target with several
/// dots may mean either.
fn meanings(target: &str, home: &DomainName) -> Vec<(QualifiedTable, String)> {
    let (file, target) = target.rsplit_once('#').unwrap_or(("", target));
    let target = target.trim_start_matches('/');
    let folder = file.rsplit('/').nth(1).and_then(|folder| folder.parse::<DomainName>().ok());
    let domain = folder.as_ref().unwrap_or(home);
    let meaning = |domain: &DomainName, table: &str, column: &str| {
        let table = QualifiedTable { domain: domain.clone(), table: table.parse::<DatasetName>().ok()? };
        Some((table, column.to_owned()))
    };
    if let Some(rest) = target.strip_prefix("schema/") {
        return match rest.split('/').collect::<Vec<_>>().as_slice() {
            [table, "properties", column, ..] => meaning(domain, table, column).into_iter().collect(),
            _ => Vec::new(),
        };
    }
    match target.split('.').collect::<Vec<_>>().as_slice() {
        [table, column, rest @ ..] => {
            let other = rest.first().and_then(|third| meaning(&table.parse().ok()?, column, third));
            meaning(domain, table, column).into_iter().chain(other).collect()
        }
        _ => Vec::new(),
    }
}
