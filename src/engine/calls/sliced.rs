//! Projections that are computed in pieces, each short enough for one turn of a thread.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::{conjunction, split_conjunction};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildStats, ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions, StatisticsArgs,
};
use futures::StreamExt as _;
use futures::stream::poll_fn;

use super::call::is_bounded;
use super::evaluation::{Evaluated, evaluate};
use crate::engine::{CalledOff, StatementControl};

/// As long as a projection computes before it lets others have the thread.
const TURN: Duration = Duration::from_millis(50);
/// As long as one evaluation may take where it can be divided: then it is begun again with fewer rows.
const LONGEST: Duration = Duration::from_millis(100);

/// Has projections with bounded calls computed in pieces, and filters with such calls in a projection below them. It stands behind
/// all rules that look into projections.
#[derive(Debug)]
pub struct SlicedProjections;

impl PhysicalOptimizerRule for SlicedProjections {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
                let mut found = false;
                for column in projection.expr() {
                    found |= calls(&column.expr)?;
                }
                return Ok(if found {
                    Transformed::yes(SlicedProjectionExec::of(projection.clone()))
                } else {
                    Transformed::no(node)
                });
            }
            match node.downcast_ref::<FilterExec>() {
                Some(filter) if calls(filter.predicate())? => sliced(filter).map(Transformed::yes),
                _ => Ok(Transformed::no(node)),
            }
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "SlicedProjections"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn calls(expr: &Arc<dyn PhysicalExpr>) -> Result<bool> {
    let mut found = false;
    expr.apply(|expr| {
        found |= expr.downcast_ref::<ScalarFunctionExpr>().is_some_and(|call| is_bounded(call.fun()));
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// The same filter over a column. What has no calls goes first, so that fewer rows are left for those that have.
fn sliced(filter: &FilterExec) -> Result<Arc<dyn ExecutionPlan>> {
    let (mut cheap, mut costly) = (Vec::new(), Vec::new());
    for part in split_conjunction(filter.predicate()) {
        if calls(part)? { costly.push(Arc::clone(part)) } else { cheap.push(Arc::clone(part)) }
    }
    let mut input = Arc::clone(filter.input());
    if !cheap.is_empty() {
        let below = FilterExecBuilder::new(conjunction(cheap), input)
            .with_default_selectivity(filter.default_selectivity())
            .with_batch_size(filter.batch_size());
        input = Arc::new(below.build()?);
    }
    let schema = input.schema();
    let columns = schema.fields().iter().enumerate();
    let mut exprs: Vec<ProjectionExpr> = columns
        .map(|(at, field)| ProjectionExpr {
            expr: Arc::new(Column::new(field.name(), at)),
            alias: field.name().clone(),
        })
        .collect();
    let (name, place) = ("__filter", exprs.len());
    exprs.push(ProjectionExpr { expr: conjunction(costly), alias: name.to_owned() });
    let projection = ProjectionExec::try_new_with_schema_metadata(exprs.clone(), Arc::clone(&input), &{
        let filter = exprs.last().map(|last| last.expr.return_field(&schema)).transpose()?;
        let fields = schema.fields().iter().cloned().chain(filter);
        arrow::datatypes::Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
    })?;
    let shown = filter.projection().as_ref().map_or_else(|| (0..place).collect(), |shown| shown.to_vec());
    let above = FilterExecBuilder::new(Arc::new(Column::new(name, place)), SlicedProjectionExec::of(projection))
        .apply_projection(Some(shown))?
        .with_default_selectivity(filter.default_selectivity())
        .with_batch_size(filter.batch_size())
        .with_fetch(filter.fetch());
    Ok(Arc::new(above.build()?))
}

/// A projection that looks at the clock.
#[derive(Debug)]
pub(super) struct SlicedProjectionExec {
    projection: Arc<ProjectionExec>,
    longest: Duration,
    metrics: ExecutionPlanMetricsSet,
}

impl SlicedProjectionExec {
    fn of(projection: ProjectionExec) -> Arc<dyn ExecutionPlan> {
        Self::that_stops(projection, LONGEST)
    }

    /// With evaluations that are stopped after `longest`, if they can be divided.
    pub fn that_stops(projection: ProjectionExec, longest: Duration) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { projection: Arc::new(projection), longest, metrics: ExecutionPlanMetricsSet::new() })
    }
}

impl DisplayAs for SlicedProjectionExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The tree has names of its own.
        if matches!(format, DisplayFormatType::Default | DisplayFormatType::Verbose) {
            f.write_str("Sliced")?;
        }
        self.projection.fmt_as(format, f)
    }
}

