//! Operators of the engine that hold batches without reserving them, or hold them twice for a moment.
//!
//! Window operators buffer their partitions and reserve nothing. Joins reserve the batches of the side that they collect, and then
//! copy them into one. So what such an operator reads passes by here, is reserved, and is given back as the operator answers.

use std::any::type_name;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use arrow::array::Array as _;
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt as _;
use futures::stream::poll_fn;

use super::unnested;

/// Reserves what windows, joins and operators that make rows of lists hold beyond what they reserve themselves. It stands near the end of the rules, so that none has to
/// see through what it puts into a plan.
#[derive(Debug)]
pub struct ReserveHeld;

impl PhysicalOptimizerRule for ReserveHeld {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if let Some(unnest) = node.downcast_ref::<UnnestExec>() {
                let input = unnested::reserving(unnest);
                let same = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
                return Ok(Transformed::yes(node.replace_children(vec![input], same)?));
            }
            let Some(release) = release(node.as_ref()) else { return Ok(Transformed::no(node)) };
            let mut inputs: Vec<_> = node.children().into_iter().map(Arc::clone).collect();
            // A join collects its left side.
            if let Some(held) = inputs.first_mut() {
                *held = Arc::new(HeldInputExec(Arc::clone(held)));
            }
            let node = node.replace_children(inputs, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep))?;
            Ok(Transformed::yes(Arc::new(HoldingExec { node, release })))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "ReserveHeld"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// When what was read is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Release {
    /// As many rows as are answered, in their order.
    AnsweredRows,
    /// All of it with the first answer: the copy is made, and the operator counts it itself.
    FirstAnswer,
}

fn release(node: &dyn ExecutionPlan) -> Option<Release> {
    if node.is::<WindowAggExec>() || node.is::<BoundedWindowAggExec>() {
        Some(Release::AnsweredRows)
    } else if node.is::<HashJoinExec>() || node.is::<NestedLoopJoinExec>() || node.is::<CrossJoinExec>() {
        Some(Release::FirstAnswer)
    } else {
        None
    }
}

impl Release {
    /// How often the operator has each row beside what it reserves. A window keeps what it read, one batch of all of it, and results that
    /// are as wide; a join keeps one copy while it makes another.
    fn copies(self) -> usize {
        match self {
            Self::AnsweredRows => 3,
            Self::FirstAnswer => 1,
        }
    }
}

/// What one execution of an operator has read and not yet answered.
struct Ledger {
    release: Release,
    reservation: MemoryReservation,
    /// Rows and bytes of what was read, oldest first.
    unanswered: Mutex<VecDeque<(usize, usize)>>,
}

impl Ledger {
    fn hold(&self, batch: &RecordBatch) -> Result<()> {
        let bytes = visible_bytes(batch).saturating_mul(self.release.copies());
        self.reservation.try_grow(bytes)?;
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner).push_back((batch.num_rows(), bytes));
        Ok(())
    }

    /// Gives back what belongs to so many answered rows.
    fn answer(&self, mut rows: usize) {
        let mut unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = 0;
        while let Some(oldest) = unanswered.front_mut() {
            if self.release == Release::AnsweredRows && rows < oldest.0 {
                oldest.0 -= rows;
                break;
            }
            rows = rows.saturating_sub(oldest.0);
            bytes += oldest.1;
            unanswered.pop_front();
        }
        // A reservation of exactly what was pushed above cannot be too small.
        let _ = self.reservation.try_shrink(bytes);
    }
}

/// Bytes of the rows of a batch, whatever else its buffers hold.
pub fn visible_bytes(batch: &RecordBatch) -> usize {
    let bytes = |column: &Arc<dyn arrow::array::Array>| {
        column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
    };
    batch.columns().iter().map(bytes).sum()
}

/// An operator that holds what it reads.
#[derive(Debug)]
struct HoldingExec {
    node: Arc<dyn ExecutionPlan>,
    release: Release,
}

/// What it reads. It finds the ledger in the configuration of its execution.
#[derive(Debug)]
struct HeldInputExec(Arc<dyn ExecutionPlan>);

fn only(mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
    match (children.pop(), children.is_empty()) {
        (Some(input), true) => Ok(input),
        _ => Err(DataFusionError::Internal(format!("{} has one input", type_name::<HoldingExec>()))),
    }
}

impl DisplayAs for HoldingExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ExecutionPlan for HoldingExec {
    fn name(&self) -> &'static str {
        "HoldingExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.node.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.node]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self { node: only(children)?, release: self.release }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let ledger = Arc::new(Ledger {
            release: self.release,
            reservation: MemoryConsumer::new("held batches").register(context.memory_pool()),
            unanswered: Mutex::default(),
        });
        let mut output = self.node.execute(partition, with_ledger(&context, &ledger))?;
        let schema = output.schema();
        // What was answered last is in use until the next is asked for.
        let mut answered = None;
        let batches = poll_fn(move |context| {
            if let Some(rows) = answered.take() {
                ledger.answer(rows);
            }
            let polled = output.poll_next_unpin(context);
            match &polled {
                Poll::Ready(Some(Ok(batch))) => answered = Some(batch.num_rows()),
                Poll::Ready(_) => ledger.answer(usize::MAX),
                Poll::Pending => {}
            }
            polled
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

fn with_ledger(context: &TaskContext, ledger: &Arc<Ledger>) -> Arc<TaskContext> {
    let config = context.session_config().clone().with_extension(Arc::clone(ledger));
    let (scalar, higher, aggregate, window) = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
    let (task, session) = (context.task_id(), context.session_id());
    Arc::new(TaskContext::new(task, session, config, scalar, higher, aggregate, window, context.runtime_env()))
}

impl DisplayAs for HeldInputExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ExecutionPlan for HeldInputExec {
    fn name(&self) -> &'static str {
        "HeldInputExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.0.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.0]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self(only(children)?)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let ledger = context.session_config().get_extension::<Ledger>();
        let input = self.0.execute(partition, context)?;
        let Some(ledger) = ledger else { return Ok(input) };
        let schema = input.schema();
        let batches = input.map(move |batch| {
            let batch = batch?;
            ledger.hold(&batch)?;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, RecordBatch};
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};

    use super::*;

    fn batch(rows: i64) -> RecordBatch {
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from_iter_values(0..rows)) as _)]).unwrap()
    }

    fn ledger(release: Release, pool: &Arc<dyn MemoryPool>) -> Ledger {
        Ledger { release, reservation: MemoryConsumer::new("test").register(pool), unanswered: Mutex::default() }
    }

    #[test]
    fn window_gives_back_answered_rows() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(500));
        let ledger = ledger(Release::AnsweredRows, &pool);
        ledger.hold(&batch(10)).unwrap();
        ledger.hold(&batch(10)).unwrap();
        assert_eq!(pool.reserved(), 480);
        assert!(ledger.hold(&batch(1)).is_err());
        ledger.answer(5);
        assert_eq!(pool.reserved(), 480);
        ledger.answer(6);
        assert_eq!(pool.reserved(), 240);
        ledger.answer(9);
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn join_gives_back_with_first_answer() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(500));
        let ledger = ledger(Release::FirstAnswer, &pool);
        ledger.hold(&batch(10).slice(0, 5)).unwrap();
        ledger.hold(&batch(10)).unwrap();
        assert_eq!(pool.reserved(), 120);
        ledger.answer(0);
        assert_eq!(pool.reserved(), 0);
    }
}
