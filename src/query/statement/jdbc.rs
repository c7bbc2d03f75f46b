//! The functions of JDBC's `{fn …}` (4.3, appendix C), as what they stand for.
//!
//! In a template `$1`, `$2`, … are arguments, each written once: so what is written out grows by no more than the template.
//! `$unit` is the first argument as a unit of time, `$type` the second as a type. Left out is what the engine has nothing for.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// As drivers list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Numeric,
    Text,
    Time,
    System,
}
use Family::{Numeric, System, Text, Time};

type Row = (Family, &'static str, &'static str);
type Words = &'static [(&'static str, &'static str)];

#[rustfmt::skip]
const FUNCTIONS: &[Row] = &[
    (Numeric, "ABS", "abs($1)"), (Numeric, "ACOS", "acos($1)"), (Numeric, "ASIN", "asin($1)"), (Numeric, "ATAN", "atan($1)"),
    (Numeric, "ATAN2", "atan2($1, $2)"), (Numeric, "CEILING", "ceil($1)"), (Numeric, "COS", "cos($1)"), (Numeric, "COT", "cot($1)"),
    (Numeric, "DEGREES", "degrees($1)"), (Numeric, "EXP", "exp($1)"), (Numeric, "FLOOR", "floor($1)"), (Numeric, "LOG", "ln($1)"),
    (Numeric, "LOG10", "log10($1)"), (Numeric, "MOD", "(($1) % ($2))"), (Numeric, "PI", "pi()"), (Numeric, "POWER", "power($1, $2)"),
    (Numeric, "RADIANS", "radians($1)"), (Numeric, "RAND", "random()"), (Numeric, "ROUND", "round($1, $2)"),
    (Numeric, "SIGN", "signum($1)"), (Numeric, "SIN", "sin($1)"), (Numeric, "SQRT", "sqrt($1)"), (Numeric, "TAN", "tan($1)"),
    (Numeric, "TRUNCATE", "trunc($1, $2)"),

    (Text, "ASCII", "ascii($1)"), (Text, "CHAR", "chr($1)"), (Text, "CHAR_LENGTH", "character_length($1)"),
    (Text, "CHARACTER_LENGTH", "character_length($1)"), (Text, "CONCAT", "concat($1, $2)"),
    (Text, "INSERT", "overlay($1 PLACING $4 FROM $2 FOR $3)"), (Text, "LCASE", "lower($1)"), (Text, "LEFT", "left($1, $2)"),
    // Without trailing blanks: so the standard has it.
    (Text, "LENGTH", "character_length(rtrim($1))"), (Text, "LOCATE", "strpos($2, $1)"), (Text, "LTRIM", "ltrim($1)"),
    (Text, "OCTET_LENGTH", "octet_length($1)"), (Text, "POSITION", "position($1)"), (Text, "REPEAT", "repeat($1, $2)"),
    (Text, "REPLACE", "replace($1, $2, $3)"), (Text, "RIGHT", "right($1, $2)"), (Text, "RTRIM", "rtrim($1)"),
    (Text, "SPACE", "repeat(' ', $1)"), (Text, "SUBSTRING", "substr($1, $2)"), (Text, "SUBSTRING", "substr($1, $2, $3)"),
    (Text, "UCASE", "upper($1)"),

    (Time, "CURDATE", "current_date()"), (Time, "CURRENT_DATE", "current_date()"), (Time, "CURRENT_TIME", "current_time()"),
    (Time, "CURRENT_TIMESTAMP", "now()"), (Time, "CURTIME", "current_time()"), (Time, "DAYNAME", "to_char($1, '%A')"),
    (Time, "DAYOFMONTH", "date_part('day', $1)"), (Time, "DAYOFWEEK", "(date_part('dow', $1) + 1)"),
    (Time, "DAYOFYEAR", "date_part('doy', $1)"), (Time, "EXTRACT", "extract($1)"), (Time, "HOUR", "date_part('hour', $1)"),
    (Time, "MINUTE", "date_part('minute', $1)"), (Time, "MONTH", "date_part('month', $1)"), (Time, "MONTHNAME", "to_char($1, '%B')"),
    (Time, "NOW", "now()"), (Time, "QUARTER", "date_part('quarter', $1)"), (Time, "SECOND", "date_part('second', $1)"),
    (Time, "TIMESTAMPADD", "date_add($unit, $2, $3)"), (Time, "TIMESTAMPDIFF", "date_diff($unit, $2, $3)"),
    (Time, "WEEK", "date_part('week', $1)"), (Time, "YEAR", "date_part('year', $1)"),

    (System, "CONVERT", "CAST($1 AS $type)"), (System, "IFNULL", "ifnull($1, $2)"),
];

