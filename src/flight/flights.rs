//! Datasets as flights: listed, and addressed by the path `[domain, dataset]`, for clients that speak Flight without SQL.

use arrow_flight::flight_descriptor::DescriptorType;
use arrow_flight::{Criteria, FlightDescriptor, FlightInfo};

use super::wire_schema::wire_schema;
use super::{Door, encode};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::discovery::VisibleTable;

/// A flight for each dataset that this login may read some cells of. Where its rows are is answered by GetFlightInfo, which plans.
///
/// # Errors
/// `Unsupported` for criteria: the standard says nothing of their form.
pub(in crate::flight) fn flights(door: &impl Door, criteria: &Criteria) -> Result<Vec<FlightInfo>> {
    if !criteria.expression.is_empty() {
        return Err(Diagnostic::error(Kind::Unsupported, "criteria are not offered")
            .hint("list all flights, or use CommandGetTables with patterns"));
    }
    door.tables()?.iter().map(flight).collect()
}

fn flight(table: &VisibleTable) -> Result<FlightInfo> {
    let schema = encode::announced(&wire_schema(&table.schema));
    let descriptor = FlightDescriptor::new_path(vec![table.domain.clone(), table.table.clone()]);
    Ok(FlightInfo {
        schema: encode::schema_bytes(&schema)?,
        flight_descriptor: Some(descriptor),
        total_records: -1,
        total_bytes: -1,
        ..FlightInfo::default()
    })
}

/// The statement that a path stands for; none for a descriptor that holds a command.
///
/// # Errors
/// `Invalid` for a path of another length.
pub(in crate::flight) fn statement_of(descriptor: &FlightDescriptor) -> Result<Option<String>> {
    if descriptor.r#type != i32::from(DescriptorType::Path) {
        return Ok(None);
    }
    let quoted = |name: &String| format!("\"{}\"", name.replace('"', "\"\""));
    match descriptor.path.as_slice() {
        [domain, dataset] => Ok(Some(format!("SELECT * FROM {}.{}", quoted(domain), quoted(dataset)))),
        other => Err(Diagnostic::error(Kind::Invalid, format!("a path of {} parts names no dataset", other.len()))
            .hint("a dataset is `[domain, dataset]`; ListFlights names those that you can read")),
    }
}
