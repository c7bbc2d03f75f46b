//! How a text is read as a value: as what it means, where it means one thing, and as NULL where it does not.
//!
//! A number may have a fraction of zeros where the column holds none, and marks between its groups of three digits. `1,234` alone can be
//! two numbers, so it is none, unless the contract names the decimal mark.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Date32Array, Int64Array, StringArray};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;

use crate::contract::{NumberMarks, TimeFormat};

/// Marks between groups of digits that are never a decimal mark.
const GROUPS: [char; 4] = [' ', '\u{a0}', '\u{202f}', '\''];

/// Text → values of a scalar type; NULL where the text is not a value of the type. Never an error for any text. `written` says how dates and times are.
pub(super) fn read(
    texts: &StringArray,
    to: &DataType,
    marks: NumberMarks,
    written: Option<&TimeFormat>,
) -> Result<ArrayRef, ArrowError> {
    if let Some(written) = written {
        return times(texts, to, written);
    }
    let by = |normal: &dyn Fn(&str) -> Option<String>| -> StringArray {
        texts.iter().map(|text| text.and_then(|text| normal(text.trim()))).collect()
    };
    let normal = match to {
        DataType::Utf8 => return Ok(Arc::new(texts.clone())),
        DataType::Decimal128(_, scale) => by(&|text| decimal(&number(text, marks)?, *scale)),
        to if to.is_integer() => by(&|text| {
            let whole = decimal(&number(text, marks)?, 0)?;
            Some(whole.split_once('.').map_or(whole.as_str(), |(whole, _)| whole).to_owned())
        }),
        to if to.is_floating() => {
            by(&|text| number(text, marks).filter(|text| float_holds(text, to)).map(Cow::into_owned))
        }
        DataType::Date32 => by(&date),
        DataType::Timestamp(..) => by(&|text| Some(with_seconds(text)).filter(|text| !has_leap_second(text))),
        DataType::Time64(_) => {
            by(&|text| Some(text.to_owned()).filter(|text| text.contains(':') && !has_leap_second(text)))
        }
        _ => by(&|text| Some(text.to_owned())),
    };
    cast_with_options(&normal, to, &CastOptions { safe: true, ..CastOptions::default() })
}

/// Dates and times as their contract says they are written, and in no other way.
fn times(texts: &StringArray, to: &DataType, written: &TimeFormat) -> Result<ArrayRef, ArrowError> {
    let each = |read: &dyn Fn(&str) -> Option<i64>| -> Int64Array {
        texts.iter().map(|text| text.and_then(|text| read(text.trim()))).collect()
    };
    let counts = match (written, to) {
        (TimeFormat::Pattern(pattern), DataType::Date32) => {
            let days = texts.iter().map(|text| text.and_then(|text| pattern.date(text.trim())));
            return Ok(Arc::new(days.collect::<Date32Array>()));
        }
        (TimeFormat::Pattern(pattern), DataType::Time64(_)) => each(&|text| pattern.time(text)),
        (TimeFormat::Pattern(pattern), _) => each(&|text| pattern.timestamp(text)),
        (TimeFormat::Epoch(unit), _) => each(&|text| unit.timestamp(text)),
    };
    cast_with_options(&counts, to, &CastOptions { safe: true, ..CastOptions::default() })
}

/// The number with a decimal point and without marks between groups; what is no such number is left to the conversion. None where a
/// mark leaves two meanings, or groups are not of three digits.
fn number(text: &str, marks: NumberMarks) -> Option<Cow<'_, str>> {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+'))
        && marks == NumberMarks::Unsaid
    {
        return Some(Cow::Borrowed(text));
    }
    let (point, group) = if marks == NumberMarks::DecimalComma { (',', '.') } else { ('.', ',') };
    let (whole, fraction) = text.split_once(point).map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let mark = whole.chars().find(|c| *c == group || GROUPS.contains(c));
    let whole = match mark {
        None => whole.to_owned(),
        Some(mark) => {
            let groups: Vec<&str> = whole.split(mark).collect();
            let (first, others) = groups.split_first()?;
            let leading = first.trim_start_matches(['-', '+']);
            let is_grouped = (1..=3).contains(&leading.len()) && others.iter().all(|group| group.len() == 3);
            let are_digits = [leading].iter().chain(others).all(|group| group.bytes().all(|b| b.is_ascii_digit()));
            let said = marks != NumberMarks::Unsaid || mark != group || fraction.is_some() || others.len() > 1;
            if !(is_grouped && are_digits && said) {
                return None;
            }
            groups.concat()
        }
    };
    Some(Cow::Owned(match fraction {
        Some(fraction) => format!("{whole}.{fraction}"),
        None => whole,
    }))
}

