//! `= ANY (query)` as `IN (query)`, and `<> ALL (query)` as `NOT IN (query)`.
//!
//! The engine plans a quantified comparison as two or three queries that compare each row with each row; `IN` is looked up. Where the
//! result of a comparison is a value, UNKNOWN must stay NULL, and `IN` does not always say so: only filters are rewritten, in which a
//! row passes for TRUE alone. Other operators have nothing to look up.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult as _};
use datafusion::logical_expr::expr::{InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::{BinaryExpr, Expr, Filter, LogicalPlan, Operator};

/// Rewrites the filters of a plan and of its subqueries.
///
/// # Errors
/// Those of the engine, for a filter that is none.
pub(in crate::query) fn look_up(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Filter(Filter { predicate, input, .. }) => {
            let filter = Filter::try_new(looked_up(predicate, true), input)?;
            Ok(Transformed::yes(LogicalPlan::Filter(filter)))
        }
        node => Ok(Transformed::no(node)),
    })
    .data()
}

/// `alone` says that the condition must be TRUE for its row to pass: only there is the engine's `NOT IN` not TRUE for a NULL.
fn looked_up(condition: Expr, alone: bool) -> Expr {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let alone = alone && op == Operator::And;
            let (left, right) = (looked_up(*left, alone), looked_up(*right, alone));
            Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
        }
        condition => match membership(&condition, false) {
            // Nor does the engine plan `NOT IN` of a query that names columns around it.
            Some(found) if !found.negated || alone && found.subquery.outer_ref_columns.is_empty() => {
                Expr::InSubquery(found)
            }
            _ => condition,
        },
    }
}

/// What asks whether a value is among those of a query, or is not.
fn membership(condition: &Expr, negated: bool) -> Option<InSubquery> {
    match condition {
        Expr::Not(inner) => membership(inner, !negated),
        Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
            let among = match (op, quantifier) {
                (Operator::Eq, SetQuantifier::Any) => true,
                (Operator::NotEq, SetQuantifier::All) => false,
                _ => return None,
            };
            Some(InSubquery::new(expr.clone(), subquery.clone(), among == negated))
        }
        _ => None,
    }
}
