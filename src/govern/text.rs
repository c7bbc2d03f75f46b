//! Values as canonical text: what `hash` digests, and what a column shows that is text because some of its cells are hashed.
//!
//! Equal values of two types have equal text where SQL calls them equal and both print alike (`5` as any integer). Total: a date beyond
//! the calendar prints as its raw number.

use std::fmt::Debug;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, StringArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DecimalType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use chrono::{DateTime, NaiveDate, NaiveTime};

use super::hash::hex;

/// NULL stays NULL; a type that has no text shows NULL.
pub(super) fn text(array: &ArrayRef) -> StringArray {
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().collect(),
        DataType::Boolean => array.as_boolean().iter().map(|v| v.map(|v| v.to_string())).collect(),
        DataType::Int8 => plain::<Int8Type>(array),
        DataType::Int16 => plain::<Int16Type>(array),
        DataType::Int32 => plain::<Int32Type>(array),
        DataType::Int64 => plain::<Int64Type>(array),
        DataType::UInt8 => plain::<UInt8Type>(array),
        DataType::UInt16 => plain::<UInt16Type>(array),
        DataType::UInt32 => plain::<UInt32Type>(array),
        DataType::UInt64 => plain::<UInt64Type>(array),
        // Adding zero turns -0.0 into 0.0: they are equal, so their hashes are.
        DataType::Float32 => print::<Float32Type>(array, |v| format!("{:?}", v + 0.0)),
        DataType::Float64 => print::<Float64Type>(array, |v| format!("{:?}", v + 0.0)),
        DataType::Decimal128(precision, scale) => {
            print::<Decimal128Type>(array, |v| Decimal128Type::format_decimal(v, *precision, *scale))
        }
        DataType::Date32 => print::<Date32Type>(array, |days| {
            date(days).map_or_else(|| days.to_string(), |date| date.format("%Y-%m-%d").to_string())
        }),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let layout = if zone.is_some() { "%Y-%m-%dT%H:%M:%S%.fZ" } else { "%Y-%m-%dT%H:%M:%S%.f" };
            print::<TimestampMicrosecondType>(array, |micros| {
                DateTime::from_timestamp_micros(micros)
                    .map_or_else(|| micros.to_string(), |at| at.naive_utc().format(layout).to_string())
            })
        }
        DataType::Time64(TimeUnit::Microsecond) => print::<Time64MicrosecondType>(array, |micros| {
            time(micros).map_or_else(|| micros.to_string(), |at| at.format("%H:%M:%S%.f").to_string())
        }),
        DataType::Binary => array.as_binary::<i32>().iter().map(|v| v.map(hex)).collect(),
        _ => StringArray::new_null(array.len()),
    }
}

/// The calendar day, where the calendar reaches.
pub(super) fn date(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_epoch_days(days)
}

fn time(micros: i64) -> Option<NaiveTime> {
    let seconds = u32::try_from(micros.div_euclid(1_000_000)).ok()?;
    let nanos = u32::try_from(micros.rem_euclid(1_000_000) * 1_000).ok()?;
    NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos)
}

fn plain<T: ArrowPrimitiveType<Native: ToString>>(array: &ArrayRef) -> StringArray {
    print::<T>(array, |v| v.to_string())
}

fn print<T: ArrowPrimitiveType<Native: Debug>>(array: &ArrayRef, show: impl Fn(T::Native) -> String) -> StringArray {
    array.as_primitive::<T>().iter().map(|v| v.map(&show)).collect()
}
