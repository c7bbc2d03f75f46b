//! Session, plan, stream, egress.
//!
//! In: SQL text of one login. Out: a stream of scrubbed batches. Absent on purpose: gRPC, Cedar.

mod session;
mod statement;
mod functions;
mod deadline;
mod plan;
mod stream;
mod egress;
mod failure;

pub use egress::Egress;
pub use plan::Planned;
pub use session::{Session, Sessions};
