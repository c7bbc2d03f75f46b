//! What went wrong, for the person who typed the statement.

use super::cell;
use super::lexer::scan;
use super::render::Paint;
use crate::diagnostic::{Diagnostic, Kind, Severity};

/// Kind, sentence, the place underlined in the statement, hints.
pub(super) fn report(diagnostic: &Diagnostic, sql: Option<&str>, paint: Paint) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => paint.red("error"),
        Severity::Warning => paint.bold("warning"),
    };
    let mut out = String::new();
    if let Some(place) = &diagnostic.place {
        out.push_str(&format!("{}: ", cell::plain(&place.to_string())));
    }
    out.push_str(&format!("{severity} ({}): {}", kind(diagnostic.kind), cell::plain_lines(&diagnostic.message)));
    if let Some((sql, (line, column))) = sql.zip(place(&diagnostic.message))
        && let Some(snippet) = underline(sql, line, column, paint)
    {
        out.push('\n');
        out.push_str(&snippet);
    }
    for hint in &diagnostic.hints {
        out.push_str(&format!("\n  hint: {}", cell::plain_lines(hint)));
    }
    out
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
        Kind::Unavailable => "not reachable",
        Kind::Deadline => "took too long",
        Kind::Cancelled => "cancelled",
        Kind::Internal => "internal",
    }
}

/// `at line 1, column 8`, also as the SQL parser writes it: `at Line: 1, Column: 8`.
pub(super) fn place(message: &str) -> Option<(u32, u32)> {
    let lower = message.to_ascii_lowercase();
    let at = lower.rfind("line")?;
    let rest = lower.get(at..)?;
    let (line, column) = rest.split_once("column")?;
    let number = |text: &str| -> Option<u32> {
        let digits: String = text.trim_start_matches([' ', ':']).chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok().filter(|n| *n > 0)
    };
    Some((number(line.strip_prefix("line")?)?, number(column)?))
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
    let word = scan(rest).first().map_or(1, |piece| cell::width(piece.text(rest).trim_end()).max(1));
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    // Tabs are shown as one column so that the mark stands below the word.
    let flat = |text: &str| cell::plain(&text.replace('\t', " ")).into_owned();
    let marks = "^".repeat(word);
    Some(format!(
        "{margin} {bar}\n{number} {bar} {}{}\n{margin} {bar} {}{}",
        flat(before),
        flat(rest),
        " ".repeat(cell::width(&flat(before))),
        paint.red(&marks),
        bar = paint.dim("│"),
    ))
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
    fn the_server_cannot_drive_the_terminal() {
        let diagnostic = Diagnostic::error(Kind::Internal, "a\u{1b}[2J\nb").hint("c\u{7}");
        assert_eq!(report(&diagnostic, None, PLAIN), "error (internal): a\\u{1b}[2J\nb\n  hint: c\\u{7}");
    }
}
