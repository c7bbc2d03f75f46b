//! Planning that ends once nobody waits for it.
//!
//! The engine's planner looks at no deadline: a long chain of operators would keep its thread for minutes after the caller has gone. Whoever
//! plans therefore does so in a scope, and what the planner calls again and again asks there: each rule, the planner of
//! operators, and passes of ours.

use std::future::Future;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{AnalyzerRule, OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::{PhysicalOptimizerContext, PhysicalOptimizerRule};
use datafusion::physical_plan::ExecutionPlan;
use tokio_util::sync::CancellationToken;

use super::CalledOff;

tokio::task_local! {
    static CALLED_OFF: CancellationToken;
}

/// Runs `planning`, which [`check_wanted`] ends once the token is cancelled.
pub async fn until_called_off<F: Future>(called_off: CancellationToken, planning: F) -> F::Output {
    CALLED_OFF.scope(called_off, planning).await
}

/// Ends planning that nobody waits for.
///
/// # Errors
/// `CalledOff`, within [`until_called_off`] only.
pub fn check_wanted() -> Result<()> {
    match CALLED_OFF.try_with(CancellationToken::is_cancelled) {
        Ok(true) => Err(CalledOff::error()),
        Ok(false) | Err(_) => Ok(()),
    }
}

/// The state whose rules, and whose planner of operators, fail once planning is not wanted any longer.
pub fn interruptible(state: SessionState) -> SessionState {
    let analyzer = state.analyzer().rules.iter().map(|rule| Arc::new(WhileWanted(Arc::clone(rule))) as _).collect();
    let optimizer = state.optimizer().rules.iter().map(|rule| Arc::new(WhileWanted(Arc::clone(rule))) as _).collect();
    let physical =
        state.physical_optimizers().iter().map(|rule| Arc::new(WhileWanted(Arc::clone(rule))) as _).collect();
    let operators = state.expr_planners().iter().cloned();
    let operators = std::iter::once(Arc::new(WhileWanted(())) as Arc<dyn ExprPlanner>).chain(operators).collect();
    SessionStateBuilder::new_from_existing(state)
        .with_expr_planners(operators)
        .with_analyzer_rules(analyzer)
        .with_optimizer_rules(optimizer)
        .with_physical_optimizer_rules(physical)
        .build()
}

/// A rule that is applied while planning is wanted.
#[derive(Debug)]
struct WhileWanted<R>(R);

impl AnalyzerRule for WhileWanted<Arc<dyn AnalyzerRule + Send + Sync>> {
    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        check_wanted()?;
        self.0.analyze(plan, config)
    }

    fn name(&self) -> &str {
        self.0.name()
    }
}

impl OptimizerRule for WhileWanted<Arc<dyn OptimizerRule + Send + Sync>> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    /// Of the whole plan, or of one step of it.
    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        check_wanted()?;
        self.0.rewrite(plan, config)
    }
}

impl PhysicalOptimizerRule for WhileWanted<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        check_wanted()?;
        self.0.optimize(plan, config)
    }

    fn optimize_with_context(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: &dyn PhysicalOptimizerContext,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        check_wanted()?;
        self.0.optimize_with_context(plan, context)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// Plans no operator itself; the planner asks it first.
impl ExprPlanner for WhileWanted<()> {
    fn plan_binary_op(&self, operator: RawBinaryExpr, _: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        check_wanted().map(|()| PlannerResult::Original(operator))
    }
}
