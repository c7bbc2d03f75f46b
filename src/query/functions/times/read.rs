//! `to_timestamp` and those named like it, and `to_unixtime`.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, TimeUnit};
use chrono::{DateTime, Utc};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::functions::datetime;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::is_text;
use super::moment::{leaves, map, per_second};
use super::parse;

/// A moment: of a text, of a number since 1970, or of a date or time, in the zone of the session.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Read {
    name: &'static str,
    signature: Signature,
    /// Of the answer.
    unit: TimeUnit,
    /// Of numbers: `to_timestamp` counts seconds.
    counts: TimeUnit,
    zone: Option<Arc<str>>,
}

impl Read {
    pub fn all() -> [Self; 4] {
        [
            Self::seconds(None),
            Self::new("to_timestamp_seconds", TimeUnit::Second, TimeUnit::Second, None),
            Self::new("to_timestamp_millis", TimeUnit::Millisecond, TimeUnit::Millisecond, None),
            Self::new("to_timestamp_micros", TimeUnit::Microsecond, TimeUnit::Microsecond, None),
        ]
    }

    /// `to_timestamp` for a session in `zone`.
    pub fn seconds(zone: Option<Arc<str>>) -> Self {
        Self::new("to_timestamp", TimeUnit::Microsecond, TimeUnit::Second, zone)
    }

    fn new(name: &'static str, unit: TimeUnit, counts: TimeUnit, zone: Option<Arc<str>>) -> Self {
        Self { name, signature: Signature::variadic_any(Volatility::Immutable), unit, counts, zone }
    }

    fn of_config(&self, config: &ConfigOptions) -> Self {
        Self::new(self.name, self.unit, self.counts, config.execution.time_zone.as_deref().map(Arc::from))
    }

    fn answer(&self) -> DataType {
        DataType::Timestamp(self.unit, self.zone.clone())
    }

    /// Digits below the unit are cut off, so that a time never moves into the next day.
    fn in_unit(&self, at: DateTime<Utc>) -> i64 {
        match self.unit {
            TimeUnit::Second => at.timestamp(),
            TimeUnit::Millisecond => at.timestamp_millis(),
            TimeUnit::Microsecond | TimeUnit::Nanosecond => at.timestamp_micros(),
        }
    }

    fn texts(&self, texts: &ArrayRef, formats: &[ArrayRef]) -> Result<ArrayRef> {
        let zone: Tz = self.zone.as_deref().unwrap_or("UTC").parse()?;
        let texts = cast(texts, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let formats = formats.iter().map(|format| cast(format, &DataType::Utf8)).collect::<Result<Vec<_>, _>>()?;
        let one = |row: usize| {
            let text = texts.value(row);
            if formats.is_empty() {
                return parse::iso(text, zone).map(Some);
            }
            let mut last = None;
            for format in formats.iter().map(AsArray::as_string::<i32>).filter(|format| format.is_valid(row)) {
                match parse::formatted(text, format.value(row), zone) {
                    Ok(at) => return Ok(Some(at)),
                    Err(error) => last = Some(error),
                }
            }
            // Without a format there is nothing to read by.
            last.map_or(Ok(None), Err)
        };
        let values = (0..texts.len()).map(|row| if texts.is_valid(row) { one(row) } else { Ok(None) });
        let values = values.map(|at| at.map(|at| at.map(|at| self.in_unit(at)))).collect::<Result<Int64Array>>()?;
        let values: ArrayRef = Arc::new(values);
        Ok(cast(&values, &self.answer())?)
    }

    /// How many units of the answer a number of this function's is.
    fn scale(&self) -> i64 {
        per_second(self.unit) / per_second(self.counts)
    }

    fn numbers(&self, numbers: &ArrayRef) -> Result<ArrayRef> {
        let far = || leaves(self.name);
        let scale = self.scale();
        let values: Int64Array = match numbers.data_type() {
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                let floats = cast(numbers, &DataType::Float64)?;
                floats
                    .as_primitive::<Float64Type>()
                    .try_unary::<_, Int64Type, _>(|number| scaled(number, scale).ok_or_else(far))?
            }
            decimal if decimal.is_decimal() => {
                let decimals = cast(numbers, &DataType::Decimal128(38, 9))?;
                let one = |number: i128| {
                    let scaled = number.checked_mul(scale.into()).ok_or_else(far)?;
                    i64::try_from(scaled.div_euclid(1_000_000_000)).map_err(|_| far())
                };
                decimals.as_primitive::<Decimal128Type>().try_unary::<_, Int64Type, _>(one)?
            }
            _ => {
                let wide = cast_exactly(numbers, &DataType::Int64)?;
                wide.as_primitive::<Int64Type>()
                    .try_unary::<_, Int64Type, _>(|number| number.checked_mul(scale).ok_or_else(far))?
            }
        };
        let values: ArrayRef = Arc::new(values);
        Ok(cast(&values, &self.answer())?)
    }

