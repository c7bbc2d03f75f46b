//! The plan with each value read as it is meant, before the engine chooses types.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, FieldRef, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRewriter};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::core::expr_fn::nullif;
use datafusion::logical_expr::expr::{Between, Case, InList, InSubquery, SetComparison, TryCast};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::type_coercion::functions::{UDFCoercionExt, fields_with_udf};
use datafusion::logical_expr::type_coercion::other::{
    get_coerce_type_for_case_expression, get_coerce_type_for_case_when, get_coerce_type_for_list,
};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Cast, Distinct, Expr, ExprSchemable as _, LogicalPlan, Operator, Subquery, WindowFunctionDefinition,
    cast, lit, try_cast,
};

use super::common::{
    Reader, field, has_nanoseconds, has_timestamp, in_microseconds, is_comparison, narrowed, spelled_out,
};
use super::frames::framed;
use super::literals::{exact, is_of_days};
use super::{counts, relations};
use crate::engine::check_wanted;
use crate::query::functions::{interval_between, of_seconds};

/// Functions of the engine that answer nanoseconds whatever they are given.
const IN_NANOSECONDS: [&str; 3] = ["to_time", "range", "generate_series"];

/// Functions whose arguments are read as one type.
const ONE_TYPE: [&str; 5] = ["coalesce", "nullif", "nvl", "greatest", "least"];

/// The plan as its statement means it, for a session in `zone`. It is made once, of what the engine made of the text.
///
/// # Errors
/// Those of the engine, for what cannot be planned.
pub fn as_meant(plan: LogicalPlan, zone: Option<&str>) -> Result<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(|node| meant(node, zone).map(Transformed::yes))?.data)
}

fn meant(node: LogicalPlan, zone: Option<&str>) -> Result<LogicalPlan> {
    let schema = merge_schema(&node.inputs());
    let reader = Reader { schema: &schema, zone };
    let node = match node {
        LogicalPlan::Values(values) => return relations::values(values, &reader),
        LogicalPlan::TableScan(scan) => return relations::scan(scan),
        LogicalPlan::Union(union) => return relations::union(union, zone),
        LogicalPlan::Distinct(Distinct::On(mut distinct)) => {
            // The engine plans no order by one expression twice.
            let mut seen = HashSet::new();
            if let Some(order) = &mut distinct.sort_expr {
                order.retain(|sort| seen.insert(sort.expr.clone()));
            }
            LogicalPlan::Distinct(Distinct::On(distinct))
        }
        LogicalPlan::Join(mut join) => {
            let pairs = std::mem::take(&mut join.on).into_iter();
            join.on = pairs.map(|(left, right)| compared(&reader, left, right)).collect::<Result<_>>()?;
            LogicalPlan::Join(join)
        }
        node => node,
    };
    let names = NamePreserver::new(&node);
    let node = node.map_expressions(|expr| {
        let name = names.save(&expr);
        Ok(expr.rewrite(&mut Meaning { reader: &reader })?.update_data(|expr| name.restore(expr)))
    })?;
    counts::of_rows(node.data.recompute_schema()?)
}

/// Rewrites expressions from the leaves up.
pub(super) struct Meaning<'a> {
    pub reader: &'a Reader<'a>,
}

