//! Text cells → typed columns with drift markers.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BooleanArray, BooleanBufferBuilder, StringArray, StringBuilder, StructArray, new_null_array,
};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer};
use datafusion::arrow::compute::{CastOptions, and, cast_with_options, concat, is_not_null, is_null, or};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::ReaderBuilder;

use super::text::BATCH_BYTES;
use crate::contract::Column;

/// What a file says about one leaf in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    Null,
    Text(&'a str),
    /// Something is there that no text can stand for.
    Bad,
}

/// Rows in the making, one node for each column.
#[derive(Debug)]
pub(super) struct Cells {
    nodes: Vec<Node>,
    rows: usize,
    bytes: usize,
}

#[derive(Debug)]
pub(super) enum Node {
    Leaf { data_type: DataType, text: StringBuilder, bad: BooleanBufferBuilder },
    Struct { fields: Vec<Node>, names: Vec<String>, valid: BooleanBufferBuilder },
}

impl Cells {
    pub(super) fn new<'a>(columns: impl IntoIterator<Item = &'a Column>) -> Self {
        Self { nodes: columns.into_iter().map(Node::new).collect(), rows: 0, bytes: 0 }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn is_full(&self, rows: usize) -> bool {
        self.rows >= rows || self.bytes >= BATCH_BYTES
    }

    /// Notes how long the record of a row is.
    pub(super) fn weigh(&mut self, bytes: usize) {
        if !self.nodes.is_empty() {
            self.bytes = self.bytes.saturating_add(bytes);
        }
    }

    /// One row; `fill` puts one cell into every node.
    pub(super) fn row(&mut self, mut fill: impl FnMut(usize, &mut Node)) {
        for (i, node) in self.nodes.iter_mut().enumerate() {
            fill(i, node);
        }
        self.rows += 1;
    }

    /// A row that could not be read at all.
    pub(super) fn broken_row(&mut self) {
        self.row(|_, node| node.put_bad());
    }

    /// Takes the rows out: for each column its values and the markers of its leaves.
    pub(super) fn finish(&mut self) -> Result<Vec<(ArrayRef, Vec<ArrayRef>)>, ArrowError> {
        (self.rows, self.bytes) = (0, 0);
        self.nodes.iter_mut().map(Node::finish).collect()
    }
}

impl Node {
    fn new(column: &Column) -> Self {
        if column.fields.is_empty() {
            return Self::Leaf {
                data_type: column.type_in_files(),
                text: StringBuilder::new(),
                bad: BooleanBufferBuilder::new(0),
            };
        }
        Self::Struct {
            fields: column.fields.iter().map(Self::new).collect(),
            names: column.fields.iter().map(|f| f.physical_name.clone()).collect(),
            valid: BooleanBufferBuilder::new(0),
        }
    }

    /// Puts one cell; a struct takes NULL and bad as a whole.
    pub(super) fn put(&mut self, cell: Cell<'_>) {
        match self {
            Self::Leaf { text, bad, .. } => {
                text.append_option(if let Cell::Text(value) = cell { Some(value) } else { None });
                bad.append(cell == Cell::Bad);
            }
            Self::Struct { fields, valid, .. } => {
                // A struct cannot be made of text.
                let cell = if let Cell::Text(_) = cell { Cell::Bad } else { cell };
                for field in fields {
                    field.put(cell);
                }
                valid.append(false);
            }
        }
    }

    pub(super) fn put_bad(&mut self) {
        self.put(Cell::Bad);
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Leaf { data_type: DataType::Utf8, .. })
    }

    fn finish(&mut self) -> Result<(ArrayRef, Vec<ArrayRef>), ArrowError> {
        match self {
            Self::Leaf { data_type, text, bad } => {
                let texts = text.finish();
                let bad = BooleanArray::new(bad.finish(), None);
                let values = convert(&texts, data_type)?;
                let lost = and(&is_not_null(&texts)?, &is_null(&values)?)?;
                Ok((values, vec![Arc::new(or(&bad, &lost)?)]))
            }
            Self::Struct { fields, names, valid, .. } => {
                let valid: BooleanBuffer = valid.finish();
                let mut arrays = Vec::new();
                let mut markers = Vec::new();
                let mut types = Vec::new();
                for (node, name) in fields.iter_mut().zip(names.iter()) {
                    let (array, drift) = node.finish()?;
                    types.push(Field::new(name, array.data_type().clone(), true));
                    arrays.push(array);
                    markers.extend(drift);
                }
                let array = StructArray::try_new(types.into(), arrays, Some(NullBuffer::new(valid)))?;
                Ok((Arc::new(array), markers))
            }
        }
    }
}

