//! The one DataFusion runtime.
//!
//! In: limits. Out: one memory pool and one spill folder for all, a client runtime that can open nothing, and private sessions
//! that can open exactly one fenced store. Absent on purpose: SQL text, policy, contracts.

pub mod compact;
mod outer;
mod private;
mod rechunk;
mod registry;
#[cfg(test)]
pub(crate) mod reviewed;
mod runtime;
mod yielding;

pub use outer::Outer;
pub use private::{PrivateSession, task_context};
pub use rechunk::rechunked;
pub use runtime::Engine;
pub use yielding::Yielding;
