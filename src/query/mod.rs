//! Session, plan, stream, egress.
//!
//! In: SQL text of one login. Out: a stream of scrubbed batches. Absent on purpose: gRPC, Cedar.

mod deadline;
mod egress;
mod failure;
mod functions;
mod plan;
mod session;
mod statement;
mod stream;

pub use egress::{Egress, scrub};
pub use plan::Planned;
pub use session::{Session, Sessions};
