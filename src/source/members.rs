//! The members of JSON objects, as the text that stands in the file, so that no digit is lost on the way to a decimal.

use std::borrow::Cow;

/// What no JSON has, but many writers write for floats.
const CONSTANTS: [&str; 3] = ["NaN", "-Infinity", "Infinity"];

/// What an object says under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said<'a> {
    Nothing,
    Once(&'a str),
    /// Two members of one name mean no one thing (RFC 8259, section 4).
    Twice,
}

/// An object, by its members in order.
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// Those of an object that is valid JSON, but for constants.
    pub fn of(object: &'a str) -> Self {
        let mut members = Vec::new();
        let mut rest = object.get(1..).unwrap_or_default().trim_start();
        while rest.starts_with('"') {
            let (key, after) = rest.split_at(value_length(rest));
            let after = after.trim_start().strip_prefix(':').unwrap_or_default().trim_start();
            let (value, after) = after.split_at(value_length(after));
            let key = match key.trim_matches('"') {
                plain if !key.contains('\\') => Cow::Borrowed(plain),
                _ => Cow::Owned(serde_json::from_str(key).unwrap_or_default()),
            };
            members.push((key, value));
            rest = after.trim_start().strip_prefix(',').unwrap_or_default().trim_start();
        }
        Self(members)
    }

    pub fn say(&self, name: &str) -> Said<'a> {
        let mut named = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| *value);
        match (named.next(), named.next()) {
            (None, _) => Said::Nothing,
            (Some(value), None) => Said::Once(value),
            (Some(_), Some(_)) => Said::Twice,
        }
    }
}

/// Those of an array that is valid JSON, but for constants.
pub(super) fn elements(array: &str) -> impl Iterator<Item = &str> {
    let mut rest = array.get(1..).unwrap_or_default().trim_start();
    std::iter::from_fn(move || {
        let (element, after) = rest.split_at(value_length(rest));
        rest = after.trim_start().strip_prefix(',').unwrap_or_default().trim_start();
        Some(element).filter(|element| !element.is_empty())
    })
}

pub(super) fn is_constant(value: &str) -> bool {
    CONSTANTS.contains(&value)
}

/// `NaN` and the infinities as texts, so that the rest can be looked at as JSON.
pub(super) fn quoted_constants(text: &str) -> String {
    let (mut out, mut rest, mut quoted, mut escaped) = (String::with_capacity(text.len() + 16), text, false, false);
    while let Some(first) = rest.chars().next() {
        let constant = CONSTANTS.into_iter().find(|word| !quoted && rest.starts_with(word));
        if let Some(word) = constant {
            out.push('"');
            out.push_str(word);
            out.push('"');
            rest = rest.get(word.len()..).unwrap_or_default();
            continue;
        }
        quoted ^= first == '"' && !escaped;
        escaped = quoted && first == '\\' && !escaped;
        out.push(first);
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    out
}

/// Bytes of the value at the start of valid JSON text. All structure is ASCII, so the length is a character boundary.
fn value_length(text: &str) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (i, byte) in text.bytes().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    quoted = false;
                    if depth == 0 {
                        return i + 1;
                    }
                }
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return i,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return i + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_that_stands_twice_says_so() {
        let members = Members::of(r#"{"a": 1, "b": "x", "\u0061": 2, "c" : [1, {"d": NaN}]}"#);
        assert_eq!(members.say("a"), Said::Twice);
        assert_eq!(members.say("b"), Said::Once("\"x\""));
        assert_eq!(members.say("c"), Said::Once("[1, {\"d\": NaN}]"));
        assert_eq!(members.say("d"), Said::Nothing);
    }

    #[test]
    fn elements_are_texts_of_the_array() {
        for (array, texts) in [
            ("[]", vec![]),
            ("[ ]", vec![]),
            ("[1 , NaN]", vec!["1", "NaN"]),
            ("[[1, 2],[ ], {\"a\": [\"]\"]},\"b,c\"\n]", vec!["[1, 2]", "[ ]", "{\"a\": [\"]\"]}", "\"b,c\""]),
        ] {
            assert_eq!(elements(array).collect::<Vec<_>>(), texts, "{array}");
        }
    }
}
