//! Moments in any unit, and errors about them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use datafusion::common::{Result, exec_datafusion_err, internal_err};
use datafusion::error::DataFusionError;

/// How many of them a second has.
pub(super) fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// How many nanoseconds it has.
pub(super) fn nanoseconds(unit: TimeUnit) -> i64 {
    1_000_000_000 / per_second(unit)
}

/// A result that its unit cannot hold.
pub(super) fn leaves(function: &str) -> DataFusionError {
    exec_datafusion_err!("`{function}` leaves the calendar: the answer is no time between the years -262143 and 262142")
}

/// Each moment of an array of timestamps, changed in its own unit; the type stays.
pub(super) fn map(array: &ArrayRef, change: impl Fn(i64) -> Result<i64>) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, zone) = array.data_type() else {
        return internal_err!("types were coerced to timestamps");
    };
    let numbers = cast(array, &DataType::Int64)?;
    let changed: PrimitiveArray<Int64Type> = numbers.as_primitive::<Int64Type>().try_unary(change)?;
    let zone = zone.clone();
    Ok(match unit {
        TimeUnit::Second => Arc::new(changed.reinterpret_cast::<TimestampSecondType>().with_timezone_opt(zone)),
        TimeUnit::Millisecond => {
            Arc::new(changed.reinterpret_cast::<TimestampMillisecondType>().with_timezone_opt(zone))
        }
        TimeUnit::Microsecond => {
            Arc::new(changed.reinterpret_cast::<TimestampMicrosecondType>().with_timezone_opt(zone))
        }
        TimeUnit::Nanosecond => Arc::new(changed.reinterpret_cast::<TimestampNanosecondType>().with_timezone_opt(zone)),
    })
}
