//! When Enter runs what has been typed, and when it starts another line.

use reedline::{ValidationResult, Validator};

use super::lexer::{Class, scan};

pub(super) struct EndsStatement;

impl Validator for EndsStatement {
    fn validate(&self, line: &str) -> ValidationResult {
        if is_complete(line) { ValidationResult::Complete } else { ValidationResult::Incomplete }
    }
}

/// A backslash command, a word that leaves, or SQL that ends with `;` outside strings and comments.
pub(super) fn is_complete(text: &str) -> bool {
    let trimmed = text.trim();
    if trimmed.starts_with('\\') || is_farewell(trimmed) {
        return true;
    }
    let pieces = scan(text);
    match pieces.iter().rev().find(|piece| piece.is_significant()) {
        Some(last) => last.class == Class::Semicolon,
        // Nothing but white space and comments: nothing to wait for.
        None => true,
    }
}

/// What people type to leave, whatever the program.
pub(super) fn is_farewell(text: &str) -> bool {
    let word = text.trim().trim_end_matches(';').trim_end();
    word.eq_ignore_ascii_case("quit") || word.eq_ignore_ascii_case("exit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enter_runs_only_what_has_ended() {
        for text in ["", "select 1;", "select 1; -- done", "select ';';", "\\d sales.orders", "quit", "EXIT;", "-- a"] {
            assert!(is_complete(text), "{text}");
        }
        for text in ["select 1", "select ';", "select 1 -- ;", "select 1 /* ;", "select $$ ;", "quite"] {
            assert!(!is_complete(text), "{text}");
        }
    }
}
