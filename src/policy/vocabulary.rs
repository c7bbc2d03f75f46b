//! Every word a policy may use, from the snapshot: a misspelt name in a forbid would silently forbid nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::contract::Dataset;
use crate::diagnostic::did_you_mean;
use crate::mesh::Snapshot;
use crate::name::{DomainName, QualifiedProduct};

use super::schema::{cell_kind, row_type};
use super::scope::{Anchor, Reach};

/// One dataset of one version of a product, whether or not it is served.
#[derive(Debug)]
pub(super) struct Known {
    pub product: QualifiedProduct,
    pub dataset: String,
    /// Leaf columns by dotted path.
    pub cells: BTreeSet<String>,
    /// Every attribute path, structs too; false where Cedar has no type for it.
    pub attributes: BTreeMap<String, bool>,
}

#[derive(Debug)]
pub(super) struct Vocabulary {
    pub roles: BTreeSet<String>,
    pub tags: BTreeSet<String>,
    pub classifications: BTreeSet<String>,
    /// None where `mesh.yaml` lists none: then any text may be a purpose.
    pub purposes: Option<BTreeSet<String>>,
    pub domains: BTreeSet<String>,
    pub products: BTreeSet<String>,
    pub row_types: BTreeSet<String>,
    /// Domains with a contract that could not be served: words of theirs may be unknown through no fault of the policy.
    pub broken: BTreeSet<String>,
    pub datasets: Vec<Known>,
    by_row_type: HashMap<String, Vec<usize>>,
    by_domain: HashMap<String, Vec<usize>>,
}

impl Vocabulary {
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut datasets = Vec::new();
        let mut by_row_type: HashMap<String, Vec<usize>> = HashMap::new();
        let mut by_domain: HashMap<String, Vec<usize>> = HashMap::new();
        for product in &snapshot.products {
            for dataset in &product.contract.datasets {
                let row = row_type(product.name.domain.as_str(), dataset.name.as_str());
                by_row_type.entry(row).or_default().push(datasets.len());
                by_domain.entry(product.name.domain.to_string()).or_default().push(datasets.len());
                datasets.push(known(&product.name, dataset));
            }
        }
        Self {
            roles: words(&snapshot.mesh.roles),
            tags: words(&snapshot.mesh.tags),
            classifications: words(&snapshot.mesh.classifications),
            purposes: snapshot.mesh.purposes.as_ref().map(words),
            domains: words(snapshot.domains.keys()),
            products: datasets.iter().map(|known| known.product.to_string()).collect(),
            row_types: by_row_type.keys().cloned().collect(),
            broken: words(snapshot.faults.iter().map(|fault| &fault.domain).collect::<BTreeSet<&DomainName>>()),
            datasets,
            by_row_type,
            by_domain,
        }
    }

    /// The datasets whose rows a policy can bear on.
    pub fn reached<'a>(&'a self, reach: &'a Reach) -> Box<dyn Iterator<Item = &'a Known> + 'a> {
        let listed = match (&reach.only, &reach.anchor) {
            (Some(only), _) => self.by_row_type.get(only),
            (None, Anchor::Domain(domain)) => self.by_domain.get(domain),
            (None, Anchor::Product(product)) => {
                product.split_once('.').and_then(|(domain, _)| self.by_domain.get(domain))
            }
            (None, Anchor::Anything) => return Box::new(self.datasets.iter()),
        };
        Box::new(
            listed
                .into_iter()
                .flatten()
                .filter_map(|index| self.datasets.get(*index))
                .filter(|known| reach.rows(&known.product, &known.dataset)),
        )
    }
}

fn known(product: &QualifiedProduct, dataset: &Dataset) -> Known {
    Known {
        product: product.clone(),
        dataset: dataset.name.to_string(),
        cells: dataset.leaves().into_iter().map(|(path, _)| path.to_string()).collect(),
        attributes: dataset
            .paths()
            .into_iter()
            .map(|(path, column)| (path.to_string(), cell_kind(&column.data_type).is_some()))
            .collect(),
    }
}

fn words<T: ToString>(names: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    names.into_iter().map(|name| name.to_string()).collect()
}

/// What to write instead: the nearest word, else the words there are.
pub(super) fn suggestion<'a, W: AsRef<str> + ?Sized + 'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a W>,
) -> String {
    const LISTED: usize = 8;
    let known: Vec<&str> = known.into_iter().map(AsRef::as_ref).collect();
    did_you_mean(given, known.iter().copied()).unwrap_or_else(|| match known.len() {
        0 => "none are declared".to_owned(),
        n if n <= LISTED => {
            format!("known are {}", known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "))
        }
        n => format!("none of the {n} known ones is near it"),
    })
}