impl TreeNodeRewriter for Meaning<'_> {
    type Node = Expr;

    fn f_up(&mut self, expr: Expr) -> Result<Transformed<Expr>> {
        check_wanted()?;
        let reader = self.reader;
        Ok(Transformed::yes(match expr {
            Expr::Cast(Cast { expr, field }) => Expr::Cast(self.cast(*expr, &field)),
            Expr::TryCast(TryCast { expr, field }) => {
                let field = in_microseconds_field(&field);
                let whole = expr.get_type(reader.schema).is_ok_and(|from| from.is_integer());
                let expr = match field.data_type() {
                    // Seconds, as in a cast that is not tried.
                    DataType::Timestamp(_, zone) if whole => {
                        let number = try_cast(*expr, DataType::Int64);
                        Box::new(try_cast(number, DataType::Timestamp(TimeUnit::Second, zone.clone())))
                    }
                    to => Box::new(spelled_out(*expr, to)),
                };
                Expr::TryCast(TryCast::new_from_field(expr, field))
            }
            Expr::BinaryExpr(binary) => Expr::BinaryExpr(self.binary(binary)?),
            Expr::Between(Between { expr, negated, low, high }) => {
                let [expr, low, high] = self.list(*expr, vec![*low, *high])?.try_into().map_err(|_| lost())?;
                Expr::Between(Between::new(Box::new(expr), negated, Box::new(low), Box::new(high)))
            }
            Expr::InList(InList { expr, list, negated }) => {
                let mut all = self.without_signed_zero(self.list(*expr, list)?).into_iter();
                let expr = all.next().ok_or_else(lost)?;
                Expr::InList(InList::new(Box::new(expr), all.collect(), negated))
            }
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                let (expr, subquery) = self.subquery(*expr, subquery)?;
                Expr::InSubquery(InSubquery::new(Box::new(expr), subquery, negated))
            }
            Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
                let (expr, subquery) = self.subquery(*expr, subquery)?;
                Expr::SetComparison(SetComparison::new(Box::new(expr), subquery, op, quantifier))
            }
            Expr::Case(case) => Expr::Case(self.case(case)?),
            Expr::ScalarFunction(mut call) => {
                if ONE_TYPE.contains(&call.func.name()) {
                    call.args = self.exact_beside_decimals(call.args);
                }
                call.args = arguments(reader, call.args, call.func.as_ref())?;
                let name = call.func.name().to_owned();
                match name.as_str() {
                    "ceil" | "floor" => call.args = self.with_room(call.args),
                    "date_part" => call.args = self.part_of_duration(call.args),
                    "nullif" => call.args = self.without_signed_zero(call.args),
                    _ => {}
                }
                let expr = Expr::ScalarFunction(call);
                match expr.get_type(reader.schema) {
                    Ok(of) if IN_NANOSECONDS.contains(&name.as_str()) && has_nanoseconds(&of) => {
                        cast(expr, in_microseconds(&of))
                    }
                    Ok(of) => counts::of_elements(&name, expr, &of),
                    // What has no type is not planned: the engine says why.
                    Err(_) => expr,
                }
            }
            Expr::AggregateFunction(mut call) => {
                call.params.args = arguments(reader, call.params.args, call.func.as_ref())?;
                Expr::AggregateFunction(call)
            }
            Expr::WindowFunction(mut call) => {
                let args = std::mem::take(&mut call.params.args);
                call.params.args = match &call.fun {
                    WindowFunctionDefinition::AggregateUDF(function) => arguments(reader, args, function.as_ref())?,
                    WindowFunctionDefinition::WindowUDF(function) => arguments(reader, args, function.as_ref())?,
                };
                framed(&mut call.params, reader)?;
                Expr::WindowFunction(call)
            }
            other => return Ok(Transformed::no(other)),
        }))
    }
}

