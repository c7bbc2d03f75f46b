//! JSON lines: one object on each line.
//!
//! Numbers, booleans and strings are taken as the text that stands in the file, so that no digit is lost on the way to a decimal.
//! A field that is absent or `null` is NULL; an object where a scalar is promised is drift.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::cells::{Cell, Cells, Node};
use super::text::{RECORD_BYTES, Records};
use crate::contract::Column;

pub(super) struct JsonRecords {
    columns: Vec<Column>,
    cells: Cells,
    /// A line that the last bytes did not end.
    line: Vec<u8>,
    overlong: bool,
}

impl JsonRecords {
    pub(super) fn new(columns: Vec<Column>) -> Self {
        let cells = Cells::new(&columns);
        Self { columns, cells, line: Vec::new(), overlong: false }
    }

    fn end_line(&mut self, rest: &[u8]) {
        let taken = std::mem::take(&mut self.line);
        let overlong = std::mem::take(&mut self.overlong) || taken.len() + rest.len() > RECORD_BYTES;
        if overlong {
            self.cells.broken_row();
        } else if taken.is_empty() {
            self.record(rest);
        } else {
            self.record(&[taken.as_slice(), rest].concat());
        }
    }

    fn record(&mut self, line: &[u8]) {
        self.cells.weigh(line.len());
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let text = std::str::from_utf8(line).ok().map(str::trim);
        let valid = text.filter(|t| t.starts_with('{') && serde_json::from_str::<IgnoredAny>(t).is_ok());
        let Some(object) = valid else { return self.cells.broken_row() };
        let members = members(object);
        let columns = &self.columns;
        self.cells.row(|i, node| {
            if let Some(column) = columns.get(i) {
                fill(node, column, member(&members, &column.physical_name));
            }
        });
    }
}

impl Records for JsonRecords {
    fn decode(&mut self, bytes: &[u8], rows: usize) -> usize {
        if bytes.is_empty() {
            self.end_line(b"");
            return 0;
        }
        let mut used = 0;
        while !self.cells.is_full(rows) {
            let rest = bytes.get(used..).unwrap_or_default();
            let Some(end) = rest.iter().position(|b| *b == b'\n') else {
                if self.overlong || self.line.len() + rest.len() > RECORD_BYTES {
                    (self.overlong, self.line) = (true, Vec::new());
                } else {
                    self.line.extend_from_slice(rest);
                }
                return bytes.len();
            };
            self.end_line(rest.get(..end).unwrap_or_default());
            used += end + 1;
        }
        used
    }

    fn cells(&mut self) -> &mut Cells {
        &mut self.cells
    }
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
