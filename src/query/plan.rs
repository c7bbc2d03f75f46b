//! Statement → admitted plan.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::config::OptimizerOptions;
use datafusion::common::format::ExplainFormat;
use datafusion::common::{ScalarValue, TableReference};
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{ExplainOption, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::parser::Statement as ParsedStatement;
use datafusion::sql::planner::object_name_to_table_reference;

use super::access;
use super::casts::keep_casts;
use super::correlated::check_correlated;
use super::correlation::keys_as_columns;
use super::failure::{diagnose, diagnose_optimizer, has_one_name_twice};
use super::intervals::by_length;
use super::kept::plan_bytes;
use super::keys::keys_below;
use super::lists::keep_lists;
use super::marks::{marked, unmarked};
use super::null_safe::equalities;
use super::predicates::plan_predicates;
use super::session::ViewState;
use super::setting::{Change, Defaults, Setting};
use super::statement::{self, Explain, SERIES, Statement};
use super::types::{as_meant, bound_here};
use super::{functions, parameters};
use crate::config::Limits;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::discovery::{MeshSchema, information_schema};
use crate::engine::memory::BatchBytes;
use crate::engine::{StatementControl, task_context};
use crate::govern::{AdmittedExecution, AdmittedPlan, Openings, OptimizedPlan, PrincipalView, Resolution, admit};
use crate::mesh::Product;

/// A statement that was planned and admitted for one view under one generation.
#[derive(Debug, Clone)]
pub struct Planned(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sql: String,
    work: Work,
    schema: SchemaRef,
    generation: [u8; 32],
    view: [u8; 32],
    parameters: Parameters,
    /// Of the plan itself.
    bytes: usize,
}

/// What a statement takes besides its text, and what it was given.
#[derive(Debug, Default)]
struct Parameters {
    defaults: Defaults,
    types: Vec<Option<DataType>>,
    /// None until values are bound.
    values: Option<Vec<ScalarValue>>,
}

/// What running it does.
#[derive(Debug)]
enum Work {
    Query {
        plan: AdmittedPlan,
        /// Fewer for wide rows.
        rows_at_once: usize,
        /// The answer is how many rows passed each step.
        counts: bool,
    },
    /// Changes the session, and answers no rows.
    Change(Change),
}

impl Planned {
    /// A statement that changes the session: nothing is planned, and nothing happens until it is run.
    pub(in crate::query) fn change(sql: String, change: Change, generation: [u8; 32], view: [u8; 32]) -> Self {
        let schema = Arc::new(Schema::empty());
        let parameters = Parameters::default();
        Self(Arc::new(Inner { sql, work: Work::Change(change), schema, generation, view, parameters, bytes: 0 }))
    }

    /// What it changes, if it is no query.
    pub fn changes(&self) -> Option<&Change> {
        match &self.0.work {
            Work::Query { .. } => None,
            Work::Change(change) => Some(change),
        }
    }

    /// The logical schema of the result, before lowering for the wire. Its fields tell how values are masked, and nothing else.
    pub fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    /// The types of its parameters, in order; none where a place takes values of any type.
    pub fn parameters(&self) -> &[Option<DataType>] {
        &self.0.parameters.types
    }

    /// What was bound to its parameters.
    pub(in crate::query) fn values(&self) -> Option<&[ScalarValue]> {
        self.0.parameters.values.as_deref()
    }

    /// True once each parameter has a value: what has none cannot be run.
    pub fn is_bound(&self) -> bool {
        self.0.parameters.types.is_empty() || self.0.parameters.values.is_some()
    }

    /// What it took from its session.
    pub fn defaults(&self) -> &Defaults {
        &self.0.parameters.defaults
    }

    /// The text it was planned from.
    pub fn sql(&self) -> &str {
        &self.0.sql
    }

    /// Bytes that it takes while it is kept, estimated.
    pub fn weight(&self) -> usize {
        let values = self.values().unwrap_or_default().iter().map(ScalarValue::size).sum::<usize>();
        self.0.sql.len() + self.0.bytes + values
    }

    /// Digest of the generation under which it was planned.
    pub fn generation(&self) -> [u8; 32] {
        self.0.generation
    }

    /// Digest of the principal's view under which it was planned.
    pub fn view(&self) -> [u8; 32] {
        self.0.view
    }
}

/// Gates and plans logically what was parsed from `sql`, with `values` in the places of its parameters.
pub(in crate::query) async fn plan(
    state: &ViewState,
    sql: &str,
    statement: Statement,
    values: Option<&[ScalarValue]>,
    limits: &Limits,
) -> Result<Planned> {
    state.plannings.fetch_add(1, Ordering::Relaxed);
    let defaults = || state.defaults.clone();
    let (parsed, explain) = match statement {
        Statement::Query(parsed) => (*parsed, None),
        Statement::Explain(Explain { analyze, verbose, format, query }) => {
            // Counts of one partition follow how files were dealt out, hidden rows among them: only totals are shown.
            let option = ExplainOption::default().with_analyze(analyze).with_verbose(verbose && !analyze);
            (*query, Some(option.with_format(format.unwrap_or(ExplainFormat::Indent))))
        }
        Statement::ExplainAccess(query) => {
            return planned(
                state,
                sql,
                access::plan(state, *query).await?,
                Parameters { defaults: defaults(), ..Parameters::default() },
            );
        }
        catalog => (describe(state, &catalog, limits)?, None),
    };
    check_names(state, &parsed)?;
    let logical = match state.state.statement_to_plan(parsed).await {
        Err(error) if has_one_name_twice(&error) => {
            let named = named_apart(sql, limits).ok_or_else(|| diagnose(&error))?;
            state.state.statement_to_plan(named).await
        }
        planned => planned,
    };
    let logical = logical.map_err(|error| diagnose(&error))?;
    check_correlated(&logical)?;
    let logical = plan_predicates(logical).map_err(|error| diagnose(&error))?;
    let types = parameters::types(&logical)?;
    let zone = state.defaults.time_zone.as_deref();
    let here = values.map(|values| bound_here(values, &types, zone));
    let logical = parameters::bind(logical, &types, here.as_deref())?;
    let logical = as_meant(logical, zone).map_err(|error| diagnose(&error))?;
    functions::check_plan(&logical)?;
    functions::check_weight(&logical, limits.statement_depth)?;
    let logical = keep_lists(logical).and_then(equalities).map_err(|error| diagnose(&error))?;
    let logical = match explain {
        Some(option) => explained(logical, option),
        // Coerces types: only then is the schema the one that the stream will have.
        None => state
            .state
            .analyzer()
            .execute_and_check(logical, state.state.config_options(), |_, _| {})
            .and_then(by_length)
            .and_then(keep_casts)
            .and_then(keys_as_columns)
            .and_then(keys_below),
    }
    .map_err(|error| diagnose(&error))?;
    let values = values.filter(|_| !types.is_empty()).map(<[ScalarValue]>::to_vec);
    planned(state, sql, logical, Parameters { defaults: defaults(), types, values })
}

/// The query of a text, with names for the columns that have none.
fn named_apart(sql: &str, limits: &Limits) -> Option<ParsedStatement> {
    let mut parsed = match statement::parse(sql, limits).ok()? {
        Statement::Query(parsed) | Statement::ExplainAccess(parsed) => *parsed,
        Statement::Explain(Explain { query, .. }) => *query,
        _ => return None,
    };
    statement::apart(&mut parsed);
    Some(parsed)
}

fn planned(state: &ViewState, sql: &str, logical: LogicalPlan, parameters: Parameters) -> Result<Planned> {
    let rows_at_once = functions::rows_at_once(&logical, BatchBytes::of(state.state.config()))?;
    let schema = marked(&logical, logical.schema().inner());
    let counts = matches!(logical, LogicalPlan::Analyze(_));
    let bytes = plan_bytes(&logical);
    let plan = admit(logical)?;
    let (generation, view) = (state.view.generation().digest(), state.view.digest());
    let work = Work::Query { plan, rows_at_once, counts };
    Ok(Planned(Arc::new(Inner { sql: sql.to_owned(), work, schema, generation, view, parameters, bytes })))
}

/// The plan as it is, if it still holds; else today's plan of the same statement.
pub(in crate::query) async fn refresh(state: &ViewState, planned: Planned, limits: &Limits) -> Result<Planned> {
    let Work::Query { plan: admitted, .. } = &planned.0.work else { return Ok(planned) };
    if planned.view() == state.view.digest() && !admitted.reads_clock() {
        return Ok(planned);
    }
    let parsed = statement::parse(planned.sql(), limits)?;
    let today = plan(state, planned.sql(), parsed, planned.values(), limits).await?;
    if unmarked(today.schema()) != unmarked(planned.schema()) {
        return Err(Diagnostic::error(
            Kind::Stale,
            "contracts or policies changed since the statement was planned, and with them its columns",
        )
        .hint("run the statement again"));
    }
    Ok(today)
}

/// A query whose products are to be opened, optimized in a state of its execution's own.
#[derive(Debug)]
pub(in crate::query) struct UnopenedQuery {
    session: SessionState,
    plan: OptimizedPlan,
}

/// Optimizes for one execution.
pub(in crate::query) fn optimize(
    state: &ViewState,
    planned: &Planned,
    control: &Arc<StatementControl>,
) -> Result<UnopenedQuery> {
    let Work::Query { plan, rows_at_once, counts } = &planned.0.work else {
        return Err(Diagnostic::error(Kind::Internal, "a change of the session has no physical plan"));
    };
    // Each run has a time of its own, which `now()` is folded into, and counts its own aliases: those of a shared state would tell
    // how many statements were planned before.
    let mut session = state.state.clone();
    let usual = session.config().batch_size();
    session.config_mut().set_extension(Arc::clone(control));
    if *rows_at_once < usual || *counts {
        let mut config = session.config().clone().with_batch_size((*rows_at_once).min(usual));
        if *counts {
            // What each of several partitions did before they are merged follows how files were dealt out, hidden rows among them.
            config = config.with_target_partitions(1);
            without_dynamic_filters(&mut config.options_mut().optimizer);
        }
        *session.config_mut() = config;
    }
    session.mark_start_execution();
    let plan = plan.optimize(&session).map_err(|error| diagnose_optimizer(&error))?;
    Ok(UnopenedQuery { session, plan })
}

impl UnopenedQuery {
    /// True if there is nothing to open.
    pub(in crate::query) fn reads_no_product(&self) -> bool {
        self.plan.reads_no_product()
    }

    /// Opens each product once, waiting for each no longer than `within`.
    pub(in crate::query) async fn open(&self, within: Duration) -> Result<Arc<Openings>> {
        self.plan.open(within).await
    }

    /// Plans physically over what was opened.
    pub(in crate::query) async fn physical(
        &self,
        openings: Arc<Openings>,
        control: &Arc<StatementControl>,
    ) -> Result<(AdmittedExecution, Arc<TaskContext>)> {
        let mut session = self.session.clone();
        session.config_mut().set_extension(Arc::clone(control));
        let execution = self.plan.physical(&mut session, openings).await.map_err(|error| diagnose(&error))?;
        let runtime = control.runtime(session.runtime_env()).map_err(|error| diagnose(&error))?;
        Ok((execution, task_context(&session, Arc::new(runtime))))
    }
}

/// How far such a filter has narrowed when a row comes by follows row groups and batches below the policy: how many rows it let
/// pass would tell how many are hidden between them.
fn without_dynamic_filters(options: &mut OptimizerOptions) {
    options.enable_dynamic_filter_pushdown = false;
    options.enable_topk_dynamic_filter_pushdown = false;
    options.enable_join_dynamic_filter_pushdown = false;
    options.enable_aggregate_dynamic_filter_pushdown = false;
}

/// Every name must resolve for this principal; unknown and forbidden give the same answer.
fn check_names(state: &ViewState, parsed: &ParsedStatement) -> Result<()> {
    tables(state, parsed)?.iter().try_for_each(|table| check_name(&state.view, table))
}

/// The tables that a statement names. A function in `FROM` is none, though the engine lists it.
pub(in crate::query) fn tables(state: &ViewState, parsed: &ParsedStatement) -> Result<Vec<TableReference>> {
    let references = state.state.resolve_table_references(parsed).map_err(|error| diagnose(&error))?;
    let is_table = |reference: &TableReference| match reference {
        TableReference::Bare { table } if SERIES.contains(&table.as_ref()) => statement::reads_table(parsed, table),
        _ => true,
    };
    let tables = references.iter().filter(|reference| is_table(reference));
    Ok(tables.map(|reference| in_schema(reference, state.bare())).collect())
}

/// A bare name with the schema in which it is looked up.
pub(in crate::query) fn in_schema(reference: &TableReference, schema: Option<&str>) -> TableReference {
    match (reference, schema) {
        (TableReference::Bare { table }, Some(schema)) => TableReference::partial(schema, table.as_ref()),
        _ => reference.clone(),
    }
}

pub(in crate::query) fn check_name(view: &PrincipalView, reference: &TableReference) -> Result<()> {
    let unknown = || {
        Diagnostic::error(Kind::NotFound, format!("there is no table `{}`", shown(reference)))
            .hint("`SHOW TABLES` lists the tables you can read; they are addressed as domain.table")
    };
    if reference.catalog().is_some_and(|catalog| catalog != view.generation().snapshot().mesh.name) {
        return Err(unknown());
    }
    let Some(domain) = reference.schema() else { return Err(unknown()) };
    if is_of_the_mesh(reference) {
        // Their own tables answer for themselves; a wrong name among them is told by the engine.
        return Ok(());
    }
    match view.resolve(domain, reference.table()) {
        Resolution::Readable(_) => Ok(()),
        Resolution::Unknown => Err(unknown()),
        Resolution::Discoverable(product) => Err(denied(view, &product)),
    }
}

/// True for the schemas that describe the mesh.
pub(in crate::query) fn is_of_the_mesh(reference: &TableReference) -> bool {
    reference.schema().is_some_and(|domain| domain == information_schema::NAME || domain == MeshSchema::NAME)
}

/// Bounded, so that a long name in the text does not come back whole.
fn shown(reference: &TableReference) -> String {
    let text = reference.to_string();
    if text.chars().count() > 128 { text.chars().take(128).collect::<String>() + "…" } else { text }
}

fn denied(view: &PrincipalView, product: &Product) -> Diagnostic {
    let snapshot = view.generation().snapshot();
    let denied = Diagnostic::error(Kind::Denied, format!("no policy lets you read the product `{}`", product.name));
    let Some(contact) = snapshot.contact(product) else { return denied };
    denied.hint(format!("ask its owner: {contact}"))
}

fn explained(logical: LogicalPlan, option: ExplainOption) -> Result<LogicalPlan, DataFusionError> {
    LogicalPlanBuilder::from(logical).explain_option_format(option)?.build()
}

/// SHOW and DESCRIBE as queries over `information_schema`.
fn describe(state: &ViewState, statement: &Statement, limits: &Limits) -> Result<ParsedStatement> {
    let view = &state.view;
    let sql = match statement {
        Statement::ShowTables { domain, like } => format!(
            "SELECT table_schema, table_name, table_type FROM information_schema.tables WHERE {} AND {} \
             ORDER BY table_schema, table_name",
            domain.as_ref().map_or("true".to_owned(), |domain| format!("table_schema = {}", quoted(domain))),
            matching("table_name", like.as_deref()),
        ),
        Statement::ShowDomains { like } => format!(
            "SELECT schema_name FROM information_schema.schemata WHERE {} ORDER BY schema_name",
            matching("schema_name", like.as_deref()),
        ),
        Statement::ShowCatalogs { column, like } => format!(
            "SELECT * FROM (VALUES ({})) AS c({column}) WHERE {}",
            quoted(&view.generation().snapshot().mesh.name),
            matching(column, like.as_deref()),
        ),
        Statement::ShowColumns { table } => {
            let table = object_name_to_table_reference(table.clone(), true).map_err(|error| diagnose(&error))?;
            let table = in_schema(&table, state.bare());
            check_name(view, &table)?;
            format!(
                "SELECT column_name, data_type, is_nullable, remarks FROM information_schema.columns \
                 WHERE table_schema = {} AND table_name = {} ORDER BY ordinal_position",
                quoted(table.schema().unwrap_or_default()),
                quoted(table.table()),
            )
        }
        Statement::ShowSetting(setting) => {
            let value = match setting {
                Setting::Purpose => Some(view.purpose().to_owned()).filter(|purpose| !purpose.is_empty()),
                Setting::Catalog => Some(view.generation().snapshot().mesh.name.clone()),
                other => state.defaults.text(*other),
            };
            let value = value.map(|text| quoted(&text));
            let value = value.unwrap_or_else(|| "CAST(NULL AS VARCHAR)".to_owned());
            format!("SELECT {} AS name, {value} AS value", quoted(setting.name()))
        }
        Statement::Set(_) => return Err(Diagnostic::error(Kind::Internal, "a change of the session is no query")),
        // INVARIANT: `plan` takes these itself.
        Statement::Query(query) | Statement::ExplainAccess(query) | Statement::Explain(Explain { query, .. }) => {
            return Ok(query.as_ref().clone());
        }
    };
    match statement::parse(&sql, limits)? {
        Statement::Query(parsed) => Ok(*parsed),
        _ => Err(Diagnostic::error(Kind::Internal, "the catalog query could not be made")),
    }
}

fn matching(column: &str, like: Option<&str>) -> String {
    like.map_or("true".to_owned(), |pattern| format!("{column} LIKE {}", quoted(pattern)))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
