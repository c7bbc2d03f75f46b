//! One client session for each login; engine state shared by all logins with the same view.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::SchemaProvider;
use datafusion::common::ScalarValue;
use datafusion::common::format::{ExplainAnalyzeCategories, ExplainFormat, MetricCategory, MetricType};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use moka::sync::Cache;

use super::deadline::Planners;
use super::plan::{self, Planned};
use super::setting::{self, Change, Setting, Settings, Values};
use super::statement::{self, Statement};
use super::{Egress, functions, stream as rows};
use crate::config::Limits;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::discovery::{InformationSchema, MeshSchema, VisibleTable, information_schema, visible_tables};
use crate::engine::Engine;
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

impl ViewState {
    /// The same view, with bare table names looked up in `schema`.
    fn with_schema(self: Arc<Self>, schema: Option<&str>) -> Arc<Self> {
        let Some(schema) = schema else { return self };
        let mut state = self.state.clone();
        schema.clone_into(&mut state.config_mut().options_mut().catalog.default_schema);
        Arc::new(Self { view: Arc::clone(&self.view), state, plannings: Arc::clone(&self.plannings) })
    }

    /// The schema of bare table names, if there is one.
    pub(in crate::query) fn bare(&self) -> Option<&str> {
        Some(self.state.config_options().catalog.default_schema.as_str()).filter(|schema| *schema != NO_DEFAULT_DOMAIN)
    }
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
    // DataFusion 55: a group that is NaN panics in there, and `… IS TRUE` is nullable for one half of the planner only.
    options.optimizer.enable_topk_aggregation = false;
    options.execution.skip_physical_aggregate_schema_check = true;
    // Numbers of batches, and bytes of buffers, follow the files below the policy.
    options.explain.analyze_level = MetricType::Summary;
    options.explain.analyze_categories =
        ExplainAnalyzeCategories::Only(vec![MetricCategory::Rows, MetricCategory::Timing]);
    SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(engine.client_runtime())
        .with_scalar_functions(functions::ours())
        .with_default_features()
        .with_table_functions(HashMap::new())
        .with_file_formats(Vec::new())
        .build()
}

/// Tables are addressed as `domain.table`; a bare name resolves into a domain that cannot exist.
const NO_DEFAULT_DOMAIN: &str = "no domain given";

/// What all requests of one login share.
struct Login {
    principal: Principal,
    settings: Settings,
}

/// What holds for one request, whatever another of the same login sets meanwhile.
struct Request {
    values: Values,
    /// The purpose came with the request itself, not from the login.
    says_purpose: bool,
    /// The login outlives the request, so there is something to set.
    kept: bool,
}

/// A login, or one request of it.
pub struct Session {
    shared: Arc<Shared>,
    login: Arc<Login>,
    /// None for the login itself, which always goes by what is set now.
    request: Option<Request>,
}

impl Session {
    /// One request of this login: what is set now holds for it to its end. A purpose that came with the request wins over the
    /// one that the login has set. `kept` says whether the login outlives the request.
    ///
    /// # Errors
    /// `Invalid` for a purpose that is none.
    pub fn request(&self, purpose: Option<&str>, kept: bool) -> Result<Arc<Self>> {
        let says_purpose = purpose.is_some();
        let mut values = self.login.settings.now();
        if let Some(text) = purpose {
            values.purpose = setting::purpose(text, &self.shared.current.get().snapshot().mesh)?;
        }
        let request = Some(Request { values, says_purpose, kept });
        Ok(Arc::new(Self { shared: Arc::clone(&self.shared), login: Arc::clone(&self.login), request }))
    }

    pub fn principal(&self) -> &Principal {
        &self.login.principal
    }

    /// What this session says it is for; policies see it as `context.purpose`.
    pub fn purpose(&self) -> Option<Purpose> {
        self.values().purpose
    }

    /// The SQL schema that bare table names are looked up in, if one is set.
    pub fn schema(&self) -> Option<String> {
        self.values().schema
    }

    fn values(&self) -> Values {
        self.request.as_ref().map_or_else(|| self.login.settings.now(), |request| request.values.clone())
    }

    /// What is set; the catalog always is.
    pub fn settings(&self) -> Vec<(Setting, String)> {
        let Values { purpose, schema } = self.values();
        let set = purpose.map(|purpose| (Setting::Purpose, purpose.to_string()));
        let schema = schema.map(|schema| (Setting::Schema, schema));
        set.into_iter().chain([(Setting::Catalog, self.catalog())]).chain(schema).collect()
    }

    /// Changes the login, for its requests from now on.
    ///
    /// # Errors
    /// `Invalid` for the value, `Stale` where there is no login to change or the request itself says otherwise.
    pub fn set(&self, change: &Change) -> Result<()> {
        match self.check(change)? {
            Checked::Purpose(purpose) => self.login.settings.change(|values| values.purpose = purpose),
            Checked::Schema(schema) => self.login.settings.change(|values| values.schema = schema),
            Checked::Catalog => {}
        }
        Ok(())
    }

