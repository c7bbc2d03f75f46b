//! `EXISTS`, `IN`, `ANY` and `ALL` over queries, with the three truth values that SQL gives them.
//!
//! The engine plans them as joins that know TRUE and no TRUE, only inside filters, and only there. That is the whole answer where a row
//! passes for TRUE alone. Elsewhere UNKNOWN counts, as below `NOT`, in `CASE` or in a list of columns: there each becomes an expression
//! over what the engine does plan (`quantified`), in a projection of its own below nodes that take none (`lowered`).
//!
//! <https://github.com/apache/datafusion/issues/10583> follows `NOT IN` beside `OR`.

mod lowered;
mod quantified;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{BinaryExpr, Expr, Filter, LogicalPlan, Operator, Projection};

use lowered::lowered;
use quantified::{Quantified, Stands, exists_as_value, needs_plan};

/// Rewrites the predicates of a plan and of its subqueries. The schema stays as it is.
///
/// # Errors
/// Those of the engine, for a plan that does not hold together; `NotImplemented` for a predicate that no plan answers.
pub(in crate::query) fn plan_predicates(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        let mut asks = false;
        node.apply_expressions(|expr| {
            asks = expr.exists(|expr| Ok(needs_plan(expr)))?;
            Ok(if asks { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        if !asks {
            return Ok(Transformed::no(node));
        }
        Ok(Transformed::yes(match node {
            LogicalPlan::Filter(Filter { predicate, input, .. }) => {
                let predicate = held(predicate, &input, true)?;
                LogicalPlan::Filter(Filter::try_new(predicate, input)?)
            }
            LogicalPlan::Projection(Projection { expr, input, .. }) => {
                let names = NamePreserver::new_for_projection();
                let values = expr.into_iter().map(|expr| {
                    let name = names.save(&expr);
                    Ok(name.restore(value(expr, &input, Stands::AsValue)?))
                });
                LogicalPlan::Projection(Projection::try_new(values.collect::<Result<_>>()?, Arc::clone(&input))?)
            }
            node => lowered(node)?,
        }))
    })
    .data()
}

/// A condition for whose TRUE alone a row passes. `alone` says that nothing stands beside it but `AND`.
fn held(condition: Expr, input: &LogicalPlan, alone: bool) -> Result<Expr> {
    Ok(match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let alone = alone && op == Operator::And;
            let (left, right) = (held(*left, input, alone)?, held(*right, input, alone)?);
            Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
        }
        condition => match Quantified::of(&condition) {
            Some(quantified) => quantified.condition(input, alone)?,
            None => value(condition, input, Stands::InFilter)?,
        },
    })
}

/// An expression whose predicates are values: each of the three truth values counts.
fn value(expr: Expr, input: &LogicalPlan, stands: Stands) -> Result<Expr> {
    expr.transform_up(|expr| {
        if let Some(quantified) = Quantified::of(&expr) {
            return Ok(Transformed::yes(quantified.value(input, stands)?));
        }
        match (&expr, stands) {
            (Expr::Exists(exists), Stands::AsValue) => Ok(Transformed::yes(exists_as_value(exists)?)),
            _ => Ok(Transformed::no(expr)),
        }
    })
    .data()
}
