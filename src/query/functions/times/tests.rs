//! In the years that nanoseconds reach, the answers are the engine's; beyond, a value or an error.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::datatypes::{Field, FieldRef, IntervalMonthDayNano};
use datafusion::common::{Result, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::functions::datetime;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::in_microseconds;

const UNITS: [&str; 10] =
    ["microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"];
const ZONES: [Option<&str>; 6] =
    [None, Some("UTC"), Some("+05:30"), Some("Europe/Berlin"), Some("America/Sao_Paulo"), Some("Australia/Lord_Howe")];
const HOUR: i64 = 3_600_000_000;

fn ours(name: &str) -> Arc<ScalarUDF> {
    in_microseconds().into_iter().find(|function| function.name() == name).unwrap()
}

fn call(function: &ScalarUDF, args: Vec<ColumnarValue>) -> Result<ArrayRef> {
    let arg_fields: Vec<FieldRef> =
        args.iter().map(|arg| Arc::new(Field::new("", arg.data_type(), true)) as FieldRef).collect();
    let scalars: Vec<Option<&ScalarValue>> = args
        .iter()
        .map(|arg| match arg {
            ColumnarValue::Scalar(scalar) => Some(scalar),
            ColumnarValue::Array(_) => None,
        })
        .collect();
    let return_field =
        function.return_field_from_args(ReturnFieldArgs { arg_fields: &arg_fields, scalar_arguments: &scalars })?;
    let rows = args.iter().find_map(|arg| match arg {
        ColumnarValue::Array(array) => Some(array.len()),
        ColumnarValue::Scalar(_) => None,
    });
    let (number_rows, config_options) = (rows.unwrap_or(1), Arc::new(ConfigOptions::default()));
    let answer = function.invoke_with_args(ScalarFunctionArgs {
        args,
        arg_fields,
        number_rows,
        return_field: Arc::clone(&return_field),
        config_options,
    })?;
    assert_eq!(&answer.data_type(), return_field.data_type());
    answer.into_array(number_rows)
}

/// Moments between 1920 and 2100 (the engine takes older offsets for whole minutes), many of them near a change of clocks.
fn moments(zone: Option<&str>) -> ArrayRef {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let near = [1_711_846_800_000_000, 1_729_990_800_000_000, 1_541_300_400_000_000, 1_712_415_600_000_000, 0];
    let spread = (0..400).map(|_| random.random_range(-1_577_923_200_000_000..4_102_444_800_000_000_i64));
    let mut at: Vec<i64> = spread.collect();
    at.extend(near.iter().flat_map(|at| (-60..60).map(move |step| at + step * HOUR / 4 + 1)));
    Arc::new(TimestampMicrosecondArray::from(at).with_timezone_opt(zone))
}

#[test]
fn truncation_agrees_with_the_engine() {
    let (own, engines) = (ours("date_trunc"), datetime::date_trunc());
    for zone in ZONES {
        let at = moments(zone);
        for unit in UNITS {
            let args = || vec![ColumnarValue::Scalar(ScalarValue::from(unit)), ColumnarValue::Array(Arc::clone(&at))];
            assert_eq!(&call(&own, args()).unwrap(), &call(&engines, args()).unwrap(), "{unit} in {zone:?}");
        }
    }
}

#[test]
fn bins_agree_with_the_engine() {
    let (own, engines) = (ours("date_bin"), datetime::date_bin());
    let stride = |months, days, nanos| {
        ColumnarValue::Scalar(ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(months, days, nanos))))
    };
    let strides =
        || [stride(0, 0, 900_000_000_000), stride(0, 0, 7_000), stride(0, 3, 0), stride(1, 0, 0), stride(5, 0, 0)];
    for zone in [None, Some("UTC"), Some("Europe/Berlin")] {
        let at = moments(zone);
        for stride in strides() {
            let plain = || vec![stride.clone(), ColumnarValue::Array(Arc::clone(&at))];
            let from = |origin: ScalarValue| [plain(), vec![ColumnarValue::Scalar(origin)]].concat();
            assert_eq!(&call(&own, plain()).unwrap(), &call(&engines, plain()).unwrap());
            let origin = 1_580_515_200_000_000_i64;
            let zone: Option<Arc<str>> = zone.map(Into::into);
            let micros = ScalarValue::TimestampMicrosecond(Some(origin), zone.clone());
            let nanos = ScalarValue::TimestampNanosecond(Some(origin * 1_000), zone);
            assert_eq!(&call(&own, from(micros)).unwrap(), &call(&engines, from(nanos)).unwrap());
        }
    }
}

#[test]
fn extremes_are_values_or_errors() {
    let extremes = vec![i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for zone in ZONES {
        arrays.push(Arc::new(TimestampSecondArray::from(extremes.clone()).with_timezone_opt(zone)));
        arrays.push(Arc::new(TimestampMillisecondArray::from(extremes.clone()).with_timezone_opt(zone)));
        arrays.push(Arc::new(TimestampMicrosecondArray::from(extremes.clone()).with_timezone_opt(zone)));
        arrays.push(Arc::new(TimestampNanosecondArray::from(extremes.clone()).with_timezone_opt(zone)));
    }
    let (mut answered, mut refused) = (0, 0);
    let mut count = |answer: Result<ArrayRef>| match answer {
        Ok(answer) => {
            assert_eq!(answer.null_count(), 0, "nothing is NULL in silence");
            answered += 1;
        }
        Err(_) => refused += 1,
    };
    let (trunc, bin, read) = (ours("date_trunc"), ours("date_bin"), ours("to_timestamp"));
    for array in &arrays {
        for row in 0..array.len() {
            let at = || ColumnarValue::Array(array.slice(row, 1));
            for unit in UNITS {
                count(call(&trunc, vec![ColumnarValue::Scalar(ScalarValue::from(unit)), at()]));
            }
            for (months, days, nanos) in
                [(1, 0, 0), (i32::MAX, 0, 0), (0, i32::MAX, i64::MAX), (0, 0, 1), (0, 0, i64::MIN)]
            {
                let stride = IntervalMonthDayNano::new(months, days, nanos);
                let stride = ColumnarValue::Scalar(ScalarValue::IntervalMonthDayNano(Some(stride)));
                count(call(&bin, vec![stride, at()]));
            }
            count(call(&read, vec![at()]));
        }
    }
    for number in extremes {
        count(call(&read, vec![ColumnarValue::Scalar(ScalarValue::from(number))]));
        #[expect(clippy::cast_precision_loss, reason = "any number will do")]
        count(call(&read, vec![ColumnarValue::Scalar(ScalarValue::from(number as f64))]));
    }
    assert!(answered > 500 && refused > 100, "{answered} answered, {refused} refused");
}

#[test]
fn a_time_of_day_stays_in_its_day() {
    let minutes = |minutes: i64| ScalarValue::Time64Microsecond(Some(minutes * 60_000_000));
    let origin = ScalarValue::Time64Nanosecond(Some(60_000_000_000));
    let stride = ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(0, 0, 900_000_000_000)));
    for (at, expect) in [(138, 136), (0, 23 * 60 + 46)] {
        let args = [stride.clone(), minutes(at), origin.clone()].map(ColumnarValue::Scalar);
        let binned = call(&ours("date_bin"), args.to_vec()).unwrap();
        assert_eq!(ScalarValue::try_from_array(&binned, 0).unwrap(), minutes(expect));
    }
}
