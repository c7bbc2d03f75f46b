//! A hermetic gateway from one string. [`check`] is the one place that touches the API; a mesh complains when it goes and something
//! is left: running statements, reserved memory, spilled files.

mod fixture;
mod table;
pub mod wire;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use futures::{StreamExt, TryStreamExt};
use meshgate::config::Limits;
use meshgate::diagnostic::{Diagnostic, Result};
use meshgate::engine::Engine;
use meshgate::flight::wire_schema;
use meshgate::govern::{Current, Generation};
use meshgate::identity::UsersFile;
use meshgate::mesh::{self, Files};
use meshgate::policy::PolicyStore;
use meshgate::query::{Session, Sessions};
use meshgate::source::{Open, Sources, Stores};
use meshgate::telemetry::Clock;
use object_store::ObjectStore;
use secrecy::SecretString;
use url::Url;

pub use fixture::{Fixture, delta_log, parquet, rows};
pub use table::render;

/// 2026-01-01T00:00:00Z.
pub const NOW: i64 = 1_767_225_600_000;

/// A mesh over in-memory stores.
pub struct Mesh {
    pub sessions: Arc<Sessions>,
    pub current: Arc<Current>,
    pub clock: Clock,
    pub findings: Vec<Diagnostic>,
    users: UsersFile,
    engine: Arc<Engine>,
    sources: Arc<dyn Open>,
}

impl Mesh {
    pub async fn new(text: &str) -> Self {
        Self::with_partitions(text, 2).await
    }

    /// At one partition, rows come and fail in one order.
    pub async fn with_partitions(text: &str, partitions: usize) -> Self {
        Self::with_limits(text, with(partitions)).await
    }

    pub async fn with_limits(text: &str, limits: Limits) -> Self {
        let fixture = Fixture::parse(text);
        let stores = fixture.stores().await;
        let stores = stores.into_iter().map(|(domain, store)| (domain, store as Arc<dyn ObjectStore>)).collect();
        Self::build(&fixture, stores, limits, Stores::default(), |sources, _| sources)
    }

    /// The same over stores of the caller's, keyed by domain.
    pub fn over(fixture: &Fixture, stores: BTreeMap<String, Arc<dyn ObjectStore>>) -> Self {
        Self::over_with(fixture, stores, |sources, _| sources)
    }

    /// The same with something between the policy and the stores.
    pub fn over_with(
        fixture: &Fixture,
        stores: BTreeMap<String, Arc<dyn ObjectStore>>,
        between: impl FnOnce(Arc<dyn Open>, &Arc<Engine>) -> Arc<dyn Open>,
    ) -> Self {
        Self::build(fixture, stores, with(2), Stores::default(), between)
    }

    /// The same over stores that are given up after `patience`.
    pub fn over_with_patience(
        fixture: &Fixture,
        stores: BTreeMap<String, Arc<dyn ObjectStore>>,
        patience: Duration,
    ) -> Self {
        // Only their patience ends a wait, however slow the machine is.
        let limits = Limits { planning_seconds: 120, ..with(2) };
        Self::build(fixture, stores, limits, Stores::default().with_patience(patience), |sources, _| sources)
    }

    fn build(
        fixture: &Fixture,
        stores: BTreeMap<String, Arc<dyn ObjectStore>>,
        limits: Limits,
        mut placed: Stores,
        between: impl FnOnce(Arc<dyn Open>, &Arc<Engine>) -> Arc<dyn Open>,
    ) -> Self {
        let clock = Clock::manual(NOW);
        let engine = Engine::new(&limits).unwrap();
        for (domain, store) in stores {
            let url = Url::parse(&format!("local://{domain}/")).unwrap();
            placed.insert(domain.parse().unwrap(), &url, store);
        }
        let sources = between(Arc::new(Sources::new(Arc::clone(&engine), placed)), &engine);
        let (generation, findings) = generation(fixture, &sources);
        let current = Arc::new(Current::new(generation));
        let sessions = Arc::new(Sessions::new(Arc::clone(&current), Arc::clone(&engine), limits, clock.clone()));
        let users = UsersFile::parse(&wire::with_passwords(&fixture.users), "users.toml").unwrap();
        Self { sessions, current, clock, findings, users, engine, sources }
    }

