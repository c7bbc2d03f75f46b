//! How texts write dates and times, where the contract says it: `logicalTypeOptions.format`, a pattern of the JDK's `DateTimeFormatter`.
//!
//! Letters count: `dd` is two digits and `d` one or two. What is not read is refused by its name, so that no text is read otherwise than
//! its writer meant it. Names of months, days and zones depend on a language or a place, and are not read.

use std::iter::Peekable;
use std::str::Chars;

use arrow::datatypes::DataType;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

/// How the texts of a column write points in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeFormat {
    Pattern(Pattern),
    /// A count since 1970 in UTC: `customProperties: meshgateEpoch` of the property.
    Epoch(EpochUnit),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochUnit {
    Seconds,
    Milliseconds,
    Microseconds,
}

/// A pattern that means one thing for its column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(char),
    /// Digits: at least so many, at most so many.
    Number(Field, usize, usize),
    HalfDay,
    /// Whether `Z` stands for no offset, whether a colon stands before the minutes, and whether minutes may be left out.
    Offset {
        zulu: bool,
        colon: bool,
        minutes: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    YearOfCentury,
    Month,
    Day,
    Hour,
    HourOfHalf,
    Minute,
    Second,
    Fraction,
}

/// A pattern that is not read: one sentence, and what to do.
pub type PatternFault = (String, &'static str);

impl Pattern {
    /// Parses a pattern for a column of a type.
    ///
    /// # Errors
    /// A letter that is not read, named; parts that leave two meanings or none.
    pub fn parse(text: &str, of: &DataType) -> Result<Self, PatternFault> {
        let mut parts = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\'' => literal(&mut rest, &mut parts)?,
                c if c.is_ascii_alphabetic() => {
                    let mut count = 1;
                    while rest.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    parts.push(letters(c, count)?);
                }
                '[' | ']' | '{' | '}' | '#' => {
                    let what = format!("`{c}` in a pattern of dates and times is not read");
                    return Err((what, "put characters that stand for themselves between quotes: `'['`"));
                }
                c => parts.push(Part::Literal(c)),
            }
        }
        let pattern = Self(parts);
        pattern.check(of)?;
        Ok(pattern)
    }

    /// True where each text says its offset from UTC.
    pub fn has_offset(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Offset { .. }))
    }

    fn has(&self, field: Field) -> bool {
        self.count(field) > 0
    }

    fn count(&self, field: Field) -> usize {
        self.0.iter().filter(|part| matches!(part, Part::Number(found, ..) if *found == field)).count()
    }

    fn check(&self, of: &DataType) -> Result<(), PatternFault> {
        use Field::{Day, Fraction, Hour, HourOfHalf, Minute, Month, Second, Year, YearOfCentury};
        let all = [Year, YearOfCentury, Month, Day, Hour, HourOfHalf, Minute, Second, Fraction];
        let once = |part: &Part| self.0.iter().filter(|other| *other == part).count() < 2;
        let offsets = self.0.iter().filter(|part| matches!(part, Part::Offset { .. })).count();
        let year = self.has(Year) || self.has(YearOfCentury);
        let hour = self.has(Hour) || self.has(HourOfHalf);
        let (half, date) = (self.0.contains(&Part::HalfDay), year || self.has(Month) || self.has(Day));
        let fault = |what: &str, hint| Err((what.to_owned(), hint));
        if all.into_iter().any(|field| self.count(field) > 1)
            || !once(&Part::HalfDay)
            || offsets > 1
            || self.has(Year) && self.has(YearOfCentury)
            || self.has(Hour) && (self.has(HourOfHalf) || half)
        {
            return fault("the pattern says one thing twice", "write each part of a date or time once");
        }
        if self.has(HourOfHalf) != half {
            return fault(
                "`h` and `a` mean one hour together only",
                "write `H` for hours from 0 to 23, or `h` with `a`",
            );
        }
        if self.has(Minute) && !hour || self.has(Second) && !self.has(Minute) || self.has(Fraction) && !self.has(Second)
        {
            return fault("the pattern has a part of a time without the part above it", "write for example `HH:mm:ss`");
        }
        let is_date = matches!(of, DataType::Date32);
        match of {
            DataType::Time64(_) if date || offsets > 0 => {
                fault("the pattern of a `time` has a date or an offset", "write for example `HH:mm:ss`")
            }
            DataType::Time64(_) if !hour => {
                fault("the pattern of a `time` has no hour", "write for example `HH:mm:ss`")
            }
            DataType::Time64(_) => Ok(()),
            _ if !(year && self.has(Month) && self.has(Day)) => {
                fault("the pattern has no whole date", "write year, month and day, for example `yyyy-MM-dd`")
            }
            _ if is_date && offsets > 0 => {
                fault("the pattern of a `date` has an offset", "write `logicalType: timestamp`, or another pattern")
            }
            _ => Ok(()),
        }
    }

    /// Days since 1970. None for a text that does not fit, and for a time of day, which would be lost.
    pub fn date(&self, text: &str) -> Option<i32> {
        let (at, _) = self.read(text)?;
        let days = at.date().signed_duration_since(NaiveDate::default()).num_days();
        (at.time() == NaiveTime::MIN).then(|| i32::try_from(days).ok()).flatten()
    }

    /// Microseconds since midnight.
    pub fn time(&self, text: &str) -> Option<i64> {
        let (at, _) = self.read(text)?;
        at.time().signed_duration_since(NaiveTime::MIN).num_microseconds()
    }

    /// Microseconds since 1970, in UTC where the text has an offset. Digits below a microsecond are cut downwards.
    pub fn timestamp(&self, text: &str) -> Option<i64> {
        let (at, offset) = self.read(text)?;
        let at = at.checked_sub_signed(TimeDelta::try_seconds(offset)?)?;
        let fraction = i64::from(at.and_utc().timestamp_subsec_micros());
        at.and_utc().timestamp().checked_mul(1_000_000)?.checked_add(fraction)
    }

    /// The moment, and its offset in seconds.
    fn read(&self, text: &str) -> Option<(NaiveDateTime, i64)> {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        let (mut hour, mut half, mut minute, mut second, mut nanos, mut offset) = (0, None, 0, 0, 0, 0);
        let mut rest = text;
        for part in &self.0 {
            match part {
                Part::Literal(c) => rest = rest.strip_prefix(*c)?,
                Part::HalfDay => {
                    let (word, after) = rest.split_at_checked(2)?;
                    half = Some(if word.eq_ignore_ascii_case("am") {
                        0
                    } else {
                        word.eq_ignore_ascii_case("pm").then_some(12)?
                    });
                    rest = after;
                }
                Part::Offset { zulu, colon, minutes } => (offset, rest) = read_offset(rest, *zulu, *colon, *minutes)?,
                Part::Number(field, least, most) => {
                    let digits = rest.bytes().take(*most).take_while(u8::is_ascii_digit).count();
                    let (digits, after) = rest.split_at_checked(digits).filter(|(found, _)| found.len() >= *least)?;
                    rest = after;
                    let value: u32 = digits.parse().ok()?;
                    match field {
                        Field::Year => year = value,
                        Field::YearOfCentury => year = 2000 + value,
                        Field::Month => month = value,
                        Field::Day => day = value,
                        Field::Hour => hour = value,
                        Field::HourOfHalf => hour = (1..=12).contains(&value).then_some(value % 12)?,
                        Field::Minute => minute = value,
                        Field::Second => second = value,
                        Field::Fraction => nanos = value * 10_u32.pow(9 - u32::try_from(digits.len()).ok()?),
                    }
                }
            }
        }
        let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
        let time = NaiveTime::from_hms_nano_opt(hour + half.unwrap_or(0), minute, second, nanos)?;
        rest.is_empty().then(|| (date.and_time(time), offset))
    }
}