    fn check(&self, change: &Change) -> Result<Checked> {
        let Change { setting, value } = change;
        let refuse = |message: String, hint: &str| Err(Diagnostic::error(Kind::Stale, message).hint(hint));
        match (&self.request, setting) {
            (Some(Request { kept: false, .. }), _) => {
                let login = "log in with Handshake, as drivers do with user and password";
                let header =
                    if *setting == Setting::Purpose { ", or send the header `x-meshgate-purpose`" } else { "" };
                return refuse(
                    format!("`{}` cannot be set: this call belongs to no session", setting.name()),
                    &format!("{login}{header}"),
                );
            }
            (Some(Request { says_purpose: true, .. }), Setting::Purpose) => {
                return refuse(
                    format!("`{}` cannot be set: this call says its purpose itself, and that wins", setting.name()),
                    "leave out the header `x-meshgate-purpose`, or change it instead",
                );
            }
            _ => {}
        }
        let text = value.as_deref().unwrap_or_default();
        match setting {
            Setting::Purpose => {
                setting::purpose(text, &self.shared.current.get().snapshot().mesh).map(Checked::Purpose)
            }
            Setting::Catalog if text.is_empty() || text == self.catalog() => Ok(Checked::Catalog),
            Setting::Catalog => Err(Diagnostic::error(Kind::Invalid, "there is no such catalog")
                .hint(format!("the catalog is `{}`", self.catalog()))),
            Setting::Schema if text.is_empty() => Ok(Checked::Schema(None)),
            // What may not be known of is answered as what is not there.
            Setting::Schema => {
                let own = [information_schema::NAME, MeshSchema::NAME];
                if own.contains(&text) || self.domains()?.iter().any(|domain| domain == text) {
                    return Ok(Checked::Schema(Some(text.to_owned())));
                }
                Err(Diagnostic::error(Kind::Invalid, "there is no such schema")
                    .hint("`SHOW SCHEMAS` lists the domains"))
            }
        }
    }

    /// Digest of the generation that is current now.
    pub fn generation(&self) -> [u8; 32] {
        self.shared.current.get().digest()
    }

    /// Digest of this session's view under the current generation: every input that evaluation can see.
    pub fn view(&self) -> [u8; 32] {
        view_digest(&self.shared.current.get(), self.principal(), &text(self.purpose().as_ref()))
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
        Ok(visible_tables(&self.state()?.view))
    }

    /// Parses, gates and plans logically. No storage is read.
    ///
    /// # Errors
    /// `Invalid` for the text, `NotFound` for names that do not exist for this principal, `Denied` for products that may be known of
    /// but not read, `Exhausted` for limits.
    pub async fn plan(&self, sql: &str) -> Result<Planned> {
        self.plan_with(sql, None, self.schema()).await
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
        self.plan_with(planned.sql(), Some(values), planned.bare().map(str::to_owned)).await
    }

    /// The same statement with the same values, planned under the view of today.
    ///
    /// # Errors
    /// Those of [`Self::plan`].
    pub async fn plan_again(&self, planned: &Planned) -> Result<Planned> {
        let values = planned.values().map(<[ScalarValue]>::to_vec);
        self.plan_with(planned.sql(), values, planned.bare().map(str::to_owned)).await
    }

    /// `bare` is the schema of bare table names, which stays that of the time when a statement was first planned.
    async fn plan_with(&self, sql: &str, values: Option<Vec<ScalarValue>>, bare: Option<String>) -> Result<Planned> {
        let state = self.state().map(|state| state.with_schema(bare.as_deref()));
        let (generation, view) = (self.generation(), self.view());
        let (sql, limits) = (sql.to_owned(), self.shared.limits.clone());
        let planned = self.shared.planners.run(self.principal().name().as_str(), async move {
            match statement::parse(&sql, &limits)? {
                Statement::Set(change) => Ok(Planned::change(sql, change, generation, view)),
                parsed => plan::plan(state?.as_ref(), &sql, parsed, values.as_deref(), &limits).await,
            }
        });
        let planned = planned.await?;
        planned.changes().map_or(Ok(()), |change| self.check(change).map(|_| ()))?;
        Ok(planned)
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
        if let Some(change) = planned.changes() {
            self.set(change)?;
            return Ok(stream::empty().boxed());
        }
        if !planned.is_bound() {
            return Err(Diagnostic::error(Kind::Invalid, "the statement has parameters without values")
                .hint("prepare it, and bind a value for each"));
        }
        let state = self.state()?.with_schema(planned.bare());
        let (planned, limits) = (planned.clone(), self.shared.limits.clone());
        let (execution, context) = self
            .shared
            .planners
            .run(self.principal().name().as_str(), async move {
                let planned = plan::refresh(&state, planned, &limits).await?;
                plan::physical(&state, &planned).await
            })
            .await?;
        rows::run(&execution, context, wire)
    }

    /// # Errors
    /// `Invalid` where the mesh has stopped to declare the purpose that is set.
    fn state(&self) -> Result<Arc<ViewState>> {
        let purpose = self.purpose();
        let generation = self.shared.current.get();
        if let Some(purpose) = &purpose {
            setting::declared(purpose, &generation.snapshot().mesh)?;
        }
        Ok(self.shared.view_state(generation, self.principal(), &text(purpose.as_ref())))
    }
}

/// A change that may be made.
enum Checked {
    Purpose(Option<Purpose>),
    Catalog,
    Schema(Option<String>),
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
        crate::engine::reviewed::assert_reviewed(&base_state(&engine, "mesh"));
    }
}
