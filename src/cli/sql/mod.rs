//! `meshgate sql`: the REPL, and the same statements from scripts.
//!
//! In: SQL text and backslash commands, from a person at a terminal or from `-c`, `-f` and pipes. Out: tables
//! fitted to the terminal, or results in a format for programs, and an exit code. It speaks Flight SQL through
//! [`client`](crate::client) like any other tool. Absent on purpose: everything of the gateway.
//!
//! A line is read by `repl` (with `complete`, `highlight`, `history` and `validate` around the editor) or comes
//! from a script; `split` cuts it, `shell` runs each piece, `window`, `fit` and `render` draw what a person
//! sees, `format` writes what a program reads, and `report` says what went wrong.

mod args;
mod cell;
mod complete;
mod console;
mod describe;
mod fit;
mod format;
mod highlight;
mod history;
mod lexer;
mod meta;
mod names;
mod reasons;
mod render;
mod repl;
mod report;
mod script;
mod session;
mod shell;
mod split;
#[cfg(test)]
mod tests;
mod validate;
mod why;
mod window;
mod words;

pub use args::Args;
pub(in crate::cli) use format::Encoder;
pub use format::Format;
pub(in crate::cli) use reasons::render as render_reasons;
pub use repl::{Options, interactive};
pub(in crate::cli) use report::plain as report_plain;
pub use script::run;
