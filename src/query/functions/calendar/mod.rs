//! `date_add`, `date_sub`, `date_diff` and `datediff`: the functions that tools write and the engine has not.
//!
//! In: dates, times, texts that are read as times, and a unit written out. Out: the same kind of time, or a whole number. They see no
//! clock and make nothing longer than a number; what would leave the calendar is an error, as it is for `+`. Absent on purpose:
//! anything that `+ INTERVAL`, `date_trunc` and `date_bin` say already.

mod add;
mod diff;
mod unit;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ReturnFieldArgs, ScalarUDF};

use unit::Unit;

/// The functions that a client session has besides the engine's.
pub fn ours() -> Vec<Arc<ScalarUDF>> {
    let add = [add::Add::forward(), add::Add::back()].map(ScalarUDF::from);
    let diff = [diff::Diff::whole(), diff::Diff::boundaries()].map(ScalarUDF::from);
    add.into_iter().chain(diff).map(Arc::new).collect()
}

/// A time as it is counted with: dates and times as they are, a text as the engine reads one.
fn time(name: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Date32 | DataType::Date64 => Ok(DataType::Date32),
        DataType::Timestamp(..) => Ok(given.clone()),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => {
            Ok(DataType::Timestamp(TimeUnit::Microsecond, None))
        }
        DataType::Dictionary(_, values) => time(name, values),
        other => plan_err!("`{name}` counts with dates and times, not with {other}"),
    }
}

/// The unit that stands at the first place: its text decides the type, so it is no column.
fn unit_of(name: &str, args: &ReturnFieldArgs<'_>) -> Result<Unit> {
    let text = args.scalar_arguments.first().copied().flatten().and_then(|unit| unit.try_as_str().flatten());
    let Some(text) = text else {
        return plan_err!("the unit of `{name}` must be a text, written out: `{name}('day', …)`");
    };
    Unit::parse(name, text)
}

fn nullable(name: &str, data_type: DataType) -> FieldRef {
    Arc::new(Field::new(name, data_type, true))
}

/// A value that does not fit is an error, never NULL.
fn as_type(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    Ok(cast_with_options(array, to, &CastOptions { safe: false, ..CastOptions::default() })?)
}
