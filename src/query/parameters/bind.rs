//! Values in their places.

use arrow::datatypes::DataType;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;

use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::discovery::sql_type_name;
use crate::query::failure::diagnose;

/// The plan with `values` in its places, each read as the type of its place; NULL where none are given yet.
///
/// # Errors
/// `Invalid` for too few or too many values, and for one that its place cannot take.
pub(in crate::query) fn bind(
    plan: LogicalPlan,
    types: &[Option<DataType>],
    values: Option<&[ScalarValue]>,
) -> Result<LogicalPlan> {
    count(types.len(), values)?;
    let values = match values {
        Some(values) => (1..).zip(values).zip(types).map(|((at, value), to)| read(at, value, to.as_ref())).collect(),
        None => types.iter().map(|to| null(to.as_ref())).collect::<Result<Vec<_>>>(),
    }?;
    if types.is_empty() {
        return Ok(plan);
    }
    plan.replace_params_with_values(&ParamValues::from(values)).map_err(|error| diagnose(&error))
}

/// # Errors
/// `Invalid` where the statement has another number of `parameters` than values are given, if any are.
pub(in crate::query) fn count(parameters: usize, values: Option<&[ScalarValue]>) -> Result<()> {
    match values {
        Some(values) if values.len() != parameters => {
            let message = format!("the statement has {parameters} parameters, {} values were given", values.len());
            Err(Diagnostic::error(Kind::Invalid, message).hint("bind one value for each `?`"))
        }
        _ => Ok(()),
    }
}

fn read(at: usize, value: &ScalarValue, to: Option<&DataType>) -> Result<ScalarValue> {
    let Some(to) = to else { return Ok(value.clone()) };
    if value.is_null() {
        return null(Some(to));
    }
    if let Some(exact) = exact(value, to) {
        return Ok(exact);
    }
    // The value itself is not repeated: statements are logged, values are not.
    value.cast_to(to).map_err(|_| {
        let message = format!(
            "parameter {at} is {}, which cannot be read as {}",
            sql_type_name(&value.data_type()),
            sql_type_name(to)
        );
        Diagnostic::error(Kind::Invalid, message).hint("bind a value of that type, or cast the place in the statement")
    })
}

/// The value where reading it as `to` would make another of it: the engine compares numbers, and times, of different types.
fn exact(value: &ScalarValue, to: &DataType) -> Option<ScalarValue> {
    let from = value.data_type();
    if matches!((&from, to), (DataType::Timestamp(_, _), DataType::Date32)) {
        return Some(value.clone());
    }
    if let (ScalarValue::Utf8(Some(text)), DataType::Decimal128(precision, scale)) = (value, to) {
        let (_, digits) = text.trim().split_once('.')?;
        let more = i8::try_from(digits.len()).ok().filter(|digits| digits > scale)?;
        return value.cast_to(&DataType::Decimal128(*precision, more)).ok();
    }
    if !from.is_numeric() || !to.is_numeric() || to.is_floating() {
        return None;
    }
    let same = |read: &ScalarValue| read.cast_to(&from).is_ok_and(|back| back == *value);
    match value.cast_to(to) {
        Ok(read) if same(&read) => Some(read),
        _ => Some(value.clone()),
    }
}

fn null(of: Option<&DataType>) -> Result<ScalarValue> {
    of.map_or(Ok(ScalarValue::Null), |of| ScalarValue::try_from(of).map_err(|error| diagnose(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_what_they_are() {
        use DataType::{Decimal128, Float64, Int64};
        for (value, to, expect) in [
            (ScalarValue::from(3_i8), Int64, ScalarValue::from(3_i64)),
            (ScalarValue::from(u64::MAX), Int64, ScalarValue::from(u64::MAX)),
            (ScalarValue::from(2.0), Int64, ScalarValue::from(2_i64)),
            (ScalarValue::from(2.5), Int64, ScalarValue::from(2.5)),
            (ScalarValue::from(1e300), Int64, ScalarValue::from(1e300)),
            (ScalarValue::from(2_i64), Float64, ScalarValue::from(2.0)),
            (ScalarValue::from(2_i64), Decimal128(38, 2), ScalarValue::Decimal128(Some(200), 38, 2)),
            (ScalarValue::from(0.125), Decimal128(38, 2), ScalarValue::from(0.125)),
            (ScalarValue::Decimal128(Some(125), 3, 3), Decimal128(38, 2), ScalarValue::Decimal128(Some(125), 3, 3)),
            (ScalarValue::from("0.125"), Decimal128(38, 2), ScalarValue::Decimal128(Some(125), 38, 3)),
            (ScalarValue::from("20"), Int64, ScalarValue::from(20_i64)),
        ] {
            assert_eq!(read(1, &value, Some(&to)).unwrap(), expect, "{value:?} as {to}");
        }
        for (value, to) in [(ScalarValue::from("2.5"), Int64), (ScalarValue::from("x"), Decimal128(38, 2))] {
            assert_eq!(read(1, &value, Some(&to)).unwrap_err().kind, Kind::Invalid, "{value:?} as {to}");
        }
    }
}
