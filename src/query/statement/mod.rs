//! One SQL text, as one of the statements meshgate answers.
//!
//! In: text of anybody, and the limits. Out: a parsed [`Statement`] that only reads, or a diagnostic with line and column.
//! Text is bounded by its tokens before it is parsed, because parsing and dropping deep trees can end the process; what is
//! allowed is decided on the tree before it is planned. No clause is left out: each is honoured, written as another that is, or refused. Absent on purpose: names of tables (they resolve later), planning,
//! and every statement that writes.

mod allow;
mod clauses;
mod escapes;
mod expressions;
mod jdbc;
mod names;
mod parse;
mod placeholders;
mod places;
mod precedence;
mod relations;
mod rows;
mod series;
mod similar;
mod stars;
mod syntax;
mod tokens;
mod units;
mod windows;
mod written;

#[cfg(test)]
mod honoured;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

pub(in crate::query) use names::apart;

pub use jdbc::{Family, of as escaped_functions};
pub use parse::{Explain, Statement, parse};
pub use series::{SERIES, reads_table};
