//! Every call of a statement, against its rule.

use std::ops::ControlFlow;
use std::str::FromStr as _;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr as Planned, LogicalPlan};
use datafusion::sql::sqlparser::ast::{Expr, Function, Statement, Visit, Visitor};

use super::clauses;
use super::names::{LARGEST, LARGEST_PRODUCT, Rule, SMALL, known, rule};
use super::patterns;
use super::series::{self, constant, whole};
use super::value::fixed;
use crate::diagnostic::{Diagnostic, Kind, Result, did_you_mean};

/// Checks every name of a function in `statement`, and what stands around its arguments, before anything is planned.
///
/// # Errors
/// `Invalid` for a name that is no function, `Unsupported` for one that is refused, and for a clause that it does not take.
pub fn check(statement: &Statement) -> Result<()> {
    match statement.visit(&mut Calls) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refused) => Err(*refused),
    }
}

/// Checks every function that `plan` calls, in subqueries too, and the sizes given to it.
///
/// # Errors
/// As [`check`]; `Exhausted` for a size, `Unsupported` for one that is not written out.
pub fn check_plan(plan: &LogicalPlan) -> Result<()> {
    let mut refused = None;
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            let mut sizes = Sizes::default();
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

/// What the sizes in one expression multiply to.
struct Sizes {
    product: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { product: 1 }
    }
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
                format!("the sizes in one expression, `{name}` among them, multiply to more than {LARGEST_PRODUCT}"),
            )
            .hint("use smaller sizes, or fewer of these calls"));
        }
        Ok(())
    }

    fn check(&mut self, name: &str, arguments: &[Planned]) -> Result<()> {
        let size = match named(name)? {
            Rule::Free | Rule::Refused(_) => return Ok(()),
            // Too few arguments: the planner says it better.
            Rule::Sized(place) if place >= arguments.len() => return Ok(()),
            Rule::Sized(place) => arguments.get(place).and_then(literal_size),
            Rule::Series => series::steps(arguments),
        };
        let size = size.ok_or_else(|| {
            Diagnostic::error(Kind::Unsupported, format!("the size given to `{name}` must be written out")).hint(
                format!("write a number up to {LARGEST}, or dates and an interval, not a column or an expression"),
            )
        })?;
        self.admit(name, size.max(0))
    }
}

/// The rule of a name that may be called.
fn named(name: &str) -> Result<Rule> {
    match rule(name) {
        Some(Rule::Refused(why)) => {
            Err(Diagnostic::error(Kind::Unsupported, format!("`{name}` is refused: {why}")).hint("leave the call out"))
        }
        Some(rule) => Ok(rule),
        None => {
            let hint = did_you_mean(name, known())
                .unwrap_or_else(|| "functions have the names that DataFusion gives them".to_owned());
            Err(Diagnostic::error(Kind::Invalid, format!("there is no function `{name}`")).hint(hint))
        }
    }
}

struct Calls;

impl Visitor for Calls {
    type Break = Box<Diagnostic>;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        let Expr::Function(call @ Function { name, .. }) = expr else { return ControlFlow::Continue(()) };
        let name = match name.0.as_slice() {
            [part] => match part.as_ident() {
                Some(ident) if ident.quote_style.is_some() => ident.value.clone(),
                Some(ident) => ident.value.to_lowercase(),
                None => name.to_string(),
            },
            _ => name.to_string(),
        };
        match named(&name).and_then(|_| clauses::check(&name, call)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(refused) => ControlFlow::Break(Box::new(refused)),
        }
    }
}

fn check_planned(expr: &Planned, sizes: &mut Sizes) -> Result<()> {
    match expr {
        Planned::Cast(cast) => check_type(cast.field.data_type())?,
        Planned::TryCast(cast) => check_type(cast.field.data_type())?,
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
        // What is no type is told by the engine.
        && let Ok(to) = DataType::from_str(to)
    {
        check_type(&to)?;
    }
    patterns::check(name, arguments)?;
    let centroids = match name {
        "approx_percentile_cont" => arguments.get(2),
        "approx_percentile_cont_with_weight" => arguments.get(3),
        _ => None,
    };
    if let Some(centroids) = centroids {
        check_centroids(name, centroids)?;
    }
    sizes.check(name, arguments)
}

/// Values of a fixed size take it even if they are NULL, and inside others nobody counts how many there are.
fn check_type(to: &DataType) -> Result<()> {
    if fixed(to).is_some() {
        return Ok(());
    }
    let shown: String = to.to_string().chars().take(128).collect();
    Err(Diagnostic::error(
        Kind::Unsupported,
        format!("a cast to `{shown}` is not offered: its values can be of any size"),
    )
    .hint("use `List(…)` for lists, and texts or bytes without a size"))
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

/// The whole number that a planned expression is, if it is one written out.
pub(super) fn literal_size(expr: &Planned) -> Option<i128> {
    whole(&constant(expr)?)
}
