//! Dictionaries and runs, hydrated: their values may hold entries that no visible row uses.

use arrow::array::{AnyDictionaryArray, Array, ArrayRef, AsArray, RunArray, downcast_run_array};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{ArrowNativeType, DataType, RunEndIndexType};

use super::column::{broken, broken_because, gather, is_live, no_way, visible};
use crate::diagnostic::Result;

pub(super) fn dictionary(array: &dyn Array, live: Option<&NullBuffer>, target: &DataType) -> Result<ArrayRef> {
    let source: &dyn AnyDictionaryArray = array.as_any_dictionary_opt().ok_or_else(broken)?;
    let nulls = visible(source.keys(), live)?;
    let keys = if source.values().is_empty() { vec![0; source.len()] } else { source.normalized_keys() };
    let rows = keys
        .into_iter()
        .enumerate()
        .map(|(row, key)| if is_live(nulls.as_ref(), row) { key as u64 } else { 0 })
        .collect();
    encode(rows, source.values(), nulls.as_ref(), target)
}

pub(super) fn runs(array: &dyn Array, live: Option<&NullBuffer>, target: &DataType) -> Result<ArrayRef> {
    downcast_run_array! {
        array => hydrate(array, live, target),
        _ => Err(no_way(array, target))
    }
}

fn hydrate<R: RunEndIndexType>(source: &RunArray<R>, live: Option<&NullBuffer>, target: &DataType) -> Result<ArrayRef> {
    let ends = source.run_ends();
    let mut rows = Vec::with_capacity(source.len());
    let mut row = ends.offset();
    let end_of_slice = ends.offset() + ends.len();
    for (run, end) in ends.values().iter().enumerate() {
        let end = end.as_usize().min(end_of_slice);
        while row < end {
            rows.push(run as u64);
            row += 1;
        }
    }
    if rows.len() != source.len() {
        return Err(broken());
    }
    encode(rows, source.values(), live, target)
}

/// Into plain values and, where the target is encoded too, from those into a dictionary or runs of their own.
fn encode(rows: Vec<u64>, values: &ArrayRef, live: Option<&NullBuffer>, target: &DataType) -> Result<ArrayRef> {
    let plain = match target {
        DataType::Dictionary(_, value) => value.as_ref(),
        DataType::RunEndEncoded(_, value) => value.data_type(),
        plain => return gather(values, rows, live, plain),
    };
    let hydrated = gather(values, rows, live, plain)?;
    cast(&hydrated, target).map_err(|error| broken_because(&error))
}
