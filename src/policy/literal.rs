//! The texts inside Cedar's extension literals as numbers.

use chrono::{DateTime, NaiveDate, NaiveTime};

/// `12.5` in ten-thousandths.
pub(super) fn decimal(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let negative = whole.starts_with('-');
    let whole_digits = whole.strip_prefix('-').unwrap_or(whole);
    if !digits(whole_digits) || !digits(fraction) || fraction.len() > 4 {
        return None;
    }
    let scale = 10_i64.checked_pow(4 - u32::try_from(fraction.len()).ok()?)?;
    let whole: i64 = whole.parse::<i64>().ok()?.checked_mul(10_000)?;
    let fraction = fraction.parse::<i64>().ok()?.checked_mul(scale)?;
    if negative { whole.checked_sub(fraction) } else { whole.checked_add(fraction) }
}

/// Milliseconds since the epoch, of the forms that Cedar accepts (RFC 80).
pub(super) fn datetime(text: &str) -> Option<i64> {
    if text.len() == 10 {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        return Some(date.and_time(NaiveTime::MIN).and_utc().timestamp_millis());
    }
    let zoned = text.strip_suffix('Z').map_or_else(|| text.to_owned(), |local| format!("{local}+0000"));
    DateTime::parse_from_str(&zoned, "%Y-%m-%dT%H:%M:%S%.f%z").ok().map(|at| at.timestamp_millis())
}

/// Milliseconds, of `-1d2h3m4s5ms`.
pub(super) fn duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (digits, tail) = rest.split_at_checked(end)?;
        let amount: i128 = digits.parse().ok()?;
        let units = [("ms", 1), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
        let (unit, scale) = units.into_iter().find(|(unit, _)| tail.starts_with(unit))?;
        total = total.checked_add(amount.checked_mul(scale)?)?;
        rest = tail.strip_prefix(unit)?;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

/// The text that Cedar reads as this moment; nothing outside the years 0 to 9999.
pub(super) fn moment(millis: i64) -> Option<String> {
    let at = DateTime::from_timestamp_millis(millis)?;
    let text = at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    (text.len() == 24).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbers() {
        assert_eq!(decimal("10.5"), Some(105_000));
        assert_eq!(decimal("-0.0001"), Some(-1));
        assert_eq!(decimal("-922337203685477.5808"), Some(i64::MIN));
        assert_eq!(decimal("922337203685477.5808"), None);
        assert_eq!(decimal("1.00001"), None);
        assert_eq!(datetime("1970-01-02"), Some(86_400_000));
        assert_eq!(datetime("2024-01-01T00:00:00.250Z"), Some(1_704_067_200_250));
        assert_eq!(datetime("1970-01-01T01:00:00+0100"), Some(0));
        assert_eq!(duration("1704067200000ms"), Some(1_704_067_200_000));
        assert_eq!(duration("-1d2h3m4s5ms"), Some(-93_784_005));
        assert_eq!(duration("5"), None);
        assert_eq!(moment(1_704_067_200_250).as_deref(), Some("2024-01-01T00:00:00.250Z"));
    }
}
