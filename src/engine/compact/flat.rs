//! Arrays without children.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewBuilder, BooleanArray, FixedSizeBinaryArray,
    GenericByteArray, PrimitiveArray, StringViewBuilder, downcast_primitive,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowNativeType, BinaryType, ByteArrayType, DataType, Decimal32Type, Decimal64Type, Decimal128Type,
    DurationMicrosecondType, DurationNanosecondType, Float16Type, Float32Type, Int16Type, Int32Type, Int64Type,
    LargeBinaryType, LargeUtf8Type, Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type, Utf8Type,
};

use super::column::{broken, broken_because, fresh_bits, is_live, no_way, too_large, visible};
use crate::diagnostic::Result;

pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

pub(super) fn is_binary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

pub(super) fn primitive(array: &dyn Array, live: Option<&NullBuffer>, target: &DataType) -> Result<ArrayRef> {
    macro_rules! same {
        ($t:ty) => {
            typed::<$t, $t>(array, live, target, |value| value)
        };
    }
    match (array.data_type(), target) {
        (DataType::Decimal32(p, s), DataType::Decimal128(tp, ts)) if p == tp && s == ts => {
            typed::<Decimal32Type, Decimal128Type>(array, live, target, i128::from)
        }
        (DataType::Decimal64(p, s), DataType::Decimal128(tp, ts)) if p == tp && s == ts => {
            typed::<Decimal64Type, Decimal128Type>(array, live, target, i128::from)
        }
        (DataType::Float16, DataType::Float32) => typed::<Float16Type, Float32Type>(array, live, target, f32::from),
        (DataType::UInt8, DataType::Int16) => typed::<UInt8Type, Int16Type>(array, live, target, i16::from),
        (DataType::UInt16, DataType::Int32) => typed::<UInt16Type, Int32Type>(array, live, target, i32::from),
        (DataType::UInt32, DataType::Int64) => typed::<UInt32Type, Int64Type>(array, live, target, i64::from),
        (DataType::UInt64, DataType::Decimal128(20, 0)) => {
            typed::<UInt64Type, Decimal128Type>(array, live, target, i128::from)
        }
        (DataType::Timestamp(TimeUnit::Nanosecond, from), DataType::Timestamp(TimeUnit::Microsecond, to))
            if from.is_some() == to.is_some() =>
        {
            typed::<TimestampNanosecondType, TimestampMicrosecondType>(array, live, target, micros)
        }
        (DataType::Time64(TimeUnit::Nanosecond), DataType::Time64(TimeUnit::Microsecond)) => {
            typed::<Time64NanosecondType, Time64MicrosecondType>(array, live, target, micros)
        }
        (DataType::Duration(TimeUnit::Nanosecond), DataType::Duration(TimeUnit::Microsecond)) => {
            typed::<DurationNanosecondType, DurationMicrosecondType>(array, live, target, micros)
        }
        // Another zone shows the same moment.
        (DataType::Timestamp(from, Some(_)), DataType::Timestamp(to, Some(_))) if from == to => match from {
            TimeUnit::Second => same!(TimestampSecondType),
            TimeUnit::Millisecond => same!(TimestampMillisecondType),
            TimeUnit::Microsecond => same!(TimestampMicrosecondType),
            TimeUnit::Nanosecond => same!(TimestampNanosecondType),
        },
        (from, to) if from == to => downcast_primitive! {
            from => (same),
            _ => Err(no_way(array, target))
        },
        _ => Err(no_way(array, target)),
    }
}

/// What lies below a microsecond is cut off, before 1970 too: a time never moves into the next day.
fn micros(nanos: i64) -> i64 {
    nanos.div_euclid(1_000)
}

fn typed<S: ArrowPrimitiveType, T: ArrowPrimitiveType>(
    array: &dyn Array,
    live: Option<&NullBuffer>,
    target: &DataType,
    widen: impl Fn(S::Native) -> T::Native,
) -> Result<ArrayRef> {
    let source = array.as_primitive_opt::<S>().ok_or_else(|| no_way(array, target))?;
    let nulls = visible(array, live)?;
    let values: Vec<T::Native> = match &nulls {
        None => source.values().iter().map(|value| widen(*value)).collect(),
        Some(nulls) => source
            .values()
            .iter()
            .zip(nulls)
            .map(|(value, shown)| if shown { widen(*value) } else { T::Native::default() })
            .collect(),
    };
    let rebuilt = PrimitiveArray::<T>::try_new(values.into(), nulls).map_err(|error| broken_because(&error))?;
    if !PrimitiveArray::<T>::is_compatible(target) {
        return Err(no_way(array, target));
    }
    Ok(Arc::new(rebuilt.with_data_type(target.clone())))
}

pub(super) fn boolean(array: &dyn Array, live: Option<&NullBuffer>) -> Result<ArrayRef> {
    let source = array.as_boolean_opt().ok_or_else(broken)?;
    let nulls = visible(array, live)?;
    let values: BooleanBuffer = match &nulls {
        None => fresh_bits(source.values()),
        Some(nulls) => fresh_bits(&(source.values() & nulls.inner())),
    };
    Ok(Arc::new(BooleanArray::new(values, nulls)))
}

