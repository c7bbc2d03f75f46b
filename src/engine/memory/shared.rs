//! The pool of all statements.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation};

use super::ExceededLimit;

/// What all statements may reserve together. Each of them has a [`super::StatementPool`] that reserves here.
#[derive(Debug)]
pub(in crate::engine) struct SharedPool {
    limit: usize,
    used: AtomicUsize,
    /// Statements with operators that can spill.
    spilling: AtomicUsize,
}

impl SharedPool {
    pub fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0), spilling: AtomicUsize::new(0) }
    }

    /// Takes `bytes` if they are there.
    pub fn try_take(&self, bytes: usize) -> Result<()> {
        let fits = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.limit);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => Ok(()),
            Err(_) => Err(ExceededLimit::AllStatements.refusal()),
        }
    }

    /// Takes `bytes`, there or not.
    pub fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes that the spilling operators of one statement may hold: an even share of three quarters. The last quarter is for what
    /// cannot spill, and for the first batches of a statement that comes later.
    pub fn spill_share(&self) -> usize {
        (self.limit - self.limit / 4) / self.spilling.load(Ordering::Relaxed).max(1)
    }

    pub fn add_spilling_statement(&self) {
        self.spilling.fetch_add(1, Ordering::Relaxed);
    }

    pub fn remove_spilling_statement(&self) {
        self.spilling.fetch_sub(1, Ordering::Relaxed);
    }
}

/// For what runs outside a statement, such as the opening of products.
impl MemoryPool for SharedPool {
    fn name(&self) -> &'static str {
        "all statements"
    }

    fn grow(&self, _: &MemoryReservation, additional: usize) {
        self.take(additional);
    }

    fn shrink(&self, _: &MemoryReservation, shrink: usize) {
        self.give_back(shrink);
    }

    fn try_grow(&self, _: &MemoryReservation, additional: usize) -> Result<()> {
        self.try_take(additional)
    }

    fn reserved(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

impl fmt::Display for SharedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
