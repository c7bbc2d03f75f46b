//! LIKE patterns of metadata commands.

/// `%` any text, `_` one character, `\` takes the next as it is. Any text is a pattern: pandas sends whole statements.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let pattern = parse(pattern);
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where to go on when the text after the last `%` does not fit: one character later.
    let mut again: Option<(usize, usize)> = None;
    while let Some(here) = text.get(t) {
        match pattern.get(p) {
            Some(Part::Any) => {
                again = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(Part::One) => {
                (p, t) = (p + 1, t + 1);
                continue;
            }
            Some(Part::Exactly(c)) if c == here => {
                (p, t) = (p + 1, t + 1);
                continue;
            }
            _ => {}
        }
        let Some((after, from)) = again else { return false };
        again = Some((after, from + 1));
        (p, t) = (after, from + 1);
    }
    pattern.iter().skip(p).all(|part| matches!(part, Part::Any))
}

enum Part {
    Any,
    One,
    Exactly(char),
}

fn parse(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '%' => Part::Any,
            '_' => Part::One,
            '\\' => Part::Exactly(chars.next().unwrap_or('\\')),
            other => Part::Exactly(other),
        });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_like_with_a_backslash() {
        for (pattern, text, expect) in [
            ("%", "orders", true),
            ("%", "", true),
            ("", "orders", false),
            ("", "", true),
            ("orders", "orders", true),
            ("orders", "Orders", false),
            ("ord%", "orders", true),
            ("%der%", "orders", true),
            ("%r%s", "orders", true),
            ("%x%", "orders", false),
            ("order_lines", "orderxlines", true),
            (r"order\_lines", "orderxlines", false),
            (r"order\_lines", "order_lines", true),
            (r"100\%", "100%", true),
            (r"100\%", "1000", false),
            (r"a\\b", r"a\b", true),
            (r"a\", r"a\", true),
            ("_", "é", true),
            ("a%b%c", "aXbYbZc", true),
            ("a%b%c", "aXbYbZ", false),
            ("select * from sales.orders where a like '%x%' -- \n ;", "orders", false),
        ] {
            assert_eq!(matches(pattern, text), expect, "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn a_hostile_pattern_is_quick() {
        assert!(!matches(&"%a".repeat(100_000), &"a".repeat(128)));
        assert!(!matches(&format!("{}b", "%a".repeat(60)), &"a".repeat(128)));
    }
}