/// Characters up to the closing quote; two quotes are one.
fn literal(rest: &mut Peekable<Chars<'_>>, parts: &mut Vec<Part>) -> Result<(), PatternFault> {
    if rest.next_if_eq(&'\'').is_some() {
        parts.push(Part::Literal('\''));
        return Ok(());
    }
    loop {
        match rest.next() {
            Some('\'') if rest.next_if_eq(&'\'').is_some() => parts.push(Part::Literal('\'')),
            Some('\'') => return Ok(()),
            Some(c) => parts.push(Part::Literal(c)),
            None => return Err(("a quote of the pattern is not closed".to_owned(), "write `''` for a quote itself")),
        }
    }
}

fn letters(letter: char, count: usize) -> Result<Part, PatternFault> {
    let number = |field| Part::Number(field, count, if count == 1 { 2 } else { count });
    Ok(match (letter, count) {
        ('y' | 'u', 4) => Part::Number(Field::Year, 4, 4),
        ('y' | 'u', 2) => Part::Number(Field::YearOfCentury, 2, 2),
        ('M' | 'L', 1 | 2) => number(Field::Month),
        ('d', 1 | 2) => number(Field::Day),
        ('H', 1 | 2) => number(Field::Hour),
        ('h', 1 | 2) => number(Field::HourOfHalf),
        ('m', 1 | 2) => number(Field::Minute),
        ('s', 1 | 2) => number(Field::Second),
        ('S', 1..=9) => Part::Number(Field::Fraction, count, count),
        ('a', 1) => Part::HalfDay,
        ('X' | 'x', 1) => Part::Offset { zulu: letter == 'X', colon: false, minutes: false },
        ('X' | 'x', 2) => Part::Offset { zulu: letter == 'X', colon: false, minutes: true },
        ('X' | 'x', 3) => Part::Offset { zulu: letter == 'X', colon: true, minutes: true },
        ('Z', 1..=3) => Part::Offset { zulu: false, colon: false, minutes: true },
        ('Z', 5) => Part::Offset { zulu: true, colon: true, minutes: true },
        _ => {
            let written = letter.to_string().repeat(count.min(8));
            let hint = match letter {
                'Y' | 'D' => "write `yyyy` for the year, and `dd` for the day of the month",
                'y' | 'u' => "write `yyyy`, or `yy` for the years 2000 to 2099",
                'M' | 'L' => "write `MM`: names of months depend on a language",
                'S' => "write at most nine digits of a second: `SSSSSSSSS`",
                'V' | 'z' | 'v' | 'O' => "write `XXX`: a zone is read as its offset only",
                _ => "letters that are read are y M d H h a m s S X x Z; put others between quotes: `'T'`",
            };
            return Err((format!("`{written}` in a pattern of dates and times is not read"), hint));
        }
    })
}

