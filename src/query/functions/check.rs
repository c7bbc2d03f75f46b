//! Every call of a statement, against its rule.

use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr as Planned, LogicalPlan};
use datafusion::sql::sqlparser::ast::{
    DataType as SqlType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Statement, UnaryOperator,
    Value, Visit, Visitor,
};

use super::names::{LARGEST, LARGEST_PRODUCT, Rule, SMALL, known, rule};
use crate::diagnostic::{Diagnostic, Kind, Result, did_you_mean};

/// Checks every function that `statement` names, before anything is planned.
///
/// A size that is a parameter is left to [`check_plan`], which runs once its value is bound.
///
/// # Errors
/// `Invalid` for a name that is no function, `Unsupported` for one that is refused, `Exhausted` for a size.
pub fn check(statement: &Statement) -> Result<()> {
    match statement.visit(&mut Calls { sizes: Sizes::default() }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refused) => Err(*refused),
    }
}

/// Checks every function that `plan` calls, in subqueries too.
///
/// # Errors
/// As [`check`]; a size that is still a parameter is refused.
pub fn check_plan(plan: &LogicalPlan) -> Result<()> {
    let mut refused = None;
    let mut sizes = Sizes::default();
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| match check_planned(expr, &mut sizes) {
                Ok(()) => Ok(TreeNodeRecursion::Continue),
                Err(found) => {
                    refused = Some(found);
                    Err(DataFusionError::Internal("refused".to_owned()))
                }
            })
        })
    });
    match (refused, walked) {
        (Some(refused), _) => Err(refused),
        (None, Ok(_)) => Ok(()),
        // Unknown is refused: a plan that cannot be walked was not checked.
        (None, Err(_)) => Err(Diagnostic::error(Kind::Internal, "the plan of this statement could not be checked")),
    }
}

/// What the sizes of one statement multiply to.
struct Sizes {
    product: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { product: 1 }
    }
}

/// A size argument: a number, or a parameter whose value is not known yet.
enum Size {
    Literal(i128),
    Later,
}

impl Sizes {
    fn admit(&mut self, name: &str, size: i128) -> Result<()> {
        let size = u64::try_from(size.unsigned_abs()).unwrap_or(u64::MAX);
        if size > LARGEST {
            return Err(Diagnostic::error(Kind::Exhausted, format!("`{name}` may make at most {LARGEST} at a time"))
                .hint(format!("ask for {LARGEST} or less")));
        }
        if size > SMALL {
            self.product = self.product.saturating_mul(size);
        }
        if self.product > LARGEST_PRODUCT {
            return Err(Diagnostic::error(
                Kind::Exhausted,
                format!("the sizes in this statement, `{name}` among them, multiply to more than {LARGEST_PRODUCT}"),
            )
            .hint("use smaller sizes, or fewer of these calls"));
        }
        Ok(())
    }

    /// `size_of` reads an argument by its place.
    fn check(&mut self, name: &str, count: usize, size_of: impl Fn(usize) -> Option<Size>) -> Result<()> {
        let refuse = || {
            Diagnostic::error(
                Kind::Unsupported,
                format!("the size given to `{name}` must be a whole number, written out"),
            )
            .hint(format!("write a number up to {LARGEST}, not a column or an expression"))
        };
        match rule(name) {
            Some(Rule::Free) => Ok(()),
            Some(Rule::Refused(why)) => {
                Err(Diagnostic::error(Kind::Unsupported, format!("`{name}` is refused: {why}"))
                    .hint("leave the call out"))
            }
            None => {
                let hint = did_you_mean(name, known())
                    .unwrap_or_else(|| "functions have the names that DataFusion gives them".to_owned());
                Err(Diagnostic::error(Kind::Invalid, format!("there is no function `{name}`")).hint(hint))
            }
            Some(Rule::Sized(place)) => match size_of(place) {
                Some(Size::Literal(size)) => self.admit(name, size.max(0)),
                Some(Size::Later) => Ok(()),
                // Too few arguments: the planner says it better.
                None if place >= count => Ok(()),
                None => Err(refuse()),
            },
            Some(Rule::Series) => {
                let ends: Option<Vec<Size>> = (0..count.min(2)).map(size_of).collect();
                match ends.ok_or_else(refuse)?.as_slice() {
                    [Size::Literal(stop)] => self.admit(name, *stop),
                    [Size::Literal(start), Size::Literal(stop), ..] => self.admit(name, stop.saturating_sub(*start)),
                    _ => Ok(()),
                }
            }
        }
    }
}

struct Calls {
    sizes: Sizes,
}

impl Visitor for Calls {
    type Break = Box<Diagnostic>;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        if let Expr::Function(function) = expr
            && let Err(refused) = check_call(function, &mut self.sizes)
        {
            return ControlFlow::Break(Box::new(refused));
        }
        ControlFlow::Continue(())
    }
}

fn check_call(function: &Function, sizes: &mut Sizes) -> Result<()> {
    let name = match function.name.0.as_slice() {
        [part] => match part.as_ident() {
            Some(ident) if ident.quote_style.is_some() => ident.value.clone(),
            Some(ident) => ident.value.to_lowercase(),
            None => function.name.to_string(),
        },
        _ => function.name.to_string(),
    };
    let arguments: &[FunctionArg] = match &function.args {
        FunctionArguments::List(list) => &list.args,
        FunctionArguments::None | FunctionArguments::Subquery(_) => &[],
    };
    sizes.check(&name, arguments.len(), |place| match arguments.get(place)? {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => written(expr),
        // A named argument may stand at any place.
        _ => None,
    })
}

