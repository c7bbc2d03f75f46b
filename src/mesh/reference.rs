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

/// `customers.customer_id` here or in the same domain, `sales.customers.customer_id`, `schema/customers/properties/customer_id`;
/// a contract's file before `#` says by its folder which domain is meant, as the standard writes keys that leave a contract.
fn exists(target: &str, contract: &Contract, tables: &BTreeMap<QualifiedTable, TableEntry>) -> bool {
    let (file, target) = target.rsplit_once('#').unwrap_or(("", target));
    let target = target.trim_start_matches('/');
    let folder = file.rsplit('/').nth(1).and_then(|folder| folder.parse::<DomainName>().ok());
    let domain = folder.as_ref().unwrap_or(&contract.domain);
    if let Some(rest) = target.strip_prefix("schema/") {
        let parts: Vec<&str> = rest.split('/').collect();
        return match parts.as_slice() {
            [table, "properties", column, ..] => in_domain(domain, table, column, contract, tables),
            _ => false,
        };
    }
    let parts: Vec<&str> = target.split('.').collect();
    match parts.as_slice() {
        [table, column, rest @ ..] => {
            in_domain(domain, table, column, contract, tables)
                || rest.first().is_some_and(|third| {
                    table.parse::<DomainName>().is_ok_and(|domain| in_domain(&domain, column, third, contract, tables))
                })
        }
        _ => false,
    }
}

fn in_domain(
    domain: &DomainName,
    table: &str,
    column: &str,
    contract: &Contract,
    tables: &BTreeMap<QualifiedTable, TableEntry>,
) -> bool {
    let has = |dataset: &Dataset| dataset.columns.iter().any(|c| c.name.as_str() == column);
    if *domain == contract.domain
        && contract.datasets.iter().any(|dataset| dataset.name.as_str() == table && has(dataset))
    {
        return true;
    }
    let Ok(table) = table.parse::<DatasetName>() else { return false };
    tables.get(&QualifiedTable { domain: domain.clone(), table }).is_some_and(|entry| has(entry.dataset()))
}
