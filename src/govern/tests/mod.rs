//! Governed tables as a client session sees them, over a private session on files in memory.

mod cells;
mod conditions;
pub mod fixture;
mod pruning;
mod twins;
