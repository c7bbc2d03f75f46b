//! Configuration → gateway.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use futures::FutureExt as _;
use futures::future::join_all;
use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use super::users::known_users;
use crate::config::{Config, Limits};
use crate::diagnostic::{Diagnostic, Kind, Result, Severity, did_you_mean};
use crate::engine::Engine;
use crate::flight;
use crate::govern::{Current, Generation};
use crate::identity::{Authenticator, UsersFile};
use crate::mesh::{self, Files, Snapshot, TableEntry, missing_governance};
use crate::name::DomainName;
use crate::policy::PolicyStore;
use crate::query::{Session, Sessions};
use crate::source::{Sources, State, Stores};
use crate::telemetry::Clock;

/// Everything that serves, joined.
#[derive(Debug)]
pub struct Gateway {
    snapshot: Arc<Snapshot>,
    findings: Vec<Diagnostic>,
    sources: Arc<Sources>,
    sessions: Arc<Sessions>,
    authenticator: Arc<Authenticator>,
    limits: Limits,
    clock: Clock,
}

/// A line of the product table that an operator sees at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductRow {
    pub domain: String,
    pub dataset: String,
    pub format: String,
    pub rows: Option<u64>,
    /// `verified`, `declared`, `out`.
    pub state: String,
    /// Why it is not served.
    pub why: Option<String>,
}

impl Gateway {
    /// Loads catalogs and policies, and joins the layers. No storage is touched.
    ///
    /// # Errors
    /// A missing or broken `mesh.yaml`, governance that does not parse or cannot be read, an unreadable users file.
    pub fn build(config: &Config, clock: Clock) -> Result<Self> {
        let files = Files::read(&config.catalogs)?;
        let snapshot = Arc::new(mesh::load(&files).map_err(first)?);
        let policies = PolicyStore::load(&files, &snapshot);
        let mut findings = snapshot.findings.clone();
        findings.extend(missing_governance(&files, &snapshot.mesh));
        findings.extend(policies.findings().iter().cloned());
        if policies.refuses_to_serve() {
            return Err(first(policies.findings().to_vec()));
        }
        let engine = Engine::new(&config.limits)?;
        let patience = Duration::from_secs(config.limits.store_seconds);
        // The caller's runtime holds the connections, those to stores among them.
        let network = Handle::try_current().ok();
        let stores = Stores::from_config(&config.storage)?.with_patience(patience).with_network(network);
        let sources = Arc::new(Sources::new(Arc::clone(&engine), stores));
        let (hash_keys, missing) = hash_keys(config, &snapshot);
        findings.extend(missing);
        findings.extend(strangers(config, &snapshot));
        let source: Arc<dyn crate::source::Open> = Arc::clone(&sources) as _;
        let generation = Generation::new(Arc::clone(&snapshot), policies, source, hash_keys);
        let current = Arc::new(Current::new(generation));
        let sessions = Arc::new(Sessions::new(current, engine, config.limits.clone(), clock.clone()));
        let (users, unknown) = known_users(UsersFile::load(&config.auth.users)?, &snapshot.mesh);
        findings.extend(unknown);
        let authenticator = Arc::new(Authenticator::new(users, &config.auth, clock.clone())?);
        Ok(Self { snapshot, findings, sources, sessions, authenticator, limits: config.limits.clone(), clock })
    }

    /// The SQL catalog's name.
    pub fn mesh(&self) -> &str {
        &self.snapshot.mesh.name
    }

    /// What was found in contracts, policies and configuration while loading.
    pub fn findings(&self) -> &[Diagnostic] {
        &self.findings
    }

    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    pub fn authenticator(&self) -> &Arc<Authenticator> {
        &self.authenticator
    }

    /// The Flight service; each call joins the same sessions.
    pub fn service(&self) -> FlightServiceServer<flight::Gateway<Sessions>> {
        flight::service(Arc::clone(&self.sessions), Arc::clone(&self.authenticator), &self.limits, self.clock.clone())
    }

    /// Opens every dataset once, so that broken ones are known before somebody asks. Domains are looked at side by side: one whose
    /// store is silent delays no other.
    pub fn verify(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut domains: BTreeMap<DomainName, Vec<TableEntry>> = BTreeMap::new();
        for entry in self.snapshot.tables.values() {
            domains.entry(entry.table.domain.clone()).or_default().push(entry.clone());
        }
        let passes =
            domains.into_iter().map(|(domain, entries)| verify_domain(Arc::clone(&self.sources), domain, entries));
        join_all(passes.collect::<Vec<_>>()).map(drop)
    }

