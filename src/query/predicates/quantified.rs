//! One comparison of a value with all that a query answers (ISO 9075-2, 8.4 and 8.9), as expressions that the engine plans.
//!
//! `x = ANY (S)` is TRUE where some value of S is x; else UNKNOWN where S holds a NULL, or where x is NULL and S holds anything; else
//! FALSE. The other operators are alike, and `ALL` is the opposite of `ANY` with the opposite operator.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{Column, ExprSchema as _, Result, ScalarValue, not_impl_err};
use datafusion::functions_aggregate::expr_fn::{count, max, min};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable as _, FetchType, Filter, LogicalPlan, LogicalPlanBuilder, Operator, Projection,
    SkipType, Sort, Subquery, cast, lit, when,
};

/// Names for a query and its column that stand for no other.
const SET: &str = "__set";
const VALUE: &str = "__value";

/// Where a predicate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// In a filter, where the engine plans `EXISTS` and `IN` as joins.
    InFilter,
    /// Where the engine plans queries of one value only.
    AsValue,
}

/// The query of `EXISTS`, `IN`, `ANY` or `ALL`.
fn predicate_query(expr: &Expr) -> Option<&Subquery> {
    match expr {
        Expr::Exists(Exists { subquery, .. })
        | Expr::InSubquery(InSubquery { subquery, .. })
        | Expr::SetComparison(SetComparison { subquery, .. }) => Some(subquery),
        _ => None,
    }
}

/// The query that an expression asks, itself.
pub(super) fn query_of(expr: &Expr) -> Option<&Subquery> {
    match expr {
        Expr::ScalarSubquery(query) => Some(query),
        expr => predicate_query(expr),
    }
}

/// True for queries that the engine plans nowhere but in filters, or in projections and filters.
pub(super) fn needs_plan(expr: &Expr) -> bool {
    predicate_query(expr).is_some()
        || matches!(expr, Expr::ScalarSubquery(query) if !query.outer_ref_columns.is_empty())
}

/// `value op ANY (set)`, or its opposite.
pub(super) struct Quantified<'a> {
    value: &'a Expr,
    op: Operator,
    set: &'a Subquery,
    negated: bool,
}

impl<'a> Quantified<'a> {
    pub(super) fn of(expr: &'a Expr) -> Option<Self> {
        match expr {
            Expr::Not(inner) => Self::of(inner).map(|found| Self { negated: !found.negated, ..found }),
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                Some(Self { value: expr, op: Operator::Eq, set: subquery, negated: *negated })
            }
            Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
                let negated = *quantifier == SetQuantifier::All;
                let op = if negated { op.negate()? } else { *op };
                Some(Self { value: expr, op, set: subquery, negated })
            }
            _ => None,
        }
    }

    /// As a condition for whose TRUE alone a row of `input` passes.
    ///
    /// # Errors
    /// As [`Self::value`].
    pub(super) fn condition(&self, input: &LogicalPlan, alone: bool) -> Result<Expr> {
        match (self.negated, self.op) {
            (false, _) => self.is_some(input, Stands::InFilter),
            // The engine's own join for it knows NULL, but no columns of the query around it; and it forgets NULL for constants.
            (true, Operator::Eq)
                if alone && self.set.outer_ref_columns.is_empty() && !self.value.column_refs().is_empty() =>
            {
                Ok(Expr::InSubquery(InSubquery::new(Box::new(self.value.clone()), self.set.clone(), true)))
            }
            (true, _) => self.value(input, Stands::InFilter),
        }
    }

    /// As a value: TRUE, FALSE or NULL.
    ///
    /// # Errors
    /// Those of the engine; `NotImplemented` where the value is of a query further out.
    pub(super) fn value(&self, input: &LogicalPlan, stands: Stands) -> Result<Expr> {
        let nothing = || lit(ScalarValue::Boolean(None));
        let mut cases = when(self.is_some(input, stands)?, lit(!self.negated));
        let otherwise = lit(self.negated);
        if self.value.nullable(input.schema())? {
            let unknown = when(self.set_has(None, stands)?, nothing()).otherwise(otherwise.clone())?;
            cases.when(self.value.clone().is_null(), unknown);
        }
        if self.set.subquery.schema().field(0).is_nullable() {
            cases.when(self.set_has(Some(&Expr::is_null), stands)?, nothing());
        }
        cases.otherwise(otherwise)
    }

    /// TRUE where one of the values compares so, and FALSE or NULL where none does.
    fn is_some(&self, input: &LogicalPlan, stands: Stands) -> Result<Expr> {
        let column = || Expr::Column(column_of(self.set));
        let comparison =
            |value: Expr, right: Expr| Expr::BinaryExpr(BinaryExpr::new(Box::new(value), self.op, Box::new(right)));
        let with = |bound: Expr| Ok(comparison(self.value.clone(), aggregated(self.set, &self.set.subquery, bound)?));
        let is_own = self.set.outer_ref_columns.is_empty();
        let bounded = is_own || stands == Stands::AsValue;
        match (self.op, stands) {
            (Operator::Eq, Stands::InFilter) if is_own => {
                Ok(Expr::InSubquery(InSubquery::new(Box::new(self.value.clone()), named(self.set)?, false)))
            }
            // The least and the greatest value stand for all.
            (Operator::Gt | Operator::GtEq, _) if bounded => with(min(column())),
            (Operator::Lt | Operator::LtEq, _) if bounded => with(max(column())),
            (Operator::NotEq, _) if bounded => Ok(with(min(column()))?.or(with(max(column()))?)),
            _ if is_own => {
                // Its column alone is compared, and none that is computed: of others the engine makes no join.
                let set = named_as(self.set, &self.value.get_type(input.schema())?)?;
                let value = outer(self.value, input)?;
                let rows = LogicalPlanBuilder::new_from_arc(Arc::clone(&set.subquery));
                let rows = rows.filter(comparison(value, Expr::Column(column_of(&set))))?.build()?;
                has_rows(&over(&set, rows), stands)
            }
            _ => {
                let value = outer(self.value, input)?;
                self.set_has(Some(&|element| comparison(value.clone(), element)), stands)
            }
        }
    }

    /// Whether the query answers a row, or one with a value for which the condition holds.
    fn set_has(&self, condition: Option<&dyn Fn(Expr) -> Expr>, stands: Stands) -> Result<Expr> {
        let Some(condition) = condition else { return has_rows(self.set, stands) };
        // Below the list of columns, whose names the engine would mix with those of the columns that it compares.
        let (rows, element) = match self.set.subquery.as_ref() {
            LogicalPlan::Projection(Projection { expr, input, .. }) => (input, expr.first()),
            _ => (&self.set.subquery, None),
        };
        let element =
            element.map_or_else(|| Expr::Column(column_of(self.set)), |expr| expr.clone().unalias_nested().data);
        let condition = condition(element);
        // In one filter with what is asked there already: of two filters the engine keeps the columns of one.
        let (condition, rows) = match rows.as_ref() {
            LogicalPlan::Filter(Filter { predicate, input, .. }) => (predicate.clone().and(condition), input),
            _ => (condition, rows),
        };
        let rows = LogicalPlan::Filter(Filter::try_new(condition, Arc::clone(rows))?);
        has_rows(&over(self.set, rows), stands)
    }
}

