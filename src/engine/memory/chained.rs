//! Unions of many inputs.
//!
//! The engine runs all inputs of a union at once: two hundred tables are two hundred readers, each with a batch and a decoder, and two
//! hundred sorts where the rows are sorted. Here as many run as a statement has partitions, and the others wait for their turn.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Result, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{
    ChildStats, ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties as _,
    PlanProperties, ReplaceChildrenOptions, StatisticsArgs,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};

/// Unions of this many partitions run as they are.
const FEW: usize = 8;

/// Lets the inputs of large unions take turns. It stands before the rules that distribute rows, so that they see how many partitions
/// there are.
#[derive(Debug)]
pub struct ChainUnions;

impl PhysicalOptimizerRule for ChainUnions {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, options: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions = options.execution.target_partitions.max(1);
        plan.transform_up(|node| {
            let is_large = node.is::<UnionExec>() && count(&node) > FEW.max(partitions.saturating_mul(2));
            Ok(if is_large {
                Transformed::yes(ChainedUnionExec::over(node, partitions))
            } else {
                Transformed::no(node)
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "ChainUnions"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn count(node: &Arc<dyn ExecutionPlan>) -> usize {
    node.output_partitioning().partition_count()
}

/// A union with fewer partitions than its inputs have. Each output partition runs its inputs one after the other.
#[derive(Debug)]
struct ChainedUnionExec {
    union: Arc<dyn ExecutionPlan>,
    chains: usize,
    properties: Arc<PlanProperties>,
}

impl ChainedUnionExec {
    fn over(union: Arc<dyn ExecutionPlan>, chains: usize) -> Arc<dyn ExecutionPlan> {
        let chains = chains.min(count(&union)).max(1);
        // Orders of the inputs end here, and what is constant in all of them is of no use without them.
        let properties = PlanProperties::new(
            EquivalenceProperties::new(union.schema()),
            Partitioning::UnknownPartitioning(chains),
            union.pipeline_behavior(),
            union.boundedness(),
        );
        Arc::new(Self { union, chains, properties: Arc::new(properties) })
    }
}

impl DisplayAs for ChainedUnionExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: partitions={}", self.name(), self.chains)
    }
}

impl ExecutionPlan for ChainedUnionExec {
    fn name(&self) -> &'static str {
        "ChainedUnionExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        self.union.benefits_from_input_partitioning()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.union.children()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let recomputed = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        Ok(Self::over(Arc::clone(&self.union).replace_children(children, recomputed)?, self.chains))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let union = Arc::clone(&self.union);
        let turns = stream::iter((partition..count(&union)).step_by(self.chains));
        let batches = turns.map(move |partition| union.execute(partition, Arc::clone(&context))).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        match partition {
            None => self.union.child_stats_requests(None),
            Some(_) => self.children().iter().map(|_| ChildStats::Skip).collect(),
        }
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        match args.partition() {
            None => self.union.statistics_from_inputs(inputs, args),
            Some(_) => Ok(Arc::new(Statistics::new_unknown(&self.schema()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::context::SessionContext;
    use datafusion::prelude::SessionConfig;

    use super::*;

    #[tokio::test]
    async fn large_union_runs_few_inputs() {
        let config = SessionConfig::new().with_target_partitions(2);
        let context = SessionContext::new_with_config(config);
        let inputs: Vec<_> = (0..20).map(|n| format!("SELECT * FROM (VALUES ({n}), ({n})) AS t(v)")).collect();
        let plan = context.sql(&inputs.join(" UNION ALL ")).await.unwrap().create_physical_plan().await.unwrap();
        let chained = ChainUnions.optimize(plan, &ConfigOptions::default()).unwrap();
        let text = datafusion::physical_plan::displayable(chained.as_ref()).indent(false).to_string();
        assert!(text.contains("ChainedUnionExec"), "{text}");
        let batches = datafusion::physical_plan::collect(chained, context.task_ctx()).await.unwrap();
        assert_eq!(batches.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 40);
    }
}
