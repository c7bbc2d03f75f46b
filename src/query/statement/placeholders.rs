//! `?` and `$n`: where the values of a prepared statement go.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::syntax;
use crate::diagnostic::{Diagnostic, Kind, Result};

/// Parameters of one statement.
const MOST: usize = 1_000;

/// Numbers each `?` by its place, since the planner takes all of them for one; on tokens, so that `'?'` stays a text.
///
/// # Errors
/// `Invalid` for names, for numbers that are none, and where both forms stand in one statement; `Exhausted` for too many.
pub(super) fn number(tokens: &mut [TokenWithSpan], sql: &str) -> Result<()> {
    let (mut marks, mut numbers) = (0_usize, false);
    for TokenWithSpan { token, span } in tokens {
        let Token::Placeholder(text) = token else { continue };
        let refuse = |what: &str| {
            Err(syntax::at(what, span.start, sql).hint("write `?` for each value in turn, or `$1`, `$2`, … throughout"))
        };
        let number = match text.strip_prefix('$') {
            None if text == "?" => {
                marks += 1;
                *text = format!("${marks}");
                marks
            }
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                numbers = true;
                match digits.parse() {
                    Ok(number) if number > 0 => number,
                    Ok(_) => return refuse("parameters are counted from `$1`"),
                    Err(_) => MOST + 1,
                }
            }
            _ => return refuse("parameters have no names"),
        };
        if number > MOST {
            return Err(Diagnostic::error(Kind::Exhausted, format!("a statement takes at most {MOST} parameters"))
                .hint("put many values into one list or one text"));
        }
        if marks > 0 && numbers {
            return refuse("`?` and `$n` stand in one statement");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn numbered(sql: &str) -> Result<String> {
        let mut tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().unwrap();
        number(&mut tokens, sql).map(|()| tokens.iter().map(|token| token.token.to_string()).collect())
    }

    #[test]
    fn marks_are_numbered_among_tokens() {
        for (sql, expect) in [
            ("select ?, '?', ? -- ?\n", "select $1, '?', $2 -- ?\n"),
            ("select $2, $1, $2", "select $2, $1, $2"),
            ("select '$x', \"?\"", "select '$x', \"?\""),
        ] {
            assert_eq!(numbered(sql).unwrap(), expect);
        }
        for (sql, expect) in [
            ("select $a", "parameters have no names at line 1, column 8"),
            ("select\n $0", "parameters are counted from `$1` at line 2, column 2"),
            ("select ?, $1", "`?` and `$n` stand in one statement at line 1, column 11"),
            ("select $99999999999999999999", "a statement takes at most 1000 parameters"),
            ("select $1001", "a statement takes at most 1000 parameters"),
        ] {
            assert_eq!(numbered(sql).unwrap_err().message, expect, "{sql}");
        }
        assert_eq!(numbered(&"?,".repeat(1_001)).unwrap_err().kind, Kind::Exhausted);
    }
}
