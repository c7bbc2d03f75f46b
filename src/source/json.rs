//! JSON: objects on lines, one behind the other, or in an array.
//!
//! Numbers, booleans and strings are taken as the text that stands in the file, so that no digit is lost on the way to a decimal.
//! A field that is absent or `null` is NULL; an object where a scalar is promised is drift, and the text of its JSON where an object of
//! unsaid members is. So is a value whose name stands twice in
//! its object. A line that goes on behind its end is one value with the lines that follow.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::brackets::Brackets;
use super::cells::{Cell, Cells, Node};
use super::documents::{Documents, Step};
use super::flawed;
use super::members::{Members, Said, elements, is_constant, quoted_constants};
use super::text::{RECORD_BYTES, Records};
use crate::contract::{Column, NumberMarks};

/// Most objects on one line: its rows come in one batch.
const OBJECTS: usize = 1 << 12;

pub(super) struct JsonRecords {
    columns: Vec<Column>,
    cells: Cells,
    documents: Documents,
    /// A value that the last bytes did not end.
    value: Vec<u8>,
    overlong: bool,
    /// An object that goes on behind its line, and its brackets.
    begun: Option<(Vec<u8>, Brackets)>,
    /// Lines before the value under way.
    lines: u64,
    fault: Option<String>,
}

impl JsonRecords {
    pub(super) fn new(columns: Vec<Column>, marks: NumberMarks) -> Self {
        let cells = Cells::new(&columns, marks);
        Self {
            columns,
            cells,
            documents: Documents::default(),
            value: Vec::new(),
            overlong: false,
            begun: None,
            lines: 0,
            fault: None,
        }
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
        if self.documents.is_behind_the_end() && !value.contains(&b'{') {
            self.cells.broken_row();
        } else if self.documents.is_behind_the_end() {
            self.lose_track();
        } else if self.documents.are_lines() {
            self.end_line(&value, overlong);
        } else if let Some(object) = object(&value) {
            self.add_row(value.len(), &object);
        } else {
            let brackets = Brackets::of(&value);
            if overlong || brackets.may_hold_others || brackets.begins_others {
                self.lose_track();
            } else {
                self.cells.broken_row();
            }
        }
    }

    /// A line is a value, or a part of one that began before it.
    fn end_line(&mut self, line: &[u8], overlong: bool) {
        if let Some((mut text, mut brackets)) = self.begun.take() {
            let begins_another = line.trim_ascii_start().starts_with(b"{") && !brackets.takes_object();
            if overlong || !begins_another && text.len() + line.len() > RECORD_BYTES {
                return self.lose_track();
            }
            if !begins_another {
                text.push(b'\n');
                text.extend_from_slice(line);
                brackets.take(line);
                if brackets.goes_on() {
                    self.begun = Some((text, brackets));
                } else if let Some(object) = object(&text) {
                    self.add_row(text.len(), &object);
                } else if brackets.may_hold_others {
                    self.lose_track();
                } else {
                    self.cells.broken_row();
                }
                return;
            }
            // What came before was broken, and this is the next. Of several lines each may be one.
            if text.contains(&b'\n') {
                return self.lose_track();
            }
            self.cells.broken_row();
        }
        match object(line).filter(|_| !overlong) {
            Some(object) => self.add_row(line.len(), &object),
            None if overlong => self.cells.broken_row(),
            None => self.end_broken_line(line),
        }
    }

    /// A line that is no object: the beginning of one, several of them, or nothing.
    fn end_broken_line(&mut self, line: &[u8]) {
        let brackets = Brackets::of(line);
        if is_cut_off(line) && brackets.goes_on() {
            self.begun = Some((line.to_vec(), brackets));
            return;
        }
        match objects(line) {
            Some(objects) if objects.len() > OBJECTS => self.lose_track(),
            Some(objects) => objects.iter().for_each(|object| self.add_row(object.len(), object)),
            None if brackets.begins_others => self.lose_track(),
            None => self.cells.broken_row(),
        }
    }

