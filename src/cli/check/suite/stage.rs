//! Tests run as a server would: a session of the principal, `SELECT *`, the governed leaf, egress.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use secrecy::SecretString;

use super::compare;
use super::document::{Expected, Seen, Test};
use crate::config::Limits;
use crate::diagnostic::{Diagnostic, Kind, Place, Result};
use crate::engine::Engine;
use crate::flight::wire_schema;
use crate::govern::{Current, Generation, column_exposures};
use crate::mesh::Snapshot;
use crate::policy::{Decision, PolicyStore};
use crate::query::{Egress, Sessions};
use crate::source::RowsInMemory;
use crate::telemetry::Clock;

/// The engine, and the rows of the test that runs now.
#[derive(Debug)]
pub struct Bench {
    engine: Arc<Engine>,
    rows: Arc<RowsInMemory>,
    limits: Limits,
}

/// One state of the policies, ready for tests. One test runs at a time.
#[derive(Debug)]
pub struct Stage<'a> {
    bench: &'a Bench,
    generation: Arc<Generation>,
    /// By the time that they see.
    sessions: Mutex<HashMap<i64, Arc<Sessions>>>,
}

impl Bench {
    /// # Errors
    /// The engine cannot start.
    pub fn new() -> Result<Self> {
        let limits = Limits { partitions: 1, ..Limits::default() };
        let engine = Engine::new(&limits)?;
        let rows = Arc::new(RowsInMemory::new(&engine)?);
        Ok(Self { engine, rows, limits })
    }

    pub fn stage(&self, snapshot: &Arc<Snapshot>, policies: PolicyStore) -> Stage<'_> {
        let key = |name: &crate::name::DomainName| (name.clone(), SecretString::from(format!("tests of {name}")));
        let keys = snapshot.domains.keys().map(key).collect();
        let generation = Generation::new(Arc::clone(snapshot), policies, Arc::clone(&self.rows) as _, keys);
        Stage { bench: self, generation, sessions: Mutex::default() }
    }
}

/// What a principal gets to see of a dataset.
enum Outcome {
    Rows(RecordBatch),
    Discoverable,
    Absent,
}

