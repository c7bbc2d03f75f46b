//! `justify_interval`.

use std::sync::Arc;

use arrow::array::{AsArray as _, IntervalMonthDayNanoArray};
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::{DAYS_OF_MONTH, NANOS_OF_DAY, too_long};

/// Hours become days and days months, all of one sign. Of two such intervals the longer one is greater field by field, as the engine
/// compares, and two of one length are one value.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Justify {
    signature: Signature,
}

impl Default for Justify {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

pub(super) fn justified(interval: IntervalMonthDayNano) -> Option<IntervalMonthDayNano> {
    let days = i128::from(interval.months) * i128::from(DAYS_OF_MONTH) + i128::from(interval.days);
    let nanos = days * i128::from(NANOS_OF_DAY) + i128::from(interval.nanoseconds);
    let (days, nanos) = (nanos / i128::from(NANOS_OF_DAY), nanos % i128::from(NANOS_OF_DAY));
    let (months, days) = (days / i128::from(DAYS_OF_MONTH), days % i128::from(DAYS_OF_MONTH));
    Some(IntervalMonthDayNano::new(months.try_into().ok()?, days.try_into().ok()?, nanos.try_into().ok()?))
}

impl ScalarUDFImpl for Justify {
    fn name(&self) -> &'static str {
        "justify_interval"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [DataType::Interval(_) | DataType::Duration(_) | DataType::Null] = given else {
            return plan_err!("`justify_interval` takes one interval");
        };
        Ok(vec![DataType::Interval(IntervalUnit::MonthDayNano)])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Interval(IntervalUnit::MonthDayNano))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let intervals = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(intervals) = intervals.first() else { return plan_err!("`justify_interval` takes one interval") };
        let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
        let one = |interval| justified(interval).ok_or_else(too_long);
        let answer: IntervalMonthDayNanoArray = intervals.try_unary(one)?;
        if args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) && !answer.is_empty() {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(answer)))
    }
}
