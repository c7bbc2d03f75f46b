//! Which functions a statement may call.
//!
//! In: a parsed statement, and again the plan made of it. Out: yes, or which call is refused and why. Absent on purpose:
//! functions nobody looked at. Every name the engine registers stands in one of the lists here, and a test fails when an
//! upgrade brings one that does not.

mod check;
mod names;

#[cfg(test)]
mod tests;

pub use check::{check, check_plan};