impl Meaning<'_> {
    fn types<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> Option<Vec<DataType>> {
        // What has no type is not planned: the engine says why.
        exprs.into_iter().map(|expr| expr.get_type(self.reader.schema).ok()).collect()
    }

    /// `AT TIME ZONE` is such a cast too. A number is seconds since 1970.
    fn cast(&self, expr: Expr, to: &FieldRef) -> Cast {
        let to = in_microseconds_field(to);
        let is_number = expr.get_type(self.reader.schema).is_ok_and(|from| from.is_numeric());
        let expr = match to.data_type() {
            DataType::Timestamp(_, zone) if is_number => of_seconds(zone.clone()).call(vec![expr]),
            to => spelled_out(expr, to),
        };
        Cast::new_from_field(Box::new(expr), to)
    }

    fn binary(&self, BinaryExpr { left, op, right }: BinaryExpr) -> Result<BinaryExpr> {
        let (left, right) = if is_comparison(op) {
            compared(self.reader, *left, *right)?
        } else if matches!(op, Operator::Plus | Operator::Minus) {
            self.sum(*left, op, *right)?
        } else if op == Operator::BitwiseXor && left == right {
            // The optimizer takes `a ^ a` for 0, also where a is NULL.
            let null = ScalarValue::try_from(&left.get_type(self.reader.schema)?)?;
            (*left, nullif(*right, lit(null)))
        } else {
            (*left, *right)
        };
        Ok(BinaryExpr::new(Box::new(left), op, Box::new(right)))
    }

    /// A date and a time of day, or the span between a date and a moment.
    fn sum(&self, left: Expr, op: Operator, right: Expr) -> Result<(Expr, Expr)> {
        let Some(types) = self.types([&left, &right]) else { return Ok((left, right)) };
        let is_date = |of: &DataType| matches!(of, DataType::Date32 | DataType::Date64);
        let is_time = |of: &DataType| matches!(of, DataType::Time32(_) | DataType::Time64(_));
        let moment = |expr: Expr| expr.cast_to(&DataType::Timestamp(TimeUnit::Microsecond, None), self.reader.schema);
        let span = |expr: Expr| {
            let micros = cast(cast(expr, DataType::Time64(TimeUnit::Microsecond)), DataType::Int64);
            cast(micros, DataType::Duration(TimeUnit::Microsecond))
        };
        Ok(match types.as_slice() {
            [date, time] if is_date(date) && is_time(time) => (moment(left)?, span(right)),
            [time, date] if is_time(time) && is_date(date) && op == Operator::Plus => (span(left), moment(right)?),
            // A day has hours in it.
            [date, DataType::Interval(_)] if is_date(date) && !is_of_days(&right) => (moment(left)?, right),
            [DataType::Interval(_), date] if is_date(date) && !is_of_days(&left) => (left, moment(right)?),
            [DataType::Interval(_), of] if may_be_long(of) => (left, interval_between().call(vec![right])),
            [of, DataType::Interval(_)] if may_be_long(of) => (interval_between().call(vec![left]), right),
            [one, other] if op == Operator::Minus && one != other => match (one, other) {
                (DataType::Timestamp(..), DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
                | (DataType::Date32 | DataType::Date64, DataType::Timestamp(..)) => compared(self.reader, left, right)?,
                _ => (left, right),
            },
            _ => (left, right),
        })
    }

    /// An expression and those that it is compared with, in this order.
    fn list(&self, expr: Expr, others: Vec<Expr>) -> Result<Vec<Expr>> {
        let all = self.exact_beside_decimals(std::iter::once(expr).chain(others).collect());
        let all = self.intervals_together(all);
        let Some(types) = self.types(&all) else { return Ok(all) };
        let common = types.split_first().and_then(|(first, others)| get_coerce_type_for_list(first, others));
        self.all_as(all, &types, common.as_ref())
    }

    /// Numbers that are written out beside a decimal, as decimals.
    fn exact_beside_decimals(&self, all: Vec<Expr>) -> Vec<Expr> {
        let is_decimal = |expr: &Expr| expr.get_type(self.reader.schema).is_ok_and(|of| of.is_decimal());
        if !all.iter().any(is_decimal) {
            return all;
        }
        all.into_iter().map(|expr| exact(&expr).unwrap_or(expr)).collect()
    }

    /// Times between moments beside intervals, as intervals.
    fn intervals_together(&self, all: Vec<Expr>) -> Vec<Expr> {
        let types = self.types(&all).unwrap_or_default();
        if !types.iter().any(|of| matches!(of, DataType::Interval(_))) {
            return all;
        }
        let together = |(expr, of): (Expr, &DataType)| match of {
            of if may_be_long(of) => interval_between().call(vec![expr]),
            _ => expr,
        };
        all.into_iter().zip(&types).map(together).collect()
    }

    /// A part of the time between two moments is one of its days and hours: `2 days 05:00` has 5 hours.
    fn part_of_duration(&self, args: Vec<Expr>) -> Vec<Expr> {
        let is_duration = |expr: &Expr| expr.get_type(self.reader.schema).is_ok_and(|of| may_be_long(&of));
        match <[Expr; 2]>::try_from(args) {
            Ok([part, span]) if is_duration(&span) => vec![part, interval_between().call(vec![span])],
            Ok(others) => others.into(),
            Err(args) => args,
        }
    }

    fn all_as(&self, all: Vec<Expr>, types: &[DataType], common: Option<&DataType>) -> Result<Vec<Expr>> {
        let Some(to) = common.map(|common| narrowed(common, types)).filter(has_timestamp) else { return Ok(all) };
        all.into_iter().zip(types).map(|(expr, from)| self.reader.read_as(expr, from, &to)).collect()
    }

    /// A float that is compared with others outside of an operator, where the engine tells -0.0 from 0.0: both are 0.0 in a sum with it.
    /// Only a zero that is written out, or a value that is not, can meet it.
    fn without_signed_zero(&self, all: Vec<Expr>) -> Vec<Expr> {
        let is_float = |expr: &Expr| expr.get_type(self.reader.schema).is_ok_and(|of| of.is_floating());
        let may_be_zero = |expr: &Expr| match expr {
            Expr::Literal(value, _) => value
                .cast_to(&DataType::Float64)
                .is_ok_and(|value| matches!(value, ScalarValue::Float64(Some(number)) if number == 0.0)),
            _ => true,
        };
        let Some((first, others)) = all.split_first() else { return all };
        if !all.iter().any(is_float) || !may_be_zero(first) || !others.iter().any(may_be_zero) {
            return all;
        }
        let unsigned = |expr: Expr| match expr.get_type(self.reader.schema) {
            Ok(DataType::Float32) => expr + lit(0.0_f32),
            Ok(of) if of.is_floating() => expr + lit(0.0_f64),
            _ => expr,
        };
        all.into_iter().map(unsigned).collect()
    }

    /// A decimal with a digit more, which the whole number above 99.9 needs.
    fn with_room(&self, args: Vec<Expr>) -> Vec<Expr> {
        let widened = |arg: Expr| match arg.get_type(self.reader.schema) {
            Ok(DataType::Decimal128(digits, scale)) if scale > 0 && digits < DECIMAL128_MAX_PRECISION => {
                cast(arg, DataType::Decimal128(digits + 1, scale))
            }
            _ => arg,
        };
        args.into_iter().map(widened).collect()
    }

    fn subquery(&self, expr: Expr, subquery: Subquery) -> Result<(Expr, Subquery)> {
        let from = expr.get_type(self.reader.schema)?;
        let Some(column) = subquery.subquery.schema().fields().first() else { return Ok((expr, subquery)) };
        let types = [from, column.data_type().clone()];
        let [from, column] = &types;
        let to = comparison_coercion(from, column).map(|common| narrowed(&common, &types)).filter(has_timestamp);
        let Some(to) = to else { return Ok((expr, subquery)) };
        let expr = self.reader.read_as(expr, from, &to)?;
        // The cast of a subquery is put into it.
        match self.reader.read_as(Expr::ScalarSubquery(subquery), column, &to)? {
            Expr::ScalarSubquery(subquery) => Ok((expr, subquery)),
            _ => Err(lost()),
        }
    }

    fn case(&self, case: Case) -> Result<Case> {
        let Case { expr, when_then_expr, else_expr } = case;
        let (mut whens, thens): (Vec<Expr>, Vec<Expr>) =
            when_then_expr.into_iter().map(|(when, then)| (*when, *then)).unzip();
        let mut tested = expr;
        if let Some(expr) = tested.take() {
            let all = self.exact_beside_decimals(std::iter::once(*expr).chain(whens).collect());
            let types = self.types(&all).unwrap_or_default();
            let common = types.split_first().and_then(|(case, whens)| get_coerce_type_for_case_when(whens, case));
            let mut all = self.without_signed_zero(self.all_as(all, &types, common.as_ref())?).into_iter();
            tested = all.next().map(Box::new);
            whens = all.collect();
        }
        let count = thens.len();
        let all = self.exact_beside_decimals(thens.into_iter().chain(else_expr.map(|expr| *expr)).collect());
        let types = self.types(&all).unwrap_or_default();
        let common = types.get(..count).and_then(|thens| get_coerce_type_for_case_expression(thens, types.get(count)));
        let mut all = self.all_as(all, &types, common.as_ref())?.into_iter();
        let thens: Vec<Expr> = all.by_ref().take(count).collect();
        let pairs = whens.into_iter().zip(thens).map(|(when, then)| (Box::new(when), Box::new(then))).collect();
        Ok(Case::new(tested, pairs, all.next().map(Box::new)))
    }
}

