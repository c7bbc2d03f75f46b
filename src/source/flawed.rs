//! JSON objects in which a text or a scalar is no JSON: that value is broken, and no other.
//!
//! Bytes that are no UTF-8, control characters and unknown escapes stand inside of a text whose end is known, and `01` or `yes` where a
//! scalar stands alone. What follows is found all the same, so a reader who may not see the value notices nothing.

use serde::de::IgnoredAny;

use super::members::is_constant;

/// Written in the place of what is broken: an escape that JSON does not have (RFC 8259, section 7).
const FLAW: &str = "\\x";

/// The text of an object whose values are found, with each broken one marked so that it cannot be read; none where they are not found.
pub(super) fn object(value: &[u8]) -> Option<String> {
    let mut flawed = Flawed::default();
    for chunk in value.trim_ascii().utf8_chunks() {
        chunk.valid().chars().for_each(|char| flawed.take(char));
        if !chunk.invalid().is_empty() {
            flawed.take_flaw()?;
        }
    }
    flawed.end_scalar();
    let is_found = flawed.text.starts_with('{') && serde_json::from_str::<IgnoredAny>(&flawed.outline).is_ok();
    is_found.then_some(flawed.text)
}

#[derive(Default)]
struct Flawed {
    text: String,
    /// The same without the contents of texts, and with 0 for scalars.
    outline: String,
    scalar: String,
    quoted: bool,
    escaped: bool,
}

impl Flawed {
    fn take(&mut self, char: char) {
        if self.quoted {
            match char {
                '\0'..' ' => return self.push_flaw(),
                _ if self.escaped => self.escaped = false,
                '\\' => self.escaped = true,
                '"' => self.end_text(),
                _ => {}
            }
            return self.text.push(char);
        }
        match char {
            '{' | '}' | '[' | ']' | ',' | ':' | ' ' | '\t' | '\r' | '\n' | '"' => {
                self.end_scalar();
                self.quoted = char == '"';
                self.text.push(char);
                self.outline.push(char);
            }
            _ => self.scalar.push(char),
        }
    }

    /// None where bytes that are no text stand outside of one.
    fn take_flaw(&mut self) -> Option<()> {
        self.quoted.then(|| self.push_flaw())
    }

    fn push_flaw(&mut self) {
        // Behind a `\` the rest of the escape makes it one that JSON does not have.
        self.text.push_str(if std::mem::take(&mut self.escaped) { "x" } else { FLAW });
    }

    fn end_text(&mut self) {
        self.quoted = false;
        self.outline.push('"');
    }

    fn end_scalar(&mut self) {
        let scalar = std::mem::take(&mut self.scalar);
        if scalar.is_empty() {
            return;
        }
        let is_sound = is_constant(&scalar) || serde_json::from_str::<IgnoredAny>(&scalar).is_ok();
        self.text.push_str(if is_sound { &scalar } else { "\"\\x\"" });
        self.outline.push('0');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_values_are_marked_and_others_stay() {
        for (value, text) in [
            (b"{\"a\": \"x\xffy\", \"b\": 1}".as_slice(), Some(r#"{"a": "x\xy", "b": 1}"#)),
            (b"{\"a\": \"\xed\xa0\x80\", \"b\": [1]}", Some(r#"{"a": "\x\x\x", "b": [1]}"#)),
            (b"{\"\xff\": 1, \"b\": 1}", Some(r#"{"\x": 1, "b": 1}"#)),
            (b"{\"a\": \"x\ty\0\", \"b\": 1}", Some(r#"{"a": "x\xy\x", "b": 1}"#)),
            (b"{\"a\": \"\\\xff\", \"b\": \"\\\t\"}", Some(r#"{"a": "\x", "b": "\x"}"#)),
            (br#"{"a": "\q", "b": "\"\\"}"#, Some(r#"{"a": "\q", "b": "\"\\"}"#)),
            (br#" {"a": 01, "b": {"c": yes, "d": NaN}} "#, Some(r#"{"a": "\x", "b": {"c": "\x", "d": NaN}}"#)),
            (br#"{"a": 1,234, "b": 1}"#, None),
            (br#"{"a": 1 2, "b": 1}"#, None),
            (br#"{"a": "x, "b": 1}"#, None),
            (br#"{a: 1, "b": 1}"#, None),
            (b"{\"a\": \xff, \"b\": 1}", None),
            (br#"{"a": "x"#, None),
            (b"[1]", None),
        ] {
            assert_eq!(object(value).as_deref(), text, "{}", value.escape_ascii());
        }
    }
}
