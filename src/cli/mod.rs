//! Subcommands.
//!
//! In: arguments. Out: an exit code. Absent on purpose: everything that another front end would need too.

pub mod demo;
