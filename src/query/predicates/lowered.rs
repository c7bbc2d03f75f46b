//! Queries in nodes whose expressions the engine cannot plan with them: aggregates, windows, sorts and joins.
//!
//! A projection below the node computes each of them as a column, and one above it drops these columns where the node would show them.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, Result, not_impl_err};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder};

use super::quantified::{Stands, needs_plan};
use super::{held, value};

/// What is computed below a node, over the rows of one of its inputs.
struct Input {
    rows: Arc<LogicalPlan>,
    computed: Vec<(Expr, Column)>,
}

/// # Errors
/// Those of the engine; `NotImplemented` for a node without rows below it, and for an outer join whose condition asks about both sides.
pub(super) fn lowered(node: LogicalPlan) -> Result<LogicalPlan> {
    match node {
        LogicalPlan::Join(Join { filter: Some(condition), join_type: JoinType::Inner, left, right, on, .. }) => {
            let (left_keys, right_keys): (Vec<_>, Vec<_>) = on.into_iter().unzip();
            let joined = LogicalPlanBuilder::new_from_arc(left).join_with_expr_keys(
                Arc::unwrap_or_clone(right),
                JoinType::Inner,
                (left_keys, right_keys),
                None,
            )?;
            let joined = Arc::new(joined.build()?);
            let condition = held(condition, &joined, true)?;
            Ok(LogicalPlan::Filter(Filter::try_new(condition, joined)?))
        }
        LogicalPlan::Aggregate(_) | LogicalPlan::Window(_) | LogicalPlan::Sort(_) | LogicalPlan::Join(_) => {
            below(&node)
        }
        _ => not_impl_err!(
            "IN, ANY, ALL or EXISTS over a query in this place, as in VALUES or DISTINCT ON; write a SELECT below it"
        ),
    }
}

fn below(node: &LogicalPlan) -> Result<LogicalPlan> {
    let mut inputs: Vec<Input> =
        node.inputs().into_iter().map(|rows| Input { rows: Arc::new(rows.clone()), computed: Vec::new() }).collect();
    let names = NamePreserver::new(node);
    let mut count = 0;
    let mut expressions = Vec::new();
    for expr in node.expressions() {
        let name = names.save(&expr);
        let expr = expr.transform_down(|expr| {
            if !needs_plan(&expr) {
                return Ok(Transformed::no(expr));
            }
            let input = of(&expr, &mut inputs)?;
            let known = input.computed.iter().find(|(known, _)| *known == expr).map(|(_, column)| column.clone());
            let column = known.unwrap_or_else(|| {
                count += 1;
                let column = Column::new_unqualified(format!("__predicate_{count}"));
                input.computed.push((expr, column.clone()));
                column
            });
            Ok(Transformed::new(Expr::Column(column), true, TreeNodeRecursion::Jump))
        });
        let expr = expr.data()?;
        // A sort shows none of its expressions.
        expressions.push(if matches!(node, LogicalPlan::Sort(_)) { expr } else { name.restore(expr) });
    }
    let inputs = inputs.into_iter().map(Input::computed).collect::<Result<Vec<_>>>()?;
    let lowered = node.with_new_exprs(expressions, inputs)?;
    if lowered.schema().fields().len() == node.schema().fields().len() {
        return Ok(lowered);
    }
    LogicalPlanBuilder::from(lowered).project(node.schema().columns().into_iter().map(Expr::Column))?.build()
}

/// The input that has all columns of an expression.
fn of<'a>(expr: &Expr, inputs: &'a mut [Input]) -> Result<&'a mut Input> {
    let mut columns: Vec<Column> = expr.column_refs().into_iter().cloned().collect();
    expr.apply(|expr| {
        if let Some(query) = super::quantified::query_of(expr) {
            columns.extend(query.outer_ref_columns.iter().filter_map(|outer| match outer {
                Expr::OuterReferenceColumn(_, column) => Some(column.clone()),
                _ => None,
            }));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let found = inputs.iter_mut().find(|input| columns.iter().all(|column| input.rows.schema().has_column(column)));
    found.map_or_else(|| not_impl_err!("an outer join whose condition asks a query about columns of both sides"), Ok)
}

impl Input {
    fn computed(self) -> Result<LogicalPlan> {
        if self.computed.is_empty() {
            return Ok(Arc::unwrap_or_clone(self.rows));
        }
        let mut columns: Vec<Expr> = self.rows.schema().columns().into_iter().map(Expr::Column).collect();
        for (expr, column) in self.computed {
            columns.push(value(expr, &self.rows, Stands::AsValue)?.alias(column.name));
        }
        LogicalPlanBuilder::new_from_arc(self.rows).project(columns)?.build()
    }
}