    /// The same while serving; the caller ends it with the gateway.
    #[must_use = "it ends with the handle"]
    pub fn verify_in_background(&self) -> AbortOnDropHandle<()> {
        self.sessions.engine().workers().spawn(self.verify())
    }

    /// The product table: every dataset and every contract that could not be declared, with the reason.
    pub async fn product_rows(&self) -> Vec<ProductRow> {
        let mut rows = Vec::new();
        for entry in self.snapshot.tables.values() {
            rows.push(self.product_row(entry).await);
        }
        rows.extend(self.snapshot.faults.iter().map(|fault| ProductRow {
            domain: fault.domain.to_string(),
            dataset: fault.product.clone(),
            format: String::new(),
            rows: None,
            state: "out".to_owned(),
            why: Some(fault.why.clone()),
        }));
        rows
    }

    async fn product_row(&self, entry: &TableEntry) -> ProductRow {
        let (state, why) = match self.sources.state(entry) {
            State::Declared => ("declared", None),
            State::Verified => ("verified", None),
            State::Partial { why } | State::Damaged { why } => ("partial", Some(why.message)),
            State::Out { why } => ("out", Some(why.message)),
        };
        ProductRow {
            domain: entry.table.domain.to_string(),
            dataset: entry.table.table.to_string(),
            format: entry.product.contract.server.format.as_str().to_owned(),
            rows: if why.is_none() { self.sources.row_count(entry).await } else { None },
            state: state.to_owned(),
            why,
        }
    }

    /// A session without the wire, for offline evaluation and tests.
    pub fn open_session(&self, principal: crate::identity::Principal) -> Arc<Session> {
        self.sessions.open(principal)
    }
}

async fn verify_domain(sources: Arc<Sources>, domain: DomainName, entries: Vec<TableEntry>) {
    for entry in &entries {
        match sources.verify(entry).await {
            State::Out { why } => tracing::error!(table = %entry.table, "not served: {why}"),
            State::Partial { why } | State::Damaged { why } => {
                tracing::error!(table = %entry.table, "not served in full: {why}");
            }
            State::Declared | State::Verified => continue,
        }
        if sources.is_store_silent(entry) {
            // Each of the others would wait as long for the same silence.
            tracing::error!(%domain, "its store does not answer: its other datasets are opened when somebody asks for them");
            return;
        }
    }
}

/// `build` answers one sentence; `meshgate check` prints all.
fn first(findings: Vec<Diagnostic>) -> Diagnostic {
    let more = findings.len().saturating_sub(1);
    let error = findings.into_iter().find(|finding| finding.severity == Severity::Error);
    let error = error.unwrap_or_else(|| Diagnostic::error(Kind::Internal, "the catalogs could not be loaded"));
    if more == 0 { error } else { error.hint(format!("`meshgate check` shows {more} more findings")) }
}

/// Storage for a domain that is not there is most often a misspelt name, and its real domain then has none.
fn strangers(config: &Config, snapshot: &Snapshot) -> Vec<Diagnostic> {
    let domains: Vec<&str> = snapshot.domains.keys().map(DomainName::as_str).collect();
    let unknown = config.storage.domains.keys().filter(|name| !domains.contains(&name.as_str()));
    let finding = |name: &String| {
        let hint = did_you_mean(name, domains.iter().copied()).unwrap_or_else(|| {
            format!("add the folder `{name}` with a `domain.yaml` to the catalogs, or remove the key")
        });
        Diagnostic::warning(Kind::NotFound, format!("`storage.domains.{name}` is about no domain that is served"))
            .hint(hint)
    };
    unknown.map(finding).collect()
}

/// The operator's keys by domain; a domain without one shows NULL where policy says `hash`, which start-up says aloud.
fn hash_keys(config: &Config, snapshot: &Snapshot) -> (BTreeMap<DomainName, SecretString>, Vec<Diagnostic>) {
    let (mut keys, mut findings) = (BTreeMap::new(), Vec::new());
    for name in snapshot.domains.keys() {
        let reference = config.storage.domains.get(name.as_str()).and_then(|domain| domain.hash_key.as_ref());
        let missing = match reference.map(crate::config::SecretRef::read) {
            Some(Ok(key)) => {
                keys.insert(name.clone(), key);
                continue;
            }
            Some(Err(diagnostic)) => diagnostic.message,
            None => format!("`storage.domains.{name}.hash_key` is not set"),
        };
        findings.push(
            Diagnostic::warning(
                Kind::Unavailable,
                format!("the mask `hash` shows NULL in the domain `{name}`: {missing}"),
            )
            .hint("set it to `env:NAME` or `file:PATH`"),
        );
    }
    (keys, findings)
}
