//! One integration test binary: each further one costs a link.
#![expect(clippy::disallowed_methods, reason = "tests start their own tasks")]

mod acceptance;
mod bad_input;
mod demo;
mod harness;
mod leaks;
mod pruning;
mod readme;
mod slt;
mod tidy;
mod wire;
