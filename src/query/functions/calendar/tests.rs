//! Whatever the values are, the answer is a value, NULL or an error.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Int64Array, TimestampMicrosecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::datatypes::{Field, IntervalUnit};
use datafusion::common::ScalarValue;
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

use super::*;

const EXTREMES: [i64; 9] = [i64::MIN, i64::MIN + 1, -86_400_000_000, -1, 0, 1, 951_868_800, i64::MAX - 1, i64::MAX];

fn call(function: &ScalarUDF, args: &[ColumnarValue]) -> Result<()> {
    let types: Vec<DataType> = args.iter().map(ColumnarValue::data_type).collect();
    let types = function.coerce_types(&types)?;
    let args: Vec<ColumnarValue> =
        args.iter().zip(&types).map(|(arg, to)| arg.cast_to(to, None)).collect::<Result<_>>()?;
    let arg_fields: Vec<FieldRef> = types.iter().map(|to| Arc::new(Field::new("", to.clone(), true))).collect();
    let scalars: Vec<Option<&ScalarValue>> = args
        .iter()
        .map(|arg| match arg {
            ColumnarValue::Scalar(scalar) => Some(scalar),
            ColumnarValue::Array(_) => None,
        })
        .collect();
    let return_field =
        function.return_field_from_args(ReturnFieldArgs { arg_fields: &arg_fields, scalar_arguments: &scalars })?;
    let config_options = Arc::new(ConfigOptions::default());
    let args = ScalarFunctionArgs { args, arg_fields, number_rows: 1, return_field, config_options };
    function.invoke_with_args(args).map(drop)
}

#[test]
fn no_value_ends_the_process() {
    let days: Vec<i32> = vec![i32::MIN, i32::MIN + 1, -1, 0, 1, 11_016, 95_026_236, i32::MAX - 1, i32::MAX];
    let times = EXTREMES.to_vec();
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from(days)),
        Arc::new(TimestampNanosecondArray::from(times.clone())),
        Arc::new(TimestampMicrosecondArray::from(times.clone()).with_timezone("Europe/Berlin")),
        Arc::new(TimestampSecondArray::from(times.clone())),
        Arc::new(TimestampSecondArray::from(times).with_timezone("+14:00")),
    ];
    let units = [
        "nanosecond",
        "microseconds",
        "millisecond",
        "second",
        "MINUTE",
        "hour",
        "day",
        "week",
        "month",
        "quarter",
        "year",
    ];
    let (mut answered, mut refused) = (0, 0);
    let mut count = |answer: Result<()>| if answer.is_ok() { answered += 1 } else { refused += 1 };
    // One row at a time: an error hides what stands behind it.
    for array in &arrays {
        for row in 0..array.len() {
            let at = || ColumnarValue::Array(array.slice(row, 1));
            for function in ours() {
                for unit in units {
                    let unit = || ColumnarValue::Scalar(ScalarValue::from(unit));
                    for other in EXTREMES {
                        let number = ColumnarValue::Array(Arc::new(Int64Array::from(vec![other])));
                        count(call(&function, &[unit(), number, at()]));
                    }
                    for other in &arrays {
                        for to in 0..other.len() {
                            count(call(&function, &[unit(), at(), ColumnarValue::Array(other.slice(to, 1))]));
                        }
                    }
                }
                for (months, days, nanos) in
                    [(i32::MIN, 0, 0), (0, i32::MAX, 1), (0, 0, i64::MIN), (i32::MAX, i32::MAX, i64::MAX)]
                {
                    let interval = arrow::datatypes::IntervalMonthDayNano::new(months, days, nanos);
                    let interval = ScalarValue::IntervalMonthDayNano(Some(interval));
                    assert_eq!(interval.data_type(), DataType::Interval(IntervalUnit::MonthDayNano));
                    count(call(&function, &[at(), ColumnarValue::Scalar(interval)]));
                }
            }
        }
    }
    assert!(answered > 1_000 && refused > 1_000, "{answered} answered, {refused} refused");
}
