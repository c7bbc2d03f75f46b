//! What the places of parameters say of their types.
//!
//! The planner tells a place the exact type of what it is compared with, also where that is an interval that is added to it, and
//! tells nothing to places in calls, `CASE` and `LIMIT`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result as PlanResult};
use datafusion::logical_expr::expr::{InSubquery, Placeholder, SetComparison};
use datafusion::logical_expr::type_coercion::functions::{UDFCoercionExt, fields_with_udf};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable as _, LogicalPlan, Operator};

use super::widen::{common, same_family, widest};
use crate::diagnostic::Result;
use crate::query::failure::diagnose;

/// How much a place says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Says {
    /// The value is moved by an interval, and then compared with this.
    Compared,
    Beside,
    /// What the planner says.
    Planner,
    /// What one usually means.
    Guess,
}

/// The types of `$1`, `$2`, … in this order, each the widest of its family; none where a place takes values of any type, or of several.
pub(in crate::query) fn types(plan: &LogicalPlan) -> Result<Vec<Option<DataType>>> {
    let mut places = Places::default();
    let walked = plan.apply_with_subqueries(|node| {
        let inputs = node.inputs();
        let schema = if inputs.is_empty() { node.schema().as_ref().clone() } else { merge_schema(&inputs) };
        places.node(node);
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                places.expression(expr, &schema);
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    walked.map_err(|error| diagnose(&error))?;
    Ok((1..=places.count).map(|number| places.of(number)).collect())
}

fn is_comparison(op: Operator) -> bool {
    use Operator as O;
    matches!(op, O::Eq | O::NotEq | O::Lt | O::LtEq | O::Gt | O::GtEq | O::IsDistinctFrom | O::IsNotDistinctFrom)
}

/// The number of an expression that is a place.
fn number(expr: &Expr) -> Option<usize> {
    let Expr::Placeholder(Placeholder { id, .. }) = expr else { return None };
    id.strip_prefix('$')?.parse().ok()
}

#[derive(Default)]
struct Places {
    count: usize,
    said: BTreeMap<usize, Vec<(Says, DataType)>>,
}

impl Places {
    fn of(&self, number: usize) -> Option<DataType> {
        let said = self.said.get(&number)?;
        let most = said.iter().map(|(says, _)| *says).min()?;
        let mut types = said.iter().filter(|(says, _)| *says == most).map(|(_, of)| of.clone());
        let first = types.next()?;
        types.try_fold(first, |found, other| common(&found, &other))
    }

    fn say(&mut self, place: &Expr, says: Says, of: Option<&DataType>) {
        if let (Some(number), Some(of)) = (number(place), of.and_then(widest)) {
            self.said.entry(number).or_default().push((says, of));
        }
    }

    fn node(&mut self, node: &LogicalPlan) {
        match node {
            LogicalPlan::Filter(filter) => self.say(&filter.predicate, Says::Beside, Some(&DataType::Boolean)),
            LogicalPlan::Limit(limit) => {
                for count in [&limit.skip, &limit.fetch].into_iter().flatten() {
                    self.say(count, Says::Compared, Some(&DataType::Int64));
                }
            }
            _ => {}
        }
    }

    fn expression(&mut self, expr: &Expr, schema: &DFSchema) {
        match expr {
            Expr::Placeholder(Placeholder { field, .. }) => {
                self.count = self.count.max(number(expr).unwrap_or_default());
                // An interval is what is added to it.
                let of = field.as_ref().map(|field| field.data_type());
                self.say(expr, Says::Planner, of.filter(|of| !matches!(of, DataType::Interval(_))));
            }
            Expr::BinaryExpr(binary) => self.binary(binary, schema),
            Expr::Between(between) => self.alike(&[&between.expr, &between.low, &between.high], schema),
            Expr::InList(list) => {
                self.alike(&[&[list.expr.as_ref()], &*list.list.iter().collect::<Vec<_>>()].concat(), schema);
            }
            Expr::Like(like) | Expr::SimilarTo(like) => {
                for text in [&like.expr, &like.pattern] {
                    self.say(text, Says::Beside, Some(&DataType::Utf8));
                }
            }
            Expr::Case(case) => {
                let (when, mut then): (Vec<&Expr>, Vec<&Expr>) =
                    case.when_then_expr.iter().map(|(when, then)| (when.as_ref(), then.as_ref())).unzip();
                then.extend(case.else_expr.as_deref());
                self.alike(&then, schema);
                match &case.expr {
                    Some(operand) => self.alike(&[&[operand.as_ref()], when.as_slice()].concat(), schema),
                    None => when.iter().for_each(|when| self.say(when, Says::Beside, Some(&DataType::Boolean))),
                }
            }
            Expr::Cast(cast) => self.say(&cast.expr, Says::Beside, Some(cast.field.data_type())),
            Expr::TryCast(cast) => self.say(&cast.expr, Says::Beside, Some(cast.field.data_type())),
            Expr::Not(of)
            | Expr::IsTrue(of)
            | Expr::IsFalse(of)
            | Expr::IsNotTrue(of)
            | Expr::IsNotFalse(of)
            | Expr::IsUnknown(of)
            | Expr::IsNotUnknown(of) => self.say(of, Says::Beside, Some(&DataType::Boolean)),
            Expr::InSubquery(InSubquery { expr, subquery, .. })
            | Expr::SetComparison(SetComparison { expr, subquery, .. }) => {
                let of = subquery.subquery.schema().fields().first().map(|field| field.data_type());
                self.say(expr, Says::Beside, of);
            }
            Expr::ScalarFunction(call) => self.arguments(call.func.as_ref(), &call.args, schema),
            Expr::AggregateFunction(call) => self.arguments(call.func.as_ref(), &call.params.args, schema),
            _ => {}
        }
    }

    fn binary(&mut self, BinaryExpr { left, op, right }: &BinaryExpr, schema: &DFSchema) {
        use DataType as T;
        for (place, other) in [(left, right), (right, left)] {
            let of = known(other, schema);
            match (op, &of) {
                (Operator::And | Operator::Or, _) => {
                    self.say(place, Says::Beside, Some(&T::Boolean));
                    if let Expr::IsNull(asked) | Expr::IsNotNull(asked) = place.as_ref()
                        && number(asked).is_some()
                        && let Some(sibling) = compared(other, schema)
                    {
                        self.say(asked, Says::Guess, Some(&sibling));
                    }
                }
                (Operator::Plus | Operator::Minus, Some(T::Interval(_))) => {
                    self.say(place, Says::Guess, Some(&T::Timestamp(TimeUnit::Microsecond, None)));
                }
                (Operator::Plus, Some(T::Date32 | T::Date64 | T::Timestamp(_, _))) => {
                    self.say(place, Says::Compared, Some(&T::Interval(IntervalUnit::MonthDayNano)));
                }
                (Operator::StringConcat, of) => {
                    let text = !of.as_ref().is_some_and(T::is_nested);
                    self.say(place, Says::Beside, if text { Some(&T::Utf8) } else { of.as_ref() });
                }
                (_, of) => self.say(place, Says::Beside, of.as_ref()),
            }
            if is_comparison(*op)
                && let Some(moved) = moved(place, schema)
            {
                self.say(moved, Says::Compared, of.as_ref());
            }
        }
    }

    /// Places among expressions of one type.
    fn alike(&mut self, group: &[&Expr], schema: &DFSchema) {
        let Some(of) = group.iter().filter(|expr| number(expr).is_none()).find_map(|expr| known(expr, schema)) else {
            return;
        };
        for expr in group {
            self.say(expr, Says::Beside, Some(&of));
            if let Some(moved) = moved(expr, schema) {
                self.say(moved, Says::Compared, Some(&of));
            }
        }
    }

    /// Places among the arguments of a call: the first type that the function takes as it is.
    fn arguments(&mut self, function: &impl UDFCoercionExt, args: &[Expr], schema: &DFSchema) {
        use DataType as T;
        let known: Vec<Option<DataType>> =
            args.iter().map(|arg| if number(arg).is_some() { None } else { known(arg, schema) }).collect();
        let open = known.iter().zip(args).filter(|(known, _)| known.is_none());
        if open.clone().any(|(_, arg)| number(arg).is_none()) || open.clone().next().is_none() {
            return;
        }
        let mut usual: Vec<DataType> = Vec::new();
        for of in known.iter().flatten() {
            usual.extend(widest(of));
            if let T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) = of {
                usual.extend(widest(item.data_type()));
            }
        }
        let moment = T::Timestamp(TimeUnit::Microsecond, None);
        usual.extend([T::Utf8, T::Int64, T::Float64, moment, T::Date32, T::Boolean, T::Binary]);
        let fields = |first: &DataType, rest: &DataType| -> Vec<FieldRef> {
            let mut unknown = std::iter::once(first).chain(std::iter::repeat(rest));
            let of = known.iter().map(|known| known.clone().or_else(|| unknown.next().cloned()).unwrap_or(T::Null));
            of.map(|of| Arc::new(Field::new("", of, true))).collect()
        };
        // One by one where there are two, so that `left(?, ?)` is a text and a number.
        let pairs = usual.iter().map(|of| (of, of)).chain(
            usual
                .iter()
                .flat_map(|first| usual.iter().map(move |rest| (first, rest)))
                .filter(|_| open.clone().count() == 2),
        );
        for (first, rest) in pairs {
            let given = fields(first, rest);
            if takes(function, &given, &known) {
                for (arg, field) in args.iter().zip(&given) {
                    self.say(arg, Says::Beside, Some(field.data_type()));
                }
                return;
            }
        }
    }
}

/// Whether a function takes what is given without making another type of what is not `known`.
fn takes(function: &impl UDFCoercionExt, given: &[FieldRef], known: &[Option<DataType>]) -> bool {
    let Ok(coerced) = fields_with_udf(given, function) else { return false };
    let mut open = given.iter().zip(&coerced).zip(known).filter(|(_, known)| known.is_none());
    open.all(|((given, coerced), _)| same_family(given.data_type(), coerced.data_type()))
}

/// The type of what is no place; none for NULL, and where it depends on a place.
fn known(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    if number(expr).is_some() {
        return None;
    }
    let of: PlanResult<DataType> = expr.get_type(schema);
    of.ok().filter(|of| !of.is_null())
}

/// The place in `? + INTERVAL '1 day'`.
fn moved<'a>(expr: &'a Expr, schema: &DFSchema) -> Option<&'a Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus | Operator::Minus, right }) = expr else { return None };
    let (place, by) = if number(left).is_some() { (left, right) } else { (right, left) };
    let interval = matches!(known(by, schema), Some(DataType::Interval(_)));
    (number(place).is_some() && interval).then_some(place)
}

/// What the first place in a condition is compared with: `? IS NULL OR id = ?` binds one value twice.
fn compared(condition: &Expr, schema: &DFSchema) -> Option<DataType> {
    let mut places = Places::default();
    let walked = condition.apply(|expr| {
        places.expression(expr, schema);
        Ok(TreeNodeRecursion::Continue)
    });
    walked.ok()?;
    let first = *places.said.keys().next()?;
    places.of(first)
}
