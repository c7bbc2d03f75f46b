//! The time between two moments as an interval of days and hours.

use std::sync::Arc;

use arrow::array::{AsArray as _, IntervalMonthDayNanoArray};
use arrow::datatypes::{DataType, DurationMicrosecondType, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::{NANOS_OF_DAY, too_long};

const MICROS_OF_DAY: i64 = NANOS_OF_DAY / 1_000;

/// Takes times of any length. The engine's cast counts nanoseconds, which end after 292 years.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Days {
    signature: Signature,
}

impl Default for Days {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

fn days(micros: i64) -> Result<IntervalMonthDayNano> {
    let days = i32::try_from(micros / MICROS_OF_DAY).map_err(|_| too_long())?;
    Ok(IntervalMonthDayNano::new(0, days, micros % MICROS_OF_DAY * 1_000))
}

impl ScalarUDFImpl for Days {
    fn name(&self) -> &'static str {
        "interval_between"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, _: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![DataType::Duration(TimeUnit::Microsecond)])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Interval(IntervalUnit::MonthDayNano))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [durations] = arrays.as_slice() else { return internal_err!("it takes one value") };
        let answer: IntervalMonthDayNanoArray = durations.as_primitive::<DurationMicrosecondType>().try_unary(days)?;
        if is_constant && args.number_rows > 0 {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(answer)))
    }
}
