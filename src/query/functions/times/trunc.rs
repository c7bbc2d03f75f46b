//! `date_trunc`.

use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, TimeUnit};
use chrono::{
    DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, NaiveTime, Offset as _, TimeDelta, TimeZone as _,
};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err, plan_err};
use datafusion::functions::datetime;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::is_text;
use super::moment::{leaves, map, per_second};

const NAME: &str = "date_trunc";

/// The beginning of the unit that a time lies in, by the calendar of its zone.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Trunc {
    aliases: Vec<String>,
    signature: Signature,
}

impl Default for Trunc {
    fn default() -> Self {
        Self { aliases: vec!["datetrunc".to_owned()], signature: Signature::user_defined(Volatility::Immutable) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// A part of a second, by how many of them it has.
    Part(i64),
    /// So many seconds: not more than an hour.
    Seconds(i64),
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    fn parse(text: &str) -> Result<Self> {
        Ok(match text.to_lowercase().as_str() {
            "microsecond" => Self::Part(1_000_000),
            "millisecond" => Self::Part(1_000),
            "second" => Self::Seconds(1),
            "minute" => Self::Seconds(60),
            "hour" => Self::Seconds(3_600),
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "quarter" => Self::Quarter,
            "year" => Self::Year,
            _ => {
                return exec_err!(
                    "`{NAME}` has no such unit; it takes microsecond, millisecond, second, minute, hour, day, week, month, quarter, year"
                );
            }
        })
    }

    /// The beginning of the day, week, month, quarter or year; of others, that of the day.
    fn first_day(self, day: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Part(_) | Self::Seconds(_) | Self::Day => Some(day),
            Self::Week => day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into())),
            Self::Month => day.with_day(1),
            Self::Quarter => day.with_day(1)?.with_month(1 + day.month0() / 3 * 3),
            Self::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1),
        }
    }

    fn truncate(self, at: i64, unit: TimeUnit, zone: Option<Tz>) -> Option<i64> {
        let per_second = per_second(unit);
        if let Self::Part(parts) = self {
            // Nothing is finer than its own unit.
            return at.checked_sub(at.rem_euclid((per_second / parts).max(1)));
        }
        let seconds = at.div_euclid(per_second);
        let utc = DateTime::from_timestamp(seconds, 0)?.naive_utc();
        let offset = zone.map_or(0, |zone| offset_at(zone, utc));
        let local = seconds.checked_add(offset)?;
        let begin = match self {
            // Clocks change by minutes, and never within one.
            Self::Seconds(length @ ..=60) => local - local.rem_euclid(length) - offset,
            Self::Seconds(length) => {
                let hour = DateTime::from_timestamp(local - local.rem_euclid(length), 0)?.naive_utc();
                instant(zone, hour, offset)?
            }
            unit => {
                let day = unit.first_day(DateTime::from_timestamp(local, 0)?.date_naive())?;
                instant(zone, day.and_time(NaiveTime::MIN), offset)?
            }
        };
        begin.checked_mul(per_second)
    }
}

fn offset_at(zone: Tz, utc: NaiveDateTime) -> i64 {
    zone.offset_from_utc_datetime(&utc).fix().local_minus_utc().into()
}

/// When the clocks of a zone show a local time: where they do so twice, by the offset of the time that was asked about, and where
/// they never do, when they jump.
fn instant(zone: Option<Tz>, local: NaiveDateTime, offset: i64) -> Option<i64> {
    let Some(zone) = zone else { return Some(local.and_utc().timestamp()) };
    let single = |local: NaiveDateTime| match zone.from_local_datetime(&local) {
        chrono::LocalResult::Single(at) => Some(at.timestamp()),
        chrono::LocalResult::Ambiguous(one, other) => {
            let same = i64::from(one.offset().fix().local_minus_utc()) == offset;
            Some(if same { one } else { other }.timestamp())
        }
        chrono::LocalResult::None => None,
    };
    // No clock jumps by more than three hours but where a country changes its day.
    let jump = TimeDelta::hours(3);
    single(local).or_else(|| single(local.checked_sub_signed(jump)?)?.checked_add(jump.num_seconds()))
}

impl ScalarUDFImpl for Trunc {
    fn name(&self) -> &'static str {
        NAME
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [unit, at] = given else {
            return plan_err!("`{NAME}` is written `{NAME}('month', time)`");
        };
        if !is_text(unit) {
            return plan_err!("the unit of `{NAME}` is a text, as in `{NAME}('month', time)`, not {unit}");
        }
        let at = match at {
            DataType::Timestamp(..) | DataType::Time32(_) | DataType::Time64(_) => at.clone(),
            DataType::Date32 | DataType::Date64 | DataType::Null => DataType::Timestamp(TimeUnit::Microsecond, None),
            text if is_text(text) => DataType::Timestamp(TimeUnit::Microsecond, None),
            other => return plan_err!("`{NAME}` takes a date or a time, not {other}"),
        };
        Ok(vec![DataType::Utf8, at])
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let [_, at] = given else { return internal_err!("arguments were counted") };
        Ok(at.clone())
    }

    fn output_ordering(&self, input: &[ExprProperties]) -> Result<SortProperties> {
        Ok(match input {
            [unit, at] if unit.sort_properties == SortProperties::Singleton => at.sort_properties,
            _ => SortProperties::Unordered,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [ColumnarValue::Scalar(unit), at] = args.args.as_slice() else {
            return exec_err!("the unit of `{NAME}` must be a text, written out");
        };
        let Some(text) = unit.try_as_str().flatten() else {
            return exec_err!("the unit of `{NAME}` must be a text, written out, and not NULL");
        };
        let DataType::Timestamp(fine, zone) = at.data_type() else {
            return datetime::date_trunc().invoke_with_args(args);
        };
        let unit = Unit::parse(text)?;
        let zone = zone.map(|zone| zone.parse::<Tz>()).transpose()?;
        let truncate = |at| unit.truncate(at, fine, zone).ok_or_else(|| leaves(NAME));
        Ok(match at {
            ColumnarValue::Array(array) => ColumnarValue::Array(map(array, truncate)?),
            ColumnarValue::Scalar(at) => {
                let one = map(&at.to_array()?, truncate)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?)
            }
        })
    }
}
