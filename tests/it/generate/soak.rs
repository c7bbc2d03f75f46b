//! As many statements as one likes: `make soak SEED=7 MINUTES=10`, or `STATEMENTS=100000`.
//!
//! It is one test in two sizes. Without `MESHGATE_SOAK_*` in the environment it asks what `make test` has time for.
#![expect(clippy::print_stdout, reason = "whoever waits for an hour wants to see how far it is")]

use std::env::var;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::twins::{Shares, Twins};
use crate::leaks::world::{CONDITIONS, Condition, SOURCES, Source};

pub const SEED: u64 = 20_260_101;

/// For each condition, in `make test`.
const FIXED: u64 = 304;

/// Statements between two lines of progress, for each condition.
const ROUND: u64 = 256;

/// What the environment asks for.
struct Size {
    seed: u64,
    /// For each condition; an end by time has none.
    statements: u64,
    time: Option<Duration>,
    is_soak: bool,
}

impl Size {
    fn read() -> Self {
        let number = |name: &str| {
            let text = var(name).ok().filter(|text| !text.is_empty())?;
            Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is a whole number, not `{text}`")))
        };
        let minutes = number("MESHGATE_SOAK_MINUTES");
        let statements = number("MESHGATE_SOAK_STATEMENTS");
        let conditions = CONDITIONS.len() as u64;
        Self {
            seed: number("MESHGATE_SOAK_SEED").unwrap_or(SEED),
            statements: match (statements, minutes) {
                (Some(statements), _) => statements.div_ceil(conditions),
                (None, Some(_)) => u64::MAX,
                (None, None) => FIXED,
            },
            time: minutes.map(|minutes| Duration::from_secs(minutes * 60)),
            is_soak: minutes.is_some() || statements.is_some(),
        }
    }
}

/// The worlds of one condition: every source, at one partition and at two.
async fn worlds(condition: Condition) -> Vec<Twins> {
    let mut all = Vec::new();
    // CSV has no struct to condition on.
    for source in SOURCES.into_iter().filter(|source| (condition, *source) != (Condition::NestedField, Source::Csv)) {
        for partitions in [1, 2] {
            all.push(Twins::new("ana", condition, source, partitions).await);
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn random_statements_tell_nothing_of_what_is_hidden() {
    let size = Size::read();
    let begun = Instant::now();
    let ends = |asked: u64| asked >= size.statements || size.time.is_some_and(|time| begun.elapsed() >= time);
    let worlds: Vec<Arc<Vec<Twins>>> = join_all(CONDITIONS.map(worlds)).await.into_iter().map(Arc::new).collect();
    let mut shares = vec![Shares::default(); worlds.len()];
    let mut findings: Vec<String> = Vec::new();
    let mut asked = 0;
    while !ends(asked) && findings.len() < 10 {
        let round = asked..(asked + ROUND).min(size.statements);
        asked = round.end;
        let tasks = worlds.iter().enumerate().map(|(place, twins)| {
            let (twins, seed, round) = (Arc::clone(twins), size.seed, round.clone());
            tokio::spawn(async move {
                let (mut shares, mut findings) = (Shares::default(), Vec::new());
                for number in round {
                    // Every condition has statements of its own; three of four at one partition, which compares more.
                    let number = number * CONDITIONS.len() as u64 + place as u64;
                    let turn = number / CONDITIONS.len() as u64;
                    let sources = twins.len() / 2;
                    let source = usize::try_from(turn).unwrap() % sources;
                    let at = source * 2 + usize::from((turn / sources as u64) % 4 == 3);
                    if let Some(finding) = twins[at].examine(seed, number, &mut shares).await {
                        println!("{finding}\n");
                        findings.push(finding);
                    }
                }
                (shares, findings)
            })
        });
        for (total, done) in shares.iter_mut().zip(join_all(tasks).await) {
            let (counted, found) = done.unwrap();
            total.add(counted);
            findings.extend(found);
        }
        if size.is_soak {
            println!("{}", progress(&shares, begun));
        }
    }
    println!("seed {}: {}", size.seed, progress(&shares, begun));
    assert!(findings.is_empty(), "{} statements tell the worlds apart\n{}", findings.len(), findings.join("\n\n"));
    for (condition, shares) in CONDITIONS.iter().zip(&shares) {
        // Of very many, the engine itself breaks on some: they are printed above, and are caught.
        assert!(size.is_soak || shares.broken == 0, "{condition:?}: the gateway broke: {shares}");
        assert!(Shares::percent(shares.rows, shares.asked) >= 45, "{condition:?}: too few are answered: {shares}");
        assert!(Shares::percent(shares.filled, shares.asked) >= 25, "{condition:?}: too few show a row: {shares}");
        assert!(Shares::percent(shares.late, shares.asked) < 2, "{condition:?}: too many had no time: {shares}");
    }
}

fn progress(shares: &[Shares], begun: Instant) -> String {
    let mut all = Shares::default();
    for shares in shares {
        all.add(*shares);
    }
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = all.asked as f64 / seconds;
    format!("{all}; {seconds:.0} s, {rate:.0} each second")
}
