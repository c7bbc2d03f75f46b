//! One client session for each login; engine state shared by all logins with the same view.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::SchemaProvider;
use datafusion::common::format::{ExplainAnalyzeCategories, ExplainFormat, MetricCategory, MetricType};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use futures::stream::BoxStream;
use moka::sync::Cache;

use super::deadline::Planners;
use super::plan::{self, Planned};
use super::{Egress, stream};
use crate::config::Limits;
use crate::diagnostic::Result;
use crate::discovery::{InformationSchema, MeshSchema, VisibleTable, information_schema, visible_tables};
use crate::engine::Engine;
use crate::govern::{Current, MeshCatalog, PrincipalView, view_digest};
use crate::identity::Principal;
use crate::telemetry::Clock;

/// Views kept for principals that come back; an evicted one is decided again.
const KEPT_VIEWS: u64 = 1_024;
const VIEW_IDLE: Duration = Duration::from_mins(10);

/// Opens sessions over the current generation.
pub struct Sessions(Arc<Shared>);

struct Shared {
    current: Arc<Current>,
    engine: Arc<Engine>,
    limits: Limits,
    planners: Planners,
    clock: Clock,
    base: SessionState,
    plannings: Arc<AtomicU64>,
    views: Cache<[u8; 32], Arc<ViewState>>,
}

/// A view and the engine state that can reach nothing but that view.
#[derive(Debug)]
pub(in crate::query) struct ViewState {
    pub view: Arc<PrincipalView>,
    pub state: SessionState,
    /// Statements planned so far, by all views.
    pub plannings: Arc<AtomicU64>,
}

impl Sessions {
    pub fn new(current: Arc<Current>, engine: Arc<Engine>, limits: Limits, clock: Clock) -> Self {
        let base = base_state(&engine, &current.get().snapshot().mesh.name);
        let planners = Planners::new(limits.partitions.max(2) * 4, Duration::from_secs(limits.planning_seconds));
        let views = Cache::builder().max_capacity(KEPT_VIEWS).time_to_idle(VIEW_IDLE).build();
        let plannings = Arc::default();
        Self(Arc::new(Shared { current, engine, limits, planners, clock, base, plannings, views }))
    }

    pub fn open(&self, principal: Principal) -> Arc<Session> {
        Arc::new(Session { shared: Arc::clone(&self.0), principal, purpose: String::new() })
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }

    /// How many statements were planned logically since the start.
    pub fn plannings(&self) -> u64 {
        self.0.plannings.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// The shared state of a view under the current generation.
    fn view_state(&self, principal: &Principal, purpose: &str) -> Arc<ViewState> {
        let generation = self.current.get();
        let key = view_digest(&generation, principal, purpose);
        self.views.get_with(key, || {
            let view = Arc::new(PrincipalView::new(generation, principal.clone(), purpose, self.clock.clone()));
            let system: BTreeMap<String, Arc<dyn SchemaProvider>> = [
                (information_schema::NAME.to_owned(), Arc::new(InformationSchema::new(&view)) as _),
                (MeshSchema::NAME.to_owned(), Arc::new(MeshSchema::new(&view)) as _),
            ]
            .into();
            let catalog = Arc::new(MeshCatalog::new(Arc::clone(&view), system));
            let state = SessionStateBuilder::new_from_existing(self.base.clone()).with_catalog_list(catalog).build();
            Arc::new(ViewState { view, state, plannings: Arc::clone(&self.plannings) })
        })
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

/// What every client session starts from: the allowed functions, no stores, no catalogs of the engine's own.
fn base_state(engine: &Engine, mesh: &str) -> SessionState {
    let mut config = SessionConfig::new()
        .with_target_partitions(engine.partitions())
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(mesh, NO_DEFAULT_DOMAIN);
    let options = config.options_mut();
    options.sql_parser.collect_spans = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.explain.format = ExplainFormat::Indent;
    // Numbers of batches, and bytes of buffers, follow the files below the policy.
    options.explain.analyze_level = MetricType::Summary;
    options.explain.analyze_categories =
        ExplainAnalyzeCategories::Only(vec![MetricCategory::Rows, MetricCategory::Timing]);
    SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(engine.client_runtime())
        .with_default_features()
        .with_table_functions(HashMap::new())
        .with_file_formats(Vec::new())
        .build()
}

/// Tables are addressed as `domain.table`; a bare name resolves into a domain that cannot exist.
const NO_DEFAULT_DOMAIN: &str = "no domain given";

/// A login: its principal, its options.
pub struct Session {
    shared: Arc<Shared>,
    principal: Principal,
    purpose: String,
}

impl Session {
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Digest of the generation that is current now.
    pub fn generation(&self) -> [u8; 32] {
        self.shared.current.get().digest()
    }

    /// Digest of this session's view under the current generation: every input that evaluation can see.
    pub fn view(&self) -> [u8; 32] {
        view_digest(&self.shared.current.get(), &self.principal, &self.purpose)
    }

    /// The SQL catalog's name.
    pub fn catalog(&self) -> String {
        self.shared.current.get().snapshot().mesh.name.clone()
    }

    /// Domains of which this principal may read something, sorted.
    pub fn domains(&self) -> Result<Vec<String>> {
        let mut domains: Vec<String> = self.tables()?.into_iter().map(|table| table.domain).collect();
        domains.dedup();
        Ok(domains)
    }

    /// Every table this principal may read some cells of, sorted by domain and name; no storage is touched.
    pub fn tables(&self) -> Result<Vec<VisibleTable>> {
        Ok(visible_tables(&self.state().view))
    }

    /// Parses, gates and plans logically. No storage is read.
    ///
    /// # Errors
    /// `Invalid` for the text, `NotFound` for names that do not exist for this principal, `Denied` for products that may be known of
    /// but not read, `Exhausted` for limits.
    pub async fn plan(&self, sql: &str) -> Result<Planned> {
        let state = self.state();
        let (sql, limits) = (sql.to_owned(), self.shared.limits.clone());
        self.shared.planners.run(async move { plan::plan(&state, &sql, &limits).await }).await
    }

    /// Plans physically and runs. Every batch is rebuilt into the columns of `wire`, which has as many columns as the plan.
    /// A plan of an older generation, or one whose policies read the time, is planned again.
    ///
    /// # Errors
    /// `Stale` if the schema is no longer the one that was planned.
    pub async fn run(
        &self,
        planned: &Planned,
        wire: SchemaRef,
    ) -> Result<BoxStream<'static, Result<Egress<RecordBatch>>>> {
        let state = self.state();
        let (planned, limits) = (planned.clone(), self.shared.limits.clone());
        let (execution, context) = self
            .shared
            .planners
            .run(async move {
                let planned = plan::refresh(&state, planned, &limits).await?;
                plan::physical(&state, &planned).await
            })
            .await?;
        stream::run(&execution, context, wire)
    }

    fn state(&self) -> Arc<ViewState> {
        self.shared.view_state(&self.principal, &self.purpose)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("principal", self.principal.name()).finish_non_exhaustive()
    }
}