const UNITS: Words = &[
    ("TSI_FRAC_SECOND", "'nanosecond'"),
    ("TSI_SECOND", "'second'"),
    ("TSI_MINUTE", "'minute'"),
    ("TSI_HOUR", "'hour'"),
    ("TSI_DAY", "'day'"),
    ("TSI_WEEK", "'week'"),
    ("TSI_MONTH", "'month'"),
    ("TSI_QUARTER", "'quarter'"),
    ("TSI_YEAR", "'year'"),
];

/// A `FLOAT` of JDBC is a `DOUBLE`.
const TYPES: Words = &[
    ("BIGINT", "BIGINT"),
    ("BIT", "BOOLEAN"),
    ("BOOLEAN", "BOOLEAN"),
    ("CHAR", "VARCHAR"),
    ("DATE", "DATE"),
    ("DECIMAL", "DECIMAL(38, 10)"),
    ("DOUBLE", "DOUBLE"),
    ("FLOAT", "DOUBLE"),
    ("INTEGER", "INTEGER"),
    ("LONGVARCHAR", "VARCHAR"),
    ("NUMERIC", "DECIMAL(38, 10)"),
    ("REAL", "REAL"),
    ("SMALLINT", "SMALLINT"),
    ("TIME", "TIME"),
    ("TIMESTAMP", "TIMESTAMP"),
    ("TINYINT", "TINYINT"),
    ("VARBINARY", "BYTEA"),
    ("VARCHAR", "VARCHAR"),
];

/// The names that `{fn …}` takes, of one family, sorted.
pub fn of(family: Family) -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().filter(move |row| row.0 == family).map(|row| row.1)
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|row| row.1)
}

/// What `name` may stand for, by the number of its arguments.
pub(super) fn templates(name: &str) -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().filter(move |row| row.1 == name).map(|row| row.2)
}

/// How many arguments a template has places for.
pub(super) fn takes(template: &str) -> usize {
    written(template).iter().filter(|part| !matches!(part, Written::Sign(_))).count()
}

/// One piece of a template.
#[derive(Debug)]
pub(super) enum Written {
    Sign(Token),
    /// The argument as it was given, by its place.
    Argument(usize),
    /// The argument as one of these words.
    Word(usize, Words),
}

pub(super) fn written(template: &str) -> Vec<Written> {
    let part = |token| match &token {
        Token::Placeholder(name) => match (name.as_str(), name.trim_start_matches('$').parse::<usize>()) {
            ("$unit", _) => Written::Word(0, UNITS),
            ("$type", _) => Written::Word(1, TYPES),
            (_, Ok(number)) => Written::Argument(number.saturating_sub(1)),
            _ => Written::Sign(token),
        },
        _ => Written::Sign(token),
    };
    tokens(template).into_iter().map(part).collect()
}

/// The tokens of a text of ours, without whitespace.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    // INVARIANT: the texts are those above, and a test reads each.
    let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize().unwrap_or_default();
    tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_) | Token::EOF)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_argument_is_written_once() {
        for (_, name, template) in FUNCTIONS {
            let mut places: Vec<usize> = written(template)
                .iter()
                .filter_map(|part| match part {
                    Written::Sign(token) => {
                        assert!(!matches!(token, Token::Placeholder(_)), "{name}");
                        None
                    }
                    Written::Argument(at) | Written::Word(at, _) => Some(*at),
                })
                .collect();
            places.sort_unstable();
            assert_eq!(places, (0..places.len()).collect::<Vec<_>>(), "{name}");
        }
        for (_, meant) in UNITS.iter().chain(TYPES) {
            assert!(!tokens(meant).is_empty(), "{meant}");
        }
    }
}
