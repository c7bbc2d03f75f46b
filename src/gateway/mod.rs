//! Composition root: build, serve, drain.
//!
//! In: a configuration, a bound listener, a clock, a shutdown signal. Out: a running gateway that ends in time.
//! Absent on purpose: arguments and terminals.

mod accept;
mod build;
mod known;
mod places;
mod serve;
mod users;

pub use build::{Gateway, ProductRow};
pub use places::Admission;
pub use serve::serve;
