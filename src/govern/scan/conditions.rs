//! Conditions of a private plan, and the proof that none of them got lost while it was made.
//!
//! The engine may hand a condition to a reader and forget about it. So the conditions of the optimized statement are looked up in the
//! plan that will run: on each path to data, each of them stands in a filter, or in a reader that is proven to apply it.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{create_physical_expr, split_conjunction};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};

use crate::engine::applied_by;

/// The conditions of one private plan, by what they ask of the columns of the scan.
#[derive(Debug, Clone)]
pub(super) struct Conditions(HashSet<u64>);

impl Conditions {
    /// Those that filters of an optimized plan apply.
    pub fn of_filters(plan: &LogicalPlan, state: &SessionState) -> Result<Self> {
        let mut conditions = HashSet::new();
        plan.apply(|node| {
            if let LogicalPlan::Filter(filter) = node {
                for part in split_conjunction(&physical(&filter.predicate, &filter.input, state)?) {
                    conditions.insert(fingerprint(&over_scan(Arc::clone(part), &filter.input, state)?)?);
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(Self(conditions))
    }

    /// # Errors
    /// Internal, where a row could pass that a condition does not let pass.
    pub fn check(&self, plan: &dyn ExecutionPlan) -> Result<()> {
        self.check_below(plan, Vec::new())
    }

    /// `pending` are the conditions that stand above, over the columns of this node.
    fn check_below(&self, node: &dyn ExecutionPlan, mut pending: Vec<Arc<dyn PhysicalExpr>>) -> Result<()> {
        if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
            let below = named(projection.expr().iter().map(|column| (column.alias.as_str(), &column.expr)));
            pending = pending.into_iter().map(|part| over(part, &below)).collect::<Result<_>>()?;
        }
        if let Some(filter) = node.downcast_ref::<FilterExec>() {
            pending.extend(split_conjunction(filter.predicate()).into_iter().map(Arc::clone));
        }
        let children = node.children();
        if !children.is_empty() {
            return children.into_iter().try_for_each(|child| self.check_below(child.as_ref(), pending.clone()));
        }
        if let Some(read) = read_columns(node) {
            let read = named(read.iter().map(|column| (column.alias.as_str(), &column.expr)));
            pending = pending.into_iter().map(|part| over(part, &read)).collect::<Result<_>>()?;
        }
        pending.extend(applied_by(node));
        let applied = pending.iter().map(fingerprint).collect::<Result<HashSet<_>>>()?;
        if node.is::<EmptyExec>() || self.0.is_subset(&applied) {
            return Ok(());
        }
        internal_err!("the plan that reads a product lost a condition of its policy")
    }
}

/// The columns that a reader of files makes of those in the files.
fn read_columns(leaf: &dyn ExecutionPlan) -> Option<&ProjectionExprs> {
    let scan = leaf.downcast_ref::<DataSourceExec>()?.data_source();
    (scan.as_ref() as &dyn Any).downcast_ref::<FileScanConfig>()?.file_source().projection()
}

fn physical(expr: &Expr, input: &LogicalPlan, state: &SessionState) -> Result<Arc<dyn PhysicalExpr>> {
    create_physical_expr(expr, input.schema(), state.execution_props(), &PhysicalPlanningContext::default())
}

/// A condition over columns of `input`, as one over the columns that the scan below it has.
fn over_scan(
    condition: Arc<dyn PhysicalExpr>,
    input: &LogicalPlan,
    state: &SessionState,
) -> Result<Arc<dyn PhysicalExpr>> {
    let condition = match input {
        LogicalPlan::Projection(projection) => {
            let exprs = projection.expr.iter().map(|expr| physical(expr, &projection.input, state));
            let exprs = exprs.collect::<Result<Vec<_>>>()?;
            let names = projection.schema.fields().iter().map(|field| field.name().as_str());
            over(condition, &named(names.zip(&exprs)))?
        }
        _ => condition,
    };
    match input.inputs().as_slice() {
        [below] => over_scan(condition, below, state),
        _ => Ok(condition),
    }
}

type Named<'a> = HashMap<&'a str, &'a Arc<dyn PhysicalExpr>>;

fn named<'a>(columns: impl Iterator<Item = (&'a str, &'a Arc<dyn PhysicalExpr>)>) -> Named<'a> {
    columns.collect()
}

/// The condition with each column as the projection below makes it.
fn over(condition: Arc<dyn PhysicalExpr>, below: &Named<'_>) -> Result<Arc<dyn PhysicalExpr>> {
    condition
        .transform_down(|part| {
            let column = part.downcast_ref::<Column>().and_then(|column| below.get(column.name()));
            // What stands there belongs to the columns below: it is not looked at again.
            Ok(match column {
                Some(made) => Transformed::new(Arc::clone(made), true, TreeNodeRecursion::Jump),
                None => Transformed::no(part),
            })
        })
        .data()
}

/// The condition by the names of its columns; their places change from step to step.
fn fingerprint(condition: &Arc<dyn PhysicalExpr>) -> Result<u64> {
    let placeless = |part: Arc<dyn PhysicalExpr>| {
        Ok(match part.downcast_ref::<Column>() {
            Some(column) => Transformed::yes(Arc::new(Column::new(column.name(), 0)) as _),
            None => Transformed::no(part),
        })
    };
    let mut hasher = DefaultHasher::new();
    Arc::clone(condition).transform_up(placeless).data()?.hash(&mut hasher);
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    /// The optimized plan of a statement, and the plan that runs.
    async fn plans(context: &SessionContext, sql: &str) -> (LogicalPlan, Arc<dyn ExecutionPlan>) {
        let state = context.state();
        let plan = state.optimize(&state.create_logical_plan(sql).await.unwrap()).unwrap();
        let physical = state.query_planner().create_physical_plan(&plan, &state).await.unwrap();
        (plan, physical)
    }

    #[tokio::test]
    async fn condition_over_another_column_is_another() {
        let context = SessionContext::new_with_config(SessionConfig::new());
        context.sql("CREATE TABLE t (a BIGINT, b BIGINT) AS VALUES (1, 2), (3, 4)").await.unwrap();
        let both = "SELECT * FROM t WHERE a > 1 AND b > 1";
        // Names that a projection exchanges, and a condition over what it computes.
        let renamed = "SELECT * FROM (SELECT b AS a, a AS b FROM t LIMIT 5) WHERE a > 1 AND b > 1";
        let computed = "SELECT * FROM (SELECT a * 2 AS a, b FROM t LIMIT 5) WHERE a > 1 AND b > 1";
        for sql in [both, renamed, computed] {
            let (plan, physical) = plans(&context, sql).await;
            let conditions = Conditions::of_filters(&plan, &context.state()).unwrap();
            assert_eq!(conditions.0.len(), 2, "{sql}");
            conditions.check(physical.as_ref()).unwrap();
            for lost in ["a > 1", "b > 1", "true"] {
                let (_, physical) = plans(&context, &sql.replace("a > 1 AND b > 1", lost)).await;
                conditions.check(physical.as_ref()).unwrap_err();
            }
        }
    }
}
