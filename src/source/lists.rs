//! Lists in the making.
//!
//! The elements of all rows are one column, which is read as any other of its type. A part of a list that has no meaning as promised is
//! NULL, and the row is marked: the other parts are shown where the contract asks for NULL, as they are of the lists in Parquet files.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, ListArray};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::FieldRef;
use datafusion::arrow::error::ArrowError;

use super::cells::{Cell, Node};

/// Rows of one list, and the cells of their elements.
#[derive(Debug)]
pub(super) struct List {
    item: FieldRef,
    elements: Box<Node>,
    lengths: Vec<usize>,
    valid: BooleanBufferBuilder,
    bad: BooleanBufferBuilder,
}

impl List {
    pub(super) fn new(item: FieldRef, elements: Node) -> Self {
        let (valid, bad) = (BooleanBufferBuilder::new(0), BooleanBufferBuilder::new(0));
        Self { item, elements: Box::new(elements), lengths: Vec::new(), valid, bad }
    }

    /// A row that is no list: a text stands for none.
    pub(super) fn put(&mut self, cell: Cell<'_>) {
        self.lengths.push(0);
        self.valid.append(false);
        self.bad.append(cell != Cell::Null);
    }

    /// A row; `fill` puts one cell for each element.
    pub(super) fn push<T>(&mut self, elements: impl Iterator<Item = T>, fill: impl Fn(&mut Node, T)) {
        let mut length = 0;
        for element in elements {
            fill(&mut self.elements, element);
            length += 1;
        }
        self.lengths.push(length);
        self.valid.append(true);
        self.bad.append(false);
    }

    /// Takes the rows out: their values, and TRUE where a list or some part of it has no meaning.
    pub(super) fn finish(&mut self) -> Result<(ArrayRef, ArrayRef), ArrowError> {
        let (elements, markers) = self.elements.finish()?;
        // Each element takes a byte of a batch of texts at least, so there is room for the offsets.
        let offsets = OffsetBuffer::<i32>::from_lengths(std::mem::take(&mut self.lengths));
        let (valid, bad): (BooleanBuffer, BooleanBuffer) = (self.valid.finish(), self.bad.finish());
        let bad = markers.iter().fold(bad, |bad, lost| &bad | &any_in_row(&offsets, lost.as_boolean()));
        let item = self.item.as_ref().clone().with_data_type(elements.data_type().clone());
        let lists = ListArray::try_new(Arc::new(item), offsets, elements, Some(NullBuffer::new(valid)))?;
        Ok((Arc::new(lists), Arc::new(BooleanArray::new(bad, None))))
    }
}

/// TRUE for each row that has a marked element.
fn any_in_row(offsets: &OffsetBuffer<i32>, marked: &BooleanArray) -> BooleanBuffer {
    let rows = offsets.len() - 1;
    if !marked.has_true() {
        return BooleanBuffer::new_unset(rows);
    }
    let mut lengths = offsets.lengths();
    let mut from = 0;
    BooleanBuffer::collect_bool(rows, |_| {
        let elements = marked.slice(from, lengths.next().unwrap_or_default());
        from += elements.len();
        elements.has_true()
    })
}
