//! Which types go on the wire.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit, UnionFields};

use super::column_metadata;
use crate::query::{ArrowTypes, EXPOSURE};

/// Moments are of the world: JDBC adds the offset of another zone twice, and polars reads no offsets.
const UTC: &str = "UTC";

/// The schema under which a result travels: what every prepared statement, `FlightInfo`, `GetSchema` and stream declares.
///
/// Lowers what common drivers cannot read: views and large offsets to plain text and binary, dictionaries and runs to their
/// values, list views to lists, 32- and 64-bit decimals to 128 bits, half floats to single, unsigned numbers to the next wider
/// signed ones (64 bits to `DECIMAL(20,0)`), nanoseconds to microseconds, zones to UTC, at every depth. `LargeList` becomes
/// `List` and unions become non-nullable because arrow-flight 59 declares them so whatever it is given. Names and
/// nullability stay; metadata of schema and fields is dropped, since files bring it along and it tells of hidden columns. What
/// `query` says of a column's masks stays, and what drivers read of its type stands beside it.
pub fn wire_schema(logical: &Schema) -> SchemaRef {
    schema_in(logical, ArrowTypes::Plain)
}

/// The same in the types that a caller has asked for: `Native` leaves all but encodings as the engine has them, so that they need
/// not be converted.
pub(in crate::flight) fn schema_in(logical: &Schema, types: ArrowTypes) -> SchemaRef {
    Arc::new(Schema::new(logical.fields().iter().map(|field| column(field, types)).collect::<Vec<_>>()))
}

fn column(logical: &FieldRef, types: ArrowTypes) -> FieldRef {
    let lowered = field(logical, types);
    let mut metadata = match lowered.data_type() {
        // arrow-flight 59 drops it there.
        DataType::Union(_, _) => HashMap::new(),
        data_type => column_metadata::of_type(data_type),
    };
    if let Some(masks) = logical.metadata().get(EXPOSURE) {
        metadata.insert(EXPOSURE.to_owned(), masks.clone());
    }
    Arc::new(Arc::unwrap_or_clone(lowered).with_metadata(metadata))
}

fn field(logical: &FieldRef, types: ArrowTypes) -> FieldRef {
    let lowered = lower(logical.data_type(), types);
    let nullable = logical.is_nullable() && !matches!(lowered, DataType::Union(_, _));
    Arc::new(Field::new(logical.name(), lowered, nullable))
}

