//! CSV (RFC 4180: a header, comma, double quotes, line breaks inside quotes), or with the delimiter that the contract names, and without
//! a header where it says so.
//!
//! Fields are matched to columns by name, in each file for itself. An empty field is NULL, except in a text column, where it is the
//! empty text: the format cannot tell them apart, and the contract knows which of the two can be meant. A record is broken where its
//! quotes mean no one thing. Where it also goes over a line's end, others may be inside it, and the read ends.
//!
//! A line without anything is a record with an empty field where records have one field, since each line is a record then (PostgreSQL and
//! DuckDB read it so). Where they have more it is none.

use std::sync::Arc;

use bytes::Bytes;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;

use super::cells::{Cell, Cells, Node};
use super::damaged::Damaged;
use super::quoting::Quoting;
use super::text::{RECORD_BYTES, Records};
use crate::contract::{Column, TextLayout};

/// Most fields of a record; more make it broken.
const FIELDS: usize = 1 << 16;

/// Splits bytes into records, with bounded memory.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Splitter {
    reader: Reader,
    text: Vec<u8>,
    length: usize,
    ends: Vec<usize>,
    fields: usize,
    overlong: bool,
    delimiter: u8,
    quoting: Quoting,
    ends_of_line: LineEnds,
    /// The line in which the record begins, and line ends since.
    line: u64,
    passed: u64,
    begun: bool,
    /// The records have one field, so that an empty line is one of them.
    has_blanks: bool,
    /// The last line ended with a carriage return, to which a line feed may belong.
    is_behind_return: bool,
}

/// What ends a line, which the first record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnds {
    Unknown,
    /// The first record ended with a carriage return: the next byte tells whether a line feed belongs to it.
    Return,
    /// Line feeds, with or without carriage returns before them.
    Feeds,
    Returns,
}

enum Step {
    /// All bytes were taken.
    More,
    /// A record is in `text` and `ends`.
    Record,
    /// A line that is empty, where it is a record.
    Blank,
    End,
}

