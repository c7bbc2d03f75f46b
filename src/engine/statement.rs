//! What one running statement may use, and whether anybody still wants it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::memory::StatementPool;
use super::spill_files::StatementSpillFiles;

/// Goes with one execution of a statement, from the opening of its products to its last batch. It stands in the session
/// configuration of the execution as an extension, so that table providers and operators find it.
pub struct StatementControl {
    cancelled: CancellationToken,
    pool: Arc<dyn MemoryPool>,
    /// The same pool, to close it.
    owned: Arc<StatementPool>,
    /// For constants that stand in the plan.
    constants: Mutex<Vec<MemoryReservation>>,
}

impl StatementControl {
    pub(in crate::engine) fn new(pool: StatementPool) -> Arc<Self> {
        let owned = Arc::new(pool);
        Arc::new(Self {
            cancelled: owned.cancelled().clone(),
            pool: Arc::clone(&owned) as _,
            owned,
            constants: Mutex::default(),
        })
    }

    /// A control whose statement may use all of the gateway's `bytes` of memory.
    #[cfg(test)]
    pub(in crate::engine) fn for_tests(bytes: usize) -> Arc<Self> {
        Self::new(StatementPool::new(bytes, Arc::new(super::memory::SharedPool::new(bytes))))
    }

    /// True once the result has no reader, the statement was called off, or its deadline has passed. What computes for longer than
    /// a batch asks between its slices.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// Resolves when the statement is cancelled.
    pub fn token(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Cancels the statement when it is dropped.
    pub fn cancel_on_drop(&self) -> DropGuard {
        self.cancelled.clone().drop_guard()
    }

    /// Keeps what is reserved until the statement ends.
    pub(in crate::engine) fn keep(&self, reservation: MemoryReservation) {
        self.constants.lock().unwrap_or_else(PoisonError::into_inner).push(reservation);
    }

    /// `shared` with the memory of this statement, and with files for spilled data that end with it.
    ///
    /// # Errors
    /// Where the engine makes no files for spilled data.
    pub fn runtime(&self, shared: &RuntimeEnv) -> Result<RuntimeEnv> {
        let disk_manager = Arc::new(StatementSpillFiles::over(&shared.disk_manager, &self.cancelled)?);
        Ok(RuntimeEnv { memory_pool: Arc::clone(&self.pool), disk_manager, ..shared.clone() })
    }

    /// The memory of this statement; everything that it holds is reserved here.
    pub fn memory_pool(&self) -> &Arc<dyn MemoryPool> {
        &self.pool
    }
}

/// The last task of the statement is gone: nothing of what it reserved stays, even if an operator forgot to give it back.
impl Drop for StatementControl {
    fn drop(&mut self) {
        self.owned.close();
    }
}

impl fmt::Debug for StatementControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatementControl").field("cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}