/// `EXISTS` as a value.
///
/// # Errors
/// Those of the engine.
pub(super) fn exists_as_value(exists: &Exists) -> Result<Expr> {
    let found = has_rows(&exists.subquery, Stands::AsValue)?;
    Ok(if exists.negated { Expr::Not(Box::new(found)) } else { found })
}

fn has_rows(query: &Subquery, stands: Stands) -> Result<Expr> {
    if stands == Stands::InFilter {
        return Ok(Expr::Exists(Exists::new(query.clone(), false)));
    }
    let rows = without_order(&query.subquery);
    let rows = if query.outer_ref_columns.is_empty() {
        Arc::new(LogicalPlanBuilder::new_from_arc(Arc::clone(rows)).limit(0, Some(1))?.build()?)
    } else {
        Arc::clone(rows)
    };
    Ok(aggregated(query, &rows, count(lit(1)))?.gt(lit(0)))
}

/// Below what changes no query that answers rows to one that answers none.
fn without_order(plan: &Arc<LogicalPlan>) -> &Arc<LogicalPlan> {
    match plan.as_ref() {
        LogicalPlan::Projection(projection) => without_order(&projection.input),
        LogicalPlan::Sort(Sort { input, fetch: None, .. }) => without_order(input),
        LogicalPlan::Limit(limit) => match (limit.get_skip_type(), limit.get_fetch_type()) {
            (Ok(SkipType::Literal(0)), Ok(FetchType::Literal(Some(1..) | None))) => without_order(&limit.input),
            _ => plan,
        },
        _ => plan,
    }
}

/// The one value of an aggregate over rows, which are those of `query` or some of them.
fn aggregated(query: &Subquery, rows: &Arc<LogicalPlan>, aggregate: Expr) -> Result<Expr> {
    let rows = LogicalPlanBuilder::new_from_arc(Arc::clone(rows));
    let plan = rows.aggregate(Vec::<Expr>::new(), [aggregate])?.build()?;
    Ok(Expr::ScalarSubquery(over(query, plan)))
}

/// A query of its own with its column under a name of its own, without which the engine names the columns of some queries twice.
fn named(query: &Subquery) -> Result<Subquery> {
    let value = Expr::Column(Column::new(Some(SET), column_of(query).name)).alias(VALUE);
    let rows = LogicalPlanBuilder::new_from_arc(Arc::clone(&query.subquery)).alias(SET)?;
    Ok(over(query, rows.project([value])?.build()?))
}

/// The same, with the type in which its column is compared with a value of another type.
fn named_as(query: &Subquery, other: &DataType) -> Result<Subquery> {
    let named = named(query)?;
    let own = named.subquery.schema().field(0).data_type().clone();
    match comparison_coercion(other, &own) {
        Some(common) if common != own => {
            let value = cast(Expr::Column(column_of(&named)), common).alias(VALUE);
            let rows = LogicalPlanBuilder::new_from_arc(Arc::clone(&named.subquery)).project([value])?;
            Ok(over(query, rows.alias(SET)?.build()?))
        }
        _ => Ok(named),
    }
}

/// A query made from another, written where that is.
fn over(query: &Subquery, plan: LogicalPlan) -> Subquery {
    Subquery { outer_ref_columns: plan.all_out_ref_exprs(), subquery: Arc::new(plan), spans: query.spans.clone() }
}

fn column_of(query: &Subquery) -> Column {
    Column::from(query.subquery.schema().qualified_field(0))
}

/// A value of the rows of `input`, as a query inside names it.
fn outer(value: &Expr, input: &LogicalPlan) -> Result<Expr> {
    value
        .clone()
        .transform(|expr| match expr {
            Expr::Column(column) => {
                let field = Arc::clone(input.schema().field_from_column(&column)?);
                Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
            }
            Expr::OuterReferenceColumn(..) => {
                not_impl_err!("a query that is compared with a value of a query further out than the one around it")
            }
            expr => Ok(Transformed::no(expr)),
        })
        .data()
}
