//! Calls of functions that can cost much, bounded by what they are given.
//!
//! In: an admitted plan and the control of its execution. Out: a plan whose costly calls, with some operators that work like calls, see
//! their arguments before they compute. A call reserves its output before it allocates, refuses one value that costs too much alone, works
//! in slices, and asks between them whether anybody still wants the statement. What evaluates such calls works on as many rows as fit into
//! one turn of a thread. Absent on purpose: names that may be called at all (`query::functions`), and everything below the policy, where
//! no function of a statement runs.

mod bind;
mod call;
mod cost;
mod evaluation;
mod operator;
mod pattern;
mod separate;
mod size;
mod sliced;

#[cfg(test)]
mod tests;

pub use bind::{bind_calls, bind_optimized_calls};
pub use cost::bounded_functions;
pub(in crate::engine) use size::bytes_between;
pub use sliced::SlicedProjections;
