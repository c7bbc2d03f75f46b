//! What drivers read of a column beside its Arrow type: the `ResultSetMetaData` of JDBC, and Power BI.

use std::collections::HashMap;

use arrow::datatypes::DataType;

use crate::discovery::sql_type_name;

/// The key of one such word in a field's metadata.
pub(in crate::flight) fn key(name: &str) -> String {
    format!("ARROW:FLIGHT:SQL:{name}")
}

/// What follows from the type alone, and so holds for every result. Remarks of the contract are no part of it: the JDBC driver shows
/// them in the place of the column's name.
pub(in crate::flight) fn of_type(data_type: &DataType) -> HashMap<String, String> {
    let mut metadata = HashMap::from([(key("TYPE_NAME"), sql_type_name(data_type))]);
    if let Some((precision, scale)) = precision_and_scale(data_type) {
        metadata.insert(key("PRECISION"), precision.to_string());
        metadata.insert(key("SCALE"), scale.to_string());
    }
    metadata
}

/// Precision and scale of exact numbers.
fn precision_and_scale(data_type: &DataType) -> Option<(u8, i8)> {
    Some(match data_type {
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt64 => (20, 0),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => (*precision, *scale),
        _ => return None,
    })
}
