//! Intervals compared by their length.
//!
//! The engine compares them field by field, months first: to it 25 hours are less than a day. So what compares or orders, groups or
//! counts distinct intervals is given them with their hours carried over to days and their days to months (`justify_interval`).

use std::sync::Arc;

use arrow::datatypes::{DataType, IntervalUnit};
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{Between, Case, InList, InSubquery, Sort};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Distinct, Expr, ExprSchemable as _, LogicalPlan, LogicalPlanBuilder, Subquery,
};

use super::functions::justify_interval;
use super::types::is_comparison;

/// Of a plan whose types are chosen.
///
/// # Errors
/// Those of the engine, for a plan that does not hold together.
pub(in crate::query) fn by_length(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let node = match node {
            LogicalPlan::Distinct(Distinct::All(rows)) => LogicalPlan::Distinct(Distinct::All(justified_rows(rows)?)),
            node => node,
        };
        // What a node orders or groups by, or joins on, is compared whole.
        let has_keys = matches!(node, LogicalPlan::Sort(_) | LogicalPlan::Aggregate(_) | LogicalPlan::Join(_))
            || matches!(node, LogicalPlan::Distinct(Distinct::On(_)));
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let rewritten = expr.transform_up(|expr| operands(expr, &schema))?;
            let rewritten = match rewritten.data {
                whole if has_keys && !is_aggregate(&whole) && is_interval(&whole, &schema) => {
                    Transformed::yes(justified(whole))
                }
                part => Transformed::new_transformed(part, rewritten.transformed),
            };
            Ok(if rewritten.transformed { rewritten.update_data(|expr| name.restore(expr)) } else { rewritten })
        })
    })
    .data()
}

/// The expression, if it compares its operands, with those that are intervals justified.
fn operands(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let asks = |operand: &Expr| is_interval(operand, schema);
    let one = |operand: Expr| if is_interval(&operand, schema) { justified(operand) } else { operand };
    let boxed = |operand: Box<Expr>| Box::new(one(*operand));
    let each = |operands: Vec<Expr>| operands.into_iter().map(one).collect::<Vec<_>>();
    Ok(Transformed::yes(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) && asks(&left) => {
            Expr::BinaryExpr(BinaryExpr::new(boxed(left), op, boxed(right)))
        }
        Expr::Between(Between { expr, negated, low, high }) if asks(&expr) => {
            Expr::Between(Between::new(boxed(expr), negated, boxed(low), boxed(high)))
        }
        Expr::InList(InList { expr, list, negated }) if asks(&expr) => {
            Expr::InList(InList::new(boxed(expr), each(list), negated))
        }
        Expr::InSubquery(InSubquery { expr, subquery, negated }) if asks(&expr) => {
            let rows = justified_rows(Arc::clone(&subquery.subquery))?;
            Expr::InSubquery(InSubquery::new(boxed(expr), Subquery { subquery: rows, ..subquery }, negated))
        }
        Expr::Case(Case { expr: Some(tested), when_then_expr, else_expr }) if asks(&tested) => {
            let whens = when_then_expr.into_iter().map(|(when, then)| (boxed(when), then)).collect();
            Expr::Case(Case::new(Some(boxed(tested)), whens, else_expr))
        }
        Expr::ScalarFunction(mut call)
            if matches!(call.func.name(), "nullif" | "greatest" | "least") && call.args.iter().any(asks) =>
        {
            call.args = each(call.args);
            Expr::ScalarFunction(call)
        }
        Expr::AggregateFunction(mut call) => {
            let params = &mut call.params;
            let compares = params.distinct || matches!(call.func.name(), "min" | "max");
            let ordered = in_order(&mut params.order_by, schema);
            if compares && params.args.iter().any(asks) {
                params.args = each(std::mem::take(&mut params.args));
            } else if !ordered {
                return Ok(Transformed::no(Expr::AggregateFunction(call)));
            }
            Expr::AggregateFunction(call)
        }
        Expr::WindowFunction(mut call) => {
            let compares = call.params.distinct || matches!(call.fun.name(), "min" | "max");
            let params = &mut call.params;
            let mut changed = in_order(&mut params.order_by, schema);
            if compares && params.args.iter().any(asks) {
                params.args = each(std::mem::take(&mut params.args));
                changed = true;
            }
            if params.partition_by.iter().any(asks) {
                params.partition_by = each(std::mem::take(&mut params.partition_by));
                changed = true;
            }
            return Ok(Transformed::new_transformed(Expr::WindowFunction(call), changed));
        }
        other => return Ok(Transformed::no(other)),
    }))
}

/// Whether a key of the order is an interval, and became a justified one.
fn in_order(keys: &mut [Sort], schema: &DFSchema) -> bool {
    let mut changed = false;
    for key in keys.iter_mut().filter(|key| is_interval(&key.expr, schema)) {
        key.expr = justified(std::mem::take(&mut key.expr));
        changed = true;
    }
    changed
}

fn is_aggregate(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => is_aggregate(&alias.expr),
        expr => matches!(expr, Expr::AggregateFunction(_)),
    }
}

fn is_interval(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|of| is_of_months(&of))
}

/// The type of intervals, but of those that a statement asks for by another name.
fn is_of_months(of: &DataType) -> bool {
    *of == DataType::Interval(IntervalUnit::MonthDayNano)
}

fn justified(expr: Expr) -> Expr {
    justify_interval().call(vec![expr])
}

/// The same rows with their intervals justified.
fn justified_rows(rows: Arc<LogicalPlan>) -> Result<Arc<LogicalPlan>> {
    if !rows.schema().fields().iter().any(|field| is_of_months(field.data_type())) {
        return Ok(rows);
    }
    let columns: Vec<Expr> = rows
        .schema()
        .iter()
        .map(|(table, field)| {
            let column = Expr::from((table, field));
            match field.data_type() {
                of if is_of_months(of) => justified(column).alias_qualified(table.cloned(), field.name()),
                _ => column,
            }
        })
        .collect();
    Ok(Arc::new(LogicalPlanBuilder::new_from_arc(rows).project(columns)?.build()?))
}
