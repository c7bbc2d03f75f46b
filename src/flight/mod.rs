//! Arrow Flight SQL: the protocol face. It only translates.
//!
//! In: the ten RPCs of a Flight service. Out: schemas, sealed tickets, frames, and status codes. One family of RPCs
//! stands in each file. Absent on purpose: planning, policy, and any way to encode a batch that `query::egress` did not
//! rebuild.

mod door;
mod service;

mod actions;
mod cancel;
mod flights;
mod handshake;
mod metadata;
mod parameters;
mod pending;
mod prepared;
mod session;
mod sql_info;
mod statement;
mod update;

mod column_metadata;
mod info;
mod ticket;
mod wire_schema;

mod encode;
mod ending;
mod status;

pub use door::{Door, Doors, Statement};
pub use service::{Gateway, service};
pub use wire_schema::wire_schema;

#[cfg(test)]
mod egress_tests;
#[cfg(test)]
mod tests;
