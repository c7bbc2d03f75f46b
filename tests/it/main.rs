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

mod abandoned;
mod acceptance;
mod access;
mod access_diff;
mod bad_input;
mod callers;
mod calls;
mod cancel;
mod catalogs;
mod check_data;
mod connections;
mod conversations;
mod cookies;
mod corpus;
mod damage;
mod damaged_files;
mod demo;
mod dialect;
mod discover;
mod ending;
mod evolved;
mod exits;
mod explain;
mod flights;
mod generate;
mod harness;
mod hostile;
mod intervals;
mod kept;
mod leaks;
mod meaning;
mod member_drift;
mod members;
mod memory;
mod mutants;
mod openings;
mod panics;
mod parameters;
mod plain;
mod predicates;
mod process;
mod pruning;
mod purpose;
mod readme;
mod refresh;
mod schemas;
mod sessions;
mod settings;
mod shapes;
mod silence;
mod slt;
mod stuck;
mod surface;
mod tidy;
mod times;
mod versions;
mod wire;
