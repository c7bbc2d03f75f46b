//! What a principal saw and what the principal sees: gained, lost, or both.
//!
//! In: the exposure of one dataset under two states of contracts and policies. Out: the difference, in words and with a direction.
//! A gain that cannot be ruled out is a gain. Absent on purpose: data; rows are told apart by what conditions ask of them.
//!
//! `seen` holds one side, `worlds` lists the kinds of rows that the conditions of both sides can tell apart, `change` compares
//! the sides in every one of them.

mod change;
mod seen;
mod worlds;

#[cfg(test)]
mod tests;

pub use change::{ColumnDifference, Difference, Shift, compare};
pub use seen::Seen;
