//! The pool of one statement.
//!
//! The engine's fair pool lets operators that can spill take all there is, so that an operator which must reserve a little to go on
//! fails or not as its neighbours happen to be faster. It also counts what they hold against shares, not against the limit, so that
//! operators which start late take more than the limit together. Here those that can spill have three fifths of the statement's memory;
//! merges of sorted runs, hash tables and the like have the rest, and the sum never passes the limit.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};

use tokio_util::sync::CancellationToken;

use super::{ExceededLimit, SharedPool};
use crate::engine::CalledOff;

/// How the engine names those that merge the sorted runs of one partition. They take what they get and go on with less.
const MERGE: &str = "ExternalSorterMerge[";

/// Aggregates answer a copy of what they hold, and count it no longer before it is gone.
const AGGREGATE: &str = "AggregateStream[";
/// Channels between partitions, which spill too, hold little: they do not make the shares of the others smaller.
const CHANNEL: &str = "RepartitionExec";

/// Reserves for one statement, below its own limit and in the pool of all.
pub(in crate::engine) struct StatementPool {
    limit: usize,
    all: Arc<SharedPool>,
    held: Mutex<Held>,
    /// Operators that compute for long without a pause still reserve meanwhile, and end where they get no more.
    cancelled: CancellationToken,
}

#[derive(Debug, Default)]
struct Held {
    /// Set when the statement ended: what a leaked consumer still holds was given back.
    closed: bool,
    spillers: usize,
    merges: usize,
    spillable: usize,
    unspillable: usize,
}

impl Held {
    fn total(&self) -> usize {
        self.spillable.saturating_add(self.unspillable)
    }

    fn part(&mut self, can_spill: bool) -> &mut usize {
        if can_spill { &mut self.spillable } else { &mut self.unspillable }
    }
}

impl StatementPool {
    pub fn new(limit: usize, all: Arc<SharedPool>) -> Self {
        Self { limit, all, held: Mutex::default(), cancelled: CancellationToken::new() }
    }

