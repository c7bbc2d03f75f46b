//! meshgate serves a data mesh as SQL.
//!
//! A query travels `flight → identity → query → govern → source → object store` and comes back as
//! frames through `query::egress`. A contract travels `contract → mesh → govern::Generation`.
//! Modules stand in the order of their layer; imports point only downward (`docs/ARCHITECTURE.md`,
//! held by `tests/it/tidy.rs`).

// 0: words, and how to say what went wrong
pub mod diagnostic;
pub mod name;
pub mod proto;
// 1: what an operator sets; spans; the Flight client of the REPL and of tests
pub mod client;
pub mod config;
pub mod telemetry;
// 2: document → checked contract; credentials → principal; the one DataFusion runtime
pub mod contract;
pub mod engine;
pub mod identity;
// 3: one immutable snapshot of domains, products, datasets
pub mod mesh;
// 4: principal × dataset → decision; dataset → raw table
pub mod policy;
pub mod source;
// 5: policy meets table
pub mod govern;
// 6: the mesh described as tables
pub mod discovery;
// 7: session, plan, stream, egress
pub mod query;
// 8: Flight SQL
pub mod flight;
// 9: build, serve, drain
pub mod gateway;
// 10: subcommands, REPL, demo
pub mod cli;
