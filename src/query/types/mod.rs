//! What the types of SQL mean here: times are microseconds, a time without a zone is one of the session, and counts have a sign.
//!
//! In: the plan that the engine made of a statement, and the zone of its session. Out: the same plan, in which nothing is read in
//! nanoseconds but what asks for them by name (`arrow_cast`, `to_timestamp_nanos`). The engine itself reads times in nanoseconds
//! wherever it chooses a type, and these end in the year 2262. Absent on purpose: the time functions (`query::functions`), and
//! what goes on the wire (`flight::wire_schema`).

mod bound;
mod coercion;
mod common;
mod counts;
mod frames;
mod literals;
mod planner;
mod relations;

pub use bound::bound_here;
pub use coercion::as_meant;
pub use common::is_comparison;
pub use planner::{GatheredElements, IntervalOperators, SqlTypes};
pub use relations::series;
