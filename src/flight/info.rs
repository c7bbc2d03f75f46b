//! FlightInfo: where a result is to be had, and what it will look like.

use arrow::datatypes::Schema;
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use bytes::Bytes;
use prost_types::Timestamp;

use super::encode;
use crate::diagnostic::Result;

/// One endpoint without a location (the client stays on this connection), totals unknown: a count would tell of hidden rows.
///
/// `expires_at`, in milliseconds since the Unix epoch, also says that until then the rows may be fetched again.
pub(in crate::flight) fn flight_info(
    schema: &Schema,
    ticket: impl Into<Bytes>,
    expires_at: Option<i64>,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo> {
    Ok(FlightInfo {
        schema: encode::schema_bytes(schema)?,
        flight_descriptor: Some(descriptor),
        endpoint: vec![endpoint(ticket, expires_at)],
        total_records: -1,
        total_bytes: -1,
        ordered: false,
        app_metadata: Bytes::new(),
    })
}

pub(in crate::flight) fn endpoint(ticket: impl Into<Bytes>, expires_at: Option<i64>) -> FlightEndpoint {
    let expiration_time = expires_at.map(|at| Timestamp {
        seconds: at.div_euclid(1_000),
        // INVARIANT: below 1,000, so below 10^9 after it is multiplied.
        nanos: i32::try_from(at.rem_euclid(1_000) * 1_000_000).unwrap_or_default(),
    });
    FlightEndpoint { expiration_time, ..FlightEndpoint::new().with_ticket(Ticket::new(ticket)) }
}
