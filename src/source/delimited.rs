//! CSV (RFC 4180: a header, comma, double quotes, line breaks inside quotes), or with the delimiter that the contract names, and without
//! a header where it says so.
//!
//! Fields are matched to columns by name, in each file for itself. An empty field is NULL, except in a text column, where it is the
//! empty text: the format cannot tell them apart, and the contract knows which of the two can be meant.

use std::sync::Arc;

use bytes::Bytes;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use futures::StreamExt;
use futures::stream::BoxStream;

use super::cells::{Cell, Cells};
use super::text::{RECORD_BYTES, Records};
use crate::contract::{Column, TextLayout};

/// Most fields of a record; more make it broken.
const FIELDS: usize = 1 << 16;

/// Splits bytes into records, with bounded memory.
struct Splitter {
    reader: Reader,
    text: Vec<u8>,
    length: usize,
    ends: Vec<usize>,
    fields: usize,
    overlong: bool,
    /// Quotes in the bytes of the record: an odd number at the end of a file is one that was never closed.
    quotes: usize,
}

enum Step {
    /// All bytes were taken.
    More,
    /// A record is in `text` and `ends`.
    Record,
    End,
}

impl Splitter {
    fn new(delimiter: u8) -> Self {
        let reader = ReaderBuilder::new().delimiter(delimiter).build();
        Self { reader, text: vec![0; 4096], length: 0, ends: vec![0; 64], fields: 0, overlong: false, quotes: 0 }
    }

    /// Takes bytes up to the end of a record.
    fn step(&mut self, bytes: &[u8]) -> (Step, usize) {
        let mut used = 0;
        loop {
            let input = bytes.get(used..).unwrap_or_default();
            let text = self.text.get_mut(self.length..).unwrap_or_default();
            let ends = self.ends.get_mut(self.fields..).unwrap_or_default();
            let (result, read, written, ended) = self.reader.read_record(input, text, ends);
            used += read;
            self.quotes += input.iter().take(read).filter(|byte| **byte == b'"').count();
            self.length += written;
            self.fields += ended;
            match result {
                ReadRecordResult::InputEmpty => return (Step::More, used),
                ReadRecordResult::Record => return (Step::Record, used),
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
        (self.length, self.fields, self.overlong, self.quotes) = (0, 0, false, 0);
    }
}

/// The names in the first record.
pub(super) async fn header(
    mut bytes: BoxStream<'_, object_store::Result<Bytes>>,
    delimiter: u8,
) -> object_store::Result<Vec<String>> {
    let mut splitter = Splitter::new(delimiter);
    loop {
        let chunk = bytes.next().await.transpose()?;
        let ended = chunk.is_none();
        let (step, _) = splitter.step(&chunk.unwrap_or_default());
        if ended || matches!(step, Step::Record | Step::End) {
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
    cells: Cells,
}

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
        let place = |column: &String| names.iter().position(|name| name == column).unwrap_or(usize::MAX);
        self.places = Some(self.columns.iter().map(place).collect());
        self.width = names.len();
    }

    fn record(&mut self) {
        let Some(places) = &self.places else { return self.header() };
        let splitter = &self.splitter;
        self.cells.weigh(splitter.length);
        if splitter.overlong || splitter.fields != self.width {
            self.cells.broken_row();
            return;
        }
        self.cells.row(|i, node| {
            let field = places.get(i).and_then(|place| splitter.field(*place));
            node.put(match field.map(std::str::from_utf8) {
                Some(Ok("")) if !node.is_text() => Cell::Null,
                Some(Ok(text)) => Cell::Text(text),
                Some(Err(_)) => Cell::Bad,
                // The file has no such column.
                None => Cell::Null,
            });
        });
    }
}

impl Records for CsvRecords {
    fn decode(&mut self, bytes: &[u8], rows: usize) -> usize {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            if !bytes.is_empty() && rest.is_empty() {
                return used;
            }
            let (step, read) = self.splitter.step(rest);
            used += read;
            match step {
                Step::Record => {
                    self.splitter.overlong |= bytes.is_empty() && self.splitter.quotes % 2 == 1;
                    self.record();
                    self.splitter.clear();
                }
                Step::More if bytes.is_empty() => {}
                Step::More | Step::End => return used,
            }
            if self.foreign || self.cells.is_full(rows) {
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
        None
    }
}
