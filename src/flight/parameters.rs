//! Parameters on the wire: what a prepared statement asks for, and the one row that a client binds.
//!
//! Clients name the columns of that row as they like (`0`, `param_0`, `$1`, nothing), so places count and names do not.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use datafusion::common::ScalarValue;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tonic::Streaming;

use super::wire_schema::wire_schema;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::query::unmarked;

/// How long a client may take to send one row.
const UPLOAD: Duration = Duration::from_secs(30);

/// A nullable field for each parameter, in order. Where a place takes any type, text: drivers cannot bind to no type. Times are in
/// milliseconds: the JDBC driver (18.3.0) writes those whatever unit it is told.
pub(in crate::flight) fn parameter_schema(types: &[Option<DataType>]) -> Schema {
    let field = |(at, of): (usize, &Option<DataType>)| {
        let of = match of {
            None | Some(DataType::Null) => DataType::Utf8,
            Some(DataType::Timestamp(_, zone)) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
            Some(DataType::Time32(_) | DataType::Time64(_)) => DataType::Time32(TimeUnit::Millisecond),
            Some(of) => of.clone(),
        };
        Field::new(format!("${at}"), of, true)
    };
    Arc::unwrap_or_clone(unmarked(&wire_schema(&Schema::new((1..).zip(types).map(field).collect::<Vec<_>>()))))
}

/// The values of the one row in an upload whose first message was taken from `rest`; none where it has no columns.
///
/// # Errors
/// `Invalid` for what is no Arrow data, and for more rows than one; `Deadline` for a client that stalls.
pub(in crate::flight) async fn values(first: FlightData, rest: Streaming<FlightData>) -> Result<Vec<ScalarValue>> {
    if first.data_header.is_empty() {
        return Ok(Vec::new());
    }
    let messages = stream::iter([Ok(first)]).chain(rest.map_err(FlightError::from));
    let mut batches = FlightRecordBatchStream::new_from_flight_data(messages);
    let row = async {
        let mut row: Option<RecordBatch> = None;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| unreadable(&error))?;
            if batch.num_rows() + usize::from(row.is_some()) > 1 {
                return Err(Diagnostic::error(Kind::Invalid, "the parameters have more rows than one")
                    .hint("run the statement once for each row"));
            }
            row = row.or((batch.num_rows() == 1).then_some(batch));
        }
        Ok(row)
    };
    let late = |_| Diagnostic::error(Kind::Deadline, "the parameters did not arrive in time");
    match tokio::time::timeout(UPLOAD, row).await.map_err(late)?? {
        Some(row) => row.columns().iter().map(value).collect(),
        None => Ok(Vec::new()),
    }
}

fn unreadable(error: &FlightError) -> Diagnostic {
    match error {
        FlightError::Tonic(status) => {
            Diagnostic::error(Kind::Cancelled, format!("the upload broke off: {}", status.message()))
        }
        _ => Diagnostic::error(Kind::Invalid, "the parameters cannot be read as Arrow data"),
    }
}

/// The value in the first row, out of what it is wrapped in: unions, dictionaries, runs.
fn value(column: &ArrayRef) -> Result<ScalarValue> {
    let plain = match column.data_type() {
        DataType::Union(..) => return value(&column.as_union().value(0)),
        DataType::Dictionary(_, of) => arrow::compute::cast(column, of),
        DataType::RunEndEncoded(_, of) => arrow::compute::cast(column, of.data_type()),
        _ => Ok(Arc::clone(column)),
    };
    plain
        .map_err(datafusion::error::DataFusionError::from)
        .and_then(|plain| ScalarValue::try_from_array(&plain, 0))
        .map_err(|_| Diagnostic::error(Kind::Invalid, "a parameter has a type that is not offered"))
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, Int32Array, Int64Array, StringArray, UnionArray};
    use arrow::datatypes::{Int8Type, UnionFields};

    use super::*;

    #[test]
    fn the_schema_is_nullable_and_has_types_that_drivers_bind() {
        let time = |unit| DataType::Timestamp(unit, Some("UTC".into()));
        let types = [Some(DataType::Int64), None, Some(DataType::Utf8View), Some(time(TimeUnit::Microsecond))];
        let schema = parameter_schema(&types);
        let fields = [("$1", DataType::Int64), ("$2", DataType::Utf8), ("$3", DataType::Utf8)];
        let fields = fields.into_iter().chain([("$4", time(TimeUnit::Millisecond))]);
        assert_eq!(schema, Schema::new(fields.map(|(name, of)| Field::new(name, of, true)).collect::<Vec<_>>()));
    }

    #[test]
    fn values_come_out_of_what_they_are_wrapped_in() {
        let fields = UnionFields::try_new(
            [0, 1],
            [Field::new("i", DataType::Int64, true), Field::new("s", DataType::Utf8, true)],
        )
        .unwrap();
        let children: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from(vec![1])), Arc::new(StringArray::from(vec!["a", "b"]))];
        let dense =
            UnionArray::try_new(fields, [1_i8].into_iter().collect(), Some([1_i32].into_iter().collect()), children);
        let dictionary: DictionaryArray<Int8Type> = ["x"].into_iter().collect();
        for (column, expect) in [
            (Arc::new(dense.unwrap()) as ArrayRef, ScalarValue::from("b")),
            (Arc::new(dictionary), ScalarValue::from("x")),
            (Arc::new(Int32Array::from(vec![None])), ScalarValue::Int32(None)),
        ] {
            assert_eq!(value(&column).unwrap(), expect);
        }
    }
}
