//! Rows that come together, and rows out of nothing.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::catalog::{TableFunction, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::tree_node::TreeNode as _;
use datafusion::common::{Column, DFSchema, Result, ScalarValue, plan_datafusion_err};
use datafusion::logical_expr::type_coercion::binary::type_union_coercion;
use datafusion::logical_expr::{
    Cast, Expr, ExprSchemable as _, LogicalPlan, LogicalPlanBuilder, TableScan, Union, Values, cast,
};
use datafusion::optimizer::analyzer::type_coercion::TypeCoercionRewriter;

use super::coercion::Meaning;
use super::common::{Reader, has_nanoseconds, has_timestamp, in_microseconds, narrowed};

/// The engine gives the values of a column one type before anybody can ask what they are.
pub(super) fn values(Values { schema, values }: Values, reader: &Reader<'_>) -> Result<LogicalPlan> {
    let nanoseconds = schema.fields().iter().any(|field| has_nanoseconds(field.data_type()));
    let mut rows = Vec::with_capacity(values.len());
    for row in values {
        let mut exprs = Vec::with_capacity(row.len());
        for (expr, field) in row.into_iter().zip(schema.fields()) {
            let expr = match expr {
                Expr::Cast(Cast { expr, field: to }) if nanoseconds && to.data_type() == field.data_type() => *expr,
                expr => expr,
            };
            exprs.push(expr.rewrite(&mut Meaning { reader })?.data);
        }
        rows.push(exprs);
    }
    if !nanoseconds {
        return Ok(LogicalPlan::Values(Values { schema, values: rows }));
    }
    for (at, field) in schema.fields().iter().enumerate() {
        let types = rows.iter().filter_map(|row| row.get(at)).map(|expr| expr.get_type(reader.schema));
        let types = types.collect::<Result<Vec<_>>>()?;
        let to = narrowed(field.data_type(), &types);
        if !has_timestamp(&to) {
            continue;
        }
        for (row, from) in rows.iter_mut().zip(&types) {
            if let Some(expr) = row.get_mut(at) {
                *expr = reader.read_as(std::mem::take(expr), from, &to)?;
            }
        }
    }
    LogicalPlanBuilder::values(rows)?.build()
}

/// The inputs with columns of one type each.
pub(super) fn union(Union { inputs, schema }: Union, zone: Option<&str>) -> Result<LogicalPlan> {
    let mut targets: Vec<Option<DataType>> = Vec::new();
    for at in 0..schema.fields().len() {
        let types: Vec<DataType> =
            inputs.iter().filter_map(|input| input.schema().fields().get(at)).map(|f| f.data_type().clone()).collect();
        let mut rest = types.iter();
        let first = rest.next().cloned();
        let common = rest.try_fold(first.unwrap_or(DataType::Null), |one, other| type_union_coercion(&one, other));
        let to = common.map(|common| narrowed(&common, &types)).filter(has_timestamp);
        targets.push(to.filter(|to| types.iter().any(|of| of != to)));
    }
    let read = |input: Arc<LogicalPlan>| {
        if targets.iter().all(Option::is_none) {
            return Ok(input);
        }
        let columns = input.schema().iter().zip(&targets);
        let reader = Reader { schema: input.schema(), zone };
        let columns = columns.map(|((table, field), to)| {
            let column = Expr::Column(Column::new(table.cloned(), field.name()));
            match to {
                Some(to) => {
                    let read = reader.read_as(column, field.data_type(), to)?;
                    Ok(read.alias_qualified(table.cloned(), field.name()))
                }
                None => Ok(column),
            }
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        LogicalPlanBuilder::from(Arc::unwrap_or_clone(input)).project(columns)?.build().map(Arc::new)
    };
    let inputs = inputs.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    // The engine widens the types that it has noted before: those of inputs as they were.
    let first = inputs.first().map(|input| Arc::clone(input.schema()));
    let fields = schema.iter().enumerate().map(|(at, (table, field))| {
        let now = first.as_ref().and_then(|first| first.fields().get(at)).unwrap_or(field);
        (table.cloned(), Arc::new(field.as_ref().clone().with_data_type(now.data_type().clone())))
    });
    let schema = DFSchema::new_with_metadata(fields.collect(), schema.metadata().clone())?;
    TypeCoercionRewriter::coerce_union(Union { inputs, schema: Arc::new(schema) })
}

/// A series of times is made in nanoseconds.
pub(super) fn scan(scan: TableScan) -> Result<LogicalPlan> {
    let fields = scan.projected_schema.fields();
    if !fields.iter().any(|field| has_nanoseconds(field.data_type())) {
        return Ok(LogicalPlan::TableScan(scan));
    }
    let columns: Vec<Expr> = scan
        .projected_schema
        .iter()
        .map(|(table, field)| {
            let column = Expr::Column(Column::new(table.cloned(), field.name()));
            cast(column, in_microseconds(field.data_type())).alias_qualified(table.cloned(), field.name())
        })
        .collect();
    LogicalPlanBuilder::from(LogicalPlan::TableScan(scan)).project(columns)?.build()
}

/// A table function that takes times in microseconds, as the engine's `range` and `generate_series` do not.
pub fn series(engines: &TableFunction) -> TableFunction {
    TableFunction::new(engines.name().to_owned(), Arc::new(Series(Arc::clone(engines.function()))))
}

#[derive(Debug)]
struct Series(Arc<dyn TableFunctionImpl>);

impl TableFunctionImpl for Series {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let exprs = args.exprs().iter().map(in_nanoseconds).collect::<Result<Vec<_>>>()?;
        self.0.call_with_args(TableFunctionArgs::new(&exprs, args.session()))
    }
}

fn in_nanoseconds(expr: &Expr) -> Result<Expr> {
    let far = || {
        plan_datafusion_err!(
            "a series of times begins and ends between 1677-09-22 and 2262-04-11; \
             for dates beyond, add whole numbers to a date: `SELECT DATE '9999-01-01' + value FROM range(0, 365)`"
        )
    };
    Ok(match expr {
        Expr::Literal(ScalarValue::TimestampMicrosecond(micros, zone), metadata) => {
            let nanos = micros.map(|micros| micros.checked_mul(1_000).ok_or_else(far)).transpose()?;
            Expr::Literal(ScalarValue::TimestampNanosecond(nanos, zone.clone()), metadata.clone())
        }
        Expr::Literal(ScalarValue::Date32(Some(days)), _) => {
            i64::from(*days).checked_mul(86_400_000_000_000).ok_or_else(far)?;
            expr.clone()
        }
        other => other.clone(),
    })
}