/// A number without exponent. None where there is no room for its digits after the point: the conversion would round them away.
fn decimal(text: &str, scale: i8) -> Option<String> {
    let plain = match text.split_once(['e', 'E']) {
        None => text.to_owned(),
        Some((number, exponent)) => shift(number, exponent.parse().ok()?)?,
    };
    let digits = plain.split_once('.').map_or("", |(_, digits)| digits).trim_end_matches('0');
    (digits.len() <= usize::try_from(scale).unwrap_or(0)).then_some(plain)
}

/// Moves the decimal point; no further than any decimal type reaches.
fn shift(number: &str, places: i32) -> Option<String> {
    let (sign, number) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || places.abs() > 80 {
        return None;
    }
    let point = i32::try_from(whole.len()).ok()?.checked_add(places)?;
    let Ok(point) = usize::try_from(point) else {
        let zeros = "0".repeat(usize::try_from(-point).ok()?);
        return Some(format!("{sign}0.{zeros}{digits}"));
    };
    let padded = format!("{digits}{}", "0".repeat(point.saturating_sub(digits.len())));
    let (whole, fraction) = padded.split_at_checked(point)?;
    Some(format!("{sign}0{whole}.{fraction}0"))
}

/// False for a number that would become infinite or nothing.
fn float_holds(text: &str, to: &DataType) -> bool {
    let Ok(value) = text.parse::<f64>() else { return true };
    let nearest = if *to == DataType::Float64 { value } else { text.parse::<f32>().map_or(value, f64::from) };
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let has_digits = |digits: std::ops::RangeInclusive<char>| mantissa.contains(|c| digits.contains(&c));
    if nearest.is_infinite() { !has_digits('0'..='9') } else { nearest != 0.0 || !has_digits('1'..='9') }
}

/// A minute has sixty seconds: a sixty-first would be the next minute's first.
fn has_leap_second(text: &str) -> bool {
    text.split(':').nth(2).is_some_and(|seconds| seconds.starts_with("60"))
}

/// A date, or midnight of one: a time of day would be lost.
fn date(text: &str) -> Option<String> {
    let Some((date, time)) = text.split_once(['T', 't', ' ']) else { return Some(text.to_owned()) };
    let clock = time.trim_end_matches(['Z', 'z']);
    let is_midnight = !clock.is_empty() && clock.chars().all(|c| matches!(c, '0' | ':' | '.'));
    is_midnight.then(|| date.to_owned())
}

