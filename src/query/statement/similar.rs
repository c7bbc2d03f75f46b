//! `SIMILAR TO` (SQL:2016, 8.6), written as a regular expression.
//!
//! The engine takes the pattern for one as it stands: <https://github.com/apache/datafusion/issues/22263>.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Value, ValueWithSpan};

/// `text SIMILAR TO 'a%'` as `text ~ '^(?:a(?s:.*))$'`, where the pattern is written out and is one.
pub(super) fn write_out(expr: &mut Expr) {
    let Expr::SimilarTo { negated, expr: text, pattern, escape_char } = &*expr else { return };
    let sign = match escape_char.as_ref().map(|sign| &sign.value) {
        None => Some('\\'),
        Some(Value::SingleQuotedString(sign)) => {
            let mut letters = sign.chars();
            let (sign, None) = (letters.next(), letters.next()) else { return };
            sign
        }
        Some(_) => return,
    };
    let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(pattern), .. }) = pattern.as_ref() else { return };
    let Some(regex) = regex(pattern, sign) else { return };
    let op = if *negated { BinaryOperator::PGRegexNotMatch } else { BinaryOperator::PGRegexMatch };
    let regex = Expr::value(Value::SingleQuotedString(regex));
    *expr = Expr::Nested(Box::new(Expr::BinaryOp { left: text.clone(), op, right: Box::new(regex) }));
}

/// None for what has no meaning in SQL, or another in the engine's regular expressions.
fn regex(pattern: &str, sign: Option<char>) -> Option<String> {
    let mut regex = String::from("^(?:");
    let mut letters = pattern.chars();
    // How many letters of a list in square brackets came by.
    let mut listed: Option<usize> = None;
    let mut last = ' ';
    while let Some(letter) = letters.next() {
        if Some(letter) == sign {
            literal(&mut regex, letters.next()?);
            listed = listed.map(|count| count + 1);
            last = ' ';
            continue;
        }
        match (listed, letter) {
            (None, '%') => regex.push_str("(?s:.*)"),
            (None, '_') => regex.push_str("(?s:.)"),
            (None, '[') => {
                regex.push('[');
                listed = Some(0);
            }
            (None, '?') if last == '(' => return None,
            (None, '|' | '*' | '+' | '?' | '(' | ')' | '{' | '}') => regex.push(letter),
            (None, letter) => literal(&mut regex, letter),
            (Some(0), '^') => regex.push('^'),
            // Classes, and set operations of regular expressions.
            (Some(_), '[' | '&' | '~') => return None,
            (Some(_), '-') if last == '-' => return None,
            (Some(_), '-') => {
                regex.push('-');
                listed = listed.map(|count| count + 1);
            }
            (Some(1..), ']') => {
                regex.push(']');
                listed = None;
            }
            (Some(count), letter) => {
                literal(&mut regex, letter);
                listed = Some(count + 1);
            }
        }
        last = letter;
    }
    regex.push_str(")$");
    listed.is_none().then_some(regex)
}

fn literal(regex: &mut String, letter: char) {
    if r"\.+*?()|[]{}^$#&-~".contains(letter) {
        regex.push('\\');
    }
    regex.push(letter);
}

#[cfg(test)]
mod tests {
    use super::regex;

    #[test]
    fn patterns_become_whole_expressions() {
        for (pattern, expect) in [
            ("a%", "^(?:a(?s:.*))$"),
            ("_.b", r"^(?:(?s:.)\.b)$"),
            ("(a|b)+c{2,3}", r"^(?:(a|b)+c{2,3})$"),
            (r"100\%", r"^(?:100%)$"),
            ("[^a-z.]", r"^(?:[^a-z\.])$"),
            ("[]x]", r"^(?:[\]x])$"),
        ] {
            assert_eq!(regex(pattern, Some('\\')).as_deref(), Some(expect), "{pattern}");
        }
        for pattern in ["a\\", "[a", "[[:alpha:]]", "[a--b]", "[a&&b]", "(?i)a"] {
            assert_eq!(regex(pattern, Some('\\')), None, "{pattern}");
        }
    }
}