impl Splitter {
    fn new(delimiter: u8) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            text: vec![0; 4096],
            length: 0,
            ends: vec![0; 64],
            fields: 0,
            overlong: false,
            delimiter,
            quoting: Quoting::default(),
            ends_of_line: LineEnds::Unknown,
            line: 1,
            passed: 0,
            begun: false,
            has_blanks: false,
            is_behind_return: false,
        }
    }

    /// Takes bytes up to the end of a record.
    fn step(&mut self, bytes: &[u8]) -> (Step, usize) {
        if let (LineEnds::Return, Some(first)) = (self.ends_of_line, bytes.first()) {
            self.choose(if *first == b'\n' { LineEnds::Feeds } else { LineEnds::Returns });
        }
        let mut used = 0;
        if self.has_blanks && !self.begun {
            match self.blank(bytes) {
                (true, read) => return (Step::Blank, read),
                (false, read) => used = read,
            }
        }
        loop {
            let input = bytes.get(used..).unwrap_or_default();
            let text = self.text.get_mut(self.length..).unwrap_or_default();
            let ends = self.ends.get_mut(self.fields..).unwrap_or_default();
            let (result, read, written, ended) = self.reader.read_record(input, text, ends);
            used += read;
            self.look(input.get(..read).unwrap_or_default());
            self.length += written;
            self.fields += ended;
            match result {
                ReadRecordResult::InputEmpty => return (Step::More, used),
                ReadRecordResult::Record => {
                    self.is_behind_return = input.get(..read).and_then(<[u8]>::last) == Some(&b'\r');
                    if self.ends_of_line == LineEnds::Unknown {
                        match input.get(..read).and_then(<[u8]>::last) {
                            Some(b'\n') => self.choose(LineEnds::Feeds),
                            _ => self.ends_of_line = LineEnds::Return,
                        }
                    } else if self.ends_of_line == LineEnds::Feeds {
                        self.drop_return(bytes.is_empty());
                    }
                    return (Step::Record, used);
                }
                ReadRecordResult::End => return (Step::End, used),
                ReadRecordResult::OutputFull if self.text.len() < RECORD_BYTES => {
                    self.text.resize(self.text.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull if self.ends.len() < FIELDS => {
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                // Too long: the rest of the record is read over.
                ReadRecordResult::OutputFull => (self.overlong, self.length) = (true, 0),
                ReadRecordResult::OutputEndsFull => (self.overlong, self.fields) = (true, 0),
            }
        }
    }

    /// Whether the bytes begin with an empty line, and how many of them it takes; none where the rest of an end of a line stands there.
    fn blank(&mut self, bytes: &[u8]) -> (bool, usize) {
        let rest = bytes.strip_prefix(b"\n").filter(|_| self.is_behind_return);
        let (rest, read) = rest.map_or((bytes, 0), |rest| (rest, 1));
        self.line += read as u64;
        self.is_behind_return &= bytes.is_empty();
        match (rest.first(), self.ends_of_line) {
            (Some(b'\n'), ends) => {
                if ends == LineEnds::Unknown {
                    self.choose(LineEnds::Feeds);
                }
                self.line += 1;
                (true, read + 1)
            }
            (Some(b'\r'), LineEnds::Unknown | LineEnds::Returns) => {
                if self.ends_of_line == LineEnds::Unknown {
                    self.ends_of_line = LineEnds::Return;
                }
                self.is_behind_return = true;
                (true, read + 1)
            }
            _ => (false, read),
        }
    }

    fn choose(&mut self, ends: LineEnds) {
        self.ends_of_line = ends;
        if ends == LineEnds::Feeds {
            let terminator = Terminator::Any(b'\n');
            self.reader = ReaderBuilder::new().delimiter(self.delimiter).terminator(terminator).build();
        }
    }

    fn look(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        if !self.begun {
            // Empty lines before the record, and what is left of the end of the one before.
            let is_empty = |byte: &u8| *byte == b'\n' || *byte == b'\r' && self.ends_of_line != LineEnds::Feeds;
            let (empty, rest) = bytes.split_at(bytes.iter().take_while(|byte| is_empty(byte)).count());
            self.line += feeds(empty);
            self.begun = !rest.is_empty();
            bytes = rest;
        }
        self.quoting.take(bytes, self.delimiter);
        self.passed += feeds(bytes);
    }

    /// True for a line of nothing but its end.
    fn is_blank(&self) -> bool {
        self.fields == 1 && self.length == 0 && self.quoting.has_return && !self.quoting.is_quoted
    }

    /// True where other records may be inside the record.
    fn may_hold_others(&self) -> bool {
        self.quoting.spans_lines && self.quoting.is_malformed
    }

    /// Where lines end with line feeds alone, the carriage return before one stands in the last field.
    fn drop_return(&mut self, at_end: bool) {
        if at_end {
            self.quoting.end();
        }
        let last = self.fields.checked_sub(1).and_then(|last| self.ends.get_mut(last));
        if let Some(end) = last.filter(|_| self.quoting.has_return && !self.overlong) {
            *end = end.saturating_sub(1);
            self.length = self.length.saturating_sub(1);
        }
    }

    fn field(&self, i: usize) -> Option<&[u8]> {
        let end = *self.ends.get(i).filter(|_| i < self.fields)?;
        let start = if i == 0 { 0 } else { *self.ends.get(i - 1)? };
        self.text.get(start..end)
    }

    /// The fields as names.
    fn names(&self) -> Vec<String> {
        let names = (0..self.fields).filter_map(|i| self.field(i));
        names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
    }

    fn clear(&mut self) {
        (self.length, self.fields, self.overlong) = (0, 0, false);
        self.quoting = Quoting::default();
        (self.line, self.passed, self.begun) = (self.line + self.passed, 0, false);
    }
}

fn feeds(bytes: &[u8]) -> u64 {
    bytes.split(|byte| *byte == b'\n').skip(1).count() as u64
}

/// The names in the first record of the file under a key.
pub(super) async fn header(
    mut bytes: BoxStream<'_, object_store::Result<Bytes>>,
    key: &Path,
    delimiter: u8,
) -> object_store::Result<Vec<String>> {
    let mut splitter = Splitter::new(delimiter);
    loop {
        let chunk = bytes.next().await.transpose()?;
        let ended = chunk.is_none();
        let (step, _) = splitter.step(&chunk.unwrap_or_default());
        if ended && splitter.quoting.is_open() {
            return Err(Damaged::file(key, "a quote in its header is never closed").into());
        }
        if ended || matches!(step, Step::Record | Step::End) {
            if splitter.quoting.is_malformed {
                return Err(Damaged::file(key, "its header has text behind a closing quote").into());
            }
            return Ok(splitter.names());
        }
    }
}

/// Records after the header → cells.
pub(super) struct CsvRecords {
    splitter: Splitter,
    columns: Vec<String>,
    /// The header that the file had when it was looked at.
    expected: Option<Arc<Vec<String>>>,
    /// Where in a record each column stands, by the header of the bytes that are read; none before it was read.
    places: Option<Vec<usize>>,
    width: usize,
    foreign: bool,
    fault: Option<String>,
    cells: Cells,
}

/// The place of a column that the file lacks, and of one that it has twice.
const NOWHERE: usize = usize::MAX;
const TWICE: usize = usize::MAX - 1;

impl CsvRecords {
    /// Without an expected header every header will do. Where the files have none, the expected one stands for it.
    pub(super) fn new(columns: &[Column], expected: Option<Arc<Vec<String>>>, layout: &TextLayout) -> Self {
        let mut records = Self {
            splitter: Splitter::new(layout.delimiter),
            columns: columns.iter().map(|column| column.physical_name.clone()).collect(),
            expected,
            places: None,
            width: 0,
            foreign: false,
            fault: None,
            cells: Cells::new(columns, layout.marks),
        };
        if !layout.header {
            let names = records.expected.as_ref().map(|names| names.to_vec()).unwrap_or_default();
            records.named(&names);
        }
        records
    }

    fn header(&mut self) {
        let names = self.splitter.names();
        self.named(&names);
    }

    fn named(&mut self, names: &[String]) {
        self.foreign = self.expected.as_ref().is_some_and(|expected| **expected != *names);
        let place = |column: &String| {
            let mut places = names.iter().enumerate().filter(|(_, name)| *name == column).map(|(place, _)| place);
            match (places.next(), places.next()) {
                (None, _) => NOWHERE,
                (Some(place), None) => place,
                (Some(_), Some(_)) => TWICE,
            }
        };
        self.places = Some(self.columns.iter().map(place).collect());
        self.width = names.len();
        self.splitter.has_blanks = self.width == 1;
    }

    /// An empty line, where it is a record.
    fn blank(&mut self) {
        let Some(places) = &self.places else { return };
        self.cells.weigh(1);
        self.cells.row(|i, node| {
            let field = places.get(i).filter(|place| **place == 0).map(|_| b"".as_slice());
            put(node, field);
        });
    }

    fn record(&mut self) {
        let Some(places) = &self.places else { return self.header() };
        let splitter = &self.splitter;
        if splitter.is_blank() && self.width != 1 {
            return;
        }
        if splitter.may_hold_others() {
            let why = format!(
                "the quotes of the record that begins in line {} mean no one thing, and others may be inside it",
                splitter.line
            );
            self.fault = Some(why);
            return;
        }
        self.cells.weigh(splitter.length);
        if splitter.overlong || splitter.quoting.is_malformed || splitter.fields != self.width {
            self.cells.broken_row();
            return;
        }
        self.cells.row(|i, node| {
            let place = places.get(i).copied().unwrap_or(NOWHERE);
            if place == TWICE {
                return node.put_bad();
            }
            put(node, Some(place).filter(|place| *place != NOWHERE).and_then(|place| splitter.field(place)));
        });
    }
}

/// Puts a field; none where the file has no such column.
fn put(node: &mut Node, field: Option<&[u8]>) {
    node.put(match field.map(std::str::from_utf8) {
        Some(Ok("")) if !node.is_text() => Cell::Null,
        Some(Ok(text)) => Cell::Text(text),
        Some(Err(_)) => Cell::Bad,
        None => Cell::Null,
    });
}

impl Records for CsvRecords {
    fn decode(&mut self, bytes: &[u8], rows: usize) -> usize {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            if !bytes.is_empty() && rest.is_empty() {
                return used;
            }
            if bytes.is_empty() && self.splitter.quoting.is_open() {
                let line = self.splitter.line;
                self.fault = Some(format!("a quote of the record that begins in line {line} is never closed"));
                return used;
            }
            let (step, read) = self.splitter.step(rest);
            used += read;
            match step {
                Step::Record => {
                    self.record();
                    self.splitter.clear();
                }
                Step::Blank => self.blank(),
                Step::More if bytes.is_empty() => {}
                Step::More | Step::End => return used,
            }
            if self.foreign || self.fault.is_some() || self.cells.is_full(rows) {
                return used;
            }
        }
    }

    fn cells(&mut self) -> &mut Cells {
        &mut self.cells
    }

    fn is_foreign(&self) -> bool {
        self.foreign
    }

    fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}
