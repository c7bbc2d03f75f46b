//! Ranks and counts are whole numbers with a sign, `BIGINT`, as other systems have them: the engine answers some of them without one,
//! and few drivers read those.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, Window, cast};

/// Window and aggregate functions that rank or count rows.
const OF_ROWS: [&str; 6] = ["row_number", "rank", "dense_rank", "ntile", "approx_distinct", "regr_count"];

/// Functions that count the elements of a list, or tell the place of one.
const OF_ELEMENTS: [&str; 6] =
    ["array_length", "cardinality", "array_ndims", "array_dims", "array_position", "array_positions"];

/// The call of a scalar function, signed if it counts.
pub(super) fn of_elements(name: &str, call: Expr, data_type: &DataType) -> Expr {
    match signed(data_type) {
        Some(signed) if OF_ELEMENTS.contains(&name) => cast(call, signed),
        _ => call,
    }
}

/// The node, below a projection that signs the ranks and counts it adds.
pub(super) fn of_rows(node: LogicalPlan) -> Result<LogicalPlan> {
    let (first, exprs) = match &node {
        LogicalPlan::Window(Window { input, window_expr, .. }) => (input.schema().fields().len(), window_expr),
        LogicalPlan::Aggregate(Aggregate { aggr_expr, schema, .. }) => {
            (schema.fields().len().saturating_sub(aggr_expr.len()), aggr_expr)
        }
        _ => return Ok(node),
    };
    if !exprs.iter().any(counts) {
        return Ok(node);
    }
    let columns: Vec<Expr> = node
        .schema()
        .iter()
        .enumerate()
        .filter(|(_, (_, field))| field.name() != Aggregate::INTERNAL_GROUPING_ID)
        .map(|(at, (table, field))| {
            let column = Expr::Column(Column::new(table.cloned(), field.name()));
            let counts = at.checked_sub(first).and_then(|at| exprs.get(at)).is_some_and(counts);
            match signed(field.data_type()) {
                Some(signed) if counts => cast(column, signed).alias_qualified(table.cloned(), field.name()),
                _ => column,
            }
        })
        .collect();
    LogicalPlanBuilder::from(node).project(columns)?.build()
}

fn counts(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => counts(&alias.expr),
        Expr::WindowFunction(call) => OF_ROWS.contains(&call.fun.name()),
        Expr::AggregateFunction(call) => OF_ROWS.contains(&call.func.name()),
        _ => false,
    }
}

/// The same with a sign, where it has none.
fn signed(data_type: &DataType) -> Option<DataType> {
    let inner = |item: &FieldRef| -> Option<FieldRef> {
        Some(Arc::new(item.as_ref().clone().with_data_type(signed(item.data_type())?)))
    };
    match data_type {
        DataType::UInt64 => Some(DataType::Int64),
        DataType::List(item) => inner(item).map(DataType::List),
        DataType::LargeList(item) => inner(item).map(DataType::LargeList),
        _ => None,
    }
}
