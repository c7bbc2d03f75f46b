//! Expressions that fail once nobody wants their statement, and sorts that end by them.
//!
//! A sort starts a task for each batch that it holds, and a task is not looked at again before it runs: thousands of batches are sorted
//! although the statement ended. Each of them evaluates its keys first.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use arrow::datatypes::{FieldRef, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use super::{CalledOff, StatementControl};

/// Whether a statement is still wanted, known to its plan as soon as it runs.
#[derive(Debug, Default)]
pub(in crate::engine) struct Wanted(OnceLock<Arc<StatementControl>>);

impl Wanted {
    /// The statement that the plan runs for; a test may run one for none.
    pub fn begin(&self, context: &TaskContext) {
        if let Some(control) = context.session_config().get_extension::<StatementControl>() {
            self.0.get_or_init(|| control);
        }
    }

    #[cfg(test)]
    pub fn by(control: &Arc<StatementControl>) -> Self {
        Self(Arc::clone(control).into())
    }

    pub fn check(&self) -> Result<()> {
        if self.0.get().is_some_and(|control| control.is_cancelled()) {
            return Err(CalledOff::error());
        }
        Ok(())
    }
}

/// An expression that is evaluated only while the statement is wanted.
#[derive(Debug)]
pub(in crate::engine) struct Guarded {
    expr: Arc<dyn PhysicalExpr>,
    wanted: Arc<Wanted>,
}

impl Guarded {
    pub fn over(expr: &Arc<dyn PhysicalExpr>, wanted: &Arc<Wanted>) -> Arc<dyn PhysicalExpr> {
        Arc::new(Self { expr: Arc::clone(expr), wanted: Arc::clone(wanted) })
    }
}

impl PartialEq for Guarded {
    fn eq(&self, other: &Self) -> bool {
        self.expr.eq(&other.expr)
    }
}

impl Eq for Guarded {}

impl Hash for Guarded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expr.hash(state);
    }
}

impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

impl PhysicalExpr for Guarded {
    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.expr.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.wanted.check()?;
        self.expr.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.expr]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let Some(expr) = children.pop() else { return Ok(self) };
        Ok(Arc::new(Self { expr, wanted: Arc::clone(&self.wanted) }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt_sql(f)
    }
}

/// The sort with keys that end with the statement. One that keeps few rows ends by itself.
pub(in crate::engine) fn guarded_sort(node: &dyn ExecutionPlan) -> Option<Arc<dyn ExecutionPlan>> {
    let sort = node.downcast_ref::<SortExec>().filter(|sort| sort.fetch().is_none())?;
    let wanted = Arc::new(Wanted::default());
    let keys = sort.expr().iter().map(|key| PhysicalSortExpr::new(Guarded::over(&key.expr, &wanted), key.options));
    let running = rebuilt(sort, LexOrdering::new(keys)?, Arc::clone(sort.input()));
    Some(Arc::new(GuardedSortExec { running, properties: Arc::clone(sort.properties()), wanted }))
}

fn rebuilt(sort: &SortExec, keys: LexOrdering, input: Arc<dyn ExecutionPlan>) -> SortExec {
    SortExec::new(keys, input).with_preserve_partitioning(sort.preserve_partitioning())
}

/// A sort by guarded keys that says of itself what the sort by plain keys says: no other node knows guarded keys.
#[derive(Debug)]
struct GuardedSortExec {
    running: SortExec,
    properties: Arc<PlanProperties>,
    wanted: Arc<Wanted>,
}

impl DisplayAs for GuardedSortExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.running.fmt_as(format, f)
    }
}

impl ExecutionPlan for GuardedSortExec {
    fn name(&self) -> &'static str {
        "SortExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![self.running.input()]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.running.apply_expressions(f)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else { return Ok(self) };
        let running = rebuilt(&self.running, self.running.expr().clone(), input);
        let (properties, wanted) = (Arc::clone(&self.properties), Arc::clone(&self.wanted));
        Ok(Arc::new(Self { running, properties, wanted }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.wanted.begin(&context);
        self.running.execute(partition, context)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.running.metrics()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray as _, Int64Array};
    use arrow::datatypes::Int64Type;
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::physical_expr::expressions::col;
    use datafusion::physical_plan::collect;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    #[tokio::test]
    async fn sort_ends_with_its_statement() {
        let batch = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![2, 3, 1])) as _)]).unwrap();
        let schema = batch.schema();
        let key = PhysicalSortExpr::new_default(col("n", &schema).unwrap());
        let input = MemorySourceConfig::try_new_exec(&[vec![batch]], schema, None).unwrap();
        let sort = SortExec::new([key].into(), input);
        let control = StatementControl::for_tests(1 << 30);
        let config = SessionConfig::new().with_extension(Arc::clone(&control));
        let context = SessionContext::new_with_config(config).task_ctx();
        let guarded = || guarded_sort(&sort).unwrap();
        assert_eq!(guarded().properties().output_ordering(), sort.properties().output_ordering());
        let sorted = collect(guarded(), Arc::clone(&context)).await.unwrap();
        assert_eq!(sorted[0].column(0).as_primitive::<Int64Type>().values(), &[1, 2, 3]);
        control.token().cancel();
        collect(guarded(), context).await.unwrap_err();
        assert!(guarded_sort(&sort.with_fetch(Some(1))).is_none());
    }
}