impl ExecutionPlan for SlicedProjectionExec {
    fn name(&self) -> &'static str {
        "SlicedProjectionExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.projection.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![self.projection.input()]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.projection.apply_expressions(f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let replaced = Arc::clone(&self.projection).replace_children(children, options)?;
        let Some(projection) = replaced.downcast_ref::<ProjectionExec>() else {
            return internal_err!("a projection became something else");
        };
        Ok(Self::that_stops(projection.clone(), self.longest))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut pieces = Pieces {
            exprs: self.projection.expr().iter().map(|column| Arc::clone(&column.expr)).collect(),
            schema: self.schema(),
            input: self.projection.input().execute(partition, Arc::clone(&context))?,
            control: context.session_config().get_extension::<StatementControl>(),
            metrics: BaselineMetrics::new(&self.metrics, partition),
            current: None,
            most: usize::MAX,
            longest: self.longest,
            turn: None,
            held: Vec::new(),
        };
        let stream = poll_fn(move |context| pieces.poll(context));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.projection.child_stats_requests(partition)
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        self.projection.statistics_from_inputs(inputs, args)
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}

struct Pieces {
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
    input: SendableRecordBatchStream,
    /// None for a plan that was made for nobody in particular.
    control: Option<Arc<StatementControl>>,
    metrics: BaselineMetrics,
    /// What is left of the last batch.
    current: Option<RecordBatch>,
    /// Rows in the next piece.
    most: usize,
    longest: Duration,
    /// Since when others have had no turn.
    turn: Option<Instant>,
    /// Memory of the piece that was answered last, until the next is asked for.
    held: Vec<MemoryReservation>,
}

impl Pieces {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        self.held.clear();
        loop {
            if self.turn.is_some_and(|since| since.elapsed() >= TURN) {
                self.turn = None;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.control.as_ref().is_some_and(|control| control.is_cancelled()) {
                return Poll::Ready(Some(Err(CalledOff::error())));
            }
            let Some(batch) = self.current.take() else {
                let polled = self.input.poll_next_unpin(context);
                if polled.is_pending() {
                    self.turn = None;
                }
                match ready!(polled) {
                    Some(Ok(batch)) => self.current = Some(batch),
                    ended => return Poll::Ready(ended),
                }
                continue;
            };
            self.turn.get_or_insert_with(Instant::now);
            let rows = batch.num_rows().min(self.most);
            let piece = batch.slice(0, rows);
            let timer = self.metrics.elapsed_compute().timer();
            let Evaluated { result, fitting, took, held } =
                evaluate(rows, self.longest, || project(&self.exprs, &self.schema, &piece));
            timer.done();
            if let Some(fitting) = fitting {
                self.most = fitting;
                self.current = Some(batch);
                continue;
            }
            if took < TURN / 2 {
                self.most = self.most.saturating_mul(2);
            }
            if rows < batch.num_rows() {
                self.current = Some(batch.slice(rows, batch.num_rows() - rows));
            }
            self.held = held;
            let answer = result.inspect(|made| {
                self.metrics.output_rows().add(made.num_rows());
            });
            return Poll::Ready(Some(answer));
        }
    }
}

fn project(exprs: &[Arc<dyn PhysicalExpr>], schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let columns = exprs.iter().map(|expr| expr.evaluate(batch)?.into_array(rows)).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}
