//! Where JSON values begin and end in a stream of bytes: one on each line, or one behind the other over as many lines as they take, in an
//! array or not.
//!
//! Lines are told apart by their ends alone, so that a broken one spoils no other. A file holds values instead if it begins with an array,
//! or if its first object goes on behind the first line.

/// What a byte is to the value that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It stands between values.
    Skip,
    /// It belongs to the value.
    Take,
    /// It is the last of the value.
    TakeAndEnd,
    /// It ends the value and does not belong to it.
    SkipAndEnd,
    /// The value ended before it; look at it again.
    EndBefore,
}

/// The state between two bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Documents {
    layout: Layout,
    array: Array,
    depth: usize,
    quoted: bool,
    escaped: bool,
    /// A value has begun.
    inside: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Layout {
    /// Nothing but white space was seen.
    #[default]
    Unknown,
    /// In the first line, which begins with an object.
    First,
    /// The first object goes on behind its line.
    Continued,
    Lines,
    Values,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Array {
    #[default]
    None,
    Open,
    Closed,
}

impl Documents {
    /// Looks at the next byte.
    pub fn step(&mut self, byte: u8) -> Step {
        match self.layout {
            Layout::Unknown => self.begin(byte),
            Layout::First => self.first(byte),
            Layout::Continued => self.continued(byte),
            Layout::Lines if byte == b'\n' => Step::SkipAndEnd,
            Layout::Lines => Step::Take,
            Layout::Values => self.value(byte),
        }
    }

    /// True where each line is a value.
    pub fn are_lines(&self) -> bool {
        self.layout == Layout::Lines
    }

    /// True where the end of the file cuts something off. What stands behind the end of an array is another fault.
    pub fn is_cut_off(&self) -> bool {
        match self.layout {
            Layout::Values | Layout::Continued => {
                self.inside && self.array != Array::Closed || self.array == Array::Open
            }
            Layout::Unknown | Layout::First | Layout::Lines => false,
        }
    }

    /// True behind the end of an array, where nothing may stand.
    pub fn is_behind_the_end(&self) -> bool {
        self.array == Array::Closed
    }

    fn begin(&mut self, byte: u8) -> Step {
        match byte {
            // A byte order mark is no white space, and stands before the first.
            0xef | 0xbb | 0xbf => Step::Skip,
            byte if byte.is_ascii_whitespace() => Step::Skip,
            b'[' => {
                (self.layout, self.array) = (Layout::Values, Array::Open);
                Step::Skip
            }
            b'{' => {
                (self.layout, self.inside) = (Layout::First, true);
                self.nest(byte);
                Step::Take
            }
            _ => {
                self.layout = Layout::Lines;
                Step::Take
            }
        }
    }

    fn first(&mut self, byte: u8) -> Step {
        if byte == b'\n' {
            let goes_on = self.depth > 0 && !self.quoted;
            self.layout = if goes_on { Layout::Continued } else { Layout::Lines };
            return if goes_on { Step::Take } else { Step::SkipAndEnd };
        }
        if self.nest(byte) {
            // Whatever else stands on the line belongs to it.
            self.layout = Layout::Lines;
        }
        Step::Take
    }

    /// In white space behind the first line.
    fn continued(&mut self, byte: u8) -> Step {
        if byte.is_ascii_whitespace() {
            return Step::Take;
        }
        if byte == b'{' && self.depth == 1 {
            // No object begins there: the first line was broken, and this is the next.
            (self.layout, self.inside) = (Layout::Lines, false);
            return Step::EndBefore;
        }
        self.layout = Layout::Values;
        self.value(byte)
    }

    fn value(&mut self, byte: u8) -> Step {
        let open = self.array == Array::Open;
        if !self.inside {
            match byte {
                byte if byte.is_ascii_whitespace() => return Step::Skip,
                b',' if open => return Step::Skip,
                b']' if open => {
                    self.array = Array::Closed;
                    return Step::Skip;
                }
                _ => self.inside = true,
            }
        } else if self.depth == 0 && !self.quoted && (byte.is_ascii_whitespace() || open && matches!(byte, b',' | b']'))
        {
            self.inside = false;
            return Step::EndBefore;
        }
        if self.nest(byte) {
            self.inside = false;
            return Step::TakeAndEnd;
        }
        Step::Take
    }

    /// True where the byte closes the outermost bracket of a value.
    fn nest(&mut self, byte: u8) -> bool {
        if self.quoted {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.quoted = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.quoted = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> (Vec<String>, bool) {
        let (mut documents, mut values, mut value) = (Documents::default(), Vec::new(), String::new());
        let (bytes, mut at) = (text.as_bytes(), 0);
        while at < bytes.len() {
            let step = documents.step(bytes[at]);
            if matches!(step, Step::Take | Step::TakeAndEnd) {
                value.push(char::from(bytes[at]));
            }
            if matches!(step, Step::TakeAndEnd | Step::SkipAndEnd | Step::EndBefore) {
                values.push(std::mem::take(&mut value));
            }
            at += usize::from(step != Step::EndBefore);
        }
        values.extend(Some(value).filter(|value| !value.is_empty()));
        (values, documents.is_cut_off())
    }

    #[test]
    fn lines_arrays_and_documents_are_told_apart() {
        for (text, values, cut_off) in [
            ("{\"a\":1}\n{\"a\":2}\n", vec!["{\"a\":1}", "{\"a\":2}"], false),
            ("{\"a\":1}\n{\"a\":2}", vec!["{\"a\":1}", "{\"a\":2}"], false),
            ("{\"a\": \"x\n{\"a\":2}\n", vec!["{\"a\": \"x", "{\"a\":2}"], false),
            ("{\"a\": 1\n{\"a\":2}\n", vec!["{\"a\": 1\n", "{\"a\":2}"], false),
            ("{\"a\":1} x\n{\"a\":2}\n", vec!["{\"a\":1} x", "{\"a\":2}"], false),
            ("nothing\n{\"a\":2}\n", vec!["nothing", "{\"a\":2}"], false),
            ("[{\"a\":1},{\"a\":[2,3]}]", vec!["{\"a\":1}", "{\"a\":[2,3]}"], false),
            (" [\n {\"a\": \"]},\"},\n {\"a\": 2}\n]\n", vec!["{\"a\": \"]},\"}", "{\"a\": 2}"], false),
            ("[1, \"x]\", {}, [2]]", vec!["1", "\"x]\"", "{}", "[2]"], false),
            ("[]", vec![], false),
            ("[{\"a\":1},{\"a\"", vec!["{\"a\":1}", "{\"a\""], true),
            ("[{\"a\":1}", vec!["{\"a\":1}"], true),
            ("{\n \"a\": 1\n}\n{\n \"a\": 2\n}\n", vec!["{\n \"a\": 1\n}", "{\n \"a\": 2\n}"], false),
            ("{\n \"a\": [\n  {}\n ]\n}", vec!["{\n \"a\": [\n  {}\n ]\n}"], false),
            ("{\n \"a\": 1\n}\n{\n \"a\"", vec!["{\n \"a\": 1\n}", "{\n \"a\""], true),
        ] {
            assert_eq!(split(text), (values.into_iter().map(str::to_owned).collect(), cut_off), "{text}");
        }
    }
}
