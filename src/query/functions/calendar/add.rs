//! `date_add` and `date_sub`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoArray};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DataType, FieldRef, Int64Type, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use datafusion::common::{Result, exec_datafusion_err, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::unit::{Length, Unit};
use super::{as_type, nullable, time, unit_of};

/// `(unit, n, time)`, `(time, n)` in days, `(time, interval)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Add {
    name: &'static str,
    aliases: Vec<String>,
    signature: Signature,
    back: bool,
}

impl Add {
    pub fn forward() -> Self {
        let aliases = vec!["dateadd".to_owned(), "timestampadd".to_owned()];
        Self { name: "date_add", aliases, signature: Signature::user_defined(Volatility::Immutable), back: false }
    }

    pub fn back() -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { name: "date_sub", aliases: Vec::new(), signature, back: true }
    }

    /// So many units, as an interval.
    fn interval(&self, counts: &dyn Array, unit: Unit) -> Result<ArrayRef> {
        let counts = counts.as_primitive::<Int64Type>();
        let one = |count: i64| {
            let count = if self.back { count.checked_neg()? } else { count };
            let small = |length: i32| i32::try_from(count.checked_mul(i64::from(length))?).ok();
            Some(match unit.length() {
                Length::Nanos(length) => IntervalMonthDayNano::new(0, 0, count.checked_mul(length)?),
                Length::Days(length) => IntervalMonthDayNano::new(0, small(length)?, 0),
                Length::Months(length) => IntervalMonthDayNano::new(small(length)?, 0, 0),
            })
        };
        let intervals: Option<Vec<Option<IntervalMonthDayNano>>> =
            counts.iter().map(|count| count.map_or(Some(None), |count| one(count).map(Some))).collect();
        let intervals = intervals
            .ok_or_else(|| exec_datafusion_err!("`{}` is given a count that leaves the calendar", self.name))?;
        Ok(Arc::new(IntervalMonthDayNanoArray::from(intervals)))
    }
}

fn is_interval(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_))
}

/// A date stays one as long as whole days are added; times become as fine as what is added.
fn sum(of: &DataType, unit: Unit) -> DataType {
    match of {
        DataType::Timestamp(fine, zone) => DataType::Timestamp((*fine).max(unit.holds()), zone.clone()),
        _ if matches!(unit.length(), Length::Nanos(_)) => {
            DataType::Timestamp(TimeUnit::Microsecond.max(unit.holds()), None)
        }
        date => date.clone(),
    }
}

impl ScalarUDFImpl for Add {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let count = |given: &DataType| match given {
            DataType::Null => Ok(DataType::Int64),
            given if given.is_integer() => Ok(DataType::Int64),
            other => plan_err!("`{}` takes a whole number of units, not {other}", self.name),
        };
        match given {
            [at, DataType::Interval(_)] => {
                // Nobody knows yet whether the interval has hours: a date would lose them.
                let at = match time(self.name, at)? {
                    DataType::Date32 => DataType::Timestamp(TimeUnit::Microsecond, None),
                    at => at,
                };
                Ok(vec![at, DataType::Interval(IntervalUnit::MonthDayNano)])
            }
            [at, days] => Ok(vec![time(self.name, at)?, count(days)?]),
            [_, number, at] => Ok(vec![DataType::Utf8, count(number)?, time(self.name, at)?]),
            _ => plan_err!(
                "`{0}` is written `{0}('day', 1, time)`, `{0}(time, 1)` for days, or `{0}(time, INTERVAL '1 day')`",
                self.name
            ),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type follows the unit")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let data_type = match args.arg_fields {
            [at, by] if is_interval(by.data_type()) => at.data_type().clone(),
            [at, _] => sum(at.data_type(), Unit::Day),
            [_, _, at] => sum(at.data_type(), unit_of(self.name, &args)?),
            _ => return internal_err!("arguments were counted"),
        };
        Ok(nullable(self.name, data_type))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let to = args.return_field.data_type();
        let unit = match args.args.first() {
            Some(ColumnarValue::Scalar(text)) if args.args.len() == 3 => {
                Unit::parse(self.name, text.try_as_str().flatten().unwrap_or_default())?
            }
            _ => Unit::Day,
        };
        let rows = args.number_rows;
        let arrays: Vec<ArrayRef> =
            args.args.into_iter().map(|arg| arg.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let (at, by) = match arrays.as_slice() {
            [at, by] if is_interval(by.data_type()) => (at, Arc::clone(by)),
            [at, count] | [_, count, at] => (at, self.interval(count, unit)?),
            _ => return internal_err!("arguments were counted"),
        };
        let at = as_type(at, to)?;
        let back = self.back && arrays.get(1).is_some_and(|by| is_interval(by.data_type()));
        Ok(ColumnarValue::Array(if back { numeric::sub(&at, &by) } else { numeric::add(&at, &by) }?))
    }
}