/// Seconds east of Greenwich, and what follows.
fn read_offset(text: &str, zulu: bool, colon: bool, minutes: bool) -> Option<(i64, &str)> {
    if let Some(rest) = text.strip_prefix('Z').filter(|_| zulu) {
        return Some((0, rest));
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let two = |text: &str| -> Option<i64> {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    };
    let (hours, rest) = rest.split_at_checked(2)?;
    let hours = two(hours).filter(|hours| *hours <= 18)?;
    // `X` writes minutes only where there are some.
    if !minutes && !rest.starts_with(|c: char| c.is_ascii_digit()) {
        return Some((sign * hours * 3_600, rest));
    }
    let rest = if colon { rest.strip_prefix(':')? } else { rest };
    let (minutes, rest) = rest.split_at_checked(2)?;
    let minutes = two(minutes).filter(|minutes| *minutes < 60)?;
    Some((sign * (hours * 3_600 + minutes * 60), rest))
}

impl EpochUnit {
    pub const ALL: [(&'static str, Self); 3] =
        [("seconds", Self::Seconds), ("milliseconds", Self::Milliseconds), ("microseconds", Self::Microseconds)];

    /// Microseconds since 1970 of a count in digits, with a fraction or not. Digits below a microsecond are cut downwards.
    pub fn timestamp(self, text: &str) -> Option<i64> {
        let digits = match self {
            Self::Seconds => 6,
            Self::Milliseconds => 3,
            Self::Microseconds => 0,
        };
        let (negative, number) = text.strip_prefix('-').map_or((false, text), |number| (true, number));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        let kept: String = fraction.chars().chain("000000".chars()).take(digits).collect();
        let is_cut = fraction.get(digits..).is_some_and(|cut| cut.bytes().any(|byte| byte != b'0'));
        let count: i64 = format!("{}{whole}{kept}", if negative { "-" } else { "" }).parse().ok()?;
        if negative && is_cut { count.checked_sub(1) } else { Some(count) }
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    const STAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
    const TIME: DataType = DataType::Time64(TimeUnit::Microsecond);

    fn moment(text: &str) -> i64 {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").unwrap().and_utc().timestamp_micros()
    }

    #[test]
    fn timestamps_are_read_by_their_pattern_alone() {
        for (pattern, text, expected) in [
            ("yyyy-MM-dd HH:mm:ss", "2024-01-31 12:30:15", Some("2024-01-31T12:30:15")),
            ("yyyy-MM-dd HH:mm:ss", "2024-01-31T12:30:15", None),
            ("yyyy-MM-dd HH:mm:ss", "2024-1-31 12:30:15", None),
            ("yyyy-MM-dd HH:mm:ss", "2024-01-31 12:30:15 ", None),
            ("yyyy-MM-dd HH:mm:ss", "2024-02-30 12:30:15", None),
            ("yyyy-MM-dd HH:mm:ss", "2024-01-31 24:00:00", None),
            ("yyyy-MM-dd HH:mm:ss", "2024-01-31 23:59:60", None),
            ("dd.MM.yyyy", "31.01.2024", Some("2024-01-31T00:00:00")),
            ("d.M.yy H:mm", "1.2.24 7:05", Some("2024-02-01T07:05:00")),
            ("d.M.yy H:mm", "11.12.24 17:05", Some("2024-12-11T17:05:00")),
            ("MM/dd/yyyy hh:mm a", "01/31/2024 12:05 am", Some("2024-01-31T00:05:00")),
            ("MM/dd/yyyy hh:mm a", "01/31/2024 01:05 PM", Some("2024-01-31T13:05:00")),
            ("MM/dd/yyyy hh:mm a", "01/31/2024 13:05 PM", None),
            ("yyyyMMddHHmmssSSS", "20240131123015250", Some("2024-01-31T12:30:15.250")),
            ("yyyyMMdd", "2024111", None),
            (
                "yyyy-MM-dd'T'HH:mm:ss.SSSSSSSSSXXX",
                "2024-01-31T12:30:15.123456789+02:00",
                Some("2024-01-31T10:30:15.123456"),
            ),
            ("yyyy-MM-dd'T'HH:mmXXX", "2024-01-31T12:30Z", Some("2024-01-31T12:30:00")),
            ("yyyy-MM-dd'T'HH:mmxxx", "2024-01-31T12:30Z", None),
            ("yyyy-MM-dd HHX", "2024-01-31 12-0330", Some("2024-01-31T15:30:00")),
            ("yyyy-MM-dd HHX", "2024-01-31 12-03", Some("2024-01-31T15:00:00")),
            ("yyyy-MM-dd HHZ", "2024-01-31 12+0100", Some("2024-01-31T11:00:00")),
            ("'o''clock' yyyy-MM-dd HH", "o'clock 2024-01-31 12", Some("2024-01-31T12:00:00")),
        ] {
            let read = Pattern::parse(pattern, &STAMP).unwrap().timestamp(text);
            assert_eq!(read, expected.map(moment), "{text} by {pattern}");
        }
    }

    #[test]
    fn dates_have_no_time_and_times_no_date() {
        let date = |pattern, text| Pattern::parse(pattern, &DataType::Date32).unwrap().date(text);
        assert_eq!(date("dd.MM.yyyy", "02.01.1970"), Some(1));
        assert_eq!(date("dd.MM.yyyy", "31.12.1969"), Some(-1));
        assert_eq!(date("yyyy-MM-dd HH:mm:ss", "1970-01-02 00:00:00"), Some(1));
        assert_eq!(date("yyyy-MM-dd HH:mm:ss", "1970-01-02 00:00:01"), None, "the time of day would be lost");
        let time = |pattern, text| Pattern::parse(pattern, &TIME).unwrap().time(text);
        assert_eq!(time("HHmm", "0102"), Some(3_720_000_000));
        assert_eq!(time("HH:mm:ss", "1:02:03"), None);
    }

    #[test]
    fn patterns_of_two_meanings_are_refused() {
        for (pattern, of, why) in [
            ("YYYY-MM-dd", &DataType::Date32, "`YYYY`"),
            ("yyyy-MM-DD", &DataType::Date32, "`DD`"),
            ("dd MMM yyyy", &DataType::Date32, "`MMM`"),
            ("y-MM-dd", &DataType::Date32, "`y`"),
            ("%Y-%m-%d", &DataType::Date32, "`Y`"),
            ("yyyy-MM-dd[ HH]", &STAMP, "`[`"),
            ("yyyy-MM-dd HH:mm z", &STAMP, "`z`"),
            ("yyyy-MM-dd hh:mm", &STAMP, "`h` and `a`"),
            ("yyyy-MM-dd HH:ss", &STAMP, "without the part above it"),
            ("yyyy-mm-dd", &DataType::Date32, "without the part above it"),
            ("yyyy-MM-dd dd", &DataType::Date32, "twice"),
            ("MM-dd", &DataType::Date32, "no whole date"),
            ("yyyy-MM-ddXXX", &DataType::Date32, "has an offset"),
            ("yyyy-MM-dd HH:mm", &TIME, "has a date"),
            ("'at'", &TIME, "no hour"),
            ("HH 'o", &TIME, "not closed"),
        ] {
            let (message, _) = Pattern::parse(pattern, of).unwrap_err();
            assert!(message.contains(why), "{pattern}: {message}");
        }
    }

    #[test]
    fn counts_since_1970_are_read_in_their_unit() {
        use EpochUnit::{Microseconds, Milliseconds, Seconds};
        for (unit, text, expected) in [
            (Seconds, "1700000000", Some(1_700_000_000_000_000)),
            (Seconds, "1700000000.25", Some(1_700_000_000_250_000)),
            (Seconds, "-0.0000001", Some(-1)),
            (Milliseconds, "1700000000123", Some(1_700_000_000_123_000)),
            (Milliseconds, "-1", Some(-1_000)),
            (Microseconds, "17", Some(17)),
            (Microseconds, "17.9", Some(17)),
            (Seconds, "1e9", None),
            (Seconds, "", None),
            (Seconds, "2024-01-31", None),
            (Seconds, "9223372036855", None),
        ] {
            assert_eq!(unit.timestamp(text), expected, "{text} {unit:?}");
        }
    }
}
