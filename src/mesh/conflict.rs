//! Contracts that claim the same thing take each other out: nobody can say which of them is right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ProductFault;
use crate::contract::{Contract, Places};
use crate::diagnostic::{Diagnostic, Kind, Place};

/// A checked contract that may become a product.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub contract: Arc<Contract>,
    pub places: Places,
}

/// Removes contracts that share an id and version, and served ones that share a product or a dataset at one major version.
pub fn settle(
    candidates: Vec<Candidate>,
    faults: &mut Vec<ProductFault>,
    findings: &mut Vec<Diagnostic>,
) -> Vec<Candidate> {
    let mut claims: BTreeMap<Claim, Vec<(usize, Place)>> = BTreeMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let contract = &candidate.contract;
        if let Some(place) = &candidate.places.id {
            let claim = Claim::Id(contract.id.clone(), contract.version.clone());
            claims.entry(claim).or_default().push((index, place.clone()));
        }
        // A draft may stand beside the version it is to replace.
        if !contract.status.is_served() {
            continue;
        }
        if let Some(place) = &candidate.places.name {
            let product = format!("{}.{}", contract.domain, contract.product);
            claims.entry(Claim::Product(product, contract.version.major)).or_default().push((index, place.clone()));
        }
        for (dataset, place) in contract.datasets.iter().zip(&candidate.places.datasets) {
            let table = format!("{}.{}", contract.domain, dataset.name);
            let claim = Claim::Dataset(table, contract.version.major);
            claims.entry(claim).or_default().push((index, place.clone()));
        }
    }
    let mut out: BTreeMap<usize, String> = BTreeMap::new();
    for (claim, holders) in claims.iter().filter(|(_, holders)| holders.len() > 1) {
        // Two versions of one product that are both served claim the same datasets as a matter of course.
        let same_product =
            |(a, _): &(usize, Place), (b, _): &(usize, Place)| match (candidates.get(*a), candidates.get(*b)) {
                (Some(a), Some(b)) => a.contract.product == b.contract.product,
                _ => false,
            };
        if matches!(claim, Claim::Dataset(..))
            && holders.windows(2).all(|pair| matches!(pair, [a, b] if same_product(a, b)))
        {
            continue;
        }
        for (index, place) in holders {
            let others: BTreeSet<String> =
                holders.iter().filter(|(other, _)| other != index).map(|(_, place)| place.to_string()).collect();
            let (message, hint) = claim.explain(&others.into_iter().collect::<Vec<_>>().join(", "));
            out.entry(*index).or_insert_with(|| message.clone());
            findings.push(Diagnostic::error(Kind::Invalid, message).hint(hint).at(place.clone()));
        }
    }
    let mut kept = Vec::new();
    for (index, candidate) in candidates.into_iter().enumerate() {
        match out.remove(&index) {
            None => kept.push(candidate),
            Some(why) => faults.push(ProductFault {
                domain: candidate.contract.domain.clone(),
                product: candidate.contract.product.to_string(),
                file: candidate.contract.file.clone(),
                why,
            }),
        }
    }
    kept
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    Id(String, semver::Version),
    Product(String, u64),
    Dataset(String, u64),
}

impl Claim {
    fn explain(&self, others: &str) -> (String, &'static str) {
        match self {
            Self::Id(id, version) => (
                format!("two contracts have the id `{id}` and version {version}; the other is at {others}"),
                "give one another id, or another version; neither is served",
            ),
            Self::Product(product, major) => (
                format!("two contracts are the product `{product}` at version {major}; the other is at {others}"),
                "retire one, or raise its major version; neither is served",
            ),
            Self::Dataset(table, major) => (
                format!("two contracts claim the dataset `{table}` at version {major}; the other is at {others}"),
                "rename one dataset, retire one contract or raise its major version; neither is served",
            ),
        }
    }
}