impl Stage<'_> {
    pub fn policies(&self) -> &PolicyStore {
        self.generation.policies()
    }

    /// What policy says of a test's principal and dataset.
    pub fn decision(&self, test: &Test) -> Decision {
        self.policies().authorize(&test.who.principal, &test.who.purpose, test.now, &test.entry)
    }

    /// Runs one test. Nothing is found where all of it holds.
    ///
    /// # Errors
    /// The engine failed, which says nothing of the policies.
    pub async fn run(&self, test: &Test) -> Result<Vec<Diagnostic>> {
        let outcome = self.outcome(test).await?;
        Ok(match (&test.expected, outcome) {
            (Expected::Absent(_), Outcome::Absent) | (Expected::Discoverable(_), Outcome::Discoverable) => Vec::new(),
            (Expected::Seen(seen), Outcome::Rows(rows)) => self.compare(test, seen, &rows),
            (Expected::Absent(place) | Expected::Discoverable(place) | Expected::Seen(Seen { place, .. }), outcome) => {
                vec![self.other(test, place, &outcome)]
            }
        })
    }

    fn sessions(&self, now: i64) -> Arc<Sessions> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let made = sessions.entry(now).or_insert_with(|| {
            let current = Arc::new(Current::new(Arc::clone(&self.generation)));
            let engine = Arc::clone(&self.bench.engine);
            Arc::new(Sessions::new(current, engine, self.bench.limits.clone(), Clock::manual(now)))
        });
        Arc::clone(made)
    }

    async fn outcome(&self, test: &Test) -> Result<Outcome> {
        let table = &test.entry.table;
        self.bench.rows.put(table, test.rows.clone())?;
        let session = self.sessions(test.now).open_for(test.who.principal.clone(), &test.who.purpose)?;
        let sql = format!("SELECT * FROM \"{}\".\"{}\"", table.domain, table.table);
        let planned = match session.plan(&sql).await {
            Ok(planned) => planned,
            Err(error) if error.kind == Kind::NotFound => return Ok(Outcome::Absent),
            Err(error) if error.kind == Kind::Denied => return Ok(Outcome::Discoverable),
            Err(error) => return Err(error),
        };
        let wire = wire_schema(planned.schema());
        let stream = session.run(&planned, Arc::clone(&wire)).await?;
        let batches: Vec<RecordBatch> = stream.map_ok(Egress::into_inner).try_collect().await?;
        let joined = concat_batches(&wire, &batches);
        joined.map(Outcome::Rows).map_err(|error| Diagnostic::error(Kind::Internal, error.to_string()))
    }

    fn compare(&self, test: &Test, seen: &Seen, rows: &RecordBatch) -> Vec<Diagnostic> {
        let fails = |place: &Place, message: String| {
            Diagnostic::error(Kind::Invalid, format!("test `{}`: {message}", test.name)).at(place.clone())
        };
        let mut findings = Vec::new();
        if let Some((place, expected)) = &seen.rows {
            findings.extend(compare::rows(&test.name, place, expected, rows));
        }
        if let Some((place, expected)) = &seen.count
            && *expected != rows.num_rows()
        {
            findings.push(fails(place, format!("{} rows are shown, not {expected}", rows.num_rows())));
        }
        let shown: BTreeSet<String> = rows.schema().fields().iter().map(|field| field.name().clone()).collect();
        if let Some((place, expected)) = &seen.columns
            && *expected != shown
        {
            let list = |names: Vec<&String>| names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let mut finding = fails(place, "other columns are shown than are expected".to_owned());
            for (names, word) in [
                (expected.difference(&shown).collect::<Vec<_>>(), "expected, not shown"),
                (shown.difference(expected).collect(), "shown, not expected"),
            ] {
                if !names.is_empty() {
                    finding = finding.hint(format!("{word}: {}", list(names)));
                }
            }
            findings.push(finding);
        }
        if seen.absent.is_empty() && seen.exposures.is_empty() {
            return findings;
        }
        let exposures = self.exposures(test);
        for (place, column) in &seen.absent {
            let inside = format!("{column}.");
            if exposures.keys().any(|path| path == column || path.starts_with(&inside)) {
                findings.push(fails(place, format!("`{column}` is expected to be absent, but is shown")));
            }
        }
        for (place, column, expected) in &seen.exposures {
            let hidden = || BTreeSet::from(["hidden".to_owned()]);
            let shown = exposures.get(column).cloned().unwrap_or_else(hidden);
            if shown != *expected {
                let list = |words: &BTreeSet<String>| words.iter().cloned().collect::<Vec<_>>().join(", ");
                let message = format!("`{column}` shows {}, expected {}", list(&shown), list(expected));
                findings.push(fails(place, message));
            }
        }
        findings
    }

    /// How each visible leaf is shown.
    fn exposures(&self, test: &Test) -> HashMap<String, BTreeSet<String>> {
        let Decision::Exposed(exposed) = self.decision(test) else { return HashMap::new() };
        let shown = column_exposures(test.entry.dataset(), &exposed);
        let words = shown.into_iter().map(|column| {
            let clear = column.masks.is_empty().then(|| "clear".to_owned());
            (column.path.to_string(), column.masks.into_iter().chain(clear).collect())
        });
        words.collect()
    }

    fn other(&self, test: &Test, place: &Place, outcome: &Outcome) -> Diagnostic {
        let table = &test.entry.table;
        let shown = match outcome {
            Outcome::Rows(rows) => format!("is read: {} rows of {} columns", rows.num_rows(), rows.num_columns()),
            Outcome::Discoverable => "may be known of but not read".to_owned(),
            Outcome::Absent => "does not exist".to_owned(),
        };
        let expected = match test.expected {
            Expected::Seen(_) => "is read",
            Expected::Discoverable(_) => "may be known of but not read",
            Expected::Absent(_) => "does not exist",
        };
        let message = format!("test `{}`: `{table}` {shown}; expected that it {expected}", test.name);
        let finding = Diagnostic::error(Kind::Invalid, message).at(place.clone());
        match self.decision(test) {
            Decision::Hidden { why, .. } => finding.hint(format!("why: {why}")),
            Decision::Exposed(exposed) => {
                finding.hint(format!("policies that decide: {}", exposed.policies.join(", ")))
            }
        }
    }
}