/// `2024-01-31 12:30` as `2024-01-31 12:30:00`, and `2024-01-31 7:30` as `2024-01-31 07:30:00`.
pub fn with_seconds(text: &str) -> String {
    const MINUTES: usize = "2024-01-31 12:30".len();
    const HOUR: usize = "2024-01-31 ".len();
    if let Some((day, clock)) = text.split_at_checked(HOUR)
        && day.ends_with([' ', 'T'])
        && matches!(clock.as_bytes(), [hour, b':', ..] if hour.is_ascii_digit())
    {
        return with_seconds(&format!("{day}0{clock}"));
    }
    let bytes = text.as_bytes();
    let has_minutes =
        bytes.get(13) == Some(&b':') && bytes.get(14..MINUTES).is_some_and(|m| m.iter().all(u8::is_ascii_digit));
    match text.split_at_checked(MINUTES) {
        Some((minutes, rest)) if has_minutes && !rest.starts_with(':') => format!("{minutes}:00{rest}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::Array as _;
    use datafusion::arrow::datatypes::TimeUnit;
    use datafusion::arrow::util::display::array_value_to_string;

    use super::*;

    fn shown(text: &str, to: &DataType, marks: NumberMarks) -> String {
        let values = read(&StringArray::from(vec![text]), to, marks, None).unwrap();
        if values.is_null(0) { "broken".to_owned() } else { array_value_to_string(&values, 0).unwrap() }
    }

    #[test]
    fn numbers_are_read_where_they_mean_one_thing() {
        let decimal = DataType::Decimal128(12, 2);
        for (text, to, value) in [
            ("1,234.50", &decimal, "1234.50"),
            ("-1,234,567", &decimal, "-1234567.00"),
            ("1 234.5", &decimal, "1234.50"),
            ("1,234", &decimal, "broken"),
            ("1234,50", &decimal, "broken"),
            ("12,34.50", &decimal, "broken"),
            ("1,2345.00", &decimal, "broken"),
            ("1.005", &decimal, "broken"),
            ("1.25e3", &decimal, "1250.00"),
            ("12345678901.00", &decimal, "broken"),
            ("42.0", &DataType::Int64, "42"),
            ("42.5", &DataType::Int64, "broken"),
            ("4.2e1", &DataType::Int32, "42"),
            ("1,234,567", &DataType::Int64, "1234567"),
            (" 42 ", &DataType::Int64, "42"),
            ("3000000000", &DataType::Int32, "broken"),
            ("-1", &DataType::UInt8, "broken"),
            ("NaN", &DataType::Float64, "NaN"),
            ("-inf", &DataType::Float64, "-inf"),
            ("1e400", &DataType::Float64, "broken"),
            ("1e-400", &DataType::Float64, "broken"),
            ("0.000", &DataType::Float64, "0.0"),
            ("1e39", &DataType::Float32, "broken"),
            ("1,234.5", &DataType::Float64, "1234.5"),
            ("", &DataType::Int64, "broken"),
            ("n/a", &DataType::Float64, "broken"),
        ] {
            assert_eq!(shown(text, to, NumberMarks::Unsaid), value, "{text} as {to}");
        }
        for (text, value) in [("1.234,50", "1234.50"), ("1.234", "1234.00"), ("0,5", "0.50"), ("1,234.5", "broken")] {
            assert_eq!(shown(text, &decimal, NumberMarks::DecimalComma), value, "{text}");
        }
        for (text, value) in [("1,234", "1234.00"), ("1.5", "1.50"), ("1.234,5", "broken")] {
            assert_eq!(shown(text, &decimal, NumberMarks::DecimalPoint), value, "{text}");
        }
    }

    #[test]
    fn times_are_read_with_or_without_seconds() {
        let stamp = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (text, to, value) in [
            ("2024-01-31 12:30", &stamp, "2024-01-31T12:30:00"),
            ("2024-01-31T12:30Z", &stamp, "2024-01-31T12:30:00"),
            ("2024-01-31T12:30:15.25", &stamp, "2024-01-31T12:30:15.250"),
            ("9999-12-31", &stamp, "9999-12-31T00:00:00"),
            ("1700000000000", &stamp, "broken"),
            ("2024-13-01", &stamp, "broken"),
            ("2024-01-31", &DataType::Date32, "2024-01-31"),
            ("2024-01-31T00:00:00Z", &DataType::Date32, "2024-01-31"),
            ("2024-01-31 12:30:00", &DataType::Date32, "broken"),
            ("31.01.2024", &DataType::Date32, "broken"),
            ("12:30", &DataType::Time64(TimeUnit::Microsecond), "12:30:00"),
            ("12", &DataType::Time64(TimeUnit::Microsecond), "broken"),
            ("23:59:60", &DataType::Time64(TimeUnit::Microsecond), "broken"),
            ("2024-01-31 23:59:60", &stamp, "broken"),
        ] {
            assert_eq!(shown(text, to, NumberMarks::Unsaid), value, "{text} as {to}");
        }
    }
}
