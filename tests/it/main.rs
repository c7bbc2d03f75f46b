//! One integration test binary: each further one costs a link.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::format_push_string,
    reason = "a test that panics says what is wrong; tests start their own tasks"
)]

mod acceptance;
mod bad_input;
mod demo;
mod discover;
mod explain;
mod harness;
mod leaks;
mod pruning;
mod readme;
mod slt;
mod tidy;
mod wire;
