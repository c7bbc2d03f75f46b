//! Memory that statements may take.
//!
//! In: the limits of one statement and of all. Out: a pool for each statement below the one for all, operators that reserve what the
//! engine's own hold without counting it, aggregates that count all they hold, and which limit a refusal is about. Absent on purpose:
//! resident memory, which the allocator decides.

mod batch;
mod chained;
mod exceeded;
mod gathering;
mod held;
mod one_stage;
mod shared;
mod statement_pool;
mod unnested;

pub use batch::BatchBytes;
pub use chained::ChainUnions;
pub use exceeded::ExceededLimit;
pub use gathering::counted_aggregates;
pub use held::{ReserveHeld, visible_bytes};
pub use one_stage::GatherInOneStage;
pub(in crate::engine) use shared::SharedPool;
pub(in crate::engine) use statement_pool::StatementPool;
