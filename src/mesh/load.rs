//! Files → [`Snapshot`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::conflict::{self, Candidate};
use super::files::{GOVERNANCE, has_catalog_ending, is_test, may_carry_policy};
use super::{Domain, Files, Mesh, Product, ProductFault, Snapshot, declare, governance, reference, table};
use crate::contract::{Words, check};
use crate::diagnostic::{Diagnostic, Kind, Severity};
use crate::name::{DomainName, QualifiedProduct};

/// Checks everything. A broken contract takes out its own product, a broken `domain.yaml` its domain.
///
/// # Errors
/// Only where `mesh.yaml` is missing or has an error, since every other file leans on the words it declares, and where it requires
/// governance policies that are not there.
pub fn load(files: &Files) -> Result<Snapshot, Vec<Diagnostic>> {
    if let Some(finding) = files.unreadable("mesh.yaml") {
        return Err(vec![finding]);
    }
    let Some(text) = files.texts.get("mesh.yaml") else {
        let message = if files.root.is_empty() {
            "there is no `mesh.yaml`".to_owned()
        } else {
            format!("there is no `mesh.yaml` in `{}`", files.root)
        };
        let missing = Diagnostic::error(Kind::NotFound, message)
            .hint("name the folder that holds it; docs/CONTRACTS.md shows the smallest one");
        let near = files.unreadable.keys().filter(|path| !path.contains('/'));
        return Err([missing].into_iter().chain(near.filter_map(|path| files.unreadable(path))).collect());
    };
    let mesh = declare::mesh(text, &files.display("mesh.yaml"))?;
    governance::require(files, &mesh)?;
    let mut findings = Vec::new();
    let mut faults = Vec::new();
    let mut domains = BTreeMap::new();
    let mut candidates = Vec::new();
    for folder in folders(files) {
        if let Some(why) = files.unreadable.get(folder) {
            faults.extend(folder.parse().ok().map(|domain| unread_folder(files, domain, folder, why)));
            continue;
        }
        let Ok(name) = folder.parse::<DomainName>().map_err(|error| {
            let first =
                files.texts.keys().chain(files.unreadable.keys()).find(|path| path.starts_with(&format!("{folder}/")));
            let place = declare::start(&files.display(first.map_or(folder, String::as_str)));
            findings.push(Diagnostic::from(error).at(place));
        }) else {
            continue;
        };
        let domain = load_domain(files, &name, &mut findings);
        let usable = domain.is_some();
        domains.extend(domain.map(|domain| (name.clone(), domain)));
        load_contracts(files, &mesh, &name, usable, &mut candidates, &mut faults, &mut findings);
    }
    stray_files(files, &mut findings);
    // Policies are told by the policy store, which denies what they may have been about.
    let others = files.unreadable.keys().filter(|path| !may_carry_policy(path) && !is_domain_file(path));
    findings.extend(others.filter_map(|path| files.unreadable(path)));
    let candidates = conflict::settle(candidates, &mut faults, &mut findings);
    let (tables, products) = register(&candidates, &mut findings);
    reference::check(&candidates, &tables, &mut findings);
    findings.sort_by(|a, b| (&a.place, a.severity, &a.message).cmp(&(&b.place, b.severity, &b.message)));
    faults.sort_by(|a, b| (&a.domain, &a.product, &a.file).cmp(&(&b.domain, &b.product, &b.file)));
    Ok(Snapshot { mesh, domains, products, tables, faults, findings, digest: digest(files) })
}

fn register(
    candidates: &[Candidate],
    findings: &mut Vec<Diagnostic>,
) -> (BTreeMap<crate::name::QualifiedTable, super::TableEntry>, Vec<Arc<Product>>) {
    let products: Vec<Arc<Product>> = candidates
        .iter()
        .map(|candidate| {
            let contract = Arc::clone(&candidate.contract);
            let name = QualifiedProduct { domain: contract.domain.clone(), product: contract.product.clone() };
            Arc::new(Product { name, contract })
        })
        .collect();
    (table::register(&products, candidates, findings), products)
}

/// First path components that hold YAML or policies, or might.
fn folders(files: &Files) -> BTreeSet<&str> {
    let paths = files.texts.keys().chain(files.unreadable.keys());
    let first = paths.filter_map(|path| path.split_once('/').map(|(folder, _)| folder));
    let unread = files.unreadable.keys().map(String::as_str);
    let unread = unread.filter(|path| !path.contains('/') && !has_catalog_ending(path));
    first.chain(unread).filter(|folder| !folder.eq_ignore_ascii_case(GOVERNANCE)).collect()
}

/// What stands for the products of a folder that cannot be read: nobody knows which they are.
fn unread_folder(files: &Files, domain: DomainName, path: &str, why: &str) -> ProductFault {
    let product = path.rsplit('/').next().unwrap_or(path).to_owned();
    ProductFault { domain, product, file: files.display(path), why: format!("the folder cannot be read: {why}") }
}

