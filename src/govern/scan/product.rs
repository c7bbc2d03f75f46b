//! [`ProductScan`].

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, apply_expression_roots, reset_plan_states};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricType, MetricsSet};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PhysicalExpr, PlanProperties,
};
use futures::TryStreamExt;
use futures::future::ready;

use super::conditions::Conditions;
use super::inject::injected;
use super::rechunk::Rechunk;
use crate::engine::memory::visible_bytes;
use crate::engine::{PrivateSession, rechunked};
use crate::govern::filter::BASE;
use crate::govern::openings::Openings;
use crate::govern::promise::LatePredicate;
use crate::govern::refusal::opaque_run;
use crate::govern::statistics::share;
use crate::source::{RawTable, UnreadMembers, Watch};

/// What runs below the policy, over the opened dataset's columns under the name [`BASE`].
pub(in crate::govern) struct Private {
    /// The contract's columns, which policies read as they are promised; structs are checked where they are shown.
    pub promised: Vec<(String, DataType)>,
    /// Policy and leakproof predicates.
    pub filter: Option<Expr>,
    /// Runs above the filter, over checked columns.
    pub late: Option<LatePredicate>,
    pub columns: Vec<Expr>,
    pub limit: Option<usize>,
    /// Whatever their files hold is nothing that the statement asks for.
    pub unread: UnreadMembers,
}

impl Private {
    /// `Projection(masks) ← Filter(policy AND leakproof predicates) ← base`, planned in the dataset's own session.
    async fn plan(self, raw: &RawTable, partitions: usize) -> Result<(Arc<dyn ExecutionPlan>, Conditions)> {
        #[expect(clippy::disallowed_methods, reason = "the one place that reaches data, and only below the policy")]
        let base = raw.expose_raw().clone();
        for (name, data_type) in &self.promised {
            let field = base.schema().field_with_unqualified_name(name)?;
            if field.data_type() != data_type {
                return internal_err!("`{name}` was opened as {} where {data_type} is promised", field.data_type());
            }
        }
        let mut plan = LogicalPlanBuilder::from(base).alias(BASE)?;
        if let Some(filter) = self.filter {
            plan = plan.filter(filter)?;
        }
        if let Some(late) = self.late {
            plan = late.apply(plan)?;
        }
        plan = plan.project(self.columns)?;
        // The engine counts with signs; beyond that a limit limits nothing.
        if let Some(limit) = self.limit.filter(|limit| i64::try_from(*limit).is_ok()) {
            plan = plan.limit(0, Some(limit))?;
        }
        let session = raw.session();
        let mut state = Cow::Borrowed(if partitions == 1 { session.single() } else { session.state() });
        if !self.unread.is_empty() {
            state.to_mut().config_mut().set_extension(Arc::new(self.unread));
        }
        let state = state.as_ref();
        let optimized = state.optimize(&plan.build()?)?;
        let conditions = Conditions::of_filters(&optimized, state)?;
        let planned = state.query_planner().create_physical_plan(&optimized, state).await?;
        conditions.check(planned.as_ref())?;
        Ok((planned, conditions))
    }
}

/// What the leaf declares. Nothing here is measured below the policy.
#[derive(Debug, Clone)]
pub(in crate::govern) struct Leaf {
    /// `sales.orders`
    pub table: String,
    /// Whom a reader asks who cannot be answered.
    pub contact: Option<String>,
    pub policies: Vec<String>,
    pub schema: SchemaRef,
    pub statistics: Statistics,
    pub partitions: usize,
    /// By output column: dynamic filters on it may run below the policy.
    pub passing: Vec<bool>,
}

impl Leaf {
    pub(in crate::govern) fn opaque(&self, openings: Option<&Openings>, error: &DataFusionError) -> DataFusionError {
        opaque_run(&self.table, self.contact.as_deref(), openings, error)
    }
}

