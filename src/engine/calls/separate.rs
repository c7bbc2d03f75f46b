//! Computes the calls of sorts, windows and aggregates in a projection below them, and those of inner joins in a filter above.
//!
//! Only projections and filters are evaluated in pieces that somebody measures (see `sliced`). The others get columns.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Aggregate, Expr, Filter, JoinType, LogicalPlan, Projection, Sort, Window};

use super::bind::calls;

/// One node of a plan, without calls in what it does not evaluate in pieces.
pub(super) fn separate_calls(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::Sort(Sort { expr, input, fetch }) if any(expr.iter().map(|sort| &sort.expr))? => {
            let shown = columns(input.schema());
            let mut below = LowerProjection::over(&input);
            let expr = expr.into_iter().map(|sort| Ok(sort.with_expr(below.column(sort.expr.clone())?)));
            let expr = expr.collect::<Result<Vec<_>>>()?;
            let sort = LogicalPlan::Sort(Sort { expr, input: below.project(input)?, fetch });
            project(shown, sort).map(Transformed::yes)
        }
        LogicalPlan::Window(Window { input, window_expr, schema }) if any(window_expr.iter())? => {
            let mut below = LowerProjection::over(&input);
            let names = last_names(&schema, window_expr.len());
            let pairs = window_expr.into_iter().zip(names);
            let window_expr = pairs.map(|(expr, name)| below.parts(expr, name)).collect::<Result<Vec<_>>>()?;
            let window = LogicalPlan::Window(Window::try_new(window_expr, below.project(input)?)?);
            project(columns(&schema), window).map(Transformed::yes)
        }
        LogicalPlan::Aggregate(Aggregate { input, group_expr, aggr_expr, schema, .. })
            if any(group_expr.iter())? || any(aggr_expr.iter())? =>
        {
            let mut below = LowerProjection::over(&input);
            let names = last_names(&schema, aggr_expr.len());
            let pairs = aggr_expr.into_iter().zip(names);
            let aggr_expr = pairs.map(|(expr, name)| below.parts(expr, name)).collect::<Result<Vec<_>>>()?;
            let group_expr = group_expr.into_iter().map(|expr| below.group(expr)).collect::<Result<Vec<_>>>()?;
            let input = below.project(input)?;
            Aggregate::try_new_with_schema(input, group_expr, aggr_expr, schema)
                .map(|node| Transformed::yes(LogicalPlan::Aggregate(node)))
        }
        LogicalPlan::Join(mut join) if join.join_type == JoinType::Inner && any(join.filter.iter())? => {
            let (mut above, mut inside) = (Vec::new(), Vec::new());
            for part in join.filter.take().map(split_conjunction_owned).unwrap_or_default() {
                if calls(&part)? { above.push(part) } else { inside.push(part) }
            }
            join.filter = conjunction(inside);
            let joined = Arc::new(LogicalPlan::Join(join));
            Ok(match conjunction(above) {
                Some(above) => Transformed::yes(LogicalPlan::Filter(Filter::try_new(above, joined)?)),
                None => Transformed::yes(Arc::unwrap_or_clone(joined)),
            })
        }
        other => Ok(Transformed::no(other)),
    }
}

fn any<'a>(mut exprs: impl Iterator<Item = &'a Expr>) -> Result<bool> {
    exprs.try_fold(false, |found, expr| Ok(found || calls(expr)?))
}

/// The names of a node's last columns. An expression's own name changes where an operator in its filter or order is bound as a call.
fn last_names(schema: &DFSchema, count: usize) -> Vec<String> {
    let fields = schema.fields();
    fields.iter().skip(fields.len().saturating_sub(count)).map(|field| field.name().clone()).collect()
}

fn columns(schema: &DFSchema) -> Vec<Expr> {
    schema.iter().map(|field| Expr::Column(Column::from(field))).collect()
}

fn project(shown: Vec<Expr>, input: LogicalPlan) -> Result<LogicalPlan> {
    Projection::try_new(shown, Arc::new(input)).map(LogicalPlan::Projection)
}

/// What is computed below a node: the columns of its input, and the expressions that were taken out of it.
struct LowerProjection {
    exprs: Vec<Expr>,
    taken: Vec<(Expr, String)>,
}

impl LowerProjection {
    fn over(input: &LogicalPlan) -> Self {
        Self { exprs: columns(input.schema()), taken: Vec::new() }
    }

    /// The expression, or a column in which it is computed below.
    fn column(&mut self, expr: Expr) -> Result<Expr> {
        if !calls(&expr)? {
            return Ok(expr);
        }
        let known = self.taken.iter().find(|(taken, _)| *taken == expr).map(|(_, name)| name.clone());
        let name = known.unwrap_or_else(|| {
            let name = format!("__call_{}", self.taken.len());
            self.exprs.push(expr.clone().alias(name.clone()));
            self.taken.push((expr, name.clone()));
            name
        });
        Ok(Expr::Column(Column::new_unqualified(name)))
    }

    /// The expression by the name that its node has for it, with its parts computed below.
    fn parts(&mut self, expr: Expr, name: String) -> Result<Expr> {
        if !calls(&expr)? {
            return Ok(expr);
        }
        let inner = expr.unalias_nested().data;
        let inner = inner.map_children(|part| self.column(part).map(Transformed::yes))?.data;
        Ok(inner.alias(name))
    }

    /// A key of groups by its own name. Those of several sets at once stay, since an alias cannot stand around them.
    fn group(&mut self, expr: Expr) -> Result<Expr> {
        if matches!(expr, Expr::GroupingSet(_)) || !calls(&expr)? {
            return Ok(expr);
        }
        let name = expr.schema_name().to_string();
        Ok(self.column(expr.unalias_nested().data)?.alias(name))
    }

    fn project(self, input: Arc<LogicalPlan>) -> Result<Arc<LogicalPlan>> {
        if self.taken.is_empty() {
            return Ok(input);
        }
        Projection::try_new(self.exprs, input).map(|node| Arc::new(LogicalPlan::Projection(node)))
    }
}
