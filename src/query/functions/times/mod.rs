//! The engine's time functions, in microseconds: its own count in nanoseconds, which end in the year 2262.
//!
//! In: dates, times, and texts that are read as times. Out: times in the unit that they came in, and microseconds where they are made.
//! A time that leaves the calendar is an error, never NULL. Absent on purpose: `to_timestamp_nanos`, which asks for nanoseconds, and
//! what the engine does right in any unit (`date_part`, `to_char`, `to_local_time`).

mod bin;
mod moment;
mod now;
mod parse;
mod read;
mod trunc;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;

/// The functions that take the place of the engine's of the same name.
pub fn in_microseconds() -> Vec<Arc<ScalarUDF>> {
    let read = read::Read::all().map(ScalarUDF::from);
    let others = [
        ScalarUDF::from(now::Now::default()),
        ScalarUDF::from(now::CurrentTime::default()),
        ScalarUDF::from(trunc::Trunc::default()),
        ScalarUDF::from(bin::Bin::default()),
        ScalarUDF::from(read::Unixtime::default()),
    ];
    read.into_iter().chain(others).map(Arc::new).collect()
}

/// The function that reads a number of seconds since 1970 as a moment, told in `zone`.
pub fn of_seconds(zone: Option<Arc<str>>) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(read::Read::seconds(zone)))
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => other.is_string(),
    }
}
