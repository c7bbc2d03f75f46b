//! Puts bounded calls into a logical plan.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, ScalarUDF};

use super::call::{BoundedCall, is_bounded};
use super::cost;
use super::operator::CallOperator;
use super::separate::separate_calls;
use crate::engine::StatementControl;

/// Binds calls before a plan is optimized: what the optimizer computes of constants then ends with the statement too.
///
/// Operators with columns stay as they are, since the optimizer knows more of them as operators.
///
/// # Errors
/// Those of the engine, for a plan that does not hold together.
pub fn bind_calls(plan: &LogicalPlan, control: &Arc<StatementControl>) -> Result<LogicalPlan> {
    if !has_unbound(plan)? {
        return Ok(plan.clone());
    }
    bind(plan.clone(), |expr| {
        let is_constant = !expr.any_column_refs() && !expr.contains_outer();
        bound(expr, control, is_constant)
    })
}

/// Binds what the optimizer has made, operators too, and has every call that can be computed before its operator computed there.
///
/// # Errors
/// As [`bind_calls`].
pub fn bind_optimized_calls(plan: LogicalPlan, control: &Arc<StatementControl>) -> Result<LogicalPlan> {
    if !has_unbound(&plan)? && !has_bound(&plan)? {
        return Ok(plan);
    }
    let plan = bind(plan, |expr| bound(expr, control, true))?;
    plan.transform_up_with_subqueries(separate_calls).data()
}

fn bind(plan: LogicalPlan, each: impl Fn(Expr) -> Transformed<Expr>) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        // What a scan is handed is planned below the policy, which takes no function.
        if matches!(node, LogicalPlan::TableScan(_)) {
            return Ok(Transformed::no(node));
        }
        node.map_expressions(|expr| expr.transform_up(|expr| Ok(each(expr))))
    })
    .data()
}

fn bound(expr: Expr, control: &Arc<StatementControl>, with_operators: bool) -> Transformed<Expr> {
    let call = |function: BoundedCall, args| {
        let func = Arc::new(ScalarUDF::new_from_impl(function));
        Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }))
    };
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) => match cost::rule(func.name()) {
            Some(rule) if !is_bounded(&func) => call(BoundedCall::of_function(func, rule, control), args),
            _ => Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })),
        },
        other if with_operators => match CallOperator::split(other) {
            Ok((operator, args)) => call(BoundedCall::of_operator(operator, control), args),
            Err(other) => Transformed::no(other),
        },
        other => Transformed::no(other),
    }
}

/// True where an expression calls a bounded function.
pub(super) fn calls(expr: &Expr) -> Result<bool> {
    expr.exists(|expr| Ok(matches!(expr, Expr::ScalarFunction(call) if is_bounded(&call.func))))
}

fn has_bound(plan: &LogicalPlan) -> Result<bool> {
    has(plan, &|expr| matches!(expr, Expr::ScalarFunction(call) if is_bounded(&call.func)))
}

fn has_unbound(plan: &LogicalPlan) -> Result<bool> {
    has(plan, &|expr| match expr {
        Expr::ScalarFunction(call) => cost::rule(call.name()).is_some() && !is_bounded(&call.func),
        Expr::Like(_) | Expr::SimilarTo(_) => true,
        Expr::BinaryExpr(binary) => CallOperator::is_costly(binary.op),
        _ => false,
    })
}

fn has(plan: &LogicalPlan, wanted: &dyn Fn(&Expr) -> bool) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= expr.exists(|expr| Ok(wanted(expr)))?;
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}