/// The arguments of a call, as the function takes them.
fn arguments<F: UDFCoercionExt>(reader: &Reader<'_>, args: Vec<Expr>, function: &F) -> Result<Vec<Expr>> {
    let fields: Option<Vec<FieldRef>> =
        args.iter().map(|arg| arg.to_field(reader.schema).ok().map(|(_, field)| field)).collect();
    let Some(fields) = fields else { return Ok(args) };
    let Ok(taken) = fields_with_udf(&fields, function) else { return Ok(args) };
    let args = literals_as_taken(args, &taken)?;
    let given: Vec<DataType> = fields.iter().map(|field| field.data_type().clone()).collect();
    let to: Vec<DataType> = taken
        .iter()
        .zip(&given)
        .map(|(taken, given_here)| match taken.data_type() {
            taken if taken == given_here => taken.clone(),
            taken => narrowed(taken, &given),
        })
        .collect();
    if to == given || !to.iter().any(has_timestamp) {
        return Ok(args);
    }
    // Some take nanoseconds only.
    let again: Vec<FieldRef> = to.iter().cloned().map(field).collect();
    let accepted = fields_with_udf(&again, function);
    if !accepted.is_ok_and(|fields| fields.iter().map(|field| field.data_type()).eq(&to)) {
        return Ok(args);
    }
    let all = args.into_iter().zip(given.iter().zip(&to));
    all.map(|(arg, (from, to))| if has_timestamp(to) { reader.read_as(arg, from, to) } else { Ok(arg) }).collect()
}

