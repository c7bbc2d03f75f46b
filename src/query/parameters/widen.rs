//! The widest type of a family: drivers write a value into the type that they are told, and cut off what does not fit.

use arrow::datatypes::DataType;
use datafusion::arrow::datatypes::DECIMAL128_MAX_PRECISION;

/// None for the type that means nothing.
pub(super) fn widest(of: &DataType) -> Option<DataType> {
    use DataType as T;
    Some(match of {
        T::Null => return None,
        of if of.is_integer() => T::Int64,
        of if of.is_floating() => T::Float64,
        T::Decimal32(_, scale) | T::Decimal64(_, scale) | T::Decimal128(_, scale) | T::Decimal256(_, scale) => {
            T::Decimal128(DECIMAL128_MAX_PRECISION, (*scale).clamp(0, 38))
        }
        // The gateway makes no values of these.
        T::Utf8 | T::LargeUtf8 | T::Utf8View => T::Utf8,
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => T::Binary,
        T::Dictionary(_, value) => return widest(value),
        T::RunEndEncoded(_, values) => return widest(values.data_type()),
        other => other.clone(),
    })
}

/// What takes the values of both; none where nothing does.
pub(super) fn common(one: &DataType, other: &DataType) -> Option<DataType> {
    use DataType as T;
    match (one, other) {
        _ if one == other => Some(one.clone()),
        (T::Float64, other) | (other, T::Float64) if other.is_numeric() => Some(T::Float64),
        (T::Decimal128(_, scale), T::Decimal128(_, other)) => {
            Some(T::Decimal128(DECIMAL128_MAX_PRECISION, *scale.max(other)))
        }
        (decimal @ T::Decimal128(_, _), T::Int64) | (T::Int64, decimal @ T::Decimal128(_, _)) => Some(decimal.clone()),
        _ => None,
    }
}

/// Whether values of one are written as those of the other: a function that takes one by converting it does not mean it.
pub(super) fn same_family(one: &DataType, other: &DataType) -> bool {
    match (widest(one), widest(other)) {
        (Some(DataType::Decimal128(_, _)), Some(DataType::Decimal128(_, _)))
        | (Some(DataType::Timestamp(_, _)), Some(DataType::Timestamp(_, _)))
        | (Some(DataType::Interval(_)), Some(DataType::Interval(_))) => true,
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}