pub(super) fn fixed_size_binary(array: &dyn Array, live: Option<&NullBuffer>) -> Result<ArrayRef> {
    let source = array.as_fixed_size_binary_opt().ok_or_else(broken)?;
    let nulls = visible(array, live)?;
    let width = usize::try_from(source.value_length()).map_err(|_| broken())?;
    let mut values = Vec::with_capacity(width * source.len());
    for row in 0..source.len() {
        if is_live(nulls.as_ref(), row) {
            values.extend_from_slice(source.value(row));
        } else {
            values.resize(values.len() + width, 0);
        }
    }
    FixedSizeBinaryArray::try_new_with_len(source.value_length(), Buffer::from_vec(values), nulls, source.len())
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| broken_because(&error))
}

/// Text to text and binary to binary, between any two layouts.
pub(super) fn bytes(array: &dyn Array, live: Option<&NullBuffer>, target: &DataType) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Utf8 => from_offsets::<Utf8Type>(array, live, target),
        DataType::LargeUtf8 => from_offsets::<LargeUtf8Type>(array, live, target),
        DataType::Binary => from_offsets::<BinaryType>(array, live, target),
        DataType::LargeBinary => from_offsets::<LargeBinaryType>(array, live, target),
        DataType::Utf8View => from_values(array.as_string_view_opt().ok_or_else(broken)?, live, target),
        DataType::BinaryView => from_values(array.as_binary_view_opt().ok_or_else(broken)?, live, target),
        _ => Err(no_way(array, target)),
    }
}

fn from_offsets<S: ByteArrayType>(array: &dyn Array, live: Option<&NullBuffer>, target: &DataType) -> Result<ArrayRef>
where
    for<'a> &'a GenericByteArray<S>: ArrayAccessor,
    for<'a> <&'a GenericByteArray<S> as ArrayAccessor>::Item: AsRef<[u8]>,
{
    let source = array.as_bytes_opt::<S>().ok_or_else(broken)?;
    if visible(array, live)?.is_some() {
        return from_values(source, live, target);
    }
    match target {
        DataType::Utf8 => whole::<S, Utf8Type>(source),
        DataType::LargeUtf8 => whole::<S, LargeUtf8Type>(source),
        DataType::Binary => whole::<S, BinaryType>(source),
        DataType::LargeBinary => whole::<S, LargeBinaryType>(source),
        _ => from_values(source, live, target),
    }
}

/// The common case: no nulls, so the visible range is one piece.
fn whole<S: ByteArrayType, T: ByteArrayType>(source: &GenericByteArray<S>) -> Result<ArrayRef> {
    let ends = source.value_offsets();
    let first = ends.first().map_or(0, |end| end.as_usize());
    let last = ends.last().map_or(0, |end| end.as_usize());
    let data = source.value_data().get(first..last).ok_or_else(broken)?;
    // The last offset is the largest: where it fits, all do.
    T::Offset::from_usize(data.len()).ok_or_else(too_large)?;
    let offsets: Vec<T::Offset> = ends.iter().filter_map(|end| T::Offset::from_usize(end.as_usize() - first)).collect();
    byte_array::<T>(offsets, Buffer::from(data), None)
}

fn byte_array<T: ByteArrayType>(offsets: Vec<T::Offset>, data: Buffer, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    GenericByteArray::<T>::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), data, nulls)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| broken_because(&error))
}

fn from_values<A: ArrayAccessor + Copy>(source: A, live: Option<&NullBuffer>, target: &DataType) -> Result<ArrayRef>
where
    A::Item: AsRef<[u8]>,
{
    match target {
        DataType::Utf8 => copied::<A, Utf8Type>(source, live),
        DataType::LargeUtf8 => copied::<A, LargeUtf8Type>(source, live),
        DataType::Binary => copied::<A, BinaryType>(source, live),
        DataType::LargeBinary => copied::<A, LargeBinaryType>(source, live),
        DataType::Utf8View => {
            let nulls = visible(&source, live)?;
            let mut builder = StringViewBuilder::with_capacity(source.len());
            for row in 0..source.len() {
                if is_live(nulls.as_ref(), row) {
                    let value = source.value(row);
                    builder.append_value(std::str::from_utf8(value.as_ref()).map_err(|_| broken())?);
                } else {
                    builder.append_null();
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        DataType::BinaryView => {
            let nulls = visible(&source, live)?;
            let mut builder = BinaryViewBuilder::with_capacity(source.len());
            for row in 0..source.len() {
                if is_live(nulls.as_ref(), row) {
                    builder.append_value(source.value(row));
                } else {
                    builder.append_null();
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        _ => Err(no_way(&source, target)),
    }
}

fn copied<A: ArrayAccessor + Copy, T: ByteArrayType>(source: A, live: Option<&NullBuffer>) -> Result<ArrayRef>
where
    A::Item: AsRef<[u8]>,
{
    let nulls = visible(&source, live)?;
    let mut offsets = Vec::with_capacity(source.len() + 1);
    let mut data: Vec<u8> = Vec::new();
    offsets.push(T::Offset::default());
    for row in 0..source.len() {
        if is_live(nulls.as_ref(), row) {
            data.extend_from_slice(source.value(row).as_ref());
        }
        offsets.push(T::Offset::from_usize(data.len()).ok_or_else(too_large)?);
    }
    byte_array::<T>(offsets, Buffer::from_vec(data), nulls)
}