/// Whole numbers that are written out, in the type that the function takes. The type of some calls follows from such a number, as that
/// of `round(x, 2)`: below a cast the engine would not see it until the type is chosen, and choose another one.
fn literals_as_taken(args: Vec<Expr>, taken: &[FieldRef]) -> Result<Vec<Expr>> {
    let as_taken = |(arg, taken): (Expr, &FieldRef)| match &arg {
        Expr::Literal(value, _) if value.data_type().is_integer() && taken.data_type().is_integer() => {
            Ok(value.cast_to(taken.data_type()).map_or(arg.clone(), lit))
        }
        _ => Ok(arg),
    };
    args.into_iter().zip(taken).map(as_taken).collect()
}

/// Two expressions that are compared, or whose span is asked for.
fn compared(reader: &Reader<'_>, left: Expr, right: Expr) -> Result<(Expr, Expr)> {
    let (Ok(one), Ok(other)) = (left.get_type(reader.schema), right.get_type(reader.schema)) else {
        return Ok((left, right));
    };
    // Exact numbers beside others are compared as those, which know infinity, NaN and larger ones; a number that is written out is exact.
    match (one.is_decimal(), other.is_decimal()) {
        (true, false) if other.is_floating() => {
            return Ok(match exact(&right) {
                Some(number) => (left, number),
                None => (cast(left, DataType::Float64), right),
            });
        }
        (false, true) if one.is_floating() => {
            return Ok(match exact(&left) {
                Some(number) => (number, right),
                None => (left, cast(right, DataType::Float64)),
            });
        }
        _ => {}
    }
    match (&one, &other) {
        (of, DataType::Interval(_)) if may_be_long(of) => return Ok((interval_between().call(vec![left]), right)),
        (DataType::Interval(_), of) if may_be_long(of) => return Ok((left, interval_between().call(vec![right]))),
        _ => {}
    }
    let types = [one, other];
    let [one, other] = &types;
    let to = comparison_coercion(one, other).map(|common| narrowed(&common, &types)).filter(has_timestamp);
    match to {
        Some(to) => Ok((reader.read_as(left, one, &to)?, reader.read_as(right, other, &to)?)),
        None => Ok((left, right)),
    }
}

/// True for times between moments, but for those in nanoseconds, which an interval holds as they are.
fn may_be_long(of: &DataType) -> bool {
    matches!(of, DataType::Duration(unit) if *unit != TimeUnit::Nanosecond)
}

fn in_microseconds_field(of: &FieldRef) -> FieldRef {
    if !has_nanoseconds(of.data_type()) {
        return Arc::clone(of);
    }
    Arc::new(of.as_ref().clone().with_data_type(in_microseconds(of.data_type())))
}

fn lost() -> datafusion::error::DataFusionError {
    datafusion::common::internal_datafusion_err!("an expression was lost while its type was chosen")
}
