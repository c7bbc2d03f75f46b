//! Whether the quotes and line ends of a CSV record mean one thing (RFC 4180, rules 2 and 5 to 7).
//!
//! The splitter takes every record: text behind a closing quote becomes part of the field, and a quote that is never closed takes the
//! rest of the file. A quote inside a field that begins without one stands for itself.

/// What was seen of one record.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Default)]
pub(super) struct Quoting {
    state: State,
    /// Text stands behind a closing quote, or a carriage return in the middle of a line that ends otherwise.
    pub is_malformed: bool,
    /// A line ends between quotes.
    pub spans_lines: bool,
    /// Some field is quoted.
    pub is_quoted: bool,
    /// The carriage return of a line's end was seen.
    pub has_return: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// At the beginning of a field.
    #[default]
    Start,
    /// In a field without quotes, or behind the end of one with quotes.
    Plain,
    Quoted,
    /// Behind a quote between quotes: it closes the field, or is the first of two.
    Quote,
    /// Behind a carriage return that is not quoted.
    Return,
}

impl Quoting {
    /// Takes the next bytes of the record.
    pub fn take(&mut self, bytes: &[u8], delimiter: u8) {
        let is_plain = matches!(self.state, State::Start | State::Plain);
        let line = bytes.strip_suffix(b"\r\n").unwrap_or(bytes);
        if is_plain && !line.contains(&b'"') && !line.contains(&b'\r') {
            self.has_return |= line.len() < bytes.len();
            match bytes.last() {
                None => {}
                Some(last) if *last == delimiter || *last == b'\n' => self.state = State::Start,
                Some(_) => self.state = State::Plain,
            }
            return;
        }
        for byte in bytes {
            self.state = self.next(*byte, delimiter);
        }
    }

    /// True where the record is under way inside quotes.
    pub fn is_open(&self) -> bool {
        self.state == State::Quoted
    }

    fn next(&mut self, byte: u8, delimiter: u8) -> State {
        match (self.state, byte) {
            (State::Quoted, b'"') => State::Quote,
            (State::Quoted, _) => {
                self.spans_lines |= byte == b'\n' || byte == b'\r';
                State::Quoted
            }
            (State::Quote, b'"') => State::Quoted,
            (State::Start, b'"') => {
                self.is_quoted = true;
                State::Quoted
            }
            (State::Return, b'\n') => {
                self.has_return = true;
                State::Start
            }
            (State::Return, _) => {
                self.is_malformed = true;
                State::Plain
            }
            (_, b'\n') => State::Start,
            (_, b'\r') => State::Return,
            (_, byte) if byte == delimiter => State::Start,
            (State::Quote, _) => {
                self.is_malformed = true;
                State::Plain
            }
            (State::Start | State::Plain, _) => State::Plain,
        }
    }

    /// At the end of a file a carriage return ends the last line.
    pub fn end(&mut self) {
        self.has_return |= self.state == State::Return;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_that_mean_no_one_thing_are_seen_however_bytes_come() {
        for (record, malformed, spans, open) in [
            ("a,b\n", false, false, false),
            ("a,\"b\"\n", false, false, false),
            ("a,\"b \"\"c\"\"\"\r\n", false, false, false),
            ("a,\"b\nc\"\n", false, true, false),
            ("a,\"b\"c\n", true, false, false),
            ("a,\"b\" \n", true, false, false),
            ("a,\"b\nc\"d\n", true, true, false),
            ("a,5\" pipe\n", false, false, false),
            ("a, \"b\"\n", false, false, false),
            ("a,\"b", false, false, true),
            ("a,\"b\"\"", false, false, true),
            ("a\rb\n", true, false, false),
            ("\"a\"\rb\n", true, false, false),
            ("\"a\rb\"\n", false, true, false),
        ] {
            for pieces in [1, 2, 100] {
                let mut quoting = Quoting::default();
                record.as_bytes().chunks(pieces).for_each(|piece| quoting.take(piece, b','));
                let found = (quoting.is_malformed, quoting.spans_lines, quoting.is_open());
                assert_eq!(found, (malformed, spans, open), "{record:?} by {pieces}");
            }
        }
    }
}
