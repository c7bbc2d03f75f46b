//! The one DataFusion runtime.
//!
//! In: limits. Out: one memory pool and one spill folder for all, threads that compute, a client runtime that can open nothing, and private sessions
//! that can open exactly one fenced store. Absent on purpose: SQL text, policy, contracts.

mod called_off;
pub mod calls;
mod carried;
mod checked;
pub mod compact;
mod guarded;
pub mod memory;
mod outer;
mod planning;
mod private;
mod pushdown;
mod rechunk;
mod registry;
#[cfg(test)]
pub(crate) mod reviewed;
mod runtime;
mod slicing;
mod spill;
mod spill_files;
mod statement;
mod workers;
mod yielding;

pub use called_off::CalledOff;
pub use carried::carried_aggregates;
pub use checked::check_arithmetic;
pub use outer::Outer;
pub use planning::{check_wanted, interruptible, until_called_off};
pub use private::{PrivateSession, task_context};
pub use pushdown::applied_by;
pub use rechunk::rechunked;
pub use runtime::Engine;
pub use statement::StatementControl;
pub use workers::{Workers, panicked, work_lost};
pub use yielding::Yielding;
