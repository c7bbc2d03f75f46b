//! Joins that can be ended.
//!
//! A task is ended where it waits. Leaves of the engine wait now and then on purpose, but a join makes many batches of one that it has
//! read: what consumes them in a loop, such as a sum, does not come back for minutes, whoever has gone away meanwhile. Each batch of such
//! an operator is counted like one of a leaf.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::unnest::UnnestExec;

/// Makes operators that answer more batches than they read wait now and then.
#[derive(Debug)]
pub struct Yielding;

impl PhysicalOptimizerRule for Yielding {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let multiplies = node.children().len() > 1 || node.is::<UnnestExec>();
            Ok(if multiplies {
                Transformed::yes(Arc::new(CooperativeExec::new(node)) as _)
            } else {
                Transformed::no(node)
            })
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