    fn read(&self, first: &ArrayRef, formats: &[ArrayRef]) -> Result<ArrayRef> {
        match first.data_type() {
            text if is_text(text) => self.texts(first, formats),
            // Formats are of texts.
            number if number.is_numeric() => self.numbers(first),
            // Into a coarser unit as everywhere: what lies below it is cut off.
            DataType::Timestamp(unit, _) if *unit > self.unit => {
                let step = per_second(*unit) / per_second(self.unit);
                let far = || leaves(self.name);
                let whole = map(first, |at| at.checked_sub(at.rem_euclid(step)).ok_or_else(far))?;
                cast_exactly(&whole, &self.answer())
            }
            _ => cast_exactly(first, &self.answer()),
        }
    }
}

/// A float so many times. Whole numbers keep their digits; what stands behind the point is an approximation, so the nearest part of
/// a second is taken. Without parts it is cut off.
fn scaled(number: f64, scale: i64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let whole = number.floor();
    let behind = if scale == 1 { 0.0 } else { number - whole };
    if !(-LIMIT..LIMIT).contains(&whole) {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a scale is at most a million")]
    let rest = (behind * scale as f64).round();
    #[expect(clippy::cast_possible_truncation, reason = "the range was looked at")]
    let (whole, rest) = (whole as i64, rest as i64);
    whole.checked_mul(scale)?.checked_add(rest)
}

/// A value that does not fit is an error, never NULL.
fn cast_exactly(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    match ColumnarValue::Array(Arc::clone(array)).cast_to(to, None)? {
        ColumnarValue::Array(array) => Ok(array),
        ColumnarValue::Scalar(value) => value.to_array_of_size(array.len()),
    }
}

impl ScalarUDFImpl for Read {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        Some(self.of_config(config).into())
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let takes = |of: &DataType| {
            of.is_numeric()
                || is_text(of)
                || matches!(of, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Null)
        };
        match given {
            [first, formats @ ..] if takes(first) && formats.iter().all(|of| is_text(of) || of.is_null()) => {
                Ok(self.answer())
            }
            [first, ..] if !takes(first) => {
                plan_err!("`{}` takes a text, a number, a date or a time, not {first}", self.name)
            }
            _ => {
                plan_err!("`{0}` is written `{0}(value)`, or `{0}(text, format)` with formats of `strftime`", self.name)
            }
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalars = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if scalars { 1 } else { args.number_rows };
        let arrays = args.args.into_iter().map(|arg| arg.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let Some((first, formats)) = arrays.split_first() else {
            return exec_err!("`{}` takes a value", self.name);
        };
        let answer = self.read(first, formats)?;
        Ok(if scalars {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?)
        } else {
            ColumnarValue::Array(answer)
        })
    }
}

/// Seconds since 1970. Texts are read as `to_timestamp` reads them.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Unixtime {
    signature: Signature,
}

impl Default for Unixtime {
    fn default() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Unixtime {
    fn name(&self) -> &'static str {
        "to_unixtime"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if !args.args.first().is_some_and(|first| is_text(&first.data_type())) {
            return datetime::to_unixtime().invoke_with_args(args);
        }
        let read = Read::new("to_unixtime", TimeUnit::Second, TimeUnit::Second, None).of_config(&args.config_options);
        read.invoke_with_args(args)?.cast_to(&DataType::Int64, None)
    }
}
