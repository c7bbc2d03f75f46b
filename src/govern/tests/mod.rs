//! Governed tables as a client session sees them, over a private session on files in memory.

mod adversarial;
mod cells;
mod conditions;
pub mod fixture;
mod hidden;
mod masks;
mod promises;
mod pruning;
mod pushdown;
mod totality;
mod twins;
