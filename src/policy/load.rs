//! Policy files → [`PolicyStore`]: parse, check heads and words, validate against every dataset reached.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use cedar_policy::ffi::DetailedError;
use cedar_policy::{ValidationMode, ValidationWarning, Validator};
use sha2::{Digest, Sha256};

use super::document::{Part, Stated, Text, annotations, cedar_finding, named, parse};
use super::fit::{Applies, CellFacts, applies, fits};
use super::lint::{Problem, lint};
use super::mask::Mask;
use super::schema::{SchemaBase, cell_kind, leaves, paths};
use super::scope::{ACTIONS, Anchor, Reach, actions};
use super::store::{Guarded, PolicyStore, Refusal};
use super::vocabulary::Vocabulary;
use crate::diagnostic::{Diagnostic, Kind, Place};
use crate::mesh::{Files, Snapshot, TableEntry};
use crate::name::{ColumnPath, QualifiedTable};

pub(super) fn load(files: &Files, snapshot: &Snapshot) -> PolicyStore {
    let mut loader = Loader {
        files,
        words: Vocabulary::of(snapshot),
        findings: Vec::new(),
        refuses_to_serve: false,
        policies: Vec::new(),
        refusals: Vec::new(),
        ids: HashMap::new(),
    };
    let mut digest = Sha256::new();
    for (path, text) in files.texts.iter().filter(|(path, _)| path.ends_with(".cedar")) {
        for part in [path, text] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        loader.file(path, text);
    }
    let base = SchemaBase::new(&snapshot.mesh, snapshot.domains.keys());
    loader.products(&base);
    let tables = loader.tables(&base, snapshot);
    PolicyStore {
        digest: digest.finalize().into(),
        findings: loader.findings,
        refuses_to_serve: loader.refuses_to_serve,
        mesh: snapshot.mesh.clone(),
        base,
        policies: loader.policies,
        refusals: loader.refusals,
        tables,
        products: OnceLock::new(),
    }
}

struct Loader<'a> {
    files: &'a Files,
    words: Vocabulary,
    findings: Vec<Diagnostic>,
    refuses_to_serve: bool,
    policies: Vec<Stated>,
    refusals: Vec<Refusal>,
    ids: HashMap<String, Place>,
}

/// Whose file it is.
enum Home {
    Governance,
    Domain(String),
    /// A place from which no policy is read.
    Elsewhere(Option<String>),
}

fn home(path: &str) -> Home {
    let mut parts = path.split('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("governance"), Some(_), _) => Home::Governance,
        (Some(domain), Some("policies"), Some(_)) => Home::Domain(domain.to_owned()),
        (Some(domain), Some(_), _) => Home::Elsewhere(Some(domain.to_owned())),
        _ => Home::Elsewhere(None),
    }
}

