//! Asks both worlds, compares what they answer, and makes smaller what tells them apart.
#![expect(
    clippy::print_stdout,
    reason = "a fault of the engine is no leak, and nobody should have to look for its statement"
)]

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use futures::{FutureExt, TryStreamExt};
use meshgate::diagnostic::{Diagnostic, Kind};
use meshgate::flight::wire_schema;
use meshgate::query::{Egress, Session};

use super::query::statement;
use super::tree::Tree;
use crate::harness::{Mesh, error_text, render};
use crate::leaks::world::{CANARIES, Condition, Source, world};

/// How often a statement is asked again whose answers differ.
const REPEATED: usize = 8;

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Rows,
    /// It failed on a value.
    Failed,
    /// It was not planned.
    Refused,
    /// The gateway's or the engine's own fault.
    Broken,
    /// There was no time: says nothing.
    Late,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub outcome: Outcome,
    pub text: String,
}

pub async fn ask(session: &Session, sql: &str) -> Answer {
    let failed = |error: &Diagnostic, otherwise| Answer {
        outcome: match error.kind {
            Kind::Deadline => Outcome::Late,
            Kind::Internal => Outcome::Broken,
            _ => otherwise,
        },
        text: error_text(error),
    };
    let planned = match session.plan(sql).await {
        Ok(planned) => planned,
        Err(error) => return failed(&error, Outcome::Refused),
    };
    let wire = wire_schema(planned.schema());
    let rows = async {
        let stream = session.run(&planned, Arc::clone(&wire)).await?;
        stream.map_ok(Egress::into_inner).try_collect::<Vec<RecordBatch>>().await
    };
    // The gateway catches panics where it sends rows.
    match AssertUnwindSafe(rows).catch_unwind().await {
        Ok(Ok(batches)) if batches.is_empty() => {
            Answer { outcome: Outcome::Rows, text: render(&[RecordBatch::new_empty(Arc::clone(&wire))]) }
        }
        Ok(Ok(batches)) => Answer { outcome: Outcome::Rows, text: render(&batches) },
        Ok(Err(error)) => failed(&error, Outcome::Failed),
        Err(_) => Answer { outcome: Outcome::Broken, text: "a panic".to_owned() },
    }
}

/// Byte for byte, or as sorted rows where the statement leaves the order open.
pub fn same(first: &Answer, second: &Answer, ordered: bool) -> bool {
    if first.outcome == Outcome::Late || second.outcome == Outcome::Late || first == second {
        return true;
    }
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    !ordered && first.outcome == second.outcome && sorted(&first.text) == sorted(&second.text)
}

/// What `sql` did not say and the answer does.
pub fn canary(sql: &str, answer: &str) -> Option<&'static str> {
    CANARIES.into_iter().find(|canary| answer.contains(canary) && !sql.contains(canary))
}

/// How many statements ended how.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shares {
    pub asked: u64,
    pub rows: u64,
    /// Of those with rows, those with at least one.
    pub filled: u64,
    pub failed: u64,
    pub refused: u64,
    pub broken: u64,
    pub late: u64,
}

impl Shares {
    pub fn count(&mut self, answer: &Answer) {
        self.asked += 1;
        match answer.outcome {
            Outcome::Rows => {
                self.rows += 1;
                self.filled += u64::from(answer.text.lines().count() > 1);
            }
            Outcome::Failed => self.failed += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::Broken => self.broken += 1,
            Outcome::Late => self.late += 1,
        }
    }

    pub fn add(&mut self, other: Self) {
        self.asked += other.asked;
        self.rows += other.rows;
        self.filled += other.filled;
        self.failed += other.failed;
        self.refused += other.refused;
        self.broken += other.broken;
        self.late += other.late;
    }

    pub fn percent(part: u64, whole: u64) -> u64 {
        (part * 100).checked_div(whole).unwrap_or(0)
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |part| Self::percent(part, self.asked);
        write!(
            f,
            "{} statements: {} % rows ({} % not empty), {} % failed on a value, {} % refused, {} broken, {} late",
            self.asked,
            share(self.rows),
            share(self.filled),
            share(self.failed),
            share(self.refused),
            self.broken,
            self.late
        )
    }
}

