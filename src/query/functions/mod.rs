//! Which functions a statement may call.
//!
//! In: a parsed statement, and again the plan made of it. Out: yes, or which call is refused and why; and how many rows may be
//! worked on at once, since what functions make was reserved nowhere before `engine::calls` did. Or that a statement is too heavy to be planned. Absent on purpose:
//! functions nobody looked at. Every name that is registered, by the engine or here, stands in one of the lists, and a test fails when an
//! upgrade brings one that does not.

mod calendar;
mod check;
mod clauses;
mod intervals;
mod names;
mod patterns;
mod series;
mod times;
mod value;
mod weight;
mod width;

#[cfg(test)]
mod tests;

pub use calendar::ours;
pub use check::{check, check_plan};
pub use intervals::{interval_between, interval_divided, interval_times, justify_interval};
pub use times::{in_microseconds, of_seconds};
pub use weight::check_weight;
pub use width::rows_at_once;