impl Loader<'_> {
    fn file(&mut self, path: &str, text: &str) {
        let display = self.files.display(path);
        let text = Text { file: &display, text };
        let home = match home(path) {
            Home::Governance => None,
            Home::Domain(domain) => Some(domain),
            Home::Elsewhere(domain) => {
                let message = "a policy file lies where none is read";
                self.findings.push(
                    Diagnostic::error(Kind::Invalid, message)
                        .hint("policies live in `governance/` and `<domain>/policies/`")
                        .at(text.place(0)),
                );
                self.refuse(Self::all_of(domain.as_deref()), format!("{display}: {message}"));
                return;
            }
        };
        match parse(text) {
            Ok(parts) => {
                for part in parts {
                    self.policy(text, home.as_deref(), &part);
                }
            }
            Err(findings) => {
                self.findings.extend(findings);
                self.refuses_to_serve |= home.is_none();
                self.refuse(Self::all_of(home.as_deref()), format!("{display} is not valid Cedar"));
            }
        }
    }

    fn all_of(domain: Option<&str>) -> Reach {
        domain.map_or_else(Reach::everything, Reach::domain)
    }

    fn refuse(&mut self, reach: Reach, why: String) {
        tracing::warn!(%why, "policy refused; what it may have been about is denied");
        self.refusals.push(Refusal { reach, why });
    }

    fn policy(&mut self, text: Text<'_>, home: Option<&str>, part: &Part) {
        let place = text.place(part.start + head_offset(&part.source));
        let pst = match part.cedar.to_pst() {
            Ok(policy) => policy.body().clone(),
            Err(error) => {
                self.findings
                    .push(Diagnostic::error(Kind::Invalid, format!("the policy cannot be read: {error}")).at(place));
                self.refuse(Self::all_of(home), format!("{}: a policy that cannot be read", text.file));
                return;
            }
        };
        let reach = Reach::of(&pst.resource);
        let (problems, mentions) = lint(&pst, home, &self.words);
        let head_is_wrong = problems.iter().any(|problem| problem.in_head);
        let mut refused = !problems.is_empty();
        for problem in problems {
            let place = near(text, part, &problem).unwrap_or_else(|| place.clone());
            let Problem { message, hint, .. } = problem;
            self.findings.push(Diagnostic::error(Kind::Invalid, message).hint(hint).at(place));
        }
        let noted = annotations(&part.cedar, pst.effect);
        let (id, mask) = match noted {
            Ok(noted) => noted,
            Err(problems) => {
                refused = true;
                for (message, hint) in problems {
                    self.findings.push(Diagnostic::error(Kind::Invalid, message).hint(hint).at(place.clone()));
                }
                (String::new(), Mask::Hidden)
            }
        };
        if !id.is_empty() {
            if let Some(first) = self.ids.get(&id) {
                refused = true;
                self.findings.push(
                    Diagnostic::error(Kind::Invalid, format!("the policy id `{id}` is taken"))
                        .hint(format!("the first is at {first}; ids are unique in the mesh"))
                        .at(place.clone()),
                );
            } else {
                self.ids.insert(id.clone(), place.clone());
            }
        }
        let trusted = reach.filter(|_| !head_is_wrong);
        if refused {
            // The head may be what is wrong, so everything this file may speak of could have been meant.
            let meant = trusted.unwrap_or_else(|| Self::all_of(home));
            self.refuse(meant, format!("{place}: a refused policy"));
            return;
        }
        let Some(reach) = trusted else { return };
        if let Some(what) = &mentions.set_aside {
            self.findings.push(
                Diagnostic::warning(Kind::Invalid, format!("policy `{id}` is set aside: {what} is not in the mesh"))
                    .hint("a contract of this domain could not be served; the policy returns with it")
                    .at(place),
            );
            return;
        }
        let actions = actions(&pst.action);
        let cedar = named(&part.cedar, &id);
        self.policies.push(Stated { id, cedar, pst, mask, actions, reach, mentions, place });
    }

    /// Checks what policies say of products as a whole.
    fn products(&mut self, base: &SchemaBase) {
        let about: Vec<&Stated> = self
            .policies
            .iter()
            .filter(|policy| policy.reach.only.as_ref().is_none_or(|only| only == "Product"))
            .filter(|policy| ACTIONS.iter().any(|action| *action != "read" && policy.is_about(action)))
            .collect();
        let others: BTreeSet<String> = about.iter().flat_map(|policy| policy.mentions.row_types.clone()).collect();
        let result = base.products(&others).and_then(|schema| Ok((schema, PolicyStore::set(about)?)));
        let (schema, set) = match result {
            Ok(both) => both,
            Err(why) => {
                self.findings.push(Diagnostic::error(Kind::Invalid, format!("the mesh has no Cedar schema: {why}")));
                self.refuse(Reach::everything(), why);
                return;
            }
        };
        let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
        let mut failed = BTreeSet::new();
        for error in result.validation_errors() {
            let id = error.policy_id().to_string();
            let lead = format!("policy `{id}` does not fit products");
            self.cedar_error(&id, &DetailedError::from(error), &lead);
            failed.insert(id);
        }
        let refusals: Vec<Refusal> = self
            .policies
            .iter()
            .filter(|policy| failed.contains(&policy.id))
            .map(|policy| Refusal {
                reach: Reach { only: Some("Product".to_owned()), ..policy.reach.clone() },
                why: format!("policy `{}` does not validate", policy.id),
            })
            .collect();
        self.refusals.extend(refusals);
    }

    fn cedar_error(&mut self, id: &str, detail: &DetailedError, lead: &str) {
        let Some(policy) = self.policies.iter().find(|policy| policy.id == id) else { return };
        let text = self.files.texts.iter().find(|(path, _)| self.files.display(path) == policy.place.file);
        let text = Text { file: &policy.place.file, text: text.map_or("", |(_, text)| text) };
        let mut detail = detail.clone();
        let prefix = format!("for policy `{id}`, ");
        if let Some(rest) = detail.message.strip_prefix(&prefix) {
            detail.message = rest.to_owned();
        }
        let finding = cedar_finding(text, &detail, lead);
        self.findings.push(finding);
    }

    fn tables(&mut self, base: &SchemaBase, snapshot: &Snapshot) -> HashMap<QualifiedTable, Arc<Guarded>> {
        let index = Index::of(&self.policies);
        let mut checks = Checks::default();
        // `orders` and `orders_v2` may be one dataset of one contract.
        let mut same: HashMap<(*const crate::mesh::Product, usize), Arc<Guarded>> = HashMap::new();
        let mut out = HashMap::new();
        for (table, entry) in &snapshot.tables {
            let key = (Arc::as_ptr(&entry.product), entry.dataset);
            let guarded = same.entry(key).or_insert_with(|| Arc::new(self.guard(base, &index, entry, &mut checks)));
            out.insert(table.clone(), Arc::clone(guarded));
        }
        self.report(checks);
        out
    }

    fn guard(&self, base: &SchemaBase, index: &Index, entry: &TableEntry, checks: &mut Checks) -> Guarded {
        let product = &entry.product.name;
        let dataset = entry.dataset();
        let name = dataset.name.as_str();
        let refused = self.refusals.iter().find(|refusal| refusal.reach.rows(product, name));
        if let Some(refusal) = refused {
            return Guarded::new(entry.clone(), Some(refusal.why.clone()), Vec::new(), BTreeSet::new());
        }
        let indices: Vec<usize> = index
            .near(product.domain.as_str(), &product.to_string())
            .filter(|at| {
                self.policies.get(*at).is_some_and(|policy| policy.is_about("read") && policy.reach.rows(product, name))
            })
            .collect();
        let policies: Vec<&Stated> = indices.iter().filter_map(|at| self.policies.get(*at)).collect();
        let others: BTreeSet<String> = policies.iter().flat_map(|policy| policy.mentions.row_types.clone()).collect();
        let mut denied = None;
        let checked = base
            .dataset(product.domain.as_str(), dataset, &others)
            .and_then(|schema| Ok((schema, PolicyStore::set(policies.iter().copied())?)));
        match checked {
            Err(why) => {
                checks.schemas.push((format!("{}.{name}", product.domain), why.clone()));
                denied = Some(why);
            }
            Ok((schema, set)) => {
                let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
                let shown = format!("{}.{name}", product.domain);
                for error in result.validation_errors() {
                    let id = error.policy_id().to_string();
                    denied = Some(format!("policy `{id}` does not validate"));
                    checks.failed.entry((id, detail_key(error))).or_insert_with(|| Failure::new(error)).push(&shown);
                }
                let impossible: HashSet<String> = result
                    .validation_warnings()
                    .filter(|warning| matches!(warning, ValidationWarning::ImpossiblePolicy(_)))
                    .map(|warning| warning.policy_id().to_string())
                    .collect();
                for policy in &policies {
                    let possible = checks.possible.entry(policy.id.clone()).or_default();
                    *possible |= !impossible.contains(&policy.id);
                }
            }
        }
        for policy in &policies {
            for (path, column) in paths(dataset) {
                if cell_kind(&column.data_type).is_none() && policy.mentions.attributes.contains(&path.to_string()) {
                    denied = Some(format!("policy `{}` reads `{path}`, which has no Cedar type", policy.id));
                    let what = checks.untyped.entry((policy.id.clone(), path.to_string()));
                    what.or_insert_with(|| format!("{}.{name}", product.domain));
                }
            }
            if policy.is_permit() {
                self.check_mask(entry, policy, checks);
            }
        }
        Guarded::new(entry.clone(), denied, indices, others)
    }

    fn check_mask(&self, entry: &TableEntry, policy: &Stated, checks: &mut Checks) {
        let dataset = entry.dataset();
        for leaf in leaves(dataset).into_iter().filter(|leaf| !fits(policy.mask, &leaf.column.data_type)) {
            let facts = CellFacts::new(&entry.product, &leaf.path, leaf.column);
            let verdict = applies(&policy.pst, &facts);
            if verdict != Applies::Never {
                let shown = format!("{}.{}", entry.product.name.domain, dataset.name);
                let misfits = checks.misfits.entry((policy.id.clone(), verdict == Applies::Can)).or_default();
                misfits.push((shown, leaf.path));
            }
        }
    }

    fn report(&mut self, checks: Checks) {
        for (dataset, why) in checks.schemas {
            self.findings.push(
                Diagnostic::error(Kind::Invalid, format!("dataset `{dataset}` has no Cedar schema: {why}"))
                    .hint("the dataset is denied"),
            );
        }
        let untyped: BTreeSet<String> = checks.untyped.keys().map(|(id, _)| id.clone()).collect();
        for ((id, column), dataset) in checks.untyped {
            let place = self.place_of(&id, &column);
            let message =
                format!("policy `{id}` reads `{column}` of `{dataset}`, whose type policies cannot ask about");
            let mut finding = Diagnostic::error(Kind::Invalid, message)
                .hint("floats, binary, times, maps and lists of anything but text are no attributes; decide by another column");
            finding.place = place;
            self.findings.push(finding);
        }
        for ((id, _), failure) in checks.failed {
            // Said better above.
            if !untyped.contains(&id) {
                self.cedar_error(&id, &failure.detail, &format!("policy `{id}` does not fit {}", failure.datasets()));
            }
        }
        for (id, possible) in checks.possible {
            if !possible && let Some(policy) = self.policies.iter().find(|policy| policy.id == id) {
                self.findings.push(
                    Diagnostic::warning(Kind::Invalid, format!("policy `{id}` can never be satisfied"))
                        .hint("a part of its condition is false for every row of every dataset it reaches")
                        .at(policy.place.clone()),
                );
            }
        }
        for ((id, certain), misfits) in checks.misfits {
            let Some(policy) = self.policies.iter().find(|policy| policy.id == id) else { continue };
            let Some((dataset, column)) = misfits.first() else { continue };
            let more =
                if misfits.len() > 1 { format!(" and {} more columns", misfits.len() - 1) } else { String::new() };
            let message =
                format!("policy `{id}` offers `{}`, which does not fit `{column}` of `{dataset}`{more}", policy.mask);
            let finding = if certain {
                Diagnostic::error(Kind::Invalid, message)
            } else {
                Diagnostic::warning(Kind::Invalid, message)
            };
            self.findings.push(
                finding
                    .hint(
                        "limit the policy to columns it fits, for example `when { context.column.name == \"…\" }`; \
                           elsewhere the offer does not count",
                    )
                    .at(policy.place.clone()),
            );
        }
    }

    fn place_of(&self, id: &str, word: &str) -> Option<Place> {
        let policy = self.policies.iter().find(|policy| policy.id == id)?;
        let (_, text) = self.files.texts.iter().find(|(path, _)| self.files.display(path) == policy.place.file)?;
        let text = Text { file: &policy.place.file, text };
        let source = policy.cedar.to_string();
        let start = text.text.find(source.trim())?;
        let at = source.trim().find(&format!("resource.{word}")).map(|at| at + "resource.".len());
        Some(at.map_or_else(|| policy.place.clone(), |at| text.place(start + at)))
    }
}

