//! Rebuilding of columns: a fresh array that holds its visible values and not one byte more.
//!
//! In: an array as the engine made it, with whatever its buffers still carry (filtered strings behind views, raw values in
//! null slots, rows that were sliced away, unused dictionary entries, children of null parents), and the type it is
//! wanted in. Out: the same logical values in that type, in buffers of their own. Absent on purpose: casts that change
//! a value (but for what lies below a microsecond), and a way round for types nobody thought of: an unknown pair of types is an error, never passed through.

mod column;
mod encoded;
mod flat;
mod lists;
mod nested;

#[cfg(test)]
mod tests;

pub use column::rebuild;
