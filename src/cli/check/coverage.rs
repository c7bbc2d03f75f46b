//! With `--coverage`: policies and conditions that no test makes decide both ways.

use std::collections::BTreeSet;

use super::suite::{Stage, Test};
use crate::diagnostic::{Diagnostic, Kind};
use crate::policy::{Decided, StatedPolicy};

/// What was asked and what was decided.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Ways to decide: two for each policy and each of its conditions.
    pub ways: usize,
    pub decided: usize,
    pub findings: Vec<Diagnostic>,
}

/// Policies that do not speak of rows are left out: a test over rows says nothing of them.
pub fn measure(stage: &Stage<'_>, stated: &[StatedPolicy], tests: &[Test]) -> Coverage {
    let mut coverage = Coverage::default();
    let mut decided: BTreeSet<Decided> = BTreeSet::new();
    for test in tests {
        let who = (&test.who.principal, test.who.purpose.as_str(), test.now);
        match stage.policies().decided(stated, who, &test.entry, &test.rows) {
            Ok(found) => decided.extend(found),
            Err(why) => coverage.findings.push(
                Diagnostic::warning(
                    Kind::Internal,
                    format!("the coverage of test `{}` is not known: {why}", test.name),
                )
                .at(test.place.clone()),
            ),
        }
    }
    for (at, policy) in stated.iter().enumerate().filter(|(_, policy)| policy.is_about_rows) {
        let is_decided = |condition, holds| decided.contains(&Decided { policy: at, condition, holds });
        let whole = (is_decided(None, true), is_decided(None, false));
        coverage.count(whole);
        let said = match whole {
            (true, true) => None,
            (true, false) => Some("every cell that a test asks it about is one that it applies to"),
            (false, true) => Some("it applies to no cell of a test"),
            (false, false) => Some("no test asks it about a cell"),
        };
        let id = &policy.id;
        if let Some(said) = said {
            let message = format!("policy `{id}` is not decided both ways: {said}");
            let finding = Diagnostic::warning(Kind::Invalid, message)
                .hint("add a test with a row, column or principal of the other kind");
            coverage.findings.push(finding.at(policy.place.clone()));
        }
        for (number, condition) in policy.conditions.iter().enumerate() {
            let ways = (is_decided(Some(number), true), is_decided(Some(number), false));
            coverage.count(ways);
            let said = match ways {
                (true, true) => continue,
                (true, false) => "is true wherever a test asks it",
                (false, true) => "is false wherever a test asks it",
                (false, false) => "is asked by no test",
            };
            // Said once for the whole policy.
            if whole == (false, false) {
                continue;
            }
            let message = format!("condition `{}` of policy `{id}` {said}", condition.text);
            coverage.findings.push(Diagnostic::warning(Kind::Invalid, message).at(condition.place.clone()));
        }
    }
    coverage
}

impl Coverage {
    fn count(&mut self, (holds, fails): (bool, bool)) {
        self.ways += 2;
        self.decided += usize::from(holds) + usize::from(fails);
    }
}
