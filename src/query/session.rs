//! One client session for each login; engine state shared by all logins with the same view.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{SchemaProvider, TableFunction};
use datafusion::common::ScalarValue;
use datafusion::common::format::{ExplainAnalyzeCategories, ExplainFormat, MetricCategory, MetricType};
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use moka::sync::Cache;

use super::deadline::Planners;
use super::execute::Execution;
use super::parameters;
use super::plan::{self, Planned};
use super::setting::{self, Change, Defaults, Setting, Settings, Values};
use super::statement::{self, SERIES, Statement};
use super::types::{GatheredElements, IntervalOperators, SqlTypes};
use super::{Egress, functions, types};
use crate::config::Limits;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::discovery::{InformationSchema, MeshSchema, VisibleTable, information_schema, visible_tables};
use crate::engine::calls::SlicedProjections;
use crate::engine::memory::{ChainUnions, GatherInOneStage, ReserveHeld, counted_aggregates};
use crate::engine::{Engine, Outer, Yielding, carried_aggregates, interruptible};
use crate::govern::{Current, Generation, MeshCatalog, PrincipalView, view_digest};
use crate::identity::Principal;
use crate::name::Purpose;
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
    planners: Arc<Planners>,
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
    pub defaults: Defaults,
    /// Statements planned so far, by all views.
    pub plannings: Arc<AtomicU64>,
}

impl ViewState {
    /// The same view, with what a session has set.
    fn with(self: Arc<Self>, defaults: &Defaults) -> Arc<Self> {
        if *defaults == Defaults::default() {
            return self;
        }
        let mut state = self.state.clone();
        let options = state.config_mut().options_mut();
        if let Some(schema) = &defaults.schema {
            options.catalog.default_schema.clone_from(schema);
        }
        if defaults.time_zone.is_some() {
            options.execution.time_zone.clone_from(&defaults.time_zone);
            let types = SqlTypes::new(defaults.time_zone.as_deref());
            // Functions keep the zone they were made with; building gives them this one.
            state = SessionStateBuilder::new_from_existing(state).with_type_planner(Arc::new(types)).build();
        }
        let (view, plannings) = (Arc::clone(&self.view), Arc::clone(&self.plannings));
        Arc::new(Self { view, state, defaults: defaults.clone(), plannings })
    }

    /// The schema of bare table names, if there is one.
    pub(in crate::query) fn bare(&self) -> Option<&str> {
        self.defaults.schema.as_deref()
    }
}

impl Sessions {
    pub fn new(current: Arc<Current>, engine: Arc<Engine>, limits: Limits, clock: Clock) -> Self {
        let base = base_state(&engine, &current.get().snapshot().mesh.name);
        let planners = Planners::new(limits.partitions.max(2) * 4, Duration::from_secs(limits.planning_seconds));
        let planners = Arc::new(planners);
        let views = Cache::builder().max_capacity(KEPT_VIEWS).time_to_idle(VIEW_IDLE).build();
        let plannings = Arc::default();
        Self(Arc::new(Shared { current, engine, limits, planners, clock, base, plannings, views }))
    }

    pub fn open(&self, principal: Principal) -> Arc<Session> {
        let login = Arc::new(Login { principal, settings: Settings::default() });
        Arc::new(Session { shared: Arc::clone(&self.0), login, request: None })
    }

