//! Calls over arrays, without a plan around them. Statements stand in `tests/it/calls.rs`.

mod limits;
mod pieces;
mod same;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Int64Array, ListArray, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl};

use super::call::{BoundedCall, Pace};
use super::cost::rule;
use crate::engine::StatementControl;

/// Every value in a slice of its own.
const SINGLE: Pace = Pace { slice: Duration::ZERO, whole_steps: 0, first_steps: 0, least_steps: 0 };

fn control() -> Arc<StatementControl> {
    StatementControl::for_tests(1 << 40)
}

fn functions() -> Vec<Arc<ScalarUDF>> {
    SessionStateDefaults::default_scalar_functions()
}

fn function(name: &str) -> Arc<ScalarUDF> {
    let all = functions();
    let found = all.iter().find(|function| function.name() == name || function.aliases().iter().any(|a| a == name));
    Arc::clone(found.unwrap_or_else(|| panic!("there is no function {name}")))
}

fn bounded(name: &str, control: &Arc<StatementControl>) -> BoundedCall {
    BoundedCall::of_function(function(name), rule(name).unwrap(), control)
}

fn invoke(function: &dyn ScalarUDFImpl, args: Vec<ColumnarValue>, rows: usize) -> Result<ColumnarValue> {
    let fields: Vec<FieldRef> = args.iter().map(|arg| Arc::new(Field::new("a", arg.data_type(), true))).collect();
    let scalars: Vec<Option<&ScalarValue>> =
        args.iter().map(|arg| if let ColumnarValue::Scalar(value) = arg { Some(value) } else { None }).collect();
    let return_field =
        function.return_field_from_args(ReturnFieldArgs { arg_fields: &fields, scalar_arguments: &scalars })?;
    function.invoke_with_args(ScalarFunctionArgs {
        args,
        arg_fields: fields,
        number_rows: rows,
        return_field,
        config_options: Arc::new(ConfigOptions::default()),
    })
}

fn text(value: &str) -> ColumnarValue {
    ColumnarValue::Scalar(ScalarValue::from(value))
}

fn whole(value: i64) -> ColumnarValue {
    ColumnarValue::Scalar(ScalarValue::from(value))
}

fn texts(values: &[&str]) -> ColumnarValue {
    ColumnarValue::Array(Arc::new(StringArray::from(values.to_vec())))
}

/// Two lists of the numbers from 0.
fn list(length: usize) -> ColumnarValue {
    let values = (0..2 * length).map(|value| i64::try_from(value).unwrap());
    let item = Arc::new(Field::new_list_field(DataType::Int64, true));
    let values = Arc::new(Int64Array::from_iter_values(values));
    let lists = ListArray::new(item, OffsetBuffer::from_lengths([length, length]), values, None);
    ColumnarValue::Array(Arc::new(lists))
}
