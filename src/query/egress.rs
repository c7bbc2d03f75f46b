//! What may be encoded.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::engine::compact;

/// A batch that was rebuilt: no byte in its buffers that is not part of a visible value. `flight::encode` takes nothing else.
#[derive(Debug, Clone)]
pub struct Egress<T>(T);

impl<T> Egress<T> {
    fn scrubbed(value: T) -> Self {
        Self(value)
    }

    /// For rooms whose tests stand in for `query`.
    #[cfg(test)]
    pub(crate) fn for_test(value: T) -> Self {
        Self(value)
    }

    pub fn get(&self) -> &T {
        &self.0
    }

    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Rebuilds every column of `batch` into the column of `wire` at its place; scrubbing and lowering cost one copy.
///
/// Names, nullability and metadata are those of `wire` alone: what the engine's own schema says is not looked at.
///
/// # Errors
/// `Internal` where the columns are not those of `wire`, or a column that `wire` calls not nullable holds a null.
pub fn scrub(batch: &RecordBatch, wire: &SchemaRef) -> Result<Egress<RecordBatch>> {
    if batch.num_columns() != wire.fields().len() {
        return Err(differs());
    }
    let columns = batch
        .columns()
        .iter()
        .zip(wire.fields())
        .map(|(column, field)| compact::rebuild(&scaled(column, field.data_type())?, field.data_type()))
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(SchemaRef::clone(wire), columns, &options)
        .map(Egress::scrubbed)
        .map_err(|_| differs())
}

/// The engine takes the scale of `round` from its second argument once that is folded, after the columns were announced.
fn scaled(column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let digits = |of: &DataType| match of {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => Some((*precision, *scale)),
        _ => None,
    };
    match (digits(column.data_type()), digits(to)) {
        (Some(from), Some(announced)) if from != announced => {
            let options = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(column, to, &options).map_err(|_| {
                Diagnostic::error(Kind::Invalid, "a decimal of the result has more digits than its type")
                    .hint("cast it to a type with more digits before the point")
            })
        }
        _ => Ok(Arc::clone(column)),
    }
}

fn differs() -> Diagnostic {
    Diagnostic::error(Kind::Internal, "the result does not have the schema it was announced with")
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Int64Array, StringArray, StringViewArray};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn batch(nullable: bool, column: ArrayRef) -> RecordBatch {
        let schema = Schema::new_with_metadata(
            vec![Field::new("c", column.data_type().clone(), nullable)],
            [("pandas".to_owned(), "secret".to_owned())].into(),
        );
        RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap()
    }

    fn wire(data_type: DataType, nullable: bool) -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("c", data_type, nullable)]))
    }

    #[test]
    fn the_schema_is_that_of_the_wire() {
        let views: ArrayRef = Arc::new(StringViewArray::from(vec!["one", "a text longer than twelve bytes"]));
        for nullable in [true, false] {
            let wire = wire(DataType::Utf8, nullable);
            let scrubbed = scrub(&batch(!nullable, Arc::clone(&views)), &wire).unwrap();
            assert_eq!(scrubbed.get().schema(), wire);
            let expected: ArrayRef = Arc::new(StringArray::from(vec!["one", "a text longer than twelve bytes"]));
            assert_eq!(scrubbed.get().column(0), &expected);
        }
    }

    /// A column that has the wire's type already is rebuilt all the same.
    #[test]
    fn nothing_but_visible_values_is_in_the_buffers() {
        let texts = StringArray::from(vec!["hidden-canary", "shown"]).slice(1, 1);
        let (offsets, values, _) = StringArray::from(vec!["under-a-null", "shown"]).into_parts();
        let nulls = StringArray::new(offsets, values, Some(vec![false, true].into())).slice(0, 2);
        for (column, hidden) in [(Arc::new(texts) as ArrayRef, "hidden"), (Arc::new(nulls) as ArrayRef, "under")] {
            let scrubbed = scrub(&batch(true, column), &wire(DataType::Utf8, true)).unwrap();
            let data = scrubbed.get().column(0).to_data();
            for buffer in data.buffers() {
                let bytes = buffer.as_slice();
                assert!(!bytes.windows(hidden.len()).any(|window| window == hidden.as_bytes()), "`{hidden}` is left");
            }
        }
    }

    #[test]
    fn decimals_have_the_digits_that_were_announced() {
        let decimal = |value, precision, scale| -> ArrayRef {
            Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale).unwrap())
        };
        let wire = wire(DataType::Decimal128(9, 4), true);
        let scrubbed = scrub(&batch(true, decimal(125, 9, 1)), &wire).unwrap();
        assert_eq!(scrubbed.get().column(0), &decimal(125_000, 9, 4));
        let large = scrub(&batch(true, decimal(9_999_999, 9, 1)), &wire).unwrap_err();
        assert_eq!(large.kind, Kind::Invalid);
    }

    #[test]
    fn rows_without_columns_keep_their_count() {
        let empty = SchemaRef::new(Schema::empty());
        let options = RecordBatchOptions::new().with_row_count(Some(3));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&empty), vec![], &options).unwrap();
        assert_eq!(scrub(&batch, &empty).unwrap().get().num_rows(), 3);
    }

    #[test]
    fn another_schema_than_announced_is_refused() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        let numbers = batch(true, numbers);
        assert_eq!(scrub(&numbers, &wire(DataType::Utf8, true)).unwrap_err().kind, Kind::Internal);
        assert_eq!(scrub(&numbers, &wire(DataType::Int64, false)).unwrap_err().kind, Kind::Internal);
        assert_eq!(scrub(&numbers, &SchemaRef::new(Schema::empty())).unwrap_err().kind, Kind::Internal);
    }
}