    /// A session that says from the start what it is for; empty text is nothing.
    ///
    /// # Errors
    /// `Invalid` for a text that is no purpose, or none of this mesh.
    pub fn open_for(&self, principal: Principal, purpose: &str) -> Result<Arc<Session>> {
        let session = self.open(principal);
        session.set(&Change { setting: Setting::Purpose, value: Some(purpose.to_owned()) })?;
        Ok(session)
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
    /// The shared state of a view under a generation.
    fn view_state(&self, generation: Arc<Generation>, principal: &Principal, purpose: &str) -> Arc<ViewState> {
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
            Arc::new(ViewState { view, state, defaults: Defaults::default(), plannings: Arc::clone(&self.plannings) })
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
    let mut config = engine
        .with_memory_options(SessionConfig::new())
        .with_target_partitions(engine.partitions())
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(mesh, NO_DEFAULT_DOMAIN);
    let options = config.options_mut();
    options.sql_parser.collect_spans = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.explain.format = ExplainFormat::Indent;
    // DataFusion 55: a group that is NaN panics in there, and `… IS TRUE` is nullable for one half of the planner only.
    options.optimizer.enable_topk_aggregation = false;
    options.execution.skip_physical_aggregate_schema_check = true;
    // Numbers of batches, and bytes of buffers, follow the files below the policy.
    options.explain.analyze_level = MetricType::Summary;
    options.explain.analyze_categories =
        ExplainAnalyzeCategories::Only(vec![MetricCategory::Rows, MetricCategory::Timing]);
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(engine.client_runtime())
        .with_expr_planners(vec![Arc::new(IntervalOperators), Arc::new(GatheredElements)])
        .with_default_features()
        .with_type_planner(Arc::new(SqlTypes::new(None)))
        .with_scalar_functions(scalars())
        .with_aggregate_functions(aggregates())
        .with_table_functions(series())
        .with_file_formats(Vec::new())
        .with_physical_optimizer_rules(physical_rules())
        .build();
    interruptible(state)
}

/// The engine's functions, those of time in microseconds, and ours.
fn scalars() -> Vec<Arc<ScalarUDF>> {
    // A later one of the same name takes its place.
    let known = SessionStateDefaults::default_scalar_functions().into_iter();
    known.chain(functions::in_microseconds()).chain(functions::ours()).chain([functions::justify_interval()]).collect()
}

/// The engine's aggregates, those that keep values in a form that counts them, and those that work in a type in which they are right.
fn aggregates() -> Vec<Arc<AggregateUDF>> {
    let known = SessionStateDefaults::default_aggregate_functions();
    let counted = counted_aggregates(&known);
    // A later one of the same name takes its place.
    known.into_iter().chain(counted).chain(carried_aggregates()).collect()
}

/// `range` and `generate_series`, and nothing that reads a file.
fn series() -> HashMap<String, Arc<TableFunction>> {
    let all = SessionStateDefaults::default_table_functions().into_iter();
    all.filter(|function| SERIES.contains(&function.name()))
        .map(|function| (function.name().to_owned(), Arc::new(types::series(&function))))
        .collect()
}

fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::default().rules;
    rules.insert(0, Arc::new(Outer));
    rules.insert(1, Arc::new(ChainUnions));
    rules.insert(2, Arc::new(GatherInOneStage));
    rules.push(Arc::new(SlicedProjections));
    rules.push(Arc::new(ReserveHeld));
    rules.push(Arc::new(Yielding));
    rules
}

/// Tables are addressed as `domain.table`; a bare name resolves into a domain that cannot exist.
const NO_DEFAULT_DOMAIN: &str = "no domain given";

/// What all requests of one login share.
pub(in crate::query) struct Login {
    pub principal: Principal,
    pub settings: Settings,
}

/// What holds for one request, whatever another of the same login sets meanwhile.
pub(in crate::query) struct Request {
    pub values: Values,
    /// What came with the request itself, not from the login.
    pub said: Vec<Setting>,
    /// The login outlives the request, so there is something to set.
    pub kept: bool,
}

/// A login, or one request of it.
pub struct Session {
    shared: Arc<Shared>,
    pub(in crate::query) login: Arc<Login>,
    /// None for the login itself, which always goes by what is set now.
    pub(in crate::query) request: Option<Request>,
}

impl Session {
    /// The same login, for one request.
    pub(in crate::query) fn for_request(&self, request: Request) -> Arc<Self> {
        let (shared, login) = (Arc::clone(&self.shared), Arc::clone(&self.login));
        Arc::new(Self { shared, login, request: Some(request) })
    }

    /// The mesh of today.
    pub(in crate::query) fn generation_now(&self) -> Arc<Generation> {
        self.shared.current.get()
    }

    pub fn principal(&self) -> &Principal {
        &self.login.principal
    }

    /// What this session says it is for; policies see it as `context.purpose`.
    pub fn purpose(&self) -> Option<Purpose> {
        self.values().purpose
    }

    /// What statements take from this session besides its view.
    pub fn defaults(&self) -> Defaults {
        self.values().defaults
    }

    pub(in crate::query) fn values(&self) -> Values {
        self.request.as_ref().map_or_else(|| self.login.settings.now(), |request| request.values.clone())
    }

    /// Digest of the generation that is current now.
    pub fn generation(&self) -> [u8; 32] {
        self.generation_now().digest()
    }

    /// Digest of this session's view under the current generation: every input that evaluation can see.
    pub fn view(&self) -> [u8; 32] {
        view_digest(&self.generation_now(), self.principal(), &text(self.purpose().as_ref()))
    }

    /// The SQL catalog's name.
    pub fn catalog(&self) -> String {
        self.generation_now().snapshot().mesh.name.clone()
    }

    /// Domains of which this principal may read something, sorted.
    pub fn domains(&self) -> Result<Vec<String>> {
        let mut domains: Vec<String> = self.tables()?.into_iter().map(|table| table.domain).collect();
        domains.dedup();
        Ok(domains)
    }

