//! Brackets and strings of JSON text that may not be valid: whether it goes on, and whether it may hold more objects than one.

/// What was seen of a text so far.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Default)]
pub(super) struct Brackets {
    open: Vec<u8>,
    is_quoted: bool,
    is_escaped: bool,
    /// The last byte outside of strings that is no white space.
    last: u8,
    /// In a string, what was seen of `}`, a comma and `{`: where one object ends and another begins.
    ended: bool,
    /// Objects begin where none may, or a string holds what stands between two.
    pub may_hold_others: bool,
    /// Outside of strings an object begins where none may, or in an array that is no part of an object.
    pub begins_others: bool,
}

impl Brackets {
    pub fn of(text: &[u8]) -> Self {
        let mut brackets = Self::default();
        brackets.take(text);
        brackets
    }

    pub fn take(&mut self, text: &[u8]) {
        for byte in text {
            if self.is_quoted {
                self.string(*byte);
            } else {
                self.structure(*byte);
            }
        }
    }

    /// True where the text ends between two parts of a value.
    pub fn goes_on(&self) -> bool {
        !self.is_quoted && !self.open.is_empty()
    }

    /// True where an object may stand next.
    pub fn takes_object(&self) -> bool {
        match self.open.last() {
            Some(b'[') => matches!(self.last, b'[' | b','),
            Some(_) => self.last == b':',
            None => self.last == 0,
        }
    }

    fn string(&mut self, byte: u8) {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = true,
            b'"' => self.is_quoted = false,
            b'}' => self.ended = true,
            b'{' => self.may_hold_others |= self.ended,
            b',' => {}
            byte if byte.is_ascii_whitespace() => {}
            _ => self.ended = false,
        }
    }

    fn structure(&mut self, byte: u8) {
        match byte {
            byte if byte.is_ascii_whitespace() => return,
            b'"' => (self.is_quoted, self.ended) = (true, false),
            b'{' => {
                let misplaced = !self.takes_object();
                self.may_hold_others |= misplaced;
                self.begins_others |= misplaced || self.open.first() == Some(&b'[');
                self.open.push(byte);
            }
            b'[' => self.open.push(byte),
            b'}' | b']' => {
                let opened = self.open.pop();
                self.may_hold_others |= opened != Some(if byte == b'}' { b'{' } else { b'[' });
            }
            _ => {}
        }
        self.last = byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_text_may_hold_others_or_not() {
        for (text, holds) in [
            (r#"{"a": nope}"#, false),
            (r#"{"a": {"b": nope}, "c": [{"d": 1}, {"d": }]}"#, false),
            (r#"{"a": "{Bo]", "b": nope}"#, false),
            (r#"{"a":"x},{"a":"y"},{"a":z"}"#, true),
            ("{\"a\":\"x}\n{\"a\":\"y\"}\n{\"a\":z\"}", true),
            (r#"{"a":{"b":1},{"a":2}}"#, true),
            (r#"{"a":{"b":1},{"a":2}]"#, true),
            (r#"{"a":1} {"a":2}"#, true),
        ] {
            assert_eq!(Brackets::of(text.as_bytes()).may_hold_others, holds, "{text}");
        }
    }
}