    /// The reader no longer knows where objects begin.
    fn lose_track(&mut self) {
        let why = format!("the value that ends in line {} is no JSON, and may hold others behind it", self.lines + 1);
        self.fault.get_or_insert(why);
    }

    fn add_row(&mut self, bytes: usize, object: &str) {
        self.cells.weigh(bytes);
        let members = Members::of(object);
        let columns = &self.columns;
        self.cells.row(|i, node| {
            if let Some(column) = columns.get(i) {
                fill(node, members.say(&column.physical_name));
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
        self.lines += 1;
        rest.get(1..).unwrap_or_default()
    }

    /// Takes bytes up to the end of a value.
    fn take_value<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let mut from = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let step = self.documents.step(*byte);
            self.lines += u64::from(*byte == b'\n' && step != Step::EndBefore && step != Step::SkipAndEnd);
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
                self.lines += u64::from(step == Step::SkipAndEnd);
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
            let is_cut_off = self.documents.is_cut_off() || is_cut_off(&self.value);
            if !is_cut_off {
                self.end_value();
            }
            if is_cut_off || self.begun.is_some() {
                self.fault.get_or_insert_with(|| "it ends inside of an object or an array".to_owned());
            }
            return 0;
        }
        let mut rest = bytes;
        while !rest.is_empty() && !self.cells.is_full(rows) && self.fault.is_none() {
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

/// The text of an object; none where it is none. Constants may stand in it, and values that are broken alone.
fn object(value: &[u8]) -> Option<Cow<'_, str>> {
    let is_valid = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
    let text = std::str::from_utf8(value).ok().map(str::trim).filter(|text| text.starts_with('{'));
    match text.filter(|text| is_valid(text) || is_valid(&quoted_constants(text))) {
        Some(text) => Some(Cow::Borrowed(text)),
        None => flawed::object(value).map(Cow::Owned),
    }
}

/// Several objects on one line; none where something else stands there too.
fn objects(line: &[u8]) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(line).ok()?.trim();
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let (mut objects, mut from) = (Vec::new(), 0);
    while let Some(value) = values.next() {
        value.ok()?;
        let object = text.get(from..values.byte_offset())?.trim();
        objects.push(Some(object).filter(|object| object.starts_with('{'))?);
        from = values.byte_offset();
    }
    Some(objects)
}

/// True where a text begins an object and does not end it.
fn is_cut_off(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let ends_inside = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_err_and(|error| error.is_eof());
    let text = text.trim();
    text.starts_with('{') && (ends_inside(text) || ends_inside(&quoted_constants(text)))
}

/// Puts what a file says into a node; elements of lists go the way of columns.
fn fill(node: &mut Node, said: Said<'_>) {
    let value = match said {
        Said::Nothing => "null",
        Said::Once(value) => value,
        Said::Twice => return node.put_bad(),
    };
    match node {
        _ if value == "null" => node.put(Cell::Null),
        Node::Struct { fields, names, valid } if value.starts_with('{') => {
            let members = Members::of(value);
            for (field, name) in fields.iter_mut().zip(names.iter()) {
                fill(field, members.say(name));
            }
            valid.append(true);
        }
        Node::List(list) if value.starts_with('[') => {
            list.push(elements(value), |node, element| fill(node, Said::Once(element)));
        }
        Node::Struct { .. } | Node::List(_) => node.put_bad(),
        Node::Leaf { data_type, holds_json, .. } => {
            let is_valid = match value.as_bytes().first() {
                Some(b'"') => {
                    return match serde_json::from_str::<String>(value) {
                        Ok(text) => node.put(Cell::Text(&text)),
                        Err(_) => node.put_bad(),
                    };
                }
                Some(b'{' | b'[') => *holds_json && serde_json::from_str::<IgnoredAny>(value).is_ok(),
                // A constant is no text, and no whole number.
                _ => !is_constant(value) || data_type.is_floating(),
            };
            node.put(if is_valid { Cell::Text(value) } else { Cell::Bad });
        }
    }
}