    /// Every table this principal may read some cells of, sorted by domain and name; no storage is touched.
    pub fn tables(&self) -> Result<Vec<VisibleTable>> {
        Ok(visible_tables(&self.state()?.view))
    }

    /// Parses, gates and plans logically. No storage is read.
    ///
    /// # Errors
    /// `Invalid` for the text, `NotFound` for names that do not exist for this principal, `Denied` for products that may be known of
    /// but not read, `Exhausted` for limits.
    pub async fn plan(&self, sql: &str) -> Result<Planned> {
        self.plan_with(sql, None, self.defaults()).await
    }

    /// The same statement with `values` for its parameters, in their order.
    ///
    /// # Errors
    /// Those of [`Self::plan`]; `Invalid` for values that are too few, too many, or that their places cannot take; `Exhausted` for large ones.
    pub async fn bind(&self, planned: &Planned, values: Vec<ScalarValue>) -> Result<Planned> {
        let bytes: usize = values.iter().map(ScalarValue::size).sum();
        if bytes > self.shared.limits.statement_bytes {
            let message = format!("the parameters take more than {} bytes", self.shared.limits.statement_bytes);
            return Err(Diagnostic::error(Kind::Exhausted, message)
                .hint("bind less, or ask the operator about `limits.statement_bytes`"));
        }
        self.plan_with(planned.sql(), Some(values), planned.defaults().clone()).await
    }

    /// The same statement with the same values, planned under the view of today.
    ///
    /// # Errors
    /// Those of [`Self::plan`].
    pub async fn plan_again(&self, planned: &Planned) -> Result<Planned> {
        let values = planned.values().map(<[ScalarValue]>::to_vec);
        self.plan_with(planned.sql(), values, planned.defaults().clone()).await
    }

    async fn plan_with(&self, sql: &str, values: Option<Vec<ScalarValue>>, defaults: Defaults) -> Result<Planned> {
        let state = self.state().map(|state| state.with(&defaults));
        let (generation, view) = (self.generation(), self.view());
        let (sql, limits) = (sql.to_owned(), self.shared.limits.clone());
        let planned = self.shared.planners.run(self.principal().name().as_str(), async move {
            match statement::parse(&sql, &limits)? {
                Statement::Set(change) => {
                    parameters::count(0, values.as_deref())?;
                    Ok(Planned::change(sql, change, generation, view))
                }
                parsed => plan::plan(state?.as_ref(), &sql, parsed, values.as_deref(), &limits).await,
            }
        });
        let planned = planned.await?;
        planned.changes().map_or(Ok(()), |change| self.may_set(change))?;
        Ok(planned)
    }

    /// Opens the products, plans physically and runs. Every batch is rebuilt into the columns of `wire`, which has as many columns as the plan.
    /// A plan of an older generation, or one whose policies read the time, is planned again.
    ///
    /// # Errors
    /// `Stale` if the schema is no longer the one that was planned.
    pub async fn run(
        &self,
        planned: &Planned,
        wire: SchemaRef,
    ) -> Result<BoxStream<'static, Result<Egress<RecordBatch>>>> {
        if let Some(change) = planned.changes() {
            self.set(change)?;
            return Ok(stream::empty().boxed());
        }
        if !planned.is_bound() {
            return Err(Diagnostic::error(Kind::Invalid, "the statement has parameters without values")
                .hint("prepare it, and bind a value for each"));
        }
        let execution = Execution {
            state: self.state()?.with(planned.defaults()),
            engine: Arc::clone(&self.shared.engine),
            planners: Arc::clone(&self.shared.planners),
            principal: self.principal().name().to_string(),
            limits: self.shared.limits.clone(),
            wire,
        };
        execution.run(planned.clone()).await
    }

    /// # Errors
    /// `Invalid` where the mesh has stopped to declare the purpose that is set.
    fn state(&self) -> Result<Arc<ViewState>> {
        let purpose = self.purpose();
        let generation = self.generation_now();
        if let Some(purpose) = &purpose {
            setting::declared(purpose, &generation.snapshot().mesh)?;
        }
        Ok(self.shared.view_state(generation, self.principal(), &text(purpose.as_ref())))
    }
}

fn text(purpose: Option<&Purpose>) -> String {
    purpose.map(ToString::to_string).unwrap_or_default()
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("principal", self.login.principal.name()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_sessions_are_optimized_by_the_reviewed_rules() {
        let engine = Engine::new(&Limits::default()).unwrap();
        crate::engine::reviewed::assert_reviewed(
            &base_state(&engine, "mesh"),
            &["Outer", "ChainUnions", "GatherInOneStage"],
            &["SlicedProjections", "ReserveHeld", "Yielding"],
            "FilterPushdown",
        );
    }
}
