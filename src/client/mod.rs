//! The Flight SQL client of the REPL and of tests.
//!
//! In: an address, a login, SQL text. Out: a stream of Arrow batches that stops the server's work when it is
//! dropped, and the names this principal may see. What the server says went wrong comes back as a
//! [`Diagnostic`](crate::diagnostic::Diagnostic) with its kind. Absent on purpose: everything the gateway is
//! made of; any Flight SQL server will do.

mod browse;
mod connect;
mod failure;
#[cfg(test)]
pub(crate) mod fake;
mod fetch;
#[cfg(test)]
mod tests;

pub use browse::{Column, Table};
pub use connect::{Client, Login, PURPOSE_HEADER, connect};
pub use fetch::Rows;
