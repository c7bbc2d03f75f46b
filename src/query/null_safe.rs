//! `a IS NOT DISTINCT FROM b` between tables, as equalities.
//!
//! The engine makes a join key of it, and then says of all keys of that join that NULL equals NULL; where it flattens chains of inner
//! joins, it says of all of them what one says. So rows appear or are lost. As two equalities it is a join key like others: whether each
//! is NULL, and their values, with one stand-in for NULL.

use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::core::expr_fn::{coalesce, nullif};
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable as _, LogicalPlan, Operator, cast, lit};

/// # Errors
/// Those of the engine, for a plan that does not hold together.
pub(in crate::query) fn equalities(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        if !matches!(node, LogicalPlan::Join(_) | LogicalPlan::Filter(_)) {
            return Ok(Transformed::no(node));
        }
        let schema = merge_schema(&node.inputs());
        node.map_expressions(|expr| {
            expr.transform_up(|expr| match expr {
                Expr::BinaryExpr(BinaryExpr { left, op: Operator::IsNotDistinctFrom, right })
                    if names_columns(&left) && names_columns(&right) =>
                {
                    let types = left.get_type(&schema).and_then(|left| Ok((left, right.get_type(&schema)?)));
                    let common = types.ok().and_then(|(left, right)| comparison_coercion(&left, &right));
                    let stand_in = common.as_ref().and_then(|common| ScalarValue::new_default(common).ok());
                    let Some((common, stand_in)) = common.zip(stand_in) else {
                        // No join key, then.
                        let same = Expr::BinaryExpr(BinaryExpr::new(left, Operator::IsNotDistinctFrom, right));
                        return Ok(Transformed::yes(nullif(same, lit(ScalarValue::Boolean(None)))));
                    };
                    let value = |expr: Expr| coalesce(vec![cast(expr, common.clone()), lit(stand_in.clone())]);
                    let nullness = left.clone().is_null().eq(right.clone().is_null());
                    Ok(Transformed::yes(nullness.and(value(*left).eq(value(*right)))))
                }
                expr => Ok(Transformed::no(expr)),
            })
        })
    })
    .data()
}

fn names_columns(expr: &Expr) -> bool {
    expr.exists(|expr| Ok(matches!(expr, Expr::Column(_) | Expr::OuterReferenceColumn(..)))).unwrap_or(true)
}
