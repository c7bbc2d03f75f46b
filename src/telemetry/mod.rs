//! What the gateway says of itself: log lines, correlation ids, and the clock that everything else is handed.
//!
//! Absent on purpose: values of rows, and anything a principal may not see, except at the owners' own targets.

mod clock;
mod subscriber;

pub use clock::Clock;
pub use subscriber::{correlation_id, init};
