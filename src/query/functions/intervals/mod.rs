//! Intervals that are compared, multiplied and divided. A month counts 30 days and a day 24 hours, as in PostgreSQL.
//!
//! In: intervals and durations. Out: the same. A result that its type cannot hold is an error, never NULL. Absent on purpose: the sum
//! of intervals, and of an interval and a time, which the engine does right.

mod days;
mod justify;
mod scale;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::common::exec_datafusion_err;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::ScalarUDF;

const DAYS_OF_MONTH: i64 = 30;
const NANOS_OF_DAY: i64 = 86_400_000_000_000;

/// `justify_interval`: intervals of the same length become one, and the longer one is the greater.
pub fn justify_interval() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(justify::Justify::default()))
}

/// The time between two moments, as an interval.
pub fn interval_between() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(days::Days::default()))
}

/// An interval or a duration, times a number.
pub fn interval_times() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(scale::Scale::times()))
}

/// An interval or a duration, divided by a number.
pub fn interval_divided() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(scale::Scale::divided()))
}

fn too_long() -> DataFusionError {
    exec_datafusion_err!("an interval leaves the calendar: its months, days or nanoseconds do not fit")
}
