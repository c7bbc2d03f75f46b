//! Several `IN` lists of one value, kept apart where the engine would make a wrong one of them.
//!
//! The engine's simplifier merges `x IN (…)` and `x IN (…)` beside each other as sets: an empty one becomes FALSE, or TRUE for `NOT IN`,
//! also where x is NULL, and a NULL in a list is lost: <https://github.com/apache/datafusion/pull/24258> repairs the first of it. In a
//! condition of `AND`, `OR` and lists without `NOT`, FALSE and NULL are the same, and lists stay as they are.

use std::collections::{HashMap, HashSet};

use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::core::expr_fn::nullif;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

/// # Errors
/// Those of the engine, for a plan that does not hold together.
pub(in crate::query) fn keep_lists(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        if let LogicalPlan::Filter(filter) = &node
            && is_merged_well(&filter.predicate, false)
        {
            return Ok(Transformed::no(node));
        }
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            if !has_lists(&expr, 2) {
                return Ok(Transformed::no(expr));
            }
            let name = names.save(&expr);
            Ok(apart(expr)?.update_data(|expr| name.restore(expr)))
        })
    })
    .data()
}

/// Whether merging lists in a condition changes no row that passes.
fn is_merged_well(condition: &Expr, below_or: bool) -> bool {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let below_or = below_or || *op == Operator::Or;
            is_merged_well(left, below_or) && is_merged_well(right, below_or)
        }
        Expr::InList(list) => !list.negated || !below_or && list.list.iter().all(is_there),
        other => !has_lists(other, 1),
    }
}

fn is_there(value: &Expr) -> bool {
    matches!(value, Expr::Literal(value, _) if !value.is_null())
}

/// Comparisons with constants are lists too: the engine makes one of `x = 1 OR x = 2`.
fn listed(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::InList(list) => Some(&list.expr),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (left.as_ref(), right.as_ref()) {
            (column @ Expr::Column(_), Expr::Literal(_, _)) | (Expr::Literal(_, _), column @ Expr::Column(_)) => {
                Some(column)
            }
            _ => None,
        },
        _ => None,
    }
}

fn has_lists(expr: &Expr, count: usize) -> bool {
    let mut found = 0;
    let walked = expr.apply(|expr| {
        found += usize::from(listed(expr).is_some());
        Ok(if found >= count { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    walked.is_err() || found >= count
}

/// Lists of one value, each inside `nullif(…, NULL)`, which is what is in it, and no list to the simplifier.
fn apart(expr: Expr) -> Result<Transformed<Expr>> {
    let mut values: HashMap<&Expr, usize> = HashMap::new();
    let mut below_and = false;
    expr.apply(|expr| {
        below_and |= matches!(expr, Expr::BinaryExpr(binary) if binary.op == Operator::And);
        if let Some(value) = listed(expr) {
            *values.entry(value).or_default() += 1;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let several: HashSet<Expr> =
        values.into_iter().filter(|(_, count)| *count > 1).map(|(value, _)| value.clone()).collect();
    if several.is_empty() {
        return Ok(Transformed::no(expr));
    }
    let is_one = |expr: &Expr| listed(expr).is_some_and(|value| several.contains(value));
    expr.transform_up(|expr| {
        Ok(match expr {
            Expr::InList(_) if is_one(&expr) => Transformed::yes(kept(expr)),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right })
                if below_and && (is_one(&left) || is_one(&right)) =>
            {
                let keep = |side: Box<Expr>| if is_one(&side) { Box::new(kept(*side)) } else { side };
                Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(keep(left), Operator::Or, keep(right))))
            }
            other => Transformed::no(other),
        })
    })
}

fn kept(condition: Expr) -> Expr {
    nullif(condition, Expr::Literal(ScalarValue::Boolean(None), None))
}