/// The worlds of one condition and source, as one principal sees them.
pub struct Twins {
    pub condition: Condition,
    pub source: Source,
    pub partitions: usize,
    first: Arc<Session>,
    second: Arc<Session>,
    // They look for what is left behind when they go.
    _meshes: [Mesh; 2],
}

impl Twins {
    pub async fn new(who: &str, condition: Condition, source: Source, partitions: usize) -> Self {
        let first = Mesh::with_partitions(&world(false, condition, source), partitions).await;
        let second = Mesh::with_partitions(&world(true, condition, source), partitions).await;
        assert!(first.findings.is_empty(), "{:?}", first.findings);
        Self {
            condition,
            source,
            partitions,
            first: first.session(who),
            second: second.session(who),
            _meshes: [first, second],
        }
    }

    pub fn statement(&self, seed: u64, number: u64) -> Tree {
        statement(seed, number, self.condition, self.source)
    }

    pub async fn both(&self, tree: &Tree) -> (Answer, Answer) {
        let sql = tree.sql();
        (ask(&self.first, &sql).await, ask(&self.second, &sql).await)
    }

    async fn differ(&self, tree: &Tree, (first, second): &(Answer, Answer)) -> bool {
        let sql = tree.sql();
        if [first, second].iter().any(|answer| canary(&sql, &answer.text).is_some()) {
            return true;
        }
        // At two partitions rows race, and of two failures one is told.
        let raced = self.partitions > 1 && first.outcome == Outcome::Failed && second.outcome == Outcome::Failed;
        // What was made smaller can have more columns than it sorts by.
        let columns = first.text.lines().next().unwrap_or_default().split(" | ").count();
        let ordered = tree.sorts_by() >= columns;
        if raced || same(first, second, ordered) {
            return false;
        }
        // The engine runs the sides of a union in any order, and tells of the failure that came first: such a statement has several
        // answers in one world, and says nothing where the worlds have one in common.
        let (mut firsts, mut seconds) = (vec![first.clone()], vec![second.clone()]);
        for _ in 0..REPEATED {
            let (first, second) = self.both(tree).await;
            firsts.push(first);
            seconds.push(second);
        }
        !firsts.iter().any(|first| seconds.iter().any(|second| same(first, second, ordered)))
    }

    /// Asks one statement; what is wrong with its answers, made small, if anything is.
    pub async fn examine(&self, seed: u64, number: u64, shares: &mut Shares) -> Option<String> {
        let tree = self.statement(seed, number);
        let answers = self.both(&tree).await;
        shares.count(&answers.0);
        if answers.0.outcome == Outcome::Broken {
            println!("broken over {:?}: {}\n{}", self.source, tree.sql(), answers.0.text);
        }
        if !self.differ(&tree, &answers).await {
            return None;
        }
        let (small, (first, second)) = self.shrink(tree.clone(), answers).await;
        Some(format!(
            "seed {seed}, statement {number}, {:?} over {:?} at {} partitions\n{}\nat its smallest:\n{}\n--- first world\n{}\n--- second world\n{}",
            self.condition,
            self.source,
            self.partitions,
            tree.sql(),
            small.sql(),
            first.text,
            second.text
        ))
    }

    /// Leaves out what can be left out while the worlds still differ.
    async fn shrink(&self, mut tree: Tree, mut answers: (Answer, Answer)) -> (Tree, (Answer, Answer)) {
        let mut tries = 2_000;
        'smaller: loop {
            let mut candidates = tree.smaller();
            candidates.sort_by_key(|candidate| candidate.sql().len());
            let length = tree.sql().len();
            for candidate in candidates.into_iter().filter(|candidate| candidate.sql().len() < length) {
                tries -= 1;
                if tries == 0 {
                    return (tree, answers);
                }
                let found = self.both(&candidate).await;
                if self.differ(&candidate, &found).await {
                    (tree, answers) = (candidate, found);
                    continue 'smaller;
                }
            }
            return (tree, answers);
        }
    }
}
