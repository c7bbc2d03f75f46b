//! Which columns of a result hold masked values, for whoever shows it.
//!
//! A column is marked where it is a column of a product that policy masks for this principal, by its name or by another, through
//! any number of subqueries, joins and set operations, or the `min`, `max`, `first_value` or `last_value` of one. What is
//! computed otherwise (`upper(email)`) is not. The marks are made from the principal's own exposures, which are what
//! `EXPLAIN ACCESS` tells, and stand in the announced schema only: the engine's own schemas know nothing of them.

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Distinct, Expr, Join, JoinType, LogicalPlan, TableScan};

use crate::govern::{GovernedTable, column_exposures};

/// The key of a field's metadata that tells how its values are masked, most revealing first: `hash`, or `clear, redact`.
pub const EXPOSURE: &str = "meshgate.exposure";

/// The masks that may have made the values of one column; none where all are clear.
type Masks = Vec<String>;

/// The plan's schema with the marks, and without any other metadata.
pub(in crate::query) fn marked(plan: &LogicalPlan, schema: &Schema) -> SchemaRef {
    let columns = of(plan);
    let fields = schema.fields().iter().enumerate().map(|(at, field)| {
        let masks = columns.get(at).filter(|masks| !masks.is_empty());
        let metadata = masks.map(|masks| (EXPOSURE.to_owned(), masks.join(", ")));
        field.as_ref().clone().with_metadata(metadata.into_iter().collect())
    });
    Arc::new(Schema::new(fields.collect::<Vec<Field>>()))
}

/// The columns alone: how their values are masked may change while they stay what they are.
pub fn unmarked(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_metadata([].into()));
    Arc::new(Schema::new(fields.collect::<Vec<Field>>()))
}

/// One entry for each column of the plan.
fn of(plan: &LogicalPlan) -> Vec<Masks> {
    let mut marks = match plan {
        LogicalPlan::TableScan(scan) => scanned(scan),
        LogicalPlan::Projection(node) => expressions(&node.expr, &node.input),
        LogicalPlan::Aggregate(node) => {
            // The engine puts a number of its own behind the columns of grouping sets.
            if matches!(node.group_expr.as_slice(), [Expr::GroupingSet(_)]) {
                Vec::new()
            } else {
                expressions(node.group_expr.iter().chain(&node.aggr_expr), &node.input)
            }
        }
        LogicalPlan::Filter(node) => of(&node.input),
        LogicalPlan::Sort(node) => of(&node.input),
        LogicalPlan::Limit(node) => of(&node.input),
        LogicalPlan::Repartition(node) => of(&node.input),
        // Behind its input's columns stand those of the functions.
        LogicalPlan::Window(node) => of(&node.input),
        LogicalPlan::SubqueryAlias(node) => of(&node.input),
        LogicalPlan::Subquery(node) => of(&node.subquery),
        LogicalPlan::Distinct(Distinct::All(input)) => of(input),
        LogicalPlan::Distinct(Distinct::On(node)) => expressions(&node.select_expr, &node.input),
        LogicalPlan::Join(node) => joined(node),
        LogicalPlan::Union(node) => {
            let inputs: Vec<Vec<Masks>> = node.inputs.iter().map(|input| of(input)).collect();
            (0..node.schema.fields().len())
                .map(|at| {
                    let mut all = Masks::new();
                    for mask in inputs.iter().filter_map(|input| input.get(at)).flatten() {
                        if !all.contains(mask) {
                            all.push(mask.clone());
                        }
                    }
                    all
                })
                .collect()
        }
        LogicalPlan::RecursiveQuery(node) => of(&node.static_term),
        LogicalPlan::Unnest(node) => {
            let input = of(&node.input);
            node.dependency_indices.iter().map(|at| input.get(*at).cloned().unwrap_or_default()).collect()
        }
        _ => Vec::new(),
    };
    marks.resize(plan.schema().fields().len(), Masks::new());
    marks
}

fn scanned(scan: &TableScan) -> Vec<Masks> {
    let Ok(provider) = source_as_provider(&scan.source) else { return Vec::new() };
    let provider: &dyn Any = provider.as_ref();
    let Some(table) = provider.downcast_ref::<GovernedTable>() else { return Vec::new() };
    let leaves = column_exposures(table.entry().dataset(), table.exposed());
    let masks = |name: &String| {
        let mut all = Masks::new();
        for leaf in &leaves {
            let [column, below @ ..] = leaf.path.segments() else { continue };
            if column.as_str() != name || leaf.masks.is_empty() {
                continue;
            }
            if below.is_empty() {
                all.extend(leaf.masks.iter().cloned());
            } else {
                let field: Vec<&str> = below.iter().map(crate::name::ColumnName::as_str).collect();
                all.push(format!("{}: {}", field.join("."), leaf.masks.join(", ")));
            }
        }
        all
    };
    scan.projected_schema.fields().iter().map(|field| masks(field.name())).collect()
}

fn joined(join: &Join) -> Vec<Masks> {
    match join.join_type {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => of(&join.left),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => of(&join.right),
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            [of(&join.left), of(&join.right)].concat()
        }
    }
}

fn expressions<'e>(exprs: impl IntoIterator<Item = &'e Expr>, input: &LogicalPlan) -> Vec<Masks> {
    let below = of(input);
    exprs.into_iter().map(|expr| expression(expr, input, &below)).collect()
}

fn expression(expr: &Expr, input: &LogicalPlan, below: &[Masks]) -> Masks {
    match expr {
        Expr::Alias(alias) => expression(&alias.expr, input, below),
        Expr::Column(column) => {
            let at = input.schema().maybe_index_of_column(column);
            at.and_then(|at| below.get(at)).cloned().unwrap_or_default()
        }
        // The engine casts where it unites columns of two types.
        Expr::Cast(cast) => expression(&cast.expr, input, below),
        Expr::ScalarSubquery(query) => of(&query.subquery).into_iter().next().unwrap_or_default(),
        Expr::AggregateFunction(call) if ["min", "max", "first_value", "last_value"].contains(&call.func.name()) => {
            call.params.args.first().map(|arg| expression(arg, input, below)).unwrap_or_default()
        }
        _ => Masks::new(),
    }
}