    /// Nothing more is reserved once it is cancelled.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Gives everything back. Consumers that are still there get no more.
    pub fn close(&self) {
        let mut held = self.held();
        if !held.closed {
            held.closed = true;
            self.all.give_back(held.total());
            if held.spillers > 0 {
                self.all.remove_spilling_statement();
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if `held` leaves room for `additional` bytes beside the `size` that an operator which can spill has already.
    fn admits_spiller(&self, held: &Held, size: usize, additional: usize) -> bool {
        let room = (self.limit / 5 * 3).min(self.limit.saturating_sub(held.unspillable));
        let share = room / held.spillers.max(1);
        // One alone may use half of the room before the others come; after that each has its share.
        let fits = size.saturating_add(additional) <= share || held.spillable.saturating_add(additional) <= room / 2;
        fits && held.spillable.saturating_add(additional) <= self.all.spill_share()
    }

    /// As [`Self::admits_spiller`], for a merge: the first to start must leave the others what two runs take.
    fn admits_merge(&self, held: &Held, size: usize, additional: usize) -> bool {
        let share = self.limit / 5 * 2 / held.merges.max(1);
        size.saturating_add(additional) <= share || held.total().saturating_add(additional) <= self.limit / 5 * 4
    }
}

/// How often a consumer has what it reserves.
fn copies(consumer: &MemoryConsumer) -> usize {
    if consumer.name().contains(AGGREGATE) { 2 } else { 1 }
}

fn takes_share(consumer: &MemoryConsumer) -> bool {
    consumer.can_spill() && !consumer.name().starts_with(CHANNEL)
}

fn is_merge(consumer: &MemoryConsumer) -> bool {
    consumer.name().starts_with(MERGE)
}

impl MemoryPool for StatementPool {
    fn name(&self) -> &'static str {
        "statement"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        let mut held = self.held();
        held.merges += usize::from(is_merge(consumer));
        if takes_share(consumer) {
            held.spillers += 1;
            if held.spillers == 1 && !held.closed {
                self.all.add_spilling_statement();
            }
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        let mut held = self.held();
        held.merges -= usize::from(is_merge(consumer));
        if takes_share(consumer) {
            held.spillers -= 1;
            if held.spillers == 0 && !held.closed {
                self.all.remove_spilling_statement();
            }
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        let mut held = self.held();
        if !held.closed {
            let additional = additional.saturating_mul(copies(reservation.consumer()));
            self.all.take(additional);
            *held.part(reservation.consumer().can_spill()) += additional;
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let mut held = self.held();
        if !held.closed {
            let shrink = shrink.saturating_mul(copies(reservation.consumer()));
            self.all.give_back(shrink);
            *held.part(reservation.consumer().can_spill()) -= shrink;
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut held = self.held();
        if held.closed || self.cancelled.is_cancelled() {
            return Err(CalledOff::error());
        }
        let consumer = reservation.consumer();
        let copies = copies(consumer);
        let (size, additional) = (reservation.size().saturating_mul(copies), additional.saturating_mul(copies));
        let admitted = if consumer.can_spill() {
            self.admits_spiller(&held, size, additional)
        } else {
            !is_merge(consumer) || self.admits_merge(&held, size, additional)
        };
        let fits = held.total().checked_add(additional).is_some_and(|total| total <= self.limit);
        if !admitted || !fits {
            return Err(ExceededLimit::Statement.refusal());
        }
        self.all.try_take(additional)?;
        *held.part(consumer.can_spill()) += additional;
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.held().total()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

impl Drop for StatementPool {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Display for StatementPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for StatementPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatementPool").field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pools {
        all: Arc<SharedPool>,
        limit: usize,
    }

    impl Pools {
        fn new(all: usize, limit: usize) -> Self {
            Self { all: Arc::new(SharedPool::new(all)), limit }
        }

        fn statement(&self) -> Arc<dyn MemoryPool> {
            Arc::new(StatementPool::new(self.limit, Arc::clone(&self.all)))
        }
    }

    fn spiller(pool: &Arc<dyn MemoryPool>) -> MemoryReservation {
        MemoryConsumer::new("sort").with_can_spill(true).register(pool)
    }

    fn holder(pool: &Arc<dyn MemoryPool>) -> MemoryReservation {
        MemoryConsumer::new("join").register(pool)
    }

    fn refused(result: Result<()>) -> Option<ExceededLimit> {
        result.err().and_then(|error| ExceededLimit::find(&error))
    }

    #[test]
    fn refusal_names_the_smaller_limit() {
        let pools = Pools::new(150, 100);
        let (one, two) = (pools.statement(), pools.statement());
        let held = holder(&one);
        assert_eq!(refused(held.try_grow(101)), Some(ExceededLimit::Statement));
        held.try_grow(100).unwrap();
        let beside = holder(&two);
        assert_eq!(refused(beside.try_grow(51)), Some(ExceededLimit::AllStatements));
        beside.try_grow(50).unwrap();
        assert_eq!((one.reserved(), two.reserved(), pools.all.reserved()), (100, 50, 150));
        drop((held, beside));
        assert_eq!((one.reserved(), two.reserved(), pools.all.reserved()), (0, 0, 0));
    }

    #[test]
    fn leaked_consumer_gives_everything_back() {
        let pools = Pools::new(100, 100);
        let pool = Arc::new(StatementPool::new(100, Arc::clone(&pools.all)));
        let registry: Arc<dyn MemoryPool> = Arc::clone(&pool) as _;
        let leaked = spiller(&registry);
        leaked.try_grow(20).unwrap();
        leaked.grow(10);
        pool.close();
        assert_eq!((pools.all.reserved(), pools.all.spill_share()), (0, 75));
        assert!(CalledOff::is_cause_of(&leaked.try_grow(1).unwrap_err()), "it is no fault of the statement's memory");
        leaked.grow(5);
        drop(leaked);
        assert_eq!(pools.all.reserved(), 0);
    }

    #[test]
    fn cancelled_statement_gets_no_more() {
        let pools = Pools::new(100, 100);
        let pool = Arc::new(StatementPool::new(100, Arc::clone(&pools.all)));
        let sort = spiller(&(Arc::clone(&pool) as _));
        sort.try_grow(20).unwrap();
        pool.cancelled().cancel();
        assert!(CalledOff::is_cause_of(&sort.try_grow(1).unwrap_err()));
        assert_eq!(pools.all.reserved(), 20, "what is there stays counted until it goes");
        drop(sort);
        assert_eq!(pools.all.reserved(), 0);
    }

    #[test]
    fn aggregate_counts_its_answer() {
        let pools = Pools::new(1_000, 100);
        let pool = pools.statement();
        let aggregate = MemoryConsumer::new("FinalHashAggregateStream[1]").with_can_spill(true).register(&pool);
        while aggregate.try_grow(1).is_ok() {}
        assert_eq!((aggregate.size(), pool.reserved()), (30, 60));
        aggregate.grow(20);
        aggregate.shrink(45);
        assert_eq!((pool.reserved(), pools.all.reserved()), (10, 10));
    }

    #[test]
    fn spillers_leave_room_for_merges() {
        let pools = Pools::new(1_000, 1_000);
        let pool = pools.statement();
        let sorts = [spiller(&pool), spiller(&pool)];
        for sort in &sorts {
            while sort.try_grow(10).is_ok() {}
            assert_eq!(sort.size(), 300);
        }
        let merges: Vec<_> = (0..2).map(|at| MemoryConsumer::new(format!("{MERGE}{at}]")).register(&pool)).collect();
        for merge in &merges {
            while merge.try_grow(10).is_ok() {}
        }
        assert_eq!((merges[0].size(), merges[1].size()), (200, 200));
    }

    #[test]
    fn late_spiller_gets_a_share() {
        let pools = Pools::new(10_000, 1_000);
        let pool = pools.statement();
        let early = spiller(&pool);
        while early.try_grow(10).is_ok() {}
        let late = [spiller(&pool), spiller(&pool)];
        for late in &late {
            while late.try_grow(10).is_ok() {}
            assert_eq!(late.size(), 200);
        }
        assert!(pool.reserved() <= 1_000, "{}", pool.reserved());
    }

    #[test]
    fn statement_leaves_room_to_others() {
        let pools = Pools::new(1_000, 500);
        let statements: Vec<_> = (0..4).map(|_| pools.statement()).collect();
        let sorts: Vec<_> = statements.iter().map(spiller).collect();
        for sort in &sorts {
            while sort.try_grow(10).is_ok() {}
            assert!(sort.size() >= 150, "{}", sort.size());
        }
        holder(&statements[0]).try_grow(100).unwrap();
    }
}
