//! What went wrong, for the person who typed the statement.

use super::cell;
use super::lexer::scan;
use super::render::Paint;
use crate::diagnostic::{Diagnostic, Kind, Severity};

/// The same without colours, for what is no shell.
pub(in crate::cli) fn plain(diagnostic: &Diagnostic, sql: &str) -> String {
    report(diagnostic, Some(sql), Paint { colour: false })
}

/// Kind, sentence, the place underlined in the statement, hints.
pub(super) fn report(diagnostic: &Diagnostic, sql: Option<&str>, paint: Paint) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => paint.red("error"),
        Severity::Warning => paint.bold("warning"),
    };
    let file = diagnostic.place.as_ref().map(|place| format!("{}: ", cell::plain(&place.to_string())));
    let sentence = format!("{severity} ({}): {}", kind(diagnostic.kind), cell::plain_lines(&diagnostic.message));
    let snippet = sql
        .zip(place(&diagnostic.message))
        .and_then(|(sql, (line, column))| underline(sql, line, column, paint))
        .map(|snippet| format!("\n{snippet}"));
    let hints = diagnostic.hints.iter().map(|hint| format!("\n  hint: {}", cell::plain_lines(hint)));
    file.into_iter().chain([sentence]).chain(snippet).chain(hints).collect()
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => "invalid",
        Kind::NotFound => "not found",
        Kind::Denied => "denied",
        Kind::Unauthenticated => "not logged in",
        Kind::Exhausted => "limit reached",
        Kind::Stale => "changed meanwhile",
        Kind::Unsupported => "not offered",
        Kind::Broken => "broken data",
        Kind::Unavailable => "not reachable",
        Kind::Deadline => "took too long",
        Kind::Cancelled => "cancelled",
        Kind::Internal => "internal",
    }
}

/// `at line 1, column 8`, also as the SQL parser writes it: `at Line: 1, Column: 8`.
pub(super) fn place(message: &str) -> Option<(u32, u32)> {
    let lower = message.to_ascii_lowercase();
    let number = |text: &str| -> Option<u32> {
        let digits: String = text.trim_start_matches([' ', ':']).chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok().filter(|n| *n > 0)
    };
    // The last one: a name in the sentence may have the word, too.
    lower.rmatch_indices("line").find_map(|(at, word)| {
        let (line, column) = lower.get(at + word.len()..)?.split_once("column")?;
        Some((number(line)?, number(column)?))
    })
}

/// The line of the statement with the word at the place underlined.
fn underline(sql: &str, line: u32, column: u32, paint: Paint) -> Option<String> {
    let text = sql.lines().nth(usize::try_from(line).ok()? - 1)?;
    let skipped = usize::try_from(column).ok()? - 1;
    let (before, rest) = match text.char_indices().nth(skipped) {
        Some((at, _)) => text.split_at(at),
        // Just behind the end: something is missing there.
        None if text.chars().count() == skipped => (text, ""),
        None => return None,
    };
    let word = scan(rest).first().map_or("", |piece| piece.text(rest).trim_end());
    // Generated SQL has lines of a hundred kilobytes: only the surroundings help.
    let (before, rest) = (ending(before), beginning(rest));
    let marks = "^".repeat(cell::width(&beginning(word)).max(1));
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let bar = paint.dim("│");
    let indent = " ".repeat(cell::width(&before));
    Some(format!("{margin} {bar}\n{number} {bar} {before}{rest}\n{margin} {bar} {indent}{}", paint.red(&marks)))
}

const SURROUNDINGS: usize = 60;

/// Tabs are shown as one column so that the mark stands below the word.
fn flat(text: &str) -> String {
    cell::plain_all(&text.replace('\t', " "))
}

fn ending(text: &str) -> String {
    match text.char_indices().rev().nth(SURROUNDINGS) {
        Some((at, _)) => format!("…{}", flat(text.get(at..).unwrap_or_default())),
        None => flat(text),
    }
}

fn beginning(text: &str) -> String {
    match text.char_indices().nth(SURROUNDINGS) {
        Some((at, _)) => format!("{}…", flat(text.get(..at).unwrap_or_default())),
        None => flat(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Paint = Paint { colour: false };

    #[test]
    fn the_place_is_underlined() {
        let diagnostic =
            Diagnostic::error(Kind::NotFound, "no column `regoin` at line 2, column 9").hint("did you mean `region`?");
        let expect = "\
error (not found): no column `regoin` at line 2, column 9
  │
2 │ \tselect regoin from t
  │         ^^^^^^
  hint: did you mean `region`?";
        let sql = "-- first\n\tselect regoin from t";
        assert_eq!(report(&diagnostic, Some(sql), PLAIN), expect.replace('\t', " "));
    }

    #[test]
    fn places_in_either_spelling() {
        assert_eq!(place("Expected: an expression, found: FROM at Line: 1, Column: 8"), Some((1, 8)));
        assert_eq!(place("no `line` column at line 3, column 4: `timeline` is no column"), Some((3, 4)));
        assert_eq!(place("no column `line`"), None);
        assert_eq!(place("wrong at line 0, column 3"), None);
        assert_eq!(place("the line of the column is 3"), None);
    }

    #[test]
    fn a_place_behind_the_end_is_marked_there_and_one_beyond_is_not() {
        assert_eq!(underline("select", 1, 7, PLAIN).unwrap(), "  │\n1 │ select\n  │       ^");
        assert_eq!(underline("select", 1, 9, PLAIN), None);
        assert_eq!(underline("select", 3, 1, PLAIN), None);
    }

    #[test]
    fn only_the_surroundings_of_a_long_line_are_shown() {
        let sql = format!("select {} oops {}", "a or ".repeat(20_000), "b or ".repeat(20_000));
        let column = u32::try_from(sql.find("oops").unwrap()).unwrap() + 1;
        let snippet = underline(&sql, 1, column, PLAIN).unwrap();
        let [_, line, marks] = snippet.lines().collect::<Vec<_>>().try_into().unwrap();
        assert!(line.starts_with("1 │ …") && line.ends_with('…') && cell::width(line) < 140, "{line}");
        let at = marks.chars().position(|c| c == '^').unwrap();
        assert_eq!(line.chars().skip(at).take(4).collect::<String>(), "oops");
        assert!(marks.ends_with("^^^^"));
    }

    #[test]
    fn the_server_cannot_drive_the_terminal() {
        let diagnostic = Diagnostic::error(Kind::Internal, "a\u{1b}[2J\nb").hint("c\u{7}");
        assert_eq!(report(&diagnostic, None, PLAIN), "error (internal): a\\u{1b}[2J\nb\n  hint: c\\u{7}");
    }
}
