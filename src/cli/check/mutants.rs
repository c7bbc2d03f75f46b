//! With `--mutate`: each condition is dropped in turn; a test should notice.

use std::sync::Arc;

use super::suite::{Bench, Stage, Test};
use crate::diagnostic::{Diagnostic, Kind, Result, Severity};
use crate::mesh::{Files, Snapshot};
use crate::policy::{PolicyStore, StatedPolicy};

/// What became of the mutants.
#[derive(Debug, Default)]
pub struct Mutants {
    pub made: usize,
    /// A test failed.
    pub killed: usize,
    /// `check` finds an error in the policy without its condition, so nobody could drop it by mistake.
    pub refused: usize,
    pub survived: Vec<Diagnostic>,
}

/// Tests run only where a decision changed: what is shown follows from the decision and the rows.
///
/// # Errors
/// The engine failed.
pub async fn run(
    bench: &Bench,
    files: &Files,
    snapshot: &Arc<Snapshot>,
    stage: &Stage<'_>,
    stated: &[StatedPolicy],
    tests: &[Test],
) -> Result<Mutants> {
    let mut mutants = Mutants::default();
    let before: Vec<_> = tests.iter().map(|test| stage.decision(test)).collect();
    for policy in stated.iter().filter(|policy| policy.is_about_rows) {
        // Elsewhere nothing can change, and every table that is left out need not be validated again.
        let mut reached = Snapshot::clone(snapshot);
        reached.tables.retain(|table, _| {
            stage.policies().bears_on(policy, table) && tests.iter().any(|test| test.entry.table == *table)
        });
        let reached = Arc::new(reached);
        let known = errors(&PolicyStore::load(files, &reached));
        for condition in &policy.conditions {
            mutants.made += 1;
            let policies = PolicyStore::load(&policy.without(condition, files), &reached);
            if errors(&policies) > known {
                mutants.refused += 1;
                continue;
            }
            let mutant = bench.stage(&reached, policies);
            let about = tests.iter().zip(&before).filter(|(test, _)| reached.tables.contains_key(&test.entry.table));
            let changed = about.filter(|(test, before)| mutant.decision(test) != **before);
            let mut killed = false;
            for (test, _) in changed {
                killed = !mutant.run(test).await?.is_empty();
                if killed {
                    break;
                }
            }
            if killed {
                mutants.killed += 1;
                continue;
            }
            let message = format!("no test fails without the condition `{}` of policy `{}`", condition.text, policy.id);
            mutants.survived.push(
                Diagnostic::warning(Kind::Invalid, message)
                    .hint("add a test whose rows or principal need it, or drop it if nothing does")
                    .at(condition.place.clone()),
            );
        }
    }
    Ok(mutants)
}

fn errors(policies: &PolicyStore) -> usize {
    policies.findings().iter().filter(|finding| finding.severity == Severity::Error).count()
}
