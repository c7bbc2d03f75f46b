//! What validation found in many datasets, said once for each policy.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use cedar_policy::ffi::DetailedError;

use super::document::{Stated, Text, cedar_finding};
use crate::diagnostic::{Diagnostic, Kind, Place};
use crate::mesh::Files;
use crate::name::ColumnPath;

/// Cedar's answer for datasets that look alike.
pub(super) struct Verdict {
    /// Policy id and what is wrong with it.
    pub errors: Vec<(String, DetailedError)>,
    /// Policies that no row can satisfy.
    pub impossible: HashSet<String>,
}

impl Verdict {
    pub fn failed(&self) -> impl Iterator<Item = &str> {
        self.errors.iter().map(|(id, _)| id.as_str())
    }
}

#[derive(Default)]
pub(super) struct Report {
    schemas: Vec<(String, String)>,
    failed: BTreeMap<(String, String), Failure>,
    /// Policy and column → the first dataset.
    untyped: BTreeMap<(String, String), String>,
    possible: BTreeMap<String, bool>,
    misfits: BTreeMap<(String, bool), Vec<(String, ColumnPath)>>,
}

struct Failure {
    detail: DetailedError,
    first: Vec<String>,
    count: usize,
}

impl Report {
    pub fn no_schema(&mut self, dataset: &str, why: &str) {
        self.schemas.push((dataset.to_owned(), why.to_owned()));
    }

    pub fn validated(&mut self, dataset: &str, policies: &[&Stated], verdict: &Verdict) {
        for (id, detail) in &verdict.errors {
            // The same mistake in the same place, whichever dataset shows it.
            let place = detail.source_locations.first();
            let place = place.map_or(detail.message.clone(), |at| format!("{}..{}", at.loc.start, at.loc.end));
            let failure = self.failed.entry((id.clone(), place)).or_insert_with(|| Failure {
                detail: detail.clone(),
                first: Vec::new(),
                count: 0,
            });
            failure.push(dataset);
        }
        for policy in policies {
            let possible = !verdict.impossible.contains(&policy.id);
            match self.possible.get_mut(&policy.id) {
                Some(known) => *known |= possible,
                None => _ = self.possible.insert(policy.id.clone(), possible),
            }
        }
    }

    pub fn untyped(&mut self, policy: &str, column: &str, dataset: &str) {
        let key = (policy.to_owned(), column.to_owned());
        self.untyped.entry(key).or_insert_with(|| dataset.to_owned());
    }

    pub fn misfit(&mut self, policy: &str, certain: bool, dataset: &str, column: ColumnPath) {
        self.misfits.entry((policy.to_owned(), certain)).or_default().push((dataset.to_owned(), column));
    }

    pub fn diagnostics(self, files: &Files, policies: &[Stated]) -> Vec<Diagnostic> {
        let find = |id: &str| policies.iter().find(|policy| policy.id == id);
        let mut out = Vec::new();
        for (dataset, why) in self.schemas {
            out.push(
                Diagnostic::error(Kind::Invalid, format!("dataset `{dataset}` has no Cedar schema: {why}"))
                    .hint("the dataset is denied"),
            );
        }
        let untyped: BTreeSet<String> = self.untyped.keys().map(|(id, _)| id.clone()).collect();
        for ((id, column), dataset) in self.untyped {
            let message =
                format!("policy `{id}` reads `{column}` of `{dataset}`, whose type policies cannot ask about");
            let mut finding = Diagnostic::error(Kind::Invalid, message).hint(
                "floats, binary, times, maps and lists of anything but text are no attributes; decide by another column",
            );
            finding.place = find(&id).map(|policy| place_of_column(files, policy, &column));
            out.push(finding);
        }
        for ((id, _), failure) in self.failed {
            // Said better above.
            if !untyped.contains(&id) {
                let lead = format!("policy `{id}` does not fit {}", failure.datasets());
                out.extend(cedar_error(files, policies, &id, &failure.detail, &lead));
            }
        }
        for (id, _) in self.possible.into_iter().filter(|(_, possible)| !possible) {
            let Some(policy) = find(&id) else { continue };
            out.push(
                Diagnostic::warning(Kind::Invalid, format!("policy `{id}` can never be satisfied"))
                    .hint("a part of its condition is false for every row of every dataset it reaches")
                    .at(policy.place.clone()),
            );
        }
        for ((id, certain), misfits) in self.misfits {
            let (Some(policy), Some((dataset, column))) = (find(&id), misfits.first()) else { continue };
            let more = match misfits.len() {
                1 => String::new(),
                n => format!(" and {} more columns", n - 1),
            };
            let message =
                format!("policy `{id}` offers `{}`, which does not fit `{column}` of `{dataset}`{more}", policy.mask);
            let make = if certain { Diagnostic::error } else { Diagnostic::warning };
            out.push(
                make(Kind::Invalid, message)
                    .hint(
                        "limit the policy to columns it fits, for example `when { context.column.name == \"…\" }`; \
                         elsewhere the offer does not count",
                    )
                    .at(policy.place.clone()),
            );
        }
        out
    }
}

impl Failure {
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

fn text_of<'a>(files: &'a Files, policy: &'a Stated) -> Text<'a> {
    let text = files.texts.iter().find(|(path, _)| files.display(path) == policy.place.file);
    Text { file: &policy.place.file, text: text.map_or("", |(_, text)| text) }
}

/// What Cedar says of a policy, in its place.
pub(super) fn cedar_error(
    files: &Files,
    policies: &[Stated],
    id: &str,
    detail: &DetailedError,
    lead: &str,
) -> Option<Diagnostic> {
    let policy = policies.iter().find(|policy| policy.id == id)?;
    let mut detail = detail.clone();
    let name = format!("for policy `{id}`, ");
    detail.message = detail.message.replacen(&name, "", 1);
    detail.help = detail.help.map(|help| help.replacen(&name, "", 1));
    Some(cedar_finding(text_of(files, policy), &detail, lead))
}

fn place_of_column(files: &Files, policy: &Stated, column: &str) -> Place {
    let text = text_of(files, policy);
    let source = policy.cedar.to_string();
    let at = text.text.find(source.trim()).and_then(|start| {
        let asked = source.trim().find(&format!("resource.{column}"))?;
        Some(start + asked + "resource.".len())
    });
    at.map_or_else(|| policy.place.clone(), |at| text.place(at))
}
