//! An interval times a number, or divided by one.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, DurationMicrosecondArray, IntervalMonthDayNanoArray};
use arrow::datatypes::{
    DataType, DurationMicrosecondType, Float64Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit, TimeUnit,
};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, internal_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::{DAYS_OF_MONTH, NANOS_OF_DAY, too_long};

const NANOS_OF_MICRO: f64 = 1_000.0;
/// Digits of days that a fraction of a month is rounded to, so that a tenth of a month is three days.
const PARTS_OF_DAY: f64 = 1e6;

/// Operators are planned as it: statements cannot call it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Scale {
    name: &'static str,
    divides: bool,
    signature: Signature,
}

#[derive(Debug, Clone, Copy)]
enum Factor {
    Whole(i64),
    Fraction(f64),
}

impl Scale {
    pub fn times() -> Self {
        Self::new("interval_times", false)
    }

    pub fn divided() -> Self {
        Self::new("interval_divided", true)
    }

    fn new(name: &'static str, divides: bool) -> Self {
        Self { name, divides, signature: Signature::user_defined(Volatility::Immutable) }
    }

    /// Fractions of months become days, and those of days time, which is whole microseconds.
    fn interval(&self, of: IntervalMonthDayNano, by: Factor) -> Option<IntervalMonthDayNano> {
        if let (false, Factor::Whole(by)) = (self.divides, by) {
            let small = |field: i32| i32::try_from(i64::from(field).checked_mul(by)?).ok();
            let nanos = of.nanoseconds.checked_mul(by)?;
            return Some(IntervalMonthDayNano::new(small(of.months)?, small(of.days)?, nanos));
        }
        let scaled = |field: f64| if self.divides { field / by.number() } else { field * by.number() };
        let months = scaled(f64::from(of.months));
        let days_of_months = (months.fract() * float(DAYS_OF_MONTH) * PARTS_OF_DAY).round() / PARTS_OF_DAY;
        let days = scaled(f64::from(of.days));
        let part_of_day = days.fract() + days_of_months.fract();
        let nanos = scaled(float(of.nanoseconds)) + part_of_day * float(NANOS_OF_DAY);
        Some(IntervalMonthDayNano::new(
            whole(months.trunc())?.try_into().ok()?,
            whole(days.trunc() + days_of_months.trunc())?.try_into().ok()?,
            whole((nanos / NANOS_OF_MICRO).round() * NANOS_OF_MICRO)?,
        ))
    }

    /// In microseconds.
    fn duration(&self, of: i64, by: Factor) -> Option<i64> {
        match (self.divides, by) {
            (false, Factor::Whole(by)) => of.checked_mul(by),
            (true, Factor::Whole(by)) => {
                let (of, by) = (i128::from(of), i128::from(by));
                let up = (of % by).abs() * 2 >= by.abs();
                i64::try_from(of / by + if up { (of * by).signum() } else { 0 }).ok()
            }
            (false, Factor::Fraction(by)) => whole((float(of) * by).round()),
            (true, Factor::Fraction(by)) => whole((float(of) / by).round()),
        }
    }
}

impl Factor {
    fn number(self) -> f64 {
        match self {
            Self::Whole(number) => float(number),
            Self::Fraction(number) => number,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is beside a fraction is one")]
fn float(number: i64) -> f64 {
    number as f64
}

/// None for what is no number of 64 bits.
fn whole(number: f64) -> Option<i64> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "the range was looked at")]
    (-BEYOND..BEYOND).contains(&number).then_some(number as i64)
}

fn scaled_type(given: &DataType) -> DataType {
    match given {
        DataType::Duration(_) => DataType::Duration(TimeUnit::Microsecond),
        _ => DataType::Interval(IntervalUnit::MonthDayNano),
    }
}

fn factors(numbers: &dyn Array) -> Vec<Option<Factor>> {
    if *numbers.data_type() == DataType::Int64 {
        numbers.as_primitive::<Int64Type>().iter().map(|number| number.map(Factor::Whole)).collect()
    } else {
        numbers.as_primitive::<Float64Type>().iter().map(|number| number.map(Factor::Fraction)).collect()
    }
}

impl ScalarUDFImpl for Scale {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [of, by] = given else { return internal_err!("an operator takes two values") };
        let is_whole = by.is_signed_integer() || by.is_unsigned_integer() && *by != DataType::UInt64;
        Ok(vec![scaled_type(of), if is_whole { DataType::Int64 } else { DataType::Float64 }])
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let [of, _] = given else { return internal_err!("an operator takes two values") };
        Ok(scaled_type(of))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [of, by] = arrays.as_slice() else { return internal_err!("an operator takes two values") };
        let factors = factors(by);
        let is_zero = |by: &Option<Factor>| by.is_some_and(|by| by.number() == 0.0);
        if self.divides && factors.iter().zip(0..).any(|(by, row)| is_zero(by) && of.is_valid(row)) {
            return Err(exec_datafusion_err!("divide by zero"));
        }
        let answer: ArrayRef = if matches!(of.data_type(), DataType::Duration(_)) {
            let durations = of.as_primitive::<DurationMicrosecondType>().iter().zip(factors);
            let scaled = durations.map(|(of, by)| scaled_row(of, by, |of, by| self.duration(of, by)));
            Arc::new(scaled.collect::<Result<DurationMicrosecondArray>>()?)
        } else {
            let intervals = of.as_primitive::<IntervalMonthDayNanoType>().iter().zip(factors);
            let scaled = intervals.map(|(of, by)| scaled_row(of, by, |of, by| self.interval(of, by)));
            Arc::new(scaled.collect::<Result<IntervalMonthDayNanoArray>>()?)
        };
        if is_constant && !answer.is_empty() {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?));
        }
        Ok(ColumnarValue::Array(answer))
    }
}

fn scaled_row<T>(of: Option<T>, by: Option<Factor>, scale: impl Fn(T, Factor) -> Option<T>) -> Result<Option<T>> {
    match (of, by) {
        (Some(of), Some(by)) => scale(of, by).map(Some).ok_or_else(too_long),
        _ => Ok(None),
    }
}