fn load_domain(files: &Files, name: &DomainName, findings: &mut Vec<Diagnostic>) -> Option<Domain> {
    let path = format!("{name}/domain.yaml");
    if let Some(finding) = files.unreadable(&path) {
        findings.push(finding);
        return None;
    }
    let Some(text) = files.texts.get(&path) else {
        findings.push(
            Diagnostic::error(Kind::Invalid, format!("the domain `{name}` has no `domain.yaml`"))
                .hint("add one with `name`, `owner` and `support`; docs/CONTRACTS.md shows it")
                .at(declare::start(&files.display(&path))),
        );
        return None;
    };
    declare::domain(text, &files.display(&path), name, findings)
}

fn load_contracts(
    files: &Files,
    mesh: &Mesh,
    domain: &DomainName,
    usable: bool,
    candidates: &mut Vec<Candidate>,
    faults: &mut Vec<ProductFault>,
    findings: &mut Vec<Diagnostic>,
) {
    let words = Words {
        tags: &mesh.tags,
        classifications: &mesh.classifications,
        default_classification: &mesh.default_classification,
    };
    let prefix = format!("{domain}/");
    let of_domain = files.texts.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
    let contracts: Vec<_> = of_domain.filter_map(|(path, text)| Some((contract_stem(path)?, path, text))).collect();
    let checked = on_all_cores(&contracts, |(_, path, text)| check(text, &files.display(path), domain, words));
    for ((stem, path, _), checked) in contracts.into_iter().zip(checked) {
        let file = files.display(path);
        let product = checked.product.unwrap_or_else(|| stem.to_owned());
        let first = checked.findings.iter().filter(|f| f.severity == Severity::Error).min_by_key(|f| &f.place);
        let why = match (&checked.contract, first) {
            (Some(_), _) if usable => None,
            (Some(_), _) => {
                Some(format!("the domain's `domain.yaml` is missing or has an error ({domain}/domain.yaml)"))
            }
            (None, Some(first)) => Some(first.message.clone()),
            (None, None) => Some("its contract could not be read".to_owned()),
        };
        findings.extend(checked.findings);
        match (checked.contract, why) {
            (Some(contract), None) => {
                candidates.push(Candidate { contract: Arc::new(contract), places: checked.places });
            }
            (_, why) => {
                faults.push(ProductFault { domain: domain.clone(), product, file, why: why.unwrap_or_default() });
            }
        }
    }
    for (path, why) in files.unreadable.iter().filter(|(path, _)| path.starts_with(&prefix)) {
        if !has_catalog_ending(path) {
            faults.push(unread_folder(files, domain.clone(), path, why));
        }
        let lower = path.to_ascii_lowercase();
        let Some(stem) = contract_stem(&lower) else { continue };
        let why = format!("the file cannot be read: {why}");
        faults.push(ProductFault { domain: domain.clone(), product: stem.to_owned(), file: files.display(path), why });
    }
}

/// What `work` makes of each, in their order. Most of the time that a large mesh takes to load is spent in its contracts.
fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    /// Fewer are not worth a thread.
    const AT_LEAST: usize = 16;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(cores).max(AT_LEAST);
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> =
            items.chunks(share).map(|items| scope.spawn(move || items.iter().map(work).collect::<Vec<_>>())).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

fn is_domain_file(path: &str) -> bool {
    path.split_once('/').is_some_and(|(_, rest)| rest == "domain.yaml")
}

/// `sales/orders.odcs.yaml` → `orders`.
fn contract_stem(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    name.strip_suffix(".odcs.yaml").or_else(|| name.strip_suffix(".odcs.yml"))
}

pub(super) fn is_policy(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| ending == "cedar")
}

/// YAML that nobody reads is most often a misspelt ending.
fn stray_files(files: &Files, findings: &mut Vec<Diagnostic>) {
    for path in files.texts.keys() {
        let known = path == "mesh.yaml"
            || is_policy(path)
            || is_test(path)
            || [".odps.yaml", ".odps.yml"].iter().any(|ending| path.ends_with(ending))
            || contract_stem(path).is_some() && path.contains('/')
            || is_domain_file(path);
        if !known {
            let hint =
                "contracts lie in a domain's folder and end in `.odcs.yaml`; a domain is described by `domain.yaml`";
            findings.push(not_read(files, path, hint));
        }
    }
    let hint =
        "a policy ends in `.cedar`, its tests in `.test.yaml`, neither name begins with a dot; a domain is a folder";
    findings.extend(files.skipped.iter().map(|path| not_read(files, path, hint)));
}

fn not_read(files: &Files, path: &str, hint: &str) -> Diagnostic {
    Diagnostic::warning(Kind::Invalid, format!("`{path}` is not read"))
        .hint(hint)
        .at(declare::start(&files.display(path)))
}

/// SHA-256 over paths and texts, each with its length so that no two sets of files run together.
fn digest(files: &Files) -> [u8; 32] {
    let mut hash = Sha256::new();
    let texts = files.texts.iter().filter(|(path, _)| !is_policy(path));
    let unreadable = files.unreadable.iter().filter(|(path, _)| !may_carry_policy(path));
    for (path, text) in texts.chain(unreadable).filter(|(path, _)| !is_test(path)) {
        for part in [path, text] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part.as_bytes());
        }
    }
    hash.finalize().into()
}
