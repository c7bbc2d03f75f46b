//! A decision and its expressions, for one dataset: asked anew, and from the view's cache.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use meshgate::diagnostic::{Diagnostic, Kind, Result};
use meshgate::govern::{Generation, GovernedTable, PrincipalView, Resolution};
use meshgate::mesh::{self, Snapshot, TableEntry};
use meshgate::policy::{Decision, PolicyStore, Principals};
use meshgate::source::{Open, RawTable};
use meshgate::telemetry::Clock;
use secrecy::SecretString;

use crate::measure::{Times, micros, table};
use crate::mesh::{PRINCIPALS, files};

pub const NOW: i64 = 1_767_225_600_000;
const ROUNDS: usize = 40;
const RUNS: usize = 50;
const CACHED_RUNS: usize = 500;

/// Nothing is read in this bench.
#[derive(Debug)]
pub struct Nowhere;

#[async_trait::async_trait]
impl Open for Nowhere {
    async fn open(&self, _: &TableEntry) -> Result<Arc<RawTable>> {
        Err(Diagnostic::error(Kind::Unavailable, "there is no data"))
    }
}

struct Case {
    policies: usize,
    columns: usize,
    snapshot: Arc<Snapshot>,
    store: PolicyStore,
    view: PrincipalView,
    load: Duration,
    first: Duration,
    decision: Times,
    whole: Times,
    cached: Times,
}

impl Case {
    fn new(policies: usize, columns: usize) -> Self {
        let files = files(policies, columns);
        let started = Instant::now();
        let snapshot = Arc::new(mesh::load(&files).unwrap());
        let store = PolicyStore::load(&files, &snapshot);
        let load = started.elapsed();
        assert_eq!(snapshot.findings, []);
        assert_eq!(store.findings(), []);
        assert_eq!(store.policies().count(), policies);
        let again = PolicyStore::load(&files, &snapshot);
        let generation = Generation::new(Arc::clone(&snapshot), again, Arc::new(Nowhere), BTreeMap::new());
        let view = PrincipalView::new(generation, ana(), "", Clock::manual(NOW));
        let mut case = Self {
            policies,
            columns,
            snapshot,
            store,
            view,
            load,
            first: Duration::ZERO,
            decision: Times::default(),
            whole: Times::default(),
            cached: Times::default(),
        };
        // The first question of a dataset prepares its Cedar schema.
        let started = Instant::now();
        case.ask();
        case.first = started.elapsed();
        case
    }

    fn ask(&mut self) {
        let principal = ana();
        let name = self.snapshot.tables.keys().find(|table| table.to_string() == "sales.orders").unwrap();
        let entry = &self.snapshot.tables[name];
        let started = Instant::now();
        let Decision::Exposed(exposed) = self.store.authorize(&principal, "", NOW, entry) else {
            unreachable!("an analyst sees orders");
        };
        self.decision.push(started.elapsed());
        let key = Some(SecretString::from("key"));
        let governed = GovernedTable::new(entry.clone(), exposed, Arc::new(Nowhere), key, false);
        self.whole.push(started.elapsed());
        assert!(std::hint::black_box(governed).is_some());
    }

    fn resolve(&mut self) {
        let view = &self.view;
        let found = self.cached.measure(|| view.resolve("sales", "orders"));
        assert!(matches!(found, Resolution::Readable(_)));
    }
}

fn ana() -> meshgate::identity::Principal {
    let principals = Principals::parse(PRINCIPALS, "principals.yaml").unwrap();
    principals.get("ana").unwrap().principal.clone()
}

pub fn run() {
    let mut cases: Vec<Case> = [30, 500]
        .into_iter()
        .flat_map(|columns| [10, 100, 500, 5_000].map(|policies| Case::new(policies, columns)))
        .collect();
    for case in &mut cases {
        // What was made to warm up is not told.
        (case.decision, case.whole) = (Times::default(), Times::default());
        case.resolve();
        case.cached = Times::default();
    }
    // Cases take turns, so that a busy moment of the machine falls on all of them.
    for _ in 0..ROUNDS {
        for case in &mut cases {
            let runs = if case.columns > 100 { RUNS / 5 } else { RUNS };
            (0..runs).for_each(|_| case.ask());
            (0..CACHED_RUNS).for_each(|_| case.resolve());
        }
    }
    println!("### Decision and compilation for one dataset, in µs\n");
    let rows: Vec<Vec<String>> = cases
        .iter()
        .map(|case| {
            let fewest = cases.iter().find(|other| other.columns == case.columns).unwrap();
            let flat = case.whole.median().as_secs_f64() / fewest.whole.median().as_secs_f64();
            vec![
                case.columns.to_string(),
                case.policies.to_string(),
                micros(case.decision.median()),
                micros(case.whole.median()),
                micros(case.whole.percentile(0.99)),
                format!("{flat:.2}"),
                micros(case.cached.median()),
                micros(case.cached.percentile(0.99)),
                micros(case.first),
                format!("{:.0}", case.load.as_secs_f64() * 1e3),
                case.whole.runs().to_string(),
            ]
        })
        .collect();
    table(
        &[
            "columns",
            "policies",
            "decision p50",
            "whole p50",
            "whole p99",
            "to 10 policies",
            "cached p50",
            "cached p99",
            "first question",
            "load in ms",
            "runs",
        ],
        &rows,
    );
}
