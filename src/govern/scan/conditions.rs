//! Conditions of a private plan, and the proof that none of them got lost while it was made.
//!
//! The engine may hand a condition to a reader and forget about it. So the conditions of the optimized statement are looked up in the
//! plan that will run: on each path to data, each of them stands in a filter, or in a reader that is proven to apply it.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{create_physical_expr, split_conjunction};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};

use crate::engine::applied_by;

/// The conditions of one private plan, by what they ask; names and places of columns change from step to step.
#[derive(Debug, Clone)]
pub(super) struct Conditions(HashSet<u64>);

impl Conditions {
    /// Those that filters of an optimized plan apply.
    pub fn of_filters(plan: &LogicalPlan, state: &SessionState) -> Result<Self> {
        let mut conditions = HashSet::new();
        let context = PhysicalPlanningContext::default();
        plan.apply(|node| {
            if let LogicalPlan::Filter(filter) = node {
                let schema = filter.input.schema();
                let predicate = create_physical_expr(&filter.predicate, schema, state.execution_props(), &context)?;
                for part in split_conjunction(&predicate) {
                    conditions.insert(fingerprint(part)?);
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(Self(conditions))
    }

    /// # Errors
    /// Internal, where a row could pass that a condition does not let pass.
    pub fn check(&self, plan: &dyn ExecutionPlan) -> Result<()> {
        self.check_below(plan, &HashSet::new())
    }

    /// `applied` are the conditions that stand above.
    fn check_below(&self, node: &dyn ExecutionPlan, applied: &HashSet<u64>) -> Result<()> {
        let mut applied = applied.clone();
        let filter = node.downcast_ref::<FilterExec>().map(FilterExec::predicate);
        for part in filter.map(split_conjunction).into_iter().flatten() {
            applied.insert(fingerprint(part)?);
        }
        let children = node.children();
        if !children.is_empty() {
            return children.into_iter().try_for_each(|child| self.check_below(child.as_ref(), &applied));
        }
        for part in applied_by(node) {
            applied.insert(fingerprint(&part)?);
        }
        if node.is::<EmptyExec>() || self.0.is_subset(&applied) {
            return Ok(());
        }
        internal_err!("the plan that reads a product lost a condition of its policy")
    }
}

/// The shape of a condition without its columns: two conditions that differ in their columns only have one shape.
fn fingerprint(condition: &Arc<dyn PhysicalExpr>) -> Result<u64> {
    let nameless = |part: Arc<dyn PhysicalExpr>| {
        Ok(if part.is::<Column>() {
            Transformed::yes(Arc::new(Column::new("", 0)) as _)
        } else {
            Transformed::no(part)
        })
    };
    let mut hasher = DefaultHasher::new();
    Arc::clone(condition).transform_up(nameless).data()?.hash(&mut hasher);
    Ok(hasher.finish())
}
