//! Aggregates that gather values, in one stage.
//!
//! The engine aggregates in two stages, and collects rows of the first into full batches on their way to the second. Where a row is all
//! that a group has gathered so far, such a batch is as large as thousands of groups, and nobody reserves it. A first stage also gains
//! nothing there, since its result is as large as its input.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};

/// Aggregates whose state grows with the rows of a group, or is large from the start.
const GATHERING: [&str; 6] = ["array_agg", "string_agg", "nth_value", "median", "percentile_cont", "approx_distinct"];

/// Has groups that gather values computed from rows at once. It stands before the rules that distribute rows.
#[derive(Debug)]
pub struct GatherInOneStage;

impl PhysicalOptimizerRule for GatherInOneStage {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| match in_one_stage(node.as_ref())? {
            Some(whole) => Ok(Transformed::yes(Arc::new(whole) as _)),
            None => Ok(Transformed::no(node)),
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "GatherInOneStage"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn in_one_stage(node: &dyn ExecutionPlan) -> Result<Option<AggregateExec>> {
    let Some(last) = node.downcast_ref::<AggregateExec>() else { return Ok(None) };
    let Some(first) = last.input().downcast_ref::<AggregateExec>() else { return Ok(None) };
    let is_pair = matches!(last.mode(), AggregateMode::Final | AggregateMode::FinalPartitioned)
        && *first.mode() == AggregateMode::Partial;
    if !is_pair || first.group_expr().is_true_no_grouping() || !first.aggr_expr().iter().any(|expr| gathers(expr)) {
        return Ok(None);
    }
    // Rows of several grouping sets have no partition that all of them belong to.
    let is_partitioned = *last.mode() == AggregateMode::FinalPartitioned && first.group_expr().is_single();
    let mode = if is_partitioned { AggregateMode::SinglePartitioned } else { AggregateMode::Single };
    let whole = AggregateExec::try_new(
        mode,
        first.group_expr().clone(),
        first.aggr_expr().to_vec(),
        first.filter_expr().to_vec(),
        Arc::clone(first.input()),
        first.input_schema(),
    )?;
    Ok(Some(whole.with_limit_options(last.limit_options())))
}

fn gathers(expr: &AggregateFunctionExpr) -> bool {
    expr.is_distinct() || GATHERING.contains(&expr.fun().name())
}
