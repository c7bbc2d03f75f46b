//! Keys of orders as columns.
//!
//! What the engine knows of the range of a computed key decides whether it takes a sort by that key for one: where a function says
//! nothing of its range, or has no value for some, as `sqrt` and `abs(a - b)`, it sorts and then refuses its own plan. A column has no
//! range to ask for. So each key that is computed by a function becomes a column below the node that orders by it.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr::Sort as Key;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, Operator, Sort, Window};

/// # Errors
/// Those of the engine, for a plan that does not hold together.
pub(in crate::query) fn keys_below(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        let mut computed = Computed::default();
        match node {
            LogicalPlan::Sort(Sort { expr, input, fetch }) => {
                let keys = expr.into_iter().map(|key| computed.key(key)).collect::<Vec<_>>();
                if computed.0.is_empty() {
                    return Ok(Transformed::no(LogicalPlan::Sort(Sort { expr: keys, input, fetch })));
                }
                let columns = columns_of(&input);
                let rows = LogicalPlanBuilder::new_from_arc(computed.below(input)?).sort_with_limit(keys, fetch)?;
                Ok(Transformed::yes(rows.project(columns)?.build()?))
            }
            LogicalPlan::Window(window) => {
                let columns = columns_of(&LogicalPlan::Window(window.clone()));
                let names = NamePreserver::new_for_projection();
                let functions = window.window_expr.iter().cloned().map(|expr| {
                    let name = names.save(&expr);
                    Ok(name.restore(computed.in_call(expr)?))
                });
                let functions = functions.collect::<Result<Vec<_>>>()?;
                if computed.0.is_empty() {
                    return Ok(Transformed::no(LogicalPlan::Window(window)));
                }
                let window = LogicalPlan::Window(Window::try_new(functions, computed.below(window.input)?)?);
                Ok(Transformed::yes(LogicalPlanBuilder::from(window).project(columns)?.build()?))
            }
            LogicalPlan::Aggregate(aggregate) => {
                let names = NamePreserver::new_for_projection();
                let functions = aggregate.aggr_expr.iter().cloned().map(|expr| {
                    let name = names.save(&expr);
                    Ok(name.restore(computed.in_call(expr)?))
                });
                let functions = functions.collect::<Result<Vec<_>>>()?;
                if computed.0.is_empty() {
                    return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
                }
                let rows = computed.below(aggregate.input)?;
                Ok(Transformed::yes(LogicalPlan::Aggregate(Aggregate::try_new(rows, aggregate.group_expr, functions)?)))
            }
            node => Ok(Transformed::no(node)),
        }
    })
    .data()
}

fn columns_of(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema().columns().into_iter().map(Expr::Column).collect()
}

/// Keys, and the columns that they become.
#[derive(Default)]
struct Computed(Vec<(Expr, Column)>);

impl Computed {
    fn key(&mut self, key: Key) -> Key {
        Key { expr: self.column(key.expr), ..key }
    }

    fn column(&mut self, expr: Expr) -> Expr {
        if !is_computed(&expr) {
            return expr;
        }
        if let Some((_, column)) = self.0.iter().find(|(known, _)| *known == expr) {
            return Expr::Column(column.clone());
        }
        let column = Column::new_unqualified(format!("__order_{}", self.0.len()));
        self.0.push((expr, column.clone()));
        Expr::Column(column)
    }

    /// The call of an aggregate or a window function that is ordered by columns.
    fn in_call(&mut self, expr: Expr) -> Result<Expr> {
        expr.transform_down(|expr| {
            let before = self.0.len();
            Ok(match expr {
                // With DISTINCT the key is the argument, and must stay the same.
                Expr::AggregateFunction(mut call) if !call.params.distinct => {
                    let keys = std::mem::take(&mut call.params.order_by).into_iter();
                    call.params.order_by = keys.map(|key| self.key(key)).collect();
                    Transformed::new_transformed(Expr::AggregateFunction(call), self.0.len() > before)
                }
                Expr::WindowFunction(mut call) => {
                    let keys = std::mem::take(&mut call.params.order_by).into_iter();
                    call.params.order_by = keys.map(|key| self.key(key)).collect();
                    let groups = std::mem::take(&mut call.params.partition_by).into_iter();
                    call.params.partition_by = groups.map(|group| self.column(group)).collect();
                    Transformed::new_transformed(Expr::WindowFunction(call), self.0.len() > before)
                }
                expr => Transformed::no(expr),
            })
        })
        .data()
    }

    /// The rows with these columns behind theirs.
    fn below(self, rows: Arc<LogicalPlan>) -> Result<Arc<LogicalPlan>> {
        let columns = columns_of(&rows);
        let computed = self.0.into_iter().map(|(expr, column)| expr.alias(column.name));
        Ok(Arc::new(LogicalPlanBuilder::new_from_arc(rows).project(columns.into_iter().chain(computed))?.build()?))
    }
}

/// True where a function, or arithmetic that is planned as one, is a part of the key.
fn is_computed(key: &Expr) -> bool {
    let is_function = |expr: &Expr| match expr {
        Expr::ScalarFunction(_) => true,
        Expr::BinaryExpr(binary) => matches!(binary.op, Operator::Plus | Operator::Minus | Operator::Multiply),
        _ => false,
    };
    let holds_function = |expr: &Expr| expr.exists(|expr| Ok(is_function(expr))).unwrap_or(true);
    // Arithmetic alone is a key that the engine keeps.
    let is_sum = matches!(key, Expr::BinaryExpr(sum) if !holds_function(&sum.left) && !holds_function(&sum.right));
    !is_sum && holds_function(key)
}
