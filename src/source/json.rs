//! JSON: objects on lines, one behind the other, or in an array.
//!
//! Numbers, booleans and strings are taken as the text that stands in the file, so that no digit is lost on the way to a decimal.
//! A field that is absent or `null` is NULL; an object where a scalar is promised is drift.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::cells::{Cell, Cells, Node};
use super::documents::{Documents, Step};
use super::text::{RECORD_BYTES, Records};
use crate::contract::{Column, NumberMarks};

pub(super) struct JsonRecords {
    columns: Vec<Column>,
    cells: Cells,
    documents: Documents,
    /// A value that the last bytes did not end.
    value: Vec<u8>,
    overlong: bool,
    fault: Option<String>,
}

impl JsonRecords {
    pub(super) fn new(columns: Vec<Column>, marks: NumberMarks) -> Self {
        let cells = Cells::new(&columns, marks);
        Self { columns, cells, documents: Documents::default(), value: Vec::new(), overlong: false, fault: None }
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.overlong || self.value.len() + bytes.len() > RECORD_BYTES {
            (self.overlong, self.value) = (true, Vec::new());
        } else {
            self.value.extend_from_slice(bytes);
        }
    }

    fn end_value(&mut self) {
        let value = std::mem::take(&mut self.value);
        let overlong = std::mem::take(&mut self.overlong);
        if !overlong && value.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        if overlong || self.documents.is_behind_the_end() {
            self.cells.broken_row();
        } else {
            self.add_row(&value);
        }
    }

    /// True where the last line begins an object and does not end it.
    fn ends_inside(&self) -> bool {
        let text = String::from_utf8_lossy(&self.value);
        let whole = serde_json::from_str::<IgnoredAny>(text.trim());
        text.trim_start().starts_with('{') && whole.is_err_and(|error| error.is_eof())
    }

    fn add_row(&mut self, value: &[u8]) {
        self.cells.weigh(value.len());
        let text = std::str::from_utf8(value).ok().map(str::trim).filter(|text| text.starts_with('{'));
        let is_valid = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
        let valid = text.and_then(|text| {
            if is_valid(text) {
                return Some(Cow::Borrowed(text));
            }
            Some(quoted_constants(text)).filter(|text| is_valid(text)).map(Cow::Owned)
        });
        let Some(object) = valid else { return self.cells.broken_row() };
        let members = members(&object);
        let columns = &self.columns;
        self.cells.row(|i, node| {
            if let Some(column) = columns.get(i) {
                fill(node, column, member(&members, &column.physical_name));
            }
        });
    }

    /// Lines need no look at each byte.
    fn take_line<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.append(bytes);
            return &[];
        };
        let (line, rest) = bytes.split_at(end);
        self.append(line);
        self.end_value();
        rest.get(1..).unwrap_or_default()
    }

    /// Takes bytes up to the end of a value.
    fn take_value<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let mut from = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let step = self.documents.step(*byte);
            let (taken, next) = match step {
                Step::Take => continue,
                Step::Skip | Step::SkipAndEnd => (at, at + 1),
                Step::TakeAndEnd => (at + 1, at + 1),
                Step::EndBefore => (at, at),
            };
            self.append(bytes.get(from..taken).unwrap_or_default());
            from = next;
            if step != Step::Skip {
                self.end_value();
                return bytes.get(from..).unwrap_or_default();
            }
        }
        self.append(bytes.get(from..).unwrap_or_default());
        &[]
    }
}

impl Records for JsonRecords {
    fn decode(&mut self, bytes: &[u8], rows: usize) -> usize {
        if bytes.is_empty() {
            if self.documents.is_cut_off() || self.ends_inside() {
                self.fault = Some("it ends inside of an object or an array".to_owned());
            } else {
                self.end_value();
            }
            return 0;
        }
        let mut rest = bytes;
        while !rest.is_empty() && !self.cells.is_full(rows) {
            rest = if self.documents.are_lines() { self.take_line(rest) } else { self.take_value(rest) };
        }
        bytes.len() - rest.len()
    }

    fn cells(&mut self) -> &mut Cells {
        &mut self.cells
    }

    fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}

/// `NaN` and the infinities, which are no JSON but stand in what many writers call so, as texts.
fn quoted_constants(text: &str) -> String {
    let (mut out, mut rest, mut quoted, mut escaped) = (String::with_capacity(text.len() + 16), text, false, false);
    while let Some(first) = rest.chars().next() {
        let constant = ["NaN", "-Infinity", "Infinity"].into_iter().find(|word| !quoted && rest.starts_with(word));
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

fn fill(node: &mut Node, column: &Column, value: Option<&str>) {
    let value = value.unwrap_or("null");
    if let Node::Struct { fields, valid, .. } = node
        && value.starts_with('{')
    {
        let members = members(value);
        for (field, column) in fields.iter_mut().zip(&column.fields) {
            fill(field, column, member(&members, &column.physical_name));
        }
        valid.append(true);
        return;
    }
    if value == "null" {
        return node.put(Cell::Null);
    }
    let nested = column.data_type.is_nested();
    match value.as_bytes().first() {
        Some(b'"') if !nested => match serde_json::from_str::<String>(value) {
            Ok(text) => node.put(Cell::Text(&text)),
            Err(_) => node.put_bad(),
        },
        Some(b'{' | b'[') if !nested => node.put_bad(),
        Some(b'[') | None => node.put(Cell::Text(value)),
        Some(_) if nested => node.put_bad(),
        Some(_) => node.put(Cell::Text(value)),
    }
}

/// The last of several members of one name counts, as in most readers.
fn member<'a>(members: &[(Cow<'_, str>, &'a str)], name: &str) -> Option<&'a str> {
    members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
}

/// The members of an object that is known to be valid JSON.
fn members(object: &str) -> Vec<(Cow<'_, str>, &str)> {
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
    members
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
