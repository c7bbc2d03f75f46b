//! What an attacker types, as data: one line adds one. The numbers are those of the catalogue of attacks in the design.
//!
//! Every probe says what proves it: a probe that is merely broken would be a probe that nobody can fail.

mod casts;
mod dialect;
mod failing;
mod lists;
mod masks;
mod names;
mod plans;
mod probe;
mod refused;
mod shapes;
mod values;

pub use probe::{Order, Probe, Proof, all};
