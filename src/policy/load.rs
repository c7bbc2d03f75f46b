//! Policy files → [`PolicyStore`]: parse, check heads and words, validate against every dataset reached.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use cedar_policy::ffi::DetailedError;
use cedar_policy::{ValidationMode, Validator};
use sha2::{Digest, Sha256};

use super::document::{Part, Stated, Text, annotations, named, parse};
use super::lint::lint;
use super::mask::Mask;
use super::mentions::Problem;
use super::report::cedar_error;
use super::schema::SchemaBase;
use super::scope::{ACTIONS, Reach, actions};
use super::store::{PolicyStore, Refusal};
use super::validate::validate;
use super::vocabulary::Vocabulary;
use crate::diagnostic::{Diagnostic, Kind, Place};
use crate::mesh::{Files, Snapshot, files};

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
    let is_policy = |path: &String| Path::new(path).extension().is_some_and(|kind| kind == "cedar");
    let (global, local): (Vec<_>, Vec<_>) = files
        .texts
        .iter()
        .filter(|(path, _)| is_policy(path))
        .partition(|(path, _)| matches!(home(path), Home::Governance));
    // Governance first, so that no domain can take an id from it.
    for (path, text) in global.into_iter().chain(local) {
        for part in [path, text] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        loader.file(path, text);
    }
    for (path, why) in files.unreadable.iter().filter(|(path, _)| files::may_carry_policy(path)) {
        for part in [path, why] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        loader.unreadable(path);
    }
    let base = SchemaBase::new(&snapshot.mesh, snapshot.domains.keys());
    loader.products(&base);
    let checked = validate(&base, snapshot, &loader.policies, &loader.refusals);
    loader.findings.extend(checked.report.diagnostics(files, &loader.policies));
    PolicyStore {
        digest: digest.finalize().into(),
        findings: loader.findings,
        refuses_to_serve: loader.refuses_to_serve,
        mesh: snapshot.mesh.clone(),
        base,
        large: loader.policies.iter().any(Stated::is_large),
        policies: loader.policies,
        refusals: loader.refusals,
        tables: checked.tables,
        products: OnceLock::new(),
        schemas: Mutex::default(),
    }
}

/// A store that lets nothing through, for a load that could not be run.
pub(super) fn nothing(snapshot: &Snapshot, why: &str) -> PolicyStore {
    PolicyStore {
        digest: [0; 32],
        findings: vec![Diagnostic::error(Kind::Unavailable, format!("policies cannot be loaded: {why}"))],
        refuses_to_serve: true,
        mesh: snapshot.mesh.clone(),
        base: SchemaBase::new(&snapshot.mesh, snapshot.domains.keys()),
        large: false,
        policies: Vec::new(),
        refusals: Vec::new(),
        tables: HashMap::new(),
        products: OnceLock::new(),
        schemas: Mutex::default(),
    }
}

struct Loader<'a> {
    files: &'a Files,
    words: Vocabulary,
    findings: Vec<Diagnostic>,
    refuses_to_serve: bool,
    policies: Vec<Stated>,
    refusals: Vec<Refusal>,
    /// Id → where it stands, and in whose folder.
    ids: HashMap<String, (Place, Option<String>)>,
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

/// The same for what cannot be read, which may be a whole folder.
fn home_of_unreadable(path: &str) -> Home {
    match path.split_once('/') {
        None if path.eq_ignore_ascii_case(files::GOVERNANCE) => Home::Governance,
        None if files::has_catalog_ending(path) => Home::Elsewhere(None),
        None => Home::Elsewhere(Some(path.to_owned())),
        Some(_) => home(path),
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

    /// A file, folder or link without text may have said anything that its place allows, as a file that does not parse.
    fn unreadable(&mut self, path: &str) {
        let display = self.files.display(path);
        self.findings.extend(self.files.unreadable(path));
        let domain = match home_of_unreadable(path) {
            Home::Governance => {
                self.refuses_to_serve = true;
                None
            }
            Home::Domain(domain) => Some(domain),
            Home::Elsewhere(domain) => domain,
        };
        self.refuse(Self::all_of(domain.as_deref()), format!("{display} cannot be read"));
    }

    fn all_of(domain: Option<&str>) -> Reach {
        domain.map_or_else(Reach::everything, Reach::domain)
    }

    fn refuse(&mut self, reach: Reach, why: String) {
        tracing::warn!(%why, "policy refused; what it may have been about is denied");
        self.refusals.push(Refusal { reach, why });
    }

    /// All that a refused policy could have been about: its own reach, unless its resource is what is wrong.
    fn meant(&self, home: Option<&str>, reach: Option<Reach>, head_is_wrong: bool) -> Reach {
        match reach {
            Some(reach) if !head_is_wrong => reach,
            Some(reach) if home.is_none() => {
                let domain = reach.domain_name().filter(|domain| self.words.domains.contains(*domain));
                Self::all_of(domain)
            }
            _ => Self::all_of(home),
        }
    }

    /// The id under which a policy is kept: its own, or under its domain's where another domain has it. Nothing where
    /// its own side of the mesh has it twice. No domain can push another's policy out by taking its name.
    fn claim(&mut self, id: &str, home: Option<&str>, place: &Place) -> Option<String> {
        let Some((first, owner)) = self.ids.get(id) else {
            self.ids.insert(id.to_owned(), (place.clone(), home.map(str::to_owned)));
            return Some(id.to_owned());
        };
        let kept = home.filter(|home| owner.as_deref() != Some(*home)).map(|home| format!("{home}/{id}"));
        self.findings.push(
            Diagnostic::error(Kind::Invalid, format!("the policy id `{id}` is taken"))
                .hint(format!("the first is at {first}; ids are unique in the mesh"))
                .at(place.clone()),
        );
        let kept = kept.filter(|kept| !self.ids.contains_key(kept))?;
        self.ids.insert(kept.clone(), (place.clone(), home.map(str::to_owned)));
        Some(kept)
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
        let (mut id, mask) = match noted {
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
            match self.claim(&id, home, &place) {
                Some(kept) => id = kept,
                None => refused = true,
            }
        }
        let Some(reach) = reach.clone().filter(|_| !refused) else {
            self.refuse(self.meant(home, reach, head_is_wrong), format!("{place}: a refused policy"));
            return;
        };
        for what in &mentions.set_aside {
            self.findings.push(
                Diagnostic::warning(Kind::Invalid, format!("{what} of policy `{id}` is set aside"))
                    .hint("a contract there could not be served; the name stands for nothing until it is")
                    .at(place.clone()),
            );
        }
        let actions = actions(&pst.action);
        let cedar = named(&part.cedar, &id);
        let span = part.start..part.start + part.source.len();
        self.policies.push(Stated { id, cedar, pst, mask, actions, reach, mentions, place, span });
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
        let result = base
            .products(&others)
            .and_then(|schema| Ok((schema, PolicyStore::set(about.iter().map(|policy| &policy.cedar))?)));
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
            self.findings.extend(cedar_error(self.files, &self.policies, &id, &DetailedError::from(error), &lead));
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
