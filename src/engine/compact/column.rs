//! Which kind of array goes which way.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, NullArray, UInt64Array, new_empty_array, new_null_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::compute::take;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::{encoded, flat, lists, nested};
use crate::diagnostic::{Diagnostic, Kind, Result};

/// Rebuilds `array` into `target`, in fresh buffers that hold its visible values only.
///
/// The slots of nulls, and of everything below a null parent, are zero; offsets count from zero; validity and boolean
/// bits beyond the length are zero. `target` is the array's own type or what the wire lowers it to (text and binary
/// between their layouts, dictionaries and runs to their values, list views to lists, narrow decimals to 128 bits,
/// half floats to single, unsigned numbers to wider ones, nanoseconds to microseconds, zones to UTC).
///
/// # Errors
/// `Internal` where the array is of a type that has no way to `target`, or breaks its own layout; no value is quoted.
/// `Exhausted` where the visible values do not fit 32-bit offsets.
pub fn rebuild(array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    column(array, None, target)
}

/// As [`rebuild`], below a parent that is null where `live` is not set.
pub(super) fn column(array: &dyn Array, live: Option<&NullBuffer>, target: &DataType) -> Result<ArrayRef> {
    let rebuilt = match (array.data_type(), target) {
        // Encodings first: their values may have any type.
        (DataType::Dictionary(_, _), _) => encoded::dictionary(array, live, target)?,
        (DataType::RunEndEncoded(_, _), _) => encoded::runs(array, live, target)?,
        (DataType::Null, DataType::Null) => Arc::new(NullArray::new(array.len())),
        (DataType::Boolean, DataType::Boolean) => flat::boolean(array, live)?,
        (from, to) if flat::is_text(from) && flat::is_text(to) || flat::is_binary(from) && flat::is_binary(to) => {
            flat::bytes(array, live, target)?
        }
        (DataType::FixedSizeBinary(from), DataType::FixedSizeBinary(to)) if from == to => {
            flat::fixed_size_binary(array, live)?
        }
        (from, to) if lists::is_list(from) && lists::is_list(to) => lists::list(array, live, target)?,
        (DataType::Map(_, from), DataType::Map(_, to)) if from == to => lists::map(array, live, target)?,
        (DataType::FixedSizeList(_, from), DataType::FixedSizeList(_, to)) if from == to => {
            nested::fixed_size_list(array, live, target)?
        }
        (DataType::Struct(_), DataType::Struct(_)) => nested::structure(array, live, target)?,
        (DataType::Union(_, from), DataType::Union(_, to)) if from == to => nested::union(array, live, target)?,
        _ => flat::primitive(array, live, target)?,
    };
    if rebuilt.data_type() == target && rebuilt.len() == array.len() { Ok(rebuilt) } else { Err(no_way(array, target)) }
}

/// The rows of `values` at `rows`, rebuilt; a row that is not live may point anywhere inside.
pub(super) fn gather(
    values: &ArrayRef,
    rows: Vec<u64>,
    live: Option<&NullBuffer>,
    target: &DataType,
) -> Result<ArrayRef> {
    if rows.is_empty() {
        return Ok(new_empty_array(target));
    }
    if values.is_empty() {
        // Nothing to point at, so nothing can be visible.
        return if live.is_some_and(|live| live.null_count() == live.len()) {
            Ok(new_null_array(target, rows.len()))
        } else {
            Err(broken())
        };
    }
    if rows.iter().any(|row| *row >= values.len() as u64) {
        return Err(broken());
    }
    let taken = take(values, &UInt64Array::from(rows), None).map_err(|error| broken_because(&error))?;
    column(&taken, live, target)
}

/// What is visible of `array` below `live`: fresh bits, zero beyond the length, or nothing where no slot is null.
pub(super) fn visible(array: &dyn Array, live: Option<&NullBuffer>) -> Result<Option<NullBuffer>> {
    if live.is_some_and(|live| live.len() != array.len()) {
        return Err(broken());
    }
    Ok(NullBuffer::union(array.nulls(), live)
        .filter(|nulls| nulls.null_count() > 0)
        .map(|nulls| NullBuffer::new(fresh_bits(nulls.inner()))))
}

/// A copy that starts at bit 0 and whose padding bits are zero.
pub(super) fn fresh_bits(bits: &BooleanBuffer) -> BooleanBuffer {
    let words: Vec<u64> = bits.bit_chunks().iter_padded().collect();
    let bytes = Buffer::from_vec(words).slice_with_length(0, bits.len().div_ceil(8));
    BooleanBuffer::new(bytes, 0, bits.len())
}

pub(super) fn is_live(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_none_or(|nulls| nulls.is_valid(row))
}

pub(super) fn no_way(array: &dyn Array, target: &DataType) -> Diagnostic {
    tracing::error!(from = %array.data_type(), to = %target, "no way to rebuild a column");
    Diagnostic::error(Kind::Internal, "a column of the result has a type that cannot be sent")
        .hint("cast it to a plain type, such as text or a number")
}

pub(super) fn broken() -> Diagnostic {
    Diagnostic::error(Kind::Internal, "a column of the result breaks its own layout")
}

pub(super) fn broken_because(error: &ArrowError) -> Diagnostic {
    // The text of an arrow error may quote values: only its kind is said.
    let kind = match error {
        ArrowError::OffsetOverflowError(_) => return too_large(),
        ArrowError::InvalidArgumentError(_) => "argument",
        ArrowError::CastError(_) => "cast",
        ArrowError::SchemaError(_) => "schema",
        _ => "other",
    };
    tracing::error!(kind, "a column could not be rebuilt");
    broken()
}

pub(super) fn too_large() -> Diagnostic {
    Diagnostic::error(Kind::Exhausted, "one batch of a column holds more than 2 GiB")
        .hint("select fewer or shorter values")
}
