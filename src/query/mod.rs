//! Session, plan, stream, egress.
//!
//! In: SQL text of one login. Out: a stream of scrubbed batches. Absent on purpose: gRPC, Cedar.

mod egress;
mod functions;
mod session;
mod statement;

pub use egress::{Egress, scrub};
pub use functions::check_plan;
pub use session::{Planned, Session, Sessions};
pub use statement::{Explain, Statement, parse};
