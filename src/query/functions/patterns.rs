//! Patterns of dates and times. The engine takes those of chrono (`%Y-%m-%d`), and answers one of PostgreSQL (`YYYY-MM-DD`) with its letters.

use datafusion::logical_expr::Expr;

use super::series::constant;
use crate::diagnostic::{Diagnostic, Kind, Result};

/// PostgreSQL's words, the longer before those that they begin with, and chrono's.
const WORDS: [(&str, &str); 24] = [
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("MONTH", "%B"),
    ("MON", "%b"),
    ("MM", "%m"),
    ("MI", "%M"),
    ("MS", "%3f"),
    ("DAY", "%A"),
    ("DY", "%a"),
    ("DDD", "%j"),
    ("DD", "%d"),
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("HH", "%I"),
    ("SS", "%S"),
    ("US", "%6f"),
    ("AM", "%p"),
    ("PM", "%p"),
    ("IYYY", "%G"),
    ("IW", "%V"),
    ("ID", "%u"),
    ("WW", "%U"),
    ("TZ", "%Z"),
    ("OF", "%:z"),
];

/// Words that stand for the form of a duration, and for no letters.
const FORMS_OF_DURATIONS: [&str; 2] = ["pretty", "iso8601"];

/// # Errors
/// `Unsupported` for a pattern that is written out, and has letters and no `%`.
pub(super) fn check(name: &str, arguments: &[Expr]) -> Result<()> {
    if !matches!(
        name,
        "to_char"
            | "to_date"
            | "to_time"
            | "to_unixtime"
            | "to_timestamp"
            | "to_timestamp_seconds"
            | "to_timestamp_millis"
            | "to_timestamp_micros"
            | "to_timestamp_nanos"
    ) {
        return Ok(());
    }
    for pattern in arguments
        .iter()
        .skip(1)
        .filter_map(constant)
        .filter_map(|value| value.try_as_str().flatten().map(str::to_owned))
    {
        let is_name = FORMS_OF_DURATIONS.contains(&pattern.as_str());
        if is_name || pattern.contains('%') || !pattern.contains(|letter: char| letter.is_ascii_alphabetic()) {
            continue;
        }
        return Err(Diagnostic::error(
            Kind::Unsupported,
            format!("the pattern of `{name}` has no `%`: patterns are those of chrono, not of PostgreSQL"),
        )
        .hint(match translated(&pattern) {
            Some(translated) => format!("write `{translated}`"),
            None => "write for example `%Y-%m-%d %H:%M:%S`".to_owned(),
        }));
    }
    Ok(())
}

/// The pattern in chrono's words; none where one of its letters is no word of PostgreSQL.
fn translated(pattern: &str) -> Option<String> {
    let (mut rest, mut chrono) = (pattern, String::new());
    while let Some(letter) = rest.chars().next() {
        let word =
            WORDS.iter().find(|(word, _)| rest.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word)));
        match word {
            Some((word, of)) => {
                chrono.push_str(of);
                rest = rest.get(word.len()..)?;
            }
            None if letter.is_ascii_alphabetic() => return None,
            None => {
                chrono.push(letter);
                rest = rest.get(letter.len_utf8()..)?;
            }
        }
    }
    (chrono.len() <= 128).then_some(chrono)
}

#[cfg(test)]
mod tests {
    use super::translated;

    #[test]
    fn patterns_are_translated_whole() {
        for (pattern, expect) in [
            ("YYYY-MM-DD HH24:MI:SS", Some("%Y-%m-%d %H:%M:%S")),
            ("yyyymmdd", Some("%Y%m%d")),
            ("Mon DD, YYYY", Some("%b %d, %Y")),
            ("Q", None),
            ("größe", None),
        ] {
            assert_eq!(translated(pattern).as_deref(), expect, "{pattern}");
        }
    }
}
