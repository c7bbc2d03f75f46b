//! Text cells → typed columns with drift markers.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, BooleanBufferBuilder, StringBuilder, StructArray};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer};
use datafusion::arrow::compute::{and, is_not_null, is_null, or};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::error::ArrowError;

use super::lists::List;
use super::text::BATCH_BYTES;
use super::values;
use crate::contract::{Column, NumberMarks, TimeFormat};

/// What a file says about one leaf in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    Null,
    Text(&'a str),
    /// Something is there that no text can stand for.
    Bad,
}

/// The type of a text that is the JSON of a value, see [`Column::in_json`].
const JSON: DataType = DataType::LargeUtf8;

/// Rows in the making, one node for each column.
#[derive(Debug)]
pub(super) struct Cells {
    nodes: Vec<Node>,
    rows: usize,
    bytes: usize,
}

#[derive(Debug)]
pub(super) enum Node {
    Leaf {
        data_type: DataType,
        marks: NumberMarks,
        written: Option<TimeFormat>,
        /// An object or an array is a text here, that of its JSON.
        holds_json: bool,
        text: StringBuilder,
        bad: BooleanBufferBuilder,
    },
    Struct {
        fields: Vec<Node>,
        names: Vec<String>,
        valid: BooleanBufferBuilder,
    },
    List(List),
}

impl Cells {
    pub(super) fn new<'a>(columns: impl IntoIterator<Item = &'a Column>, marks: NumberMarks) -> Self {
        Self { nodes: columns.into_iter().map(|column| Node::new(column, marks)).collect(), rows: 0, bytes: 0 }
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
    fn new(column: &Column, marks: NumberMarks) -> Self {
        if column.fields.is_empty() {
            return Self::of_part(column, &column.type_in_json(), &[], marks);
        }
        Self::Struct {
            fields: column.fields.iter().map(|field| Self::new(field, marks)).collect(),
            names: column.fields.iter().map(|f| f.physical_name.clone()).collect(),
            valid: BooleanBufferBuilder::new(0),
        }
    }

    /// A column that is no struct, or what is inside of a list at a path of fields.
    fn of_part(column: &Column, data_type: &DataType, path: &[String], marks: NumberMarks) -> Self {
        match data_type {
            DataType::List(item) => {
                Self::List(List::new(Arc::clone(item), Self::of_part(column, item.data_type(), path, marks)))
            }
            DataType::Struct(fields) => {
                let field = |field: &FieldRef| {
                    let path = [path, std::slice::from_ref(field.name())].concat();
                    Self::of_part(column, field.data_type(), &path, marks)
                };
                Self::Struct {
                    fields: fields.iter().map(field).collect(),
                    names: fields.iter().map(|field| field.name().clone()).collect(),
                    valid: BooleanBufferBuilder::new(0),
                }
            }
            scalar => Self::Leaf {
                data_type: if *scalar == JSON { DataType::Utf8 } else { scalar.clone() },
                marks,
                written: column.written.as_ref().or_else(|| column.written_inside.get(path)).cloned(),
                holds_json: *scalar == JSON,
                text: StringBuilder::new(),
                bad: BooleanBufferBuilder::new(0),
            },
        }
    }

    /// Puts one cell; a struct or a list takes NULL and bad as a whole.
    pub(super) fn put(&mut self, cell: Cell<'_>) {
        match self {
            Self::Leaf { text, bad, .. } => {
                text.append_option(if let Cell::Text(value) = cell { Some(value) } else { None });
                bad.append(cell == Cell::Bad);
            }
            Self::Struct { fields, valid, .. } => {
                // A struct cannot be made of text.
                let cell = if cell == Cell::Null { cell } else { Cell::Bad };
                for field in fields {
                    field.put(cell);
                }
                valid.append(false);
            }
            Self::List(list) => list.put(cell),
        }
    }

    pub(super) fn put_bad(&mut self) {
        self.put(Cell::Bad);
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Leaf { data_type: DataType::Utf8, .. })
    }

    /// Takes the cells out: their values, and the markers of the leaves. A list is one leaf.
    pub(super) fn finish(&mut self) -> Result<(ArrayRef, Vec<ArrayRef>), ArrowError> {
        match self {
            Self::Leaf { data_type, marks, written, text, bad, .. } => {
                let texts = text.finish();
                let bad = BooleanArray::new(bad.finish(), None);
                let values = values::read(&texts, data_type, *marks, written.as_ref())?;
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
            Self::List(list) => {
                let (values, marker) = list.finish()?;
                Ok((values, vec![marker]))
            }
        }
    }
}
