//! `date_bin`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use chrono::{DateTime, Datelike as _, Months, NaiveDateTime};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err, plan_err};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::is_text;
use super::moment::{leaves, map, nanoseconds};

const NAME: &str = "date_bin";
const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

/// The beginning of the interval that a time lies in, where intervals are counted from an origin.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Bin {
    signature: Signature,
}

impl Default for Bin {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

#[derive(Debug, Clone, Copy)]
enum Stride {
    Nanoseconds(i128),
    Months(i32),
}

impl Stride {
    fn of(interval: IntervalMonthDayNano) -> Result<Self> {
        let rest = i128::from(interval.days) * DAY + i128::from(interval.nanoseconds);
        match (interval.months, rest) {
            (0, 0) => exec_err!("the interval of `{NAME}` must not be zero"),
            (0, rest) if rest > 0 => Ok(Self::Nanoseconds(rest)),
            (months, 0) if months > 0 => Ok(Self::Months(months)),
            (0, _) | (_, 0) => exec_err!("the interval of `{NAME}` must be greater than zero"),
            _ => exec_err!("the interval of `{NAME}` has months, or days and less, and not both"),
        }
    }

    /// Where `at` belongs, both in nanoseconds since 1970.
    fn bin(self, at: i128, origin: i128) -> Option<i128> {
        match self {
            Self::Nanoseconds(length) => Some(at - (at - origin).rem_euclid(length)),
            Self::Months(length) => {
                let (at, origin) = (civil(at)?, civil(origin)?);
                let months = |of: NaiveDateTime| i64::from(of.year()) * 12 + i64::from(of.month0());
                let length = i64::from(length);
                let passed = months(at) - months(origin);
                let mut steps = passed - passed.rem_euclid(length);
                // The origin may lie later in its month than the time in its own.
                let begin = match add(origin, steps)? {
                    begin if begin > at => {
                        steps -= length;
                        add(origin, steps)?
                    }
                    begin => begin,
                };
                let begin = begin.and_utc();
                Some(i128::from(begin.timestamp()) * SECOND + i128::from(begin.timestamp_subsec_nanos()))
            }
        }
    }
}

fn civil(nanoseconds: i128) -> Option<NaiveDateTime> {
    let seconds = i64::try_from(nanoseconds.div_euclid(SECOND)).ok()?;
    Some(DateTime::from_timestamp(seconds, u32::try_from(nanoseconds.rem_euclid(SECOND)).ok()?)?.naive_utc())
}

fn add(origin: NaiveDateTime, months: i64) -> Option<NaiveDateTime> {
    let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    if months < 0 { origin.checked_sub_months(count) } else { origin.checked_add_months(count) }
}

/// Its unit, and true for a time of day.
fn unit_of(data_type: &DataType) -> Option<(TimeUnit, bool)> {
    match data_type {
        DataType::Timestamp(unit, _) => Some((*unit, false)),
        DataType::Time32(unit) | DataType::Time64(unit) => Some((*unit, true)),
        _ => None,
    }
}

impl Bin {
    fn binned(at: &ArrayRef, stride: Stride, origin: i128) -> Result<ArrayRef> {
        let Some((unit, is_time)) = unit_of(at.data_type()) else { return internal_err!("types were coerced") };
        let length = i128::from(nanoseconds(unit));
        let bin = |value: i64| {
            let binned = stride.bin(i128::from(value) * length, origin);
            let binned = if is_time { binned.map(|at| at.rem_euclid(DAY)) } else { binned };
            binned.and_then(|at| i64::try_from(at.div_euclid(length)).ok()).ok_or_else(|| leaves(NAME))
        };
        if !is_time {
            return map(at, bin);
        }
        let numbers = match at.data_type() {
            DataType::Time32(_) => cast(&cast(at, &DataType::Int32)?, &DataType::Int64)?,
            _ => cast(at, &DataType::Int64)?,
        };
        let binned = numbers.as_primitive::<Int64Type>().try_unary::<_, Int64Type, _>(bin)?;
        let binned: ArrayRef = Arc::new(binned);
        Ok(match at.data_type() {
            DataType::Time32(_) => cast(&cast(&binned, &DataType::Int32)?, at.data_type())?,
            _ => cast(&binned, at.data_type())?,
        })
    }
}

impl ScalarUDFImpl for Bin {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let (stride, at, origin) = match given {
            [stride, at] => (stride, at, None),
            [stride, at, origin] => (stride, at, Some(origin)),
            _ => {
                return plan_err!(
                    "`{NAME}` is written `{NAME}(INTERVAL '15 minutes', time)`, with an origin if need be"
                );
            }
        };
        if !matches!(stride, DataType::Interval(_) | DataType::Duration(_) | DataType::Null) && !is_text(stride) {
            return plan_err!(
                "the first argument of `{NAME}` is an interval, as in `INTERVAL '15 minutes'`, not {stride}"
            );
        }
        let at = match at {
            DataType::Timestamp(..) | DataType::Time32(_) | DataType::Time64(_) => at.clone(),
            DataType::Date32 | DataType::Date64 | DataType::Null => DataType::Timestamp(TimeUnit::Microsecond, None),
            text if is_text(text) => DataType::Timestamp(TimeUnit::Microsecond, None),
            other => return plan_err!("`{NAME}` takes a date or a time, not {other}"),
        };
        let origin = origin.map(|origin| match (&at, origin) {
            (DataType::Timestamp(_, zone), DataType::Timestamp(fine, _)) => {
                Ok(DataType::Timestamp((*fine).max(TimeUnit::Microsecond), zone.clone()))
            }
            (DataType::Timestamp(_, zone), DataType::Date32 | DataType::Date64 | DataType::Null) => {
                Ok(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
            }
            (DataType::Timestamp(_, zone), text) if is_text(text) => {
                Ok(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
            }
            (DataType::Time32(_) | DataType::Time64(_), DataType::Time32(_) | DataType::Time64(_)) => {
                Ok(DataType::Time64(TimeUnit::Nanosecond))
            }
            (at, origin) => plan_err!("the origin of `{NAME}` is what it counts, {at}, not {origin}"),
        });
        let interval = DataType::Interval(IntervalUnit::MonthDayNano);
        Ok([interval, at].into_iter().chain(origin.transpose()?).collect())
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let [_, at, ..] = given else { return internal_err!("arguments were counted") };
        Ok(at.clone())
    }

    fn output_ordering(&self, input: &[ExprProperties]) -> Result<SortProperties> {
        let is_one = |of: &ExprProperties| of.sort_properties == SortProperties::Singleton;
        Ok(match input {
            [stride, at, origin @ ..] if is_one(stride) && origin.iter().all(is_one) => at.sort_properties,
            _ => SortProperties::Unordered,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (stride, at, origin) = match args.args.as_slice() {
            [ColumnarValue::Scalar(stride), at] => (stride, at, None),
            [ColumnarValue::Scalar(stride), at, ColumnarValue::Scalar(origin)] => (stride, at, Some(origin)),
            _ => return exec_err!("the interval and the origin of `{NAME}` must be written out"),
        };
        let ScalarValue::IntervalMonthDayNano(Some(stride)) = stride else {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from(&at.data_type())?));
        };
        let stride = Stride::of(*stride)?;
        let is_time = unit_of(&at.data_type()).is_some_and(|(_, is_time)| is_time);
        if is_time && !matches!(stride, Stride::Nanoseconds(length) if length < DAY) {
            return exec_err!("the interval of `{NAME}` must be shorter than a day for a time of day");
        }
        let origin = match origin {
            None => 0,
            Some(origin) if origin.is_null() => {
                return Ok(ColumnarValue::Scalar(ScalarValue::try_from(&at.data_type())?));
            }
            Some(origin) => {
                let Some((unit, _)) = unit_of(&origin.data_type()) else { return internal_err!("types were coerced") };
                let number = cast(&origin.to_array()?, &DataType::Int64)?;
                i128::from(number.as_primitive::<Int64Type>().value(0)) * i128::from(nanoseconds(unit))
            }
        };
        Ok(match at {
            ColumnarValue::Array(array) => ColumnarValue::Array(Self::binned(array, stride, origin)?),
            ColumnarValue::Scalar(at) => {
                let one = Self::binned(&at.to_array()?, stride, origin)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?)
            }
        })
    }
}