/// Text → values; NULL where the text is not a value of the type. Never an error for any text.
fn convert(texts: &StringArray, to: &DataType) -> Result<ArrayRef, ArrowError> {
    match to {
        DataType::Utf8 => Ok(Arc::new(texts.clone())),
        DataType::List(_) | DataType::Struct(_) => nested(texts, to),
        DataType::Decimal128(_, scale) => {
            let plain: StringArray = texts.iter().map(|text| text.and_then(|t| plain(t, *scale))).collect();
            cast_with_options(&plain, to, &CastOptions { safe: true, ..CastOptions::default() })
        }
        to => cast_with_options(texts, to, &CastOptions { safe: true, ..CastOptions::default() }),
    }
}

/// A number without exponent. None where the contract has no room for its digits after the point: the cast would round them away.
fn plain(text: &str, scale: i8) -> Option<Cow<'_, str>> {
    let plain = match text.split_once(['e', 'E']) {
        None => Cow::Borrowed(text),
        Some((number, exponent)) => Cow::Owned(shift(number, exponent.parse().ok()?)?),
    };
    let digits = plain.split_once('.').map_or("", |(_, digits)| digits).trim_end_matches('0');
    (digits.len() <= usize::try_from(scale).unwrap_or(0)).then_some(plain)
}

/// Moves the decimal point; no further than any decimal type reaches.
fn shift(number: &str, places: i32) -> Option<String> {
    let (sign, number) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || places.abs() > 80 {
        return None;
    }
    let point = i32::try_from(whole.len()).ok()?.checked_add(places)?;
    let Ok(point) = usize::try_from(point) else {
        let zeros = "0".repeat(usize::try_from(-point).ok()?);
        return Some(format!("{sign}0.{zeros}{digits}"));
    };
    let padded = format!("{digits}{}", "0".repeat(point.saturating_sub(digits.len())));
    let (whole, fraction) = padded.split_at_checked(point)?;
    Some(format!("{sign}0{whole}.{fraction}0"))
}

/// JSON text → lists and structs inside lists: all rows at once, and one by one where a row spoils it.
fn nested(texts: &StringArray, to: &DataType) -> Result<ArrayRef, ArrowError> {
    if let Some(values) = parse(texts.iter(), to) {
        return Ok(values);
    }
    let rows: Vec<ArrayRef> =
        texts.iter().map(|text| parse([text].into_iter(), to).unwrap_or_else(|| new_null_array(to, 1))).collect();
    let rows: Vec<&dyn Array> = rows.iter().map(AsRef::as_ref).collect();
    if rows.is_empty() {
        return Ok(new_null_array(to, 0));
    }
    concat(&rows)
}

fn parse<'a>(texts: impl ExactSizeIterator<Item = Option<&'a str>>, to: &DataType) -> Option<ArrayRef> {
    let rows = texts.len();
    if rows == 0 {
        return Some(new_null_array(to, 0));
    }
    let schema = Arc::new(Schema::new(vec![Field::new("v", to.clone(), true)]));
    let reader = ReaderBuilder::new(schema).with_coerce_primitive(true).with_batch_size(rows);
    let mut decoder = reader.build_decoder().ok()?;
    for text in texts {
        let line = format!("{{\"v\":{}}}\n", text.unwrap_or("null"));
        if decoder.decode(line.as_bytes()).ok()? != line.len() {
            return None;
        }
    }
    let batch = decoder.flush().ok()??;
    (batch.num_rows() == rows).then(|| batch.columns().first().cloned()).flatten()
}