    /// Swaps in other contracts and policies; the data stays.
    pub fn reload(&self, text: &str) {
        self.current.swap(generation(&Fixture::parse(text), &self.sources).0);
    }

    /// What the owner is told of a column that no statement may read.
    pub async fn why_unreadable(&self, domain: &str, table: &str, column: &str) -> String {
        let generation = self.current.get();
        let mut tables = generation.snapshot().tables.values();
        let entry = tables.find(|e| (e.table.domain.as_str(), e.table.table.as_str()) == (domain, table)).unwrap();
        let opened = self.sources.open(entry).await.expect("the other columns are read");
        let path = meshgate::name::ColumnPath::root(column.parse().unwrap());
        error_text(opened.unreadable(&path).expect("the column is unreadable"))
    }

    pub fn session(&self, who: &str) -> Arc<Session> {
        let principal = self.users.principal(who).unwrap_or_else(|| panic!("the fixture has no user `{who}`"));
        self.sessions.open(principal)
    }

    /// Batches as they would be encoded.
    pub async fn batches(&self, who: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        run(&self.session(who), sql).await
    }

    /// The whole observable answer: header, types and rows, or the error with its hints.
    pub async fn answer(&self, who: &str, sql: &str) -> String {
        match self.batches(who, sql).await {
            Ok(batches) => render(&batches),
            Err(error) => error_text(&error),
        }
    }
}

fn with(partitions: usize) -> Limits {
    Limits { partitions, ..Limits::default() }
}

/// Plans and runs one statement to its end.
pub async fn run(session: &Session, sql: &str) -> Result<Vec<RecordBatch>> {
    let planned = session.plan(sql).await?;
    let wire = wire_schema(planned.schema());
    let stream = session.run(&planned, Arc::clone(&wire)).await?;
    let batches: Vec<RecordBatch> =
        stream.map(|batch| batch.map(meshgate::query::Egress::into_inner)).try_collect().await?;
    Ok(if batches.is_empty() { vec![RecordBatch::new_empty(wire)] } else { batches })
}

pub fn error_text(error: &Diagnostic) -> String {
    let mut out = format!("{:?}: {}", error.kind, error.message);
    for hint in &error.hints {
        write!(out, "\nhint: {hint}").unwrap();
    }
    without_ids(&out)
}

/// Correlation ids are random by design.
pub fn without_ids(text: &str) -> String {
    const ID: &str = "correlation id ";
    match text.split_once(ID) {
        Some((before, rest)) => {
            let after = rest.trim_start_matches(|c: char| c.is_ascii_hexdigit());
            format!("{before}{ID}…{after}")
        }
        None => text.to_owned(),
    }
}

fn generation(fixture: &Fixture, sources: &Arc<dyn Open>) -> (Arc<Generation>, Vec<Diagnostic>) {
    let files = Files { texts: fixture.catalogs.clone(), ..Files::default() };
    let snapshot = Arc::new(mesh::load(&files).unwrap());
    let policies = PolicyStore::load(&files, &snapshot);
    let findings = snapshot.findings.iter().chain(policies.findings()).cloned().collect();
    let keyed = snapshot.domains.keys().filter(|_| !fixture.without_keys);
    let keys = keyed.map(|name| (name.clone(), SecretString::from(format!("key of {name}")))).collect();
    (Generation::new(snapshot, policies, Arc::clone(sources), keys), findings)
}

impl Drop for Mesh {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        // A stream that was dropped before its end is ended by its tasks, soon and not at once.
        let start = std::time::Instant::now();
        while self.engine.reserved_bytes() > 0 && start.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(self.engine.reserved_bytes(), 0, "memory is still reserved when the mesh goes");
        assert_eq!(self.engine.spill_files(), 0, "spilled files are left when the mesh goes");
    }
}

/// Asks as `who`, and compares the whole answer; leading white space of the expected lines does not count.
pub async fn check(mesh: &Mesh, who: &str, sql: &str, expect: &str) {
    let expected: Vec<&str> = expect.trim().lines().map(str::trim).collect();
    let answer = mesh.answer(who, sql).await;
    let got: Vec<&str> = answer.lines().map(str::trim).collect();
    assert_eq!(got, expected, "\n{who}: {sql}\n{answer}\n");
}
