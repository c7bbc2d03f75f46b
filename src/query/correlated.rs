//! Queries inside others that name columns around them, where the engine's way to plan them as joins changes the answer.
//!
//! It moves the conditions on those columns above what lies over them. Some shapes lose rows or conditions on that way, silently. Each
//! is refused until the engine plans it rightly.

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Column, DataFusionError};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};

use crate::diagnostic::{Diagnostic, Kind, Result};

/// Where a query stands inside another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// `EXISTS`, `IN`, `ANY` and `ALL`.
    InCondition,
    /// As a value, or `LATERAL`.
    AsRows,
}

/// # Errors
/// `Unsupported` for a shape that would be answered wrongly.
pub(in crate::query) fn check_correlated(plan: &LogicalPlan) -> Result<()> {
    let mut refused = Ok(());
    let stop = || DataFusionError::Internal("refused".to_owned());
    let walked = plan.apply_with_subqueries(|node| {
        let mut settle = |checked: Result<()>| {
            refused = checked;
            if refused.is_err() { Err(stop()) } else { Ok(()) }
        };
        if let LogicalPlan::Subquery(query) = node {
            settle(check(query, Stands::AsRows))?;
        }
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                let (subquery, stands) = match expr {
                    Expr::Exists(Exists { subquery, .. })
                    | Expr::InSubquery(InSubquery { subquery, .. })
                    | Expr::SetComparison(SetComparison { subquery, .. }) => (subquery, Stands::InCondition),
                    Expr::ScalarSubquery(subquery) => (subquery, Stands::AsRows),
                    _ => return Ok(TreeNodeRecursion::Continue),
                };
                settle(check(subquery, stands).and_then(|()| check_reach(subquery, node)))?;
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    refused?;
    walked.map(|_| ()).map_err(|_| Diagnostic::error(Kind::Internal, "the plan of this statement could not be checked"))
}

/// All columns that a query names around it must be of the node where it stands, and none of one further out.
fn check_reach(query: &Subquery, node: &LogicalPlan) -> Result<()> {
    let is_next = |column: &Column| node.inputs().iter().any(|input| input.schema().has_column(column));
    let is_reached = |outer: &Expr| !matches!(outer, Expr::OuterReferenceColumn(_, column) if !is_next(column));
    if query.outer_ref_columns.iter().all(is_reached) {
        return Ok(());
    }
    let message = "a query names columns of a query further out than the one around it";
    Err(Diagnostic::error(Kind::Unsupported, message)
        .hint("join with the table of these columns in the query between them"))
}

fn check(query: &Subquery, stands: Stands) -> Result<()> {
    if query.outer_ref_columns.is_empty() {
        return Ok(());
    }
    walk(&query.subquery, stands, false)
}

/// `filtered` says that a condition lies over what comes next, which is a `HAVING` where that is an aggregate.
fn walk(plan: &LogicalPlan, stands: Stands, filtered: bool) -> Result<()> {
    let below = match plan {
        // What names nothing around it is planned on its own.
        plan if plan.all_out_ref_exprs().is_empty() => return Ok(()),
        LogicalPlan::Aggregate(aggregate) => {
            if aggregate.group_expr.iter().any(|key| matches!(key, Expr::GroupingSet(_))) {
                // https://github.com/apache/datafusion/issues/25519
                return decline(
                    "`GROUPING SETS`, `ROLLUP` or `CUBE`",
                    "group by columns, or join with the grouped query",
                );
            }
            match (aggregate.group_expr.is_empty(), stands) {
                // The one row that it always has is lost where there is nothing to aggregate.
                (true, Stands::InCondition) => {
                    return decline(
                        "an aggregate without `GROUP BY` in `EXISTS`, `IN`, `ANY` or `ALL`",
                        "compare with the value: `x = (SELECT max(y) FROM …)`",
                    );
                }
                (_, Stands::AsRows) if filtered => {
                    return decline(
                        "`HAVING`, or a condition on an aggregate,",
                        "write `CASE WHEN … THEN … END` around the aggregate, or join with the grouped query",
                    );
                }
                _ => false,
            }
        }
        // https://github.com/apache/datafusion/issues/25283
        LogicalPlan::Limit(limit) if limit.skip.is_some() => {
            return decline("`OFFSET`", "number the rows with `row_number() OVER (PARTITION BY …)` and join");
        }
        LogicalPlan::Filter(_) => true,
        LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Sort(_) => filtered,
        _ => false,
    };
    plan.inputs().into_iter().try_for_each(|input| walk(input, stands, below))
}

fn decline(what: &str, instead: &str) -> Result<()> {
    let message = format!("{what} is not answered in a query that names columns of the query around it");
    Err(Diagnostic::error(Kind::Unsupported, message).hint(instead))
}