/// Findings of many datasets, said once for each policy.
#[derive(Default)]
struct Checks {
    schemas: Vec<(String, String)>,
    failed: BTreeMap<(String, String), Failure>,
    untyped: BTreeMap<(String, String), String>,
    possible: BTreeMap<String, bool>,
    misfits: BTreeMap<(String, bool), Vec<(String, ColumnPath)>>,
}

struct Failure {
    detail: DetailedError,
    first: Vec<String>,
    count: usize,
}

/// The same mistake in the same place, whichever dataset shows it.
fn detail_key(error: &cedar_policy::ValidationError) -> String {
    let detail = DetailedError::from(error);
    detail
        .source_locations
        .first()
        .map_or(detail.message, |location| format!("{}..{}", location.loc.start, location.loc.end))
}

impl Failure {
    fn new(error: &cedar_policy::ValidationError) -> Self {
        Self { detail: DetailedError::from(error), first: Vec::new(), count: 0 }
    }

    fn push(&mut self, dataset: &str) {
        if self.first.iter().any(|first| first == dataset) {
            return;
        }
        self.count += 1;
        if self.first.len() < 3 {
            self.first.push(dataset.to_owned());
        }
    }

    fn datasets(&self) -> String {
        let named = self.first.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match self.count - self.first.len() {
            0 => named,
            more => format!("{named} and {more} more datasets"),
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

/// Where the policy itself starts, after its annotations.
fn head_offset(source: &str) -> usize {
    let heads = ["permit", "forbid"]
        .into_iter()
        .filter_map(|word| source.find(&format!("{word} (")).or_else(|| source.find(&format!("{word}("))));
    heads.min().unwrap_or_default()
}

fn near(text: Text<'_>, part: &Part, problem: &Problem) -> Option<Place> {
    let word = problem.near.as_ref()?;
    part.source.find(word.as_str()).map(|at| text.place(part.start + at))
}
