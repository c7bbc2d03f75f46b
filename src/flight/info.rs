//! FlightInfo: where a result is to be had, and what it will look like.

use arrow::datatypes::Schema;
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use bytes::Bytes;

use super::encode;
use crate::diagnostic::Result;

/// One endpoint without a location (the client stays on this connection), totals unknown: a count would tell of hidden rows.
pub(in crate::flight) fn flight_info(
    schema: &Schema,
    ticket: impl Into<Bytes>,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo> {
    Ok(FlightInfo {
        schema: encode::schema_bytes(schema)?,
        flight_descriptor: Some(descriptor),
        endpoint: vec![FlightEndpoint::new().with_ticket(Ticket::new(ticket))],
        total_records: -1,
        total_bytes: -1,
        ordered: false,
        app_metadata: Bytes::new(),
    })
}
