//! Casts that give several values one result, kept where the engine would take them off.
//!
//! It moves a cast from a column to the constant that the column is compared with, and concludes from `CAST(x AS DATE) = …` that x is one
//! value, by which nothing need be ordered. Both hold for casts that keep values apart, and for no others. A cast that does not is put
//! into `nullif(…, NULL)`, which is the cast, and none to the optimizer, until the engine knows the difference:
//! <https://github.com/apache/datafusion/issues/23095>, <https://github.com/apache/datafusion/issues/25523>.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{ExprSchema, Result, ScalarValue};
use datafusion::functions::core::expr_fn::nullif;
use datafusion::logical_expr::expr::TryCast;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable as _, LogicalPlan, lit};

use super::types::is_comparison;
use crate::engine::check_wanted;

/// Of a plan whose types are chosen.
///
/// # Errors
/// Those of the engine, for a plan that does not hold together.
pub(in crate::query) fn keep_casts(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let is_condition = matches!(node, LogicalPlan::Join(_) | LogicalPlan::Filter(_));
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let merges = expr.exists(|expr| Ok(merges(expr, &schema)))?;
            if !merges {
                return Ok(Transformed::no(expr));
            }
            let name = names.save(&expr);
            let all = |expr: Expr| expr.transform_up(|expr| check_wanted().map(|()| kept(expr, &schema)));
            let kept = if is_condition {
                all(expr)?
            } else {
                expr.transform_down(|expr| {
                    if !compares(&expr) {
                        return Ok(Transformed::no(expr));
                    }
                    Ok(Transformed::new(all(expr)?.data, true, TreeNodeRecursion::Jump))
                })?
            };
            Ok(kept.update_data(|expr| name.restore(expr)))
        })
    })
    .data()
}

fn compares(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => is_comparison(*op),
        Expr::Between(_) | Expr::InList(_) => true,
        _ => false,
    }
}

fn kept(expr: Expr, schema: &dyn ExprSchema) -> Transformed<Expr> {
    if !merges(&expr, schema) {
        return Transformed::no(expr);
    }
    let null = expr.get_type(schema).and_then(|to| ScalarValue::try_from(&to));
    match null {
        Ok(null) => Transformed::yes(nullif(expr, lit(null))),
        Err(_) => Transformed::no(expr),
    }
}

/// True for a cast of a column, or of what is computed from one, that gives several values one result.
fn merges(expr: &Expr, schema: &dyn ExprSchema) -> bool {
    let (inner, to) = match expr {
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => (expr, field.data_type()),
        _ => return false,
    };
    if matches!(inner.as_ref(), Expr::Literal(..)) {
        return false;
    }
    // What has no type was refused before.
    inner.get_type(schema).map_or(true, |from| !keeps_apart(&from, to))
}

/// True where each value of one type is a value of the other, and two are two, in the same order.
fn keeps_apart(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Date32, Date64, Decimal128, Decimal256, Dictionary, Float32, Float64, LargeUtf8, Time32, Time64, Timestamp,
        Utf8, Utf8View,
    };
    let is_text = |of: &DataType| matches!(of, Utf8 | LargeUtf8 | Utf8View);
    let width = |of: &DataType| of.primitive_width().unwrap_or(usize::MAX);
    match (from, to) {
        (from, to) if from == to => true,
        (Dictionary(_, from), to) => keeps_apart(from, to),
        (from, Dictionary(_, to)) => keeps_apart(from, to),
        (from, to) if is_text(from) && is_text(to) => true,
        (from, to) if from.is_integer() && to.is_integer() => {
            match (from.is_signed_integer(), to.is_signed_integer()) {
                (true, false) => false,
                (false, true) => width(from) < width(to),
                _ => width(from) <= width(to),
            }
        }
        (from, Decimal128(precision, scale) | Decimal256(precision, scale)) if from.is_integer() => {
            *scale >= 0 && i32::from(*precision) - i32::from(*scale) >= digits(from)
        }
        (
            Decimal128(precision, scale) | Decimal256(precision, scale),
            Decimal128(to_precision, to_scale) | Decimal256(to_precision, to_scale),
        ) => {
            let whole = |precision: u8, scale: i8| i32::from(precision) - i32::from(scale);
            scale <= to_scale && whole(*precision, *scale) <= whole(*to_precision, *to_scale)
        }
        (DataType::Boolean, to) => to.is_numeric(),
        (from, Float64) if from.is_integer() => width(from) <= 4,
        (from, Float32) if from.is_integer() => width(from) <= 2,
        (Float32, Float64) | (Date32 | Date64, Timestamp(_, None)) | (Date32, Date64) => true,
        (Timestamp(from, one), Timestamp(to, other)) => from <= to && one.is_some() == other.is_some(),
        (Time32(from), Time32(to) | Time64(to)) | (Time64(from), Time64(to)) => from <= to,
        _ => false,
    }
}

/// The digits of the largest whole number of a type.
fn digits(of: &DataType) -> i32 {
    match of.primitive_width() {
        Some(1) => 3,
        Some(2) => 5,
        Some(4) => 10,
        _ => 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::TimeUnit::{Microsecond, Second};

    #[test]
    fn casts_that_merge_values() {
        use DataType::{Boolean, Date32, Decimal128, Float64, Int16, Int32, Int64, Timestamp, Utf8};
        for (from, to, apart) in [
            (Int16, Int64, true),
            (Int64, Int16, false),
            (Int64, Decimal128(38, 2), true),
            (Int64, Decimal128(10, 2), false),
            (Int64, Utf8, false),
            (Decimal128(12, 1), Decimal128(12, 1), true),
            (Decimal128(12, 1), Decimal128(13, 2), true),
            (Int32, Float64, true),
            (Decimal128(12, 1), Decimal128(12, 2), false),
            (Date32, Timestamp(Microsecond, None), true),
            (Int64, Float64, false),
            (Int64, Boolean, false),
            (Float64, Int64, false),
            (Decimal128(12, 2), Int64, false),
            (Decimal128(12, 2), Decimal128(12, 1), false),
            (Timestamp(Microsecond, None), Date32, false),
            (Timestamp(Microsecond, None), Timestamp(Second, None), false),
            (Timestamp(Microsecond, Some("UTC".into())), Timestamp(Microsecond, None), false),
            (Utf8, Int64, false),
        ] {
            assert_eq!(keeps_apart(&from, &to), apart, "{from} {to}");
        }
    }
}
