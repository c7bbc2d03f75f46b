//! What is written out: values of constant expressions, and how many `range` and `generate_series` make of them.

use std::str::FromStr as _;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;

/// The value of an expression, where it is the same for every row and takes no work to see.
pub(super) fn constant(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Alias(alias) => constant(&alias.expr),
        Expr::Negative(inner) => constant(inner)?.arithmetic_negate().ok(),
        Expr::Cast(cast) => converted(&cast.expr, cast.field.data_type()),
        Expr::ScalarFunction(call) if call.name() == "arrow_cast" => match call.args.as_slice() {
            [value, Expr::Literal(ScalarValue::Utf8(Some(to)), _)] => converted(value, &DataType::from_str(to).ok()?),
            _ => None,
        },
        // What a number is that is cast to a time.
        Expr::ScalarFunction(call) if call.name() == "to_timestamp" => match call.args.as_slice() {
            [seconds] => {
                let seconds = constant(seconds)?;
                let micros = i64::try_from(whole(&seconds)?.checked_mul(1_000_000)?).ok()?;
                Some(ScalarValue::TimestampMicrosecond((!seconds.is_null()).then_some(micros), None))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Only what has a fixed size is converted here.
fn converted(value: &Expr, to: &DataType) -> Option<ScalarValue> {
    if to.is_integer() || to.is_temporal() { constant(value)?.cast_to(to).ok() } else { None }
}

/// The whole number that a value is, NULL being none.
pub(super) fn whole(value: &ScalarValue) -> Option<i128> {
    match value {
        value if value.is_null() => Some(0),
        ScalarValue::Int8(Some(number)) => Some(i128::from(*number)),
        ScalarValue::Int16(Some(number)) => Some(i128::from(*number)),
        ScalarValue::Int32(Some(number)) => Some(i128::from(*number)),
        ScalarValue::Int64(Some(number)) => Some(i128::from(*number)),
        ScalarValue::UInt8(Some(number)) => Some(i128::from(*number)),
        ScalarValue::UInt16(Some(number)) => Some(i128::from(*number)),
        ScalarValue::UInt32(Some(number)) => Some(i128::from(*number)),
        ScalarValue::UInt64(Some(number)) => Some(i128::from(*number)),
        _ => None,
    }
}

/// How many steps a series has; none where its arguments are not written out.
pub(super) fn steps(arguments: &[Expr]) -> Option<i128> {
    let values = arguments.iter().map(constant).collect::<Option<Vec<_>>>()?;
    if values.iter().any(ScalarValue::is_null) {
        return Some(0);
    }
    let (span, step) = match values.as_slice() {
        [end] => (whole(end)?, 1),
        [begin, end] => (whole(end)?.checked_sub(whole(begin)?)?, 1),
        [begin, end, step] => {
            if let Some(step) = whole(step) {
                (whole(end)?.checked_sub(whole(begin)?)?, step)
            } else {
                let step = shortest(step, matches!(begin, ScalarValue::Date32(_) | ScalarValue::Date64(_)))?;
                (between(begin, end, step)?, step)
            }
        }
        // The planner says it better.
        _ => return Some(0),
    };
    // The engine refuses a step of nothing, and has no values where a step leads away from the end.
    Some(span.checked_div(step).map_or(0, |steps| steps.max(0)))
}

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

/// Nanoseconds from one time to another, in the direction of the step. Between two zones they are not known to the hour.
fn between(begin: &ScalarValue, end: &ScalarValue, step: i128) -> Option<i128> {
    let span = nanoseconds(end)?.checked_sub(nanoseconds(begin)?)?;
    Some(if begin.data_type() == end.data_type() { span } else { (span.abs() + 2 * DAY) * step.signum() })
}

/// Since 1970.
fn nanoseconds(value: &ScalarValue) -> Option<i128> {
    use ScalarValue as V;
    Some(match value {
        V::Date32(Some(days)) => i128::from(*days) * DAY,
        V::TimestampSecond(Some(seconds), _) => i128::from(*seconds) * SECOND,
        V::Date64(Some(millis)) | V::TimestampMillisecond(Some(millis), _) => i128::from(*millis) * 1_000_000,
        V::TimestampMicrosecond(Some(micros), _) => i128::from(*micros) * 1_000,
        V::TimestampNanosecond(Some(nanos), _) => i128::from(*nanos),
        _ => return None,
    })
}

/// What an interval is at least, in nanoseconds. Its parts go one way, or nobody knows where it leads. Dates take whole days of it.
fn shortest(step: &ScalarValue, of_dates: bool) -> Option<i128> {
    let (months, days, nanoseconds) = match step {
        ScalarValue::IntervalYearMonth(Some(months)) => (*months, 0, 0),
        ScalarValue::IntervalMonthDayNano(Some(step)) => (step.months, step.days, step.nanoseconds),
        _ => return None,
    };
    let nanoseconds = i128::from(nanoseconds);
    let nanoseconds = if of_dates { nanoseconds / DAY * DAY } else { nanoseconds };
    // February has 28 days, and a day on which clocks go forward 23 hours.
    let parts = [i128::from(months) * 28 * DAY, i128::from(days) * (DAY - 3_600 * SECOND), nanoseconds];
    let one_way = parts.iter().all(|part| *part >= 0) || parts.iter().all(|part| *part <= 0);
    one_way.then(|| parts.iter().sum())
}
