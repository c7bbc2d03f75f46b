//! CSV with a header (RFC 4180: comma, double quotes, line breaks inside quotes).
//!
//! Fields are matched to columns by name, in each file for itself. An empty field is NULL, except in a text column, where it is the
//! empty text: the format cannot tell them apart, and the contract knows which of the two can be meant.

use bytes::Bytes;
use csv_core::{ReadRecordResult, Reader};
use futures::StreamExt;
use futures::stream::BoxStream;

use super::cells::{Cell, Cells};
use super::text::{RECORD_BYTES, Records};
use crate::contract::Column;

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
}

enum Step {
    /// All bytes were taken.
    More,
    /// A record is in `text` and `ends`.
    Record,
    End,
}

impl Splitter {
    fn new() -> Self {
        Self { reader: Reader::new(), text: vec![0; 4096], length: 0, ends: vec![0; 64], fields: 0, overlong: false }
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

    fn clear(&mut self) {
        (self.length, self.fields, self.overlong) = (0, 0, false);
    }
}

/// The names in the first record.
pub(super) async fn header(mut bytes: BoxStream<'_, object_store::Result<Bytes>>) -> object_store::Result<Vec<String>> {
    let mut splitter = Splitter::new();
    loop {
        let chunk = bytes.next().await.transpose()?;
        let ended = chunk.is_none();
        let (step, _) = splitter.step(&chunk.unwrap_or_default());
        if ended || matches!(step, Step::Record | Step::End) {
            let names = (0..splitter.fields).filter_map(|i| splitter.field(i));
            return Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect());
        }
    }
}

/// Records after the header → cells.
pub(super) struct CsvRecords {
    splitter: Splitter,
    /// Where in a record each column stands.
    places: Vec<usize>,
    width: usize,
    past_header: bool,
    cells: Cells,
}

impl CsvRecords {
    /// `columns` with their places in a record of `width` fields.
    pub(super) fn new(columns: Vec<(usize, Column)>, width: usize) -> Self {
        let cells = Cells::new(columns.iter().map(|(_, column)| column));
        let places = columns.into_iter().map(|(place, _)| place).collect();
        Self { splitter: Splitter::new(), places, width, past_header: false, cells }
    }

    fn record(&mut self) {
        if !self.past_header {
            self.past_header = true;
            return;
        }
        let splitter = &self.splitter;
        self.cells.weigh(splitter.length);
        if splitter.overlong || splitter.fields != self.width {
            self.cells.broken_row();
            return;
        }
        let places = &self.places;
        self.cells.row(|i, node| {
            let field = places.get(i).and_then(|place| splitter.field(*place));
            node.put(match field.map(std::str::from_utf8) {
                Some(Ok("")) if !node.is_text() => Cell::Null,
                Some(Ok(text)) => Cell::Text(text),
                Some(Err(_)) | None => Cell::Bad,
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
                    self.record();
                    self.splitter.clear();
                }
                Step::More if bytes.is_empty() => {}
                Step::More | Step::End => return used,
            }
            if self.cells.is_full(rows) {
                return used;
            }
        }
    }

    fn cells(&mut self) -> &mut Cells {
        &mut self.cells
    }
}
