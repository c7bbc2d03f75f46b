//! Keys of correlated queries as columns.
//!
//! The engine makes a join of a query that is asked for one value where each condition on the rows around it says that a column equals
//! something. `s.a + 1 = t.a`, or a key whose type had to be changed, is none: so what is computed there becomes a column first.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    BinaryExpr, Cast, Expr, Filter, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, col, lit,
};

/// # Errors
/// Those of the engine, for a plan that does not hold together.
pub(in crate::query) fn keys_as_columns(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        node.map_expressions(|expr| {
            expr.transform_up(|expr| match expr {
                Expr::ScalarSubquery(query) if !query.outer_ref_columns.is_empty() => {
                    let rows = Arc::unwrap_or_clone(Arc::clone(&query.subquery)).transform_down(keyed)?;
                    let query =
                        if rows.transformed { Subquery { subquery: Arc::new(rows.data), ..query } } else { query };
                    Ok(Transformed::new_transformed(Expr::ScalarSubquery(query), rows.transformed))
                }
                expr => Ok(Transformed::no(expr)),
            })
        })
    })
    .data()
}

fn keyed(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Filter(Filter { predicate, input, .. }) = node else { return Ok(Transformed::no(node)) };
    let mut computed = Vec::new();
    let mut as_column = |side: Box<Expr>, other: &Expr| {
        if !is_key(&side, other) {
            return side;
        }
        let name = format!("__key_{}", computed.len());
        computed.push(side.alias(&name));
        Box::new(col(name))
    };
    let conditions = split_conjunction_owned(predicate).into_iter().map(|condition| match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let left = as_column(left, &right);
            let right = as_column(right, &left);
            Expr::BinaryExpr(BinaryExpr::new(left, Operator::Eq, right))
        }
        condition => condition,
    });
    let predicate = conjunction(conditions).unwrap_or_else(|| lit(true));
    if computed.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Filter(Filter::try_new(predicate, input)?)));
    }
    let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
    let with_keys = columns.iter().cloned().chain(computed);
    let rows = LogicalPlanBuilder::new_from_arc(input).project(with_keys)?.filter(predicate)?;
    Ok(Transformed::yes(rows.project(columns)?.build()?))
}

/// True for what is computed of the rows inside, beside what stands for rows around them.
fn is_key(side: &Expr, other: &Expr) -> bool {
    let is_column = |expr: &Expr| matches!(expr, Expr::Column(_));
    let is_plain = match side {
        Expr::Cast(Cast { expr, .. }) => is_column(expr),
        side => is_column(side),
    };
    !is_plain && side.any_column_refs() && !names_outer(side) && names_outer(other) && !other.any_column_refs()
}

fn names_outer(expr: &Expr) -> bool {
    expr.exists(|expr| Ok(matches!(expr, Expr::OuterReferenceColumn(..)))).unwrap_or(true)
}
