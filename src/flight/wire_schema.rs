//! Which types go on the wire.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

/// The schema a client gets for a logical one: types that clients in use cannot read are lowered to ones they can.
pub fn wire_schema(logical: &Schema) -> SchemaRef {
    Arc::new(Schema::new(logical.fields().iter().map(lowered_field).collect::<Vec<_>>()))
}

fn lowered_field(field: &FieldRef) -> FieldRef {
    Arc::new(Field::new(field.name(), lowered(field.data_type()), field.is_nullable()))
}

fn lowered(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => lowered(values),
        DataType::RunEndEncoded(_, values) => lowered(values.data_type()),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::List(item) | DataType::ListView(item) => DataType::List(lowered_field(item)),
        DataType::LargeList(item) | DataType::LargeListView(item) => DataType::LargeList(lowered_field(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(lowered_field(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(lowered_field).collect()),
        DataType::Map(entries, sorted) => DataType::Map(lowered_field(entries), *sorted),
        other => other.clone(),
    }
}
