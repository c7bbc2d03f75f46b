//! Lists, list views and maps: rows that are ranges of a child.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericListArray, GenericListViewArray, MapArray, OffsetSizeTrait};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef};

use super::column::{broken, broken_because, column, gather, is_live, no_way, too_large, visible};
use crate::diagnostic::Result;

pub(super) fn is_list(data_type: &DataType) -> bool {
    use DataType::{LargeList, LargeListView, List, ListView};
    matches!(data_type, List(_) | LargeList(_) | ListView(_) | LargeListView(_))
}

/// Where each visible row lies in the child; rows that are not visible are empty.
struct Rows {
    ranges: Vec<Range<usize>>,
    child: ArrayRef,
    nulls: Option<NullBuffer>,
}

pub(super) fn list(array: &dyn Array, live: Option<&NullBuffer>, target: &DataType) -> Result<ArrayRef> {
    let nulls = visible(array, live)?;
    let rows = match array.data_type() {
        DataType::List(_) => of_list(array.as_list_opt::<i32>().ok_or_else(broken)?, nulls),
        DataType::LargeList(_) => of_list(array.as_list_opt::<i64>().ok_or_else(broken)?, nulls),
        DataType::ListView(_) => of_view(array.as_list_view_opt::<i32>().ok_or_else(broken)?, nulls),
        DataType::LargeListView(_) => of_view(array.as_list_view_opt::<i64>().ok_or_else(broken)?, nulls),
        _ => return Err(no_way(array, target)),
    };
    match target {
        DataType::List(item) => into_list::<i32>(rows, item),
        DataType::LargeList(item) => into_list::<i64>(rows, item),
        DataType::ListView(item) => into_view::<i32>(rows, item),
        DataType::LargeListView(item) => into_view::<i64>(rows, item),
        _ => Err(no_way(array, target)),
    }
}

pub(super) fn map(array: &dyn Array, live: Option<&NullBuffer>, target: &DataType) -> Result<ArrayRef> {
    let source = array.as_map_opt().ok_or_else(broken)?;
    let DataType::Map(entries, sorted) = target else { return Err(no_way(array, target)) };
    let rows = Rows {
        ranges: ranges(source.value_offsets(), None),
        child: Arc::new(source.entries().clone()),
        nulls: visible(array, live)?,
    };
    let rows = rows.without_hidden();
    let (offsets, child) = rows.dense::<i32>(entries)?;
    let child = child.as_struct_opt().ok_or_else(broken)?.clone();
    MapArray::try_new(Arc::clone(entries), offsets, child, rows.nulls, *sorted)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| broken_because(&error))
}

fn of_list<O: OffsetSizeTrait>(source: &GenericListArray<O>, nulls: Option<NullBuffer>) -> Rows {
    Rows { ranges: ranges(source.value_offsets(), None), child: Arc::clone(source.values()), nulls }.without_hidden()
}

fn of_view<O: OffsetSizeTrait>(source: &GenericListViewArray<O>, nulls: Option<NullBuffer>) -> Rows {
    let ranges = ranges(source.value_offsets(), Some(source.value_sizes()));
    Rows { ranges, child: Arc::clone(source.values()), nulls }.without_hidden()
}

/// Of offsets and sizes or, without sizes, of offsets alone.
fn ranges<O: OffsetSizeTrait>(offsets: &[O], sizes: Option<&[O]>) -> Vec<Range<usize>> {
    match sizes {
        Some(sizes) => offsets
            .iter()
            .zip(sizes)
            .map(|(start, size)| start.as_usize()..start.as_usize().saturating_add(size.as_usize()))
            .collect(),
        None => {
            offsets.iter().zip(offsets.iter().skip(1)).map(|(start, end)| start.as_usize()..end.as_usize()).collect()
        }
    }
}

fn into_list<O: OffsetSizeTrait>(rows: Rows, item: &FieldRef) -> Result<ArrayRef> {
    let (offsets, child) = rows.dense::<O>(item)?;
    GenericListArray::<O>::try_new(Arc::clone(item), offsets, child, rows.nulls)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| broken_because(&error))
}

fn into_view<O: OffsetSizeTrait>(rows: Rows, item: &FieldRef) -> Result<ArrayRef> {
    let (offsets, child) = rows.dense::<O>(item)?;
    let starts: Vec<O> = offsets.iter().take(rows.ranges.len()).copied().collect();
    let sizes: Vec<O> = offsets.lengths().filter_map(O::from_usize).collect();
    GenericListViewArray::<O>::try_new(Arc::clone(item), starts.into(), sizes.into(), child, rows.nulls)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| broken_because(&error))
}

impl Rows {
    fn without_hidden(mut self) -> Self {
        for (row, range) in self.ranges.iter_mut().enumerate() {
            if !is_live(self.nulls.as_ref(), row) {
                *range = 0..0;
            }
        }
        self
    }

    /// Offsets from zero, and the child that they cover without a gap.
    fn dense<O: OffsetSizeTrait>(&self, item: &FieldRef) -> Result<(OffsetBuffer<O>, ArrayRef)> {
        let mut offsets = Vec::with_capacity(self.ranges.len() + 1);
        let mut total = 0_usize;
        offsets.push(O::default());
        // `Some` while what was seen so far is one piece of the child.
        let mut piece: Option<Range<usize>> = Some(0..0);
        for range in &self.ranges {
            total = total.checked_add(range.len()).ok_or_else(too_large)?;
            offsets.push(O::from_usize(total).ok_or_else(too_large)?);
            if range.end > self.child.len() {
                return Err(broken());
            }
            piece = match piece {
                piece if range.is_empty() => piece,
                Some(piece) if piece.is_empty() => Some(range.clone()),
                Some(piece) if piece.end == range.start => Some(piece.start..range.end),
                _ => None,
            };
        }
        let child = if let Some(piece) = piece {
            column(&self.child.slice(piece.start, piece.len()), None, item.data_type())?
        } else {
            let mut taken = Vec::with_capacity(total);
            for range in &self.ranges {
                taken.extend(range.start as u64..range.end as u64);
            }
            gather(&self.child, taken, None, item.data_type())?
        };
        Ok((OffsetBuffer::new(ScalarBuffer::from(offsets)), child))
    }
}
