//! Session, plan, stream, egress.
//!
//! In: SQL text of one login. Out: a stream of scrubbed batches. Absent on purpose: gRPC, Cedar.

mod access;
mod casts;
mod correlated;
mod correlation;
mod deadline;
mod egress;
mod execute;
mod failure;
mod functions;
mod handover;
mod intervals;
mod kept;
mod keys;
mod lists;
mod marks;
mod null_safe;
mod options;
mod parameters;
mod plan;
mod predicates;
mod session;
mod setting;
mod statement;
mod stream;
mod types;

pub use egress::{Egress, scrub};
pub use marks::{EXPOSURE, unmarked};
pub use plan::Planned;
pub use session::{Session, Sessions};
pub use setting::{ArrowCompression, ArrowTypes, Change, Defaults, Setting};
pub use statement::{Family, escaped_functions};
