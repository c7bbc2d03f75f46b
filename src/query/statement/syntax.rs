//! What is not SQL, said with its place.

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::Location;

use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::name::is_unseen;

/// Longest piece of the text that is repeated.
const WIDTH: usize = 100;

pub(super) fn empty() -> Diagnostic {
    Diagnostic::error(Kind::Invalid, "the statement is empty").hint("for example: `SHOW TABLES`, or `SELECT 1`")
}

/// A parser's error as a diagnostic.
pub(super) fn explain(error: &DataFusionError, sql: &str) -> Diagnostic {
    match error.find_root() {
        DataFusionError::SQL(inner, _) => match inner.as_ref() {
            ParserError::RecursionLimitExceeded => {
                Diagnostic::error(Kind::Exhausted, "the statement is nested too deep")
                    .hint("name inner queries with `WITH`, and use fewer brackets")
            }
            ParserError::ParserError(message) | ParserError::TokenizerError(message) => {
                let (message, place) = split_place(message);
                at(message, place, sql)
            }
        },
        DataFusionError::Diagnostic(_, inner) => explain(inner, sql),
        other => Diagnostic::error(Kind::Invalid, sentence(&other.strip_backtrace())),
    }
}

/// `message at line L, column C`; who has the statement draws the mark, since a status message is one line.
pub(super) fn at(message: &str, place: Location, sql: &str) -> Diagnostic {
    let place = if place.line == 0 { end_of(sql) } else { place };
    let (line, column) = (place.line, place.column);
    Diagnostic::error(Kind::Invalid, format!("{} at line {line}, column {column}", sentence(message)))
}

/// The parser writes places at the end of its sentences.
fn split_place(message: &str) -> (&str, Location) {
    let place = || -> Option<(&str, Location)> {
        let (text, place) = message.rsplit_once(" at Line: ")?;
        let (line, column) = place.split_once(", Column: ")?;
        Some((text, Location { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? }))
    };
    place().unwrap_or((message, Location { line: 0, column: 0 }))
}

fn end_of(sql: &str) -> Location {
    let line = sql.lines().count().max(1) as u64;
    let column = sql.lines().last().map_or(0, |last| last.chars().count()) as u64 + 1;
    Location { line, column }
}

/// `Expected: A, found: B` as `expected A, found `B``.
fn sentence(message: &str) -> String {
    if let Some((expected, found)) = message.strip_prefix("Expected: ").and_then(|rest| rest.rsplit_once(", found: ")) {
        let found = shorten(found);
        return if found == "EOF" {
            format!("expected {expected}, found the end of the text")
        } else {
            format!("expected {expected}, found `{found}`")
        };
    }
    let message = shorten(message);
    let mut letters = message.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn shorten(text: &str) -> String {
    let shown: String = text.chars().take(WIDTH).map(printable).collect();
    if text.chars().nth(WIDTH).is_some() { format!("{shown}…") } else { shown }
}

/// One column wide, and nothing a terminal would act on.
fn printable(letter: char) -> char {
    match letter {
        '\t' => ' ',
        letter if letter.is_control() => '·',
        letter if is_unseen(letter) => '·',
        letter => letter,
    }
}

/// What the parser takes and no plan honours, with the nearest way to write what was meant.
pub(super) fn decline<T>(what: &str, instead: &str) -> Result<T> {
    Err(Diagnostic::error(Kind::Unsupported, format!("{what} is not answered")).hint(instead))
}

/// What is not offered, and what is.
pub(super) fn refuse<T>(what: &str) -> Result<T> {
    Err(Diagnostic::error(Kind::Unsupported, format!("{what}: meshgate is read-only")).hint(OFFERED))
}

pub(super) const OFFERED: &str = "it answers SELECT, VALUES, WITH, EXPLAIN, EXPLAIN ACCESS, SHOW TABLES, SHOW SCHEMAS, SHOW CATALOGS, SHOW COLUMNS, DESCRIBE, and SET, \
     RESET and SHOW of the settings of a session, and USE";
