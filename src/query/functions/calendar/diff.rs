//! `date_diff` and `datediff`.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Date32Type, FieldRef, Int64Type, TimeUnit};
use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeZone};
use datafusion::common::{Result, exec_datafusion_err, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::unit::{Length, Unit};
use super::{as_type, nullable, time, unit_of};

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

/// From the first time to the second, in units. The two names count as the systems do that have them.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Diff {
    name: &'static str,
    aliases: Vec<String>,
    signature: Signature,
    /// Only what is whole; else each begin of a unit between the two.
    whole: bool,
}

impl Diff {
    pub fn whole() -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { name: "date_diff", aliases: vec!["timestampdiff".to_owned()], signature, whole: true }
    }

    pub fn boundaries() -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { name: "datediff", aliases: Vec::new(), signature, whole: false }
    }

    fn count(&self, from: Moment, to: Moment, unit: Unit) -> Option<i64> {
        let count = match (unit.length(), self.whole) {
            (Length::Nanos(length), true) => (to.instant - from.instant) / i128::from(length),
            (Length::Nanos(length), false) => {
                to.local.div_euclid(i128::from(length)) - from.local.div_euclid(i128::from(length))
            }
            (Length::Days(length), true) => (to.local - from.local) / (DAY * i128::from(length)),
            // The first day there is was a Thursday, weeks begin on Monday.
            (Length::Days(7), false) => (to.days() + 3).div_euclid(7) - (from.days() + 3).div_euclid(7),
            (Length::Days(_), false) => to.days() - from.days(),
            (Length::Months(length), whole) => {
                let (from, to) = (from.civil()?, to.civil()?);
                let months = |at: &NaiveDateTime| i128::from(at.year()) * 12 + i128::from(at.month0());
                let length = i128::from(length);
                if whole {
                    let into = |at: &NaiveDateTime| (at.day(), at.time());
                    let months = match months(&to) - months(&from) {
                        passed if passed > 0 && into(&to) < into(&from) => passed - 1,
                        passed if passed < 0 && into(&to) > into(&from) => passed + 1,
                        passed => passed,
                    };
                    months / length
                } else {
                    months(&to).div_euclid(length) - months(&from).div_euclid(length)
                }
            }
        };
        i64::try_from(count).ok()
    }
}

/// In nanoseconds since 1970: of the world, and of the clock on the wall.
#[derive(Debug, Clone, Copy)]
struct Moment {
    instant: i128,
    local: i128,
}

impl Moment {
    fn days(self) -> i128 {
        self.local.div_euclid(DAY)
    }

    fn civil(self) -> Option<NaiveDateTime> {
        let seconds = i64::try_from(self.local.div_euclid(SECOND)).ok()?;
        let nanos = u32::try_from(self.local.rem_euclid(SECOND)).ok()?;
        Some(DateTime::from_timestamp(seconds, nanos)?.naive_utc())
    }
}

fn moments(array: &ArrayRef) -> Result<Vec<Option<Moment>>> {
    let naive = |nanos: i128| Moment { instant: nanos, local: nanos };
    match array.data_type() {
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>();
            Ok(days.iter().map(|day| day.map(|day| naive(i128::from(day) * DAY))).collect())
        }
        DataType::Timestamp(unit, zone) => {
            let step = match unit {
                TimeUnit::Second => SECOND,
                TimeUnit::Millisecond => 1_000_000,
                TimeUnit::Microsecond => 1_000,
                TimeUnit::Nanosecond => 1,
            };
            let zone: Option<Tz> = zone.as_ref().map(|zone| zone.parse()).transpose()?;
            let one = |value: i64| {
                let at = naive(i128::from(value) * step);
                let Some(zone) = &zone else { return Some(at) };
                let offset = zone.offset_from_utc_datetime(&at.civil()?).fix().local_minus_utc();
                Some(Moment { local: at.instant + i128::from(offset) * SECOND, ..at })
            };
            let values = as_type(array, &DataType::Int64)?;
            let moments = values.as_primitive::<Int64Type>().iter().map(|value| match value {
                None => Ok(None),
                Some(value) => one(value).map(Some).ok_or_else(|| exec_datafusion_err!("a time leaves the calendar")),
            });
            moments.collect()
        }
        _ => internal_err!("types were coerced"),
    }
}

/// What both are read as: a time without a zone is one in the zone of the other.
fn common(name: &str, one: &DataType, other: &DataType) -> Result<[DataType; 2]> {
    let (one, other) = (time(name, one)?, time(name, other)?);
    Ok(match (&one, &other) {
        (DataType::Timestamp(_, Some(zone)), DataType::Timestamp(fine, None)) => {
            let other = DataType::Timestamp(*fine, Some(Arc::clone(zone)));
            [one, other]
        }
        (DataType::Timestamp(fine, None), DataType::Timestamp(_, Some(zone))) => {
            let one = DataType::Timestamp(*fine, Some(Arc::clone(zone)));
            [one, other]
        }
        (DataType::Timestamp(_, Some(_)), DataType::Date32) => [one.clone(), one],
        (DataType::Date32, DataType::Timestamp(_, Some(_))) => [other.clone(), other],
        _ => [one, other],
    })
}

impl ScalarUDFImpl for Diff {
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
        match given {
            [_, from, to] => {
                let [from, to] = common(self.name, from, to)?;
                Ok(vec![DataType::Utf8, from, to])
            }
            [to, from] if !self.whole => Ok(common(self.name, to, from)?.to_vec()),
            _ if self.whole => plan_err!("`{0}` is written `{0}('day', begin, end)`", self.name),
            _ => plan_err!("`{0}` is written `{0}('day', begin, end)`, or `{0}(end, begin)` for days", self.name),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        if args.arg_fields.len() == 3 {
            unit_of(self.name, &args)?;
        }
        Ok(nullable(self.name, DataType::Int64))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let (unit, from, to) = match args.args.as_slice() {
            [ColumnarValue::Scalar(unit), from, to] => {
                (Unit::parse(self.name, unit.try_as_str().flatten().unwrap_or_default())?, from, to)
            }
            [to, from] => (Unit::Day, from, to),
            _ => return internal_err!("arguments were counted"),
        };
        let (from, to) = (moments(&from.to_array(rows)?)?, moments(&to.to_array(rows)?)?);
        let counts: Option<Vec<Option<i64>>> = from
            .into_iter()
            .zip(to)
            .map(|pair| match pair {
                (Some(from), Some(to)) => self.count(from, to, unit).map(Some),
                _ => Some(None),
            })
            .collect();
        let counts =
            counts.ok_or_else(|| exec_datafusion_err!("the times of `{}` are too far from each other", self.name))?;
        Ok(ColumnarValue::Array(Arc::new(Int64Array::from(counts))))
    }
}
