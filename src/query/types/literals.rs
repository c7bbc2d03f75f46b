//! Values that are written out in a statement.

use arrow::datatypes::DECIMAL128_MAX_PRECISION;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Operator, lit};

/// A number that is written out, as a decimal with its own digits.
pub(super) fn exact(number: &Expr) -> Option<Expr> {
    const LARGEST: f64 = 1e15;
    match number {
        Expr::Negative(inner) => match exact(inner)? {
            Expr::Literal(ScalarValue::Decimal128(Some(digits), precision, scale), _) => {
                Some(lit(ScalarValue::Decimal128(Some(-digits), precision, scale)))
            }
            _ => None,
        },
        Expr::Literal(ScalarValue::Float64(Some(number)), _) if number.abs() < LARGEST => {
            // The shortest digits that mean this float: those that were written, up to fifteen.
            let text = number.to_string();
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
            let scale = i8::try_from(fraction.len()).ok()?;
            let precision = u8::try_from(whole.trim_start_matches('-').len() + fraction.len()).ok()?;
            (precision <= DECIMAL128_MAX_PRECISION)
                .then(|| lit(ScalarValue::Decimal128(Some(digits), precision, scale)))
        }
        _ => None,
    }
}

/// True for an interval that is written out and has whole days only: a date and such an interval are a date.
pub(super) fn is_of_days(interval: &Expr) -> bool {
    match interval {
        Expr::Negative(inner) => is_of_days(inner),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus | Operator::Minus, right }) => {
            is_of_days(left) && is_of_days(right)
        }
        Expr::Cast(Cast { expr, field }) => match expr.as_ref() {
            Expr::Literal(text, _) => text.cast_to(field.data_type()).is_ok_and(|value| is_of_days(&lit(value))),
            _ => false,
        },
        Expr::Literal(value, _) => match value {
            ScalarValue::IntervalMonthDayNano(value) => value.is_none_or(|value| value.nanoseconds == 0),
            ScalarValue::IntervalDayTime(value) => value.is_none_or(|value| value.milliseconds == 0),
            ScalarValue::IntervalYearMonth(_) => true,
            _ => false,
        },
        _ => false,
    }
}