fn written(expr: &Expr) -> Option<Size> {
    match expr {
        Expr::Nested(inner) => written(inner),
        // As a date or a time the number would count something else.
        Expr::Cast { expr: inner, data_type, .. } if is_integer(data_type) => written(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match written(expr)? {
            Size::Literal(size) => Some(Size::Literal(size.checked_neg()?)),
            Size::Later => Some(Size::Later),
        },
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse().ok().map(Size::Literal),
            Value::Null => Some(Size::Literal(0)),
            Value::Placeholder(_) => Some(Size::Later),
            _ => None,
        },
        _ => None,
    }
}

fn is_integer(to: &SqlType) -> bool {
    use SqlType as T;
    matches!(
        to,
        T::TinyInt(_)
            | T::SmallInt(_)
            | T::Int2(_)
            | T::Int(_)
            | T::Int4(_)
            | T::Int8(_)
            | T::Integer(_)
            | T::BigInt(_)
            | T::TinyIntUnsigned(_)
            | T::SmallIntUnsigned(_)
            | T::IntUnsigned(_)
            | T::IntegerUnsigned(_)
            | T::BigIntUnsigned(_)
    )
}

fn check_planned(expr: &Planned, sizes: &mut Sizes) -> Result<()> {
    match expr {
        Planned::Cast(cast) => check_cast(cast.field.data_type())?,
        Planned::TryCast(cast) => check_cast(cast.field.data_type())?,
        _ => {}
    }
    let (name, arguments): (&str, &[Planned]) = match expr {
        Planned::ScalarFunction(call) => (call.name(), &call.args),
        Planned::HigherOrderFunction(call) => (call.func.name(), &call.args),
        Planned::AggregateFunction(call) => (call.func.name(), &call.params.args),
        Planned::WindowFunction(call) => (call.fun.name(), &call.params.args),
        _ => return Ok(()),
    };
    if matches!(name, "arrow_cast" | "arrow_try_cast")
        && let Some(Planned::Literal(ScalarValue::Utf8(Some(to)), _)) = arguments.get(1)
    {
        check_type(to)?;
    }
    let centroids = match name {
        "approx_percentile_cont" => arguments.get(2),
        "approx_percentile_cont_with_weight" => arguments.get(3),
        _ => None,
    };
    if let Some(centroids) = centroids {
        check_centroids(name, centroids)?;
    }
    sizes.check(name, arguments.len(), |place| bound(arguments.get(place)?))
}

/// A type as `arrow_cast` spells it.
fn check_type(to: &str) -> Result<()> {
    if ["Large", "FixedSize"].iter().any(|kind| to.contains(kind)) { refuse_type(to) } else { Ok(()) }
}

/// Texts, bytes and lists of these types are not bound to two gigabytes as all others are, and NULL can have a size of its own.
fn refuse_type(to: &str) -> Result<()> {
    Err(Diagnostic::error(Kind::Unsupported, format!("a cast to `{to}` is not offered: its values can be of any size"))
        .hint("use `Utf8`, `Binary` or `List(…)`"))
}

/// As [`check_type`], for what SQL spells `INTEGER[1000000]`.
fn check_cast(to: &DataType) -> Result<()> {
    match to {
        DataType::FixedSizeBinary(_)
        | DataType::FixedSizeList(..)
        | DataType::LargeUtf8
        | DataType::LargeBinary
        | DataType::LargeList(_)
        | DataType::LargeListView(_) => refuse_type(&to.to_string()),
        DataType::List(item) => check_cast(item.data_type()),
        DataType::Dictionary(_, values) => check_cast(values),
        DataType::Struct(fields) => fields.iter().try_for_each(|field| check_cast(field.data_type())),
        DataType::Map(entries, _) => check_cast(entries.data_type()),
        _ => Ok(()),
    }
}

/// A digest takes memory for each of its centroids before it sees a row, one digest for each group.
///
/// What is no number written out is refused: the engine would compute it and take what comes out.
fn check_centroids(name: &str, given: &Planned) -> Result<()> {
    const MOST: i128 = 1_000;
    if literal_size(given).is_some_and(|count| count <= MOST) {
        return Ok(());
    }
    Err(Diagnostic::error(Kind::Exhausted, format!("`{name}` takes at most {MOST} centroids, as a number written out"))
        .hint(format!("ask for {MOST} or less, or leave the argument out")))
}

/// The whole number that a planned expression is, if it is one.
pub(super) fn literal_size(expr: &Planned) -> Option<i128> {
    match bound(expr)? {
        Size::Literal(size) => Some(size),
        Size::Later => None,
    }
}

fn bound(expr: &Planned) -> Option<Size> {
    let value = match expr {
        Planned::Alias(alias) => return bound(&alias.expr),
        Planned::Cast(cast) if cast.field.data_type().is_integer() => return bound(&cast.expr),
        Planned::Negative(inner) => match bound(inner)? {
            Size::Literal(size) => return Some(Size::Literal(size.checked_neg()?)),
            Size::Later => return None,
        },
        Planned::Literal(value, _) => value,
        _ => return None,
    };
    let size = match value {
        value if value.is_null() => 0,
        ScalarValue::Int8(Some(size)) => i128::from(*size),
        ScalarValue::Int16(Some(size)) => i128::from(*size),
        ScalarValue::Int32(Some(size)) => i128::from(*size),
        ScalarValue::Int64(Some(size)) => i128::from(*size),
        ScalarValue::UInt8(Some(size)) => i128::from(*size),
        ScalarValue::UInt16(Some(size)) => i128::from(*size),
        ScalarValue::UInt32(Some(size)) => i128::from(*size),
        ScalarValue::UInt64(Some(size)) => i128::from(*size),
        _ => return None,
    };
    Some(Size::Literal(size))
}
