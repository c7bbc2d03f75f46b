//! Policy files → [`PolicyStore`]: parse, check heads and words, validate against every dataset reached.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::OnceLock;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{ValidationMode, Validator};
use sha2::{Digest, Sha256};

use super::document::{Part, Stated, Text, annotations, named, parse};
use super::lint::{Problem, lint};
use super::mask::Mask;
use super::report::cedar_error;
use super::schema::SchemaBase;
use super::scope::{ACTIONS, Reach, actions};
use super::store::{PolicyStore, Refusal};
use super::validate::validate;
use super::vocabulary::Vocabulary;
use crate::diagnostic::{Diagnostic, Kind, Place};
use crate::mesh::{Files, Snapshot};

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
    for (path, text) in
        files.texts.iter().filter(|(path, _)| Path::new(path).extension().is_some_and(|kind| kind == "cedar"))
    {
        for part in [path, text] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        loader.file(path, text);
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
        policies: loader.policies,
        refusals: loader.refusals,
        tables: checked.tables,
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