fn lower(logical: &DataType, types: ArrowTypes) -> DataType {
    let field = |inner| field(inner, types);
    match logical {
        DataType::Utf8View
        | DataType::BinaryView
        | DataType::LargeUtf8
        | DataType::LargeBinary
        | DataType::Float16
        | DataType::Decimal32(_, _)
        | DataType::Decimal64(_, _)
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Timestamp(_, _)
        | DataType::Time64(_)
        | DataType::Duration(_)
            if types == ArrowTypes::Native =>
        {
            logical.clone()
        }
        DataType::ListView(item) if types == ArrowTypes::Native => DataType::ListView(field(item)),
        DataType::LargeListView(item) if types == ArrowTypes::Native => DataType::LargeListView(field(item)),
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Float16 => DataType::Float32,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Timestamp(unit, zone) => DataType::Timestamp(micros(*unit), zone.as_ref().map(|_| UTC.into())),
        DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Duration(unit) => DataType::Duration(micros(*unit)),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Dictionary(_, value) => lower(value, types),
        DataType::RunEndEncoded(_, values) => lower(values.data_type(), types),
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) | DataType::LargeListView(item) => {
            DataType::List(field(item))
        }
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(field(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        DataType::Map(entries, sorted) => DataType::Map(field(entries), *sorted),
        DataType::Union(fields, mode) => {
            let lowered: UnionFields = fields.iter().map(|(id, kind)| (id, field(kind))).collect();
            DataType::Union(lowered, *mode)
        }
        plain => plain.clone(),
    }
}

/// Python reads no nanoseconds without pandas, and far dates not at all.
fn micros(unit: TimeUnit) -> TimeUnit {
    unit.min(TimeUnit::Microsecond)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::UnionMode;
    use arrow_flight::encode::FlightDataEncoderBuilder;

    use super::*;
    use crate::query::unmarked;

    fn of(data_type: DataType) -> FieldRef {
        let metadata = HashMap::from([("PARQUET:field_id".to_owned(), "7".to_owned())]);
        Arc::new(Field::new("c", data_type, true).with_metadata(metadata))
    }

    fn every_type() -> Vec<DataType> {
        let text = || of(DataType::Utf8View);
        let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8View));
        let runs = DataType::RunEndEncoded(
            Arc::new(Field::new("run_ends", DataType::Int32, false)),
            Arc::new(Field::new("values", dictionary.clone(), true)),
        );
        let entries = DataType::Struct(vec![Arc::new(Field::new("k", DataType::Utf8View, false)), text()].into());
        let union = UnionFields::try_new(
            [1, 5],
            [Field::new("t", DataType::Utf8View, true), Field::new("d", dictionary.clone(), true)],
        )
        .unwrap();
        let flat = vec![
            DataType::Utf8View,
            DataType::BinaryView,
            DataType::Float16,
            DataType::Decimal32(5, 2),
            DataType::Decimal64(12, 2),
            DataType::Decimal256(40, 2),
            DataType::LargeUtf8,
            DataType::LargeBinary,
            DataType::UInt8,
            DataType::UInt16,
            DataType::UInt32,
            DataType::UInt64,
            DataType::Timestamp(TimeUnit::Nanosecond, None),
            DataType::Timestamp(TimeUnit::Nanosecond, Some("+05:30".into())),
            DataType::Timestamp(TimeUnit::Second, Some("Europe/Zurich".into())),
            DataType::Time64(TimeUnit::Nanosecond),
            DataType::Duration(TimeUnit::Nanosecond),
            dictionary,
            runs,
        ];
        let mut all = flat.clone();
        for inner in flat {
            all.push(DataType::List(of(inner.clone())));
            all.push(DataType::LargeList(of(inner.clone())));
            all.push(DataType::ListView(of(inner.clone())));
            all.push(DataType::LargeListView(of(inner.clone())));
            all.push(DataType::FixedSizeList(of(inner.clone()), 2));
            all.push(DataType::Struct(vec![of(DataType::LargeList(of(inner)))].into()));
        }
        all.push(DataType::Map(Arc::new(Field::new("entries", entries, false)), false));
        all.push(DataType::Union(union.clone(), UnionMode::Dense));
        all.push(DataType::Union(union, UnionMode::Sparse));
        all
    }

    const ODD: [&str; 5] = ["Dictionary", "RunEndEncoded", "LargeList(", "LargeList<", "PARQUET"];
    const NATIVE: [&str; 10] = [
        "View",
        "Float16",
        "Decimal32",
        "Decimal64",
        "UInt",
        "LargeUtf8",
        "LargeBinary",
        "(ns",
        "+05:30",
        "Europe/Zurich",
    ];

    #[test]
    fn no_odd_type_remains_and_the_encoder_declares_the_same() {
        let both =
            |data_type: DataType| [ArrowTypes::Plain, ArrowTypes::Native].map(|types| (data_type.clone(), types));
        for (data_type, types) in every_type().into_iter().flat_map(both) {
            let logical =
                Schema::new_with_metadata(vec![of(data_type)], HashMap::from([("pandas".to_owned(), "{}".to_owned())]));
            let wire = schema_in(&logical, types);
            assert!(wire.metadata().is_empty());
            assert!(wire.field(0).metadata().keys().all(|key| key.starts_with("ARROW:FLIGHT:SQL:")));
            let text = wire.field(0).data_type().to_string();
            assert!(ODD.iter().all(|odd| !text.contains(odd)), "{text}");
            for native in NATIVE {
                let kept = types == ArrowTypes::Native && logical.field(0).data_type().to_string().contains(native);
                assert_eq!(text.contains(native), kept, "{text}");
            }
            let encoder =
                FlightDataEncoderBuilder::new().with_schema(Arc::clone(&wire)).build(futures::stream::empty());
            assert_eq!(encoder.known_schema().unwrap(), wire, "from {logical}");
            assert_eq!(schema_in(&wire, types), wire, "lowering twice changes nothing");
        }
    }

    #[test]
    fn nullability_and_names_stay() {
        let logical =
            Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("Note", DataType::Utf8View, true)]);
        let expected =
            Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("Note", DataType::Utf8, true)]);
        assert_eq!(*unmarked(&wire_schema(&logical)), expected);
    }
}