/// A governed dataset in a plan: its name and the policies that apply, and nothing of what lies below.
#[derive(Debug, Clone)]
pub struct ProductScan {
    leaf: Arc<Leaf>,
    session: Arc<PrivateSession>,
    /// What each plan below filters by.
    conditions: Arc<Conditions>,
    /// Looks at what reads failed for.
    watch: Watch,
    /// The private plan as it was made.
    pristine: Arc<dyn ExecutionPlan>,
    /// With the accepted dynamic filters, in as many partitions as declared.
    running: Arc<dyn ExecutionPlan>,
    /// Joins and aggregates enable a dynamic filter only if they find it here.
    accepted: Vec<Arc<dyn PhysicalExpr>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ProductScan {
    pub(in crate::govern) async fn open(raw: &RawTable, private: Private, leaf: Leaf) -> Result<Self> {
        let limited = private.limit.is_some();
        let (pristine, conditions) = private.plan(raw, leaf.partitions).await?;
        let types = |schema: &SchemaRef| schema.fields().iter().map(|f| f.data_type().clone()).collect::<Vec<_>>();
        if types(&pristine.schema()) != types(&leaf.schema) {
            return internal_err!("the opened dataset yields {} where {} is declared", pristine.schema(), leaf.schema);
        }
        let mut leaf = leaf;
        if limited {
            // A filter below the limit would change which rows it lets through.
            leaf.passing.fill(false);
        }
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&leaf.schema)),
            Partitioning::UnknownPartitioning(leaf.partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let running = dealt(Arc::clone(&pristine), leaf.partitions, raw.session())?;
        Ok(Self {
            leaf: Arc::new(leaf),
            session: Arc::clone(raw.session()),
            conditions: Arc::new(conditions),
            watch: raw.watch().clone(),
            pristine,
            running,
            accepted: Vec::new(),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// `sales.orders`
    pub fn table(&self) -> &str {
        &self.leaf.table
    }

    /// Names of the policies that apply, sorted.
    pub fn policies(&self) -> &[String] {
        &self.leaf.policies
    }

    /// True for a dynamic filter over columns that pass through unchanged.
    fn accepts(&self, filter: &Arc<dyn PhysicalExpr>) -> bool {
        let filter = (filter.as_ref() as &dyn Any).downcast_ref::<DynamicFilterPhysicalExpr>();
        filter.is_some_and(|filter| {
            filter.children().iter().all(|child| {
                let column = (child.as_ref() as &dyn Any).downcast_ref::<Column>();
                column.is_some_and(|column| self.leaf.passing.get(column.index()) == Some(&true))
            })
        })
    }

    #[cfg(test)]
    pub(in crate::govern) fn below(&self) -> &Arc<dyn ExecutionPlan> {
        &self.running
    }
}

/// The plan in a fixed number of partitions; batches are made even first, so that the dealing does not follow row groups.
fn dealt(plan: Arc<dyn ExecutionPlan>, partitions: usize, session: &PrivateSession) -> Result<Arc<dyn ExecutionPlan>> {
    if plan.output_partitioning().partition_count() == partitions {
        return Ok(plan);
    }
    let even = Arc::new(Rechunk::new(plan, session.state().config().batch_size()));
    Ok(Arc::new(RepartitionExec::try_new(even, Partitioning::RoundRobinBatch(partitions))?))
}

/// The stream with the last batch reserved, and once more for what it was decoded from and is copied into.
fn reserved(stream: SendableRecordBatchStream, pool: &Arc<dyn MemoryPool>) -> SendableRecordBatchStream {
    let reservation = MemoryConsumer::new("product scan").register(pool);
    let schema = stream.schema();
    let batches = stream
        .and_then(move |batch| ready(reservation.try_resize(visible_bytes(&batch).saturating_mul(2)).map(|()| batch)));
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

impl DisplayAs for ProductScan {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policies = self.leaf.policies.join(", ");
        match format {
            DisplayFormatType::TreeRender => write!(f, "product={}\npolicies=[{policies}]", self.leaf.table),
            _ => write!(f, "ProductScan: {} policies=[{policies}]", self.leaf.table),
        }
    }
}

impl ExecutionPlan for ProductScan {
    fn name(&self) -> &'static str {
        "ProductScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(self.accepted.iter(), visit)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    /// Back to the plan as it was made: the filters of the last round belong to joins that are reset too.
    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let opaque = |error| self.leaf.opaque(None, &error);
        let pristine = reset_plan_states(Arc::clone(&self.pristine)).map_err(opaque)?;
        self.conditions.check(pristine.as_ref()).map_err(opaque)?;
        Ok(Arc::new(Self {
            running: dealt(Arc::clone(&pristine), self.leaf.partitions, &self.session)?,
            pristine,
            accepted: Vec::new(),
            metrics: ExecutionPlanMetricsSet::new(),
            ..Self::clone(&self)
        }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (leaf, watch) = (Arc::clone(&self.leaf), self.watch.clone());
        let openings = context.session_config().get_extension::<Openings>();
        let opaque = move |error: DataFusionError| leaf.opaque(openings.as_deref(), &watch.review(error));
        // No option of the reader's session reaches the private plan; its memory is the query's.
        let private = self.session.task_context(context.memory_pool());
        // Fewer where the gateway found the statement's own rows to be wide; more than usual never.
        let rows = private.session_config().batch_size().min(context.session_config().batch_size());
        let stream = reserved(self.running.execute(partition, private).map_err(&opaque)?, context.memory_pool());
        let output_rows = MetricBuilder::new(&self.metrics).with_type(MetricType::Summary).output_rows(partition);
        let schema = Arc::clone(&self.leaf.schema);
        let batches = rechunked(stream, Arc::clone(&schema), rows)
            .inspect_ok(move |batch| output_rows.add(batch.num_rows()))
            .map_err(opaque);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        Ok(Arc::new(match args.partition() {
            Some(_) => share(&self.leaf.statistics, self.leaf.partitions),
            None => self.leaf.statistics.clone(),
        }))
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        asked: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        // Whoever made a filter goes on applying it: below the policy it only saves reading.
        let kept = vec![PushedDown::No; asked.parent_filters.len()];
        let answer = FilterPushdownPropagation::with_parent_pushdown_result(kept);
        let offered = asked.parent_filters.into_iter().map(|asked| asked.filter);
        let fresh: Vec<_> = offered.filter(|filter| self.accepts(filter)).collect();
        if phase != FilterPushdownPhase::Post || fresh.is_empty() {
            return Ok(answer);
        }
        let accepted: Vec<_> = self.accepted.iter().chain(&fresh).map(Arc::clone).collect();
        let config = self.session.state().config_options();
        let opaque = |error| self.leaf.opaque(None, &error);
        let filtered = injected(&self.pristine, &accepted, config).map_err(opaque)?;
        self.conditions.check(filtered.as_ref()).map_err(opaque)?;
        let running = dealt(filtered, self.leaf.partitions, &self.session)?;
        let updated: Arc<dyn ExecutionPlan> = Arc::new(Self { running, accepted, ..self.clone() });
        Ok(answer.with_updated_node(updated))
    }
}

/// Statistics of some of the columns, of a scan with a limit.
pub(in crate::govern) fn projected(whole: Statistics, columns: &[usize], limit: Option<usize>) -> Statistics {
    let mut part = whole.project(Some(&columns));
    if let (Some(limit), Some(rows)) = (limit, part.num_rows.get_value()) {
        part.num_rows = Precision::Inexact(limit.min(*rows));
    }
    part
}
