//! Values that are bound to parameters.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

use super::common::is_here;

/// The values as they are meant in a session in `zone`: a time without one, where the place has one, is a time of the session.
pub fn bound_here(values: &[ScalarValue], types: &[Option<DataType>], zone: Option<&str>) -> Vec<ScalarValue> {
    let mut types = types.iter();
    let here = |value: &ScalarValue| {
        let to = types.next().and_then(Option::as_ref);
        let (Some(to @ DataType::Timestamp(unit, _)), Some(zone)) = (to, zone) else { return value.clone() };
        if !is_here(&value.data_type(), to, zone) {
            return value.clone();
        }
        // What cannot be read is told where it is bound.
        value.cast_to(&DataType::Timestamp(*unit, Some(zone.into()))).unwrap_or_else(|_| value.clone())
    };
    values.iter().map(here).collect()
}
