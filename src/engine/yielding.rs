//! Joins and aggregates that can be ended.
//!
//! A task is ended where it waits. Leaves of the engine wait now and then on purpose, but a join makes many batches of one that it has
//! read: what consumes them in a loop, such as a sum, does not come back for minutes, whoever has gone away meanwhile. An aggregate
//! waits with what it reads, behind 128 batches: with many groups each of them may take a tenth of a second. To wait behind every batch
//! wakes more threads than there is work for. What a join does between two batches is bounded by [`super::slicing`].

use std::any::type_name;
use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::stream::{Stream, StreamExt as _, poll_fn};

use super::guarded::guarded_sort;
use super::slicing::{Progress, sliced};

/// Has sorts end with their statement, and makes operators wait that answer more batches than they read, and those that aggregates read from. It stands last among the rules,
/// so that none has to see through what it puts into a plan.
#[derive(Debug)]
pub struct Yielding;

impl PhysicalOptimizerRule for Yielding {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if node.is::<AggregateExec>() {
                let inputs = node.children().into_iter().map(|input| waiting(Arc::clone(input))).collect();
                let same = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
                return Ok(Transformed::yes(node.replace_children(inputs, same)?));
            }
            if let Some(sort) = guarded_sort(node.as_ref()) {
                return Ok(Transformed::yes(sort));
            }
            if let Some(join) = sliced(&node)? {
                return Ok(Transformed::yes(Arc::new(YieldingExec {
                    input: join.plan,
                    progress: Some(join.progress),
                })));
            }
            let multiplies = node.children().len() > 1 || node.is::<UnnestExec>();
            Ok(if multiplies { Transformed::yes(waiting(node)) } else { Transformed::no(node) })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "Yielding"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn waiting(node: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    if node.is::<YieldingExec>() { node } else { Arc::new(YieldingExec { input: node, progress: None }) }
}

/// Its input, with waits.
#[derive(Debug)]
struct YieldingExec {
    input: Arc<dyn ExecutionPlan>,
    /// Of a join whose probe side comes in slices.
    progress: Option<Arc<Progress>>,
}

impl DisplayAs for YieldingExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ExecutionPlan for YieldingExec {
    fn name(&self) -> &'static str {
        "YieldingExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self { input, progress: self.progress.clone() })),
            _ => Err(DataFusionError::Internal(format!("{} has one input", type_name::<Self>()))),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let (schema, progress) = (input.schema(), self.progress.clone());
        let counted = input.inspect(move |_| {
            if let Some(progress) = &progress {
                progress.answered(partition);
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, yielding(counted, TURN))))
    }
}

/// As long as this may pass between two waits, and the work on one batch.
const TURN: Duration = Duration::from_millis(5);

/// Waits behind a batch when a turn has passed since the last wait: what is done with one above may be slow.
fn yielding(
    mut input: impl Stream<Item = Result<RecordBatch>> + Unpin,
    turn: Duration,
) -> impl Stream<Item = Result<RecordBatch>> {
    let mut since: Option<Instant> = None;
    poll_fn(move |context| {
        if since.is_some_and(|since| since.elapsed() >= turn) {
            since = None;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = input.poll_next_unpin(context);
        if polled.is_pending() {
            since = None;
        } else if since.is_none() {
            since = Some(Instant::now());
        }
        polled
    })
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Schema, SchemaRef};
    use futures::stream;

    use super::*;

    async fn waits_and_batches(turn: Duration) -> (usize, usize) {
        let schema: SchemaRef = Arc::new(Schema::empty());
        let batch = RecordBatch::new_empty(Arc::clone(&schema));
        let ready = stream::iter((0..100).map(move |_| Ok(batch.clone())));
        let mut slow = Box::pin(yielding(ready, turn));
        let (mut waits, mut batches) = (0, 0);
        loop {
            match futures::poll!(slow.next()) {
                Poll::Pending => waits += 1,
                Poll::Ready(Some(_)) => batches += 1,
                Poll::Ready(None) => break,
            }
        }
        (waits, batches)
    }

    #[tokio::test]
    async fn what_is_always_ready_waits_all_the_same_and_loses_nothing() {
        assert_eq!(waits_and_batches(Duration::ZERO).await, (100, 100));
        assert_eq!(waits_and_batches(Duration::MAX).await, (0, 100));
    }
}
