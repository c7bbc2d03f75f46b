//! Lets accepted dynamic filters into a private plan.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_plan::filter_pushdown::{ChildFilterDescription, FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};

/// The plan with the filters pushed as far down as its own nodes take them; they are over the plan's output columns.
/// No node keeps a filter above the policy: what is not taken is dropped, because whoever made the filter applies it anyway.
pub(super) fn injected(
    plan: &Arc<dyn ExecutionPlan>,
    filters: &[Arc<dyn PhysicalExpr>],
    config: &ConfigOptions,
) -> Result<Arc<dyn ExecutionPlan>> {
    let inject = Inject { child: Arc::clone(plan), filters: filters.to_vec() };
    let pushed = FilterPushdown::new_post_optimization().optimize(Arc::new(inject), config)?;
    let children = pushed.children();
    let [child] = children.as_slice() else {
        return internal_err!("a dynamic filter replaced the plan it was let into");
    };
    Ok(Arc::clone(child))
}

/// A node that exists only while the filters travel.
#[derive(Debug)]
struct Inject {
    child: Arc<dyn ExecutionPlan>,
    filters: Vec<Arc<dyn PhysicalExpr>>,
}

impl DisplayAs for Inject {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inject")
    }
}

impl ExecutionPlan for Inject {
    fn name(&self) -> &'static str {
        "Inject"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.child.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.child]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(match children.into_iter().next() {
            Some(child) => Arc::new(Self { child, filters: self.filters.clone() }),
            None => self,
        })
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!("filters travel only while a plan is made")
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        parents: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        let child = ChildFilterDescription::from_child(&parents, &self.child)?.with_self_filters(self.filters.clone());
        Ok(FilterDescription::new().with_child(child))
    }
}
