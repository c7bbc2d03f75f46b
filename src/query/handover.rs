//! Batches from the threads that compute to those that hold connections.
//!
//! A bounded channel lies between: a client that does not read stops the work below it, and whoever drops the receiver cancels the
//! statement at once, without waiting for a computation under way.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::record_batch::RecordBatch;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use futures::stream::BoxStream;
use futures::{FutureExt as _, Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;
use tokio_util::task::AbortOnDropHandle;

use super::Egress;
use crate::diagnostic::{Diagnostic, Result};
use crate::engine::{Workers, panicked, work_lost};

/// Batches that wait for the reader; one more is ready to follow.
const AHEAD: usize = 2;

type Batches = BoxStream<'static, Result<Egress<RecordBatch>>>;

enum Piece {
    /// With the bytes that are reserved for it.
    Batch(Egress<RecordBatch>, usize),
    Failed(Diagnostic),
    /// Tells the end of a result from work that was lost.
    End,
}

/// The reader's end of a result under way.
pub(in crate::query) struct Handover {
    /// Cancels the statement first, so that a computation that looks at its cancellation ends.
    wanted: Option<DropGuard>,
    pieces: mpsc::Receiver<Piece>,
    reserved: Arc<MemoryReservation>,
    /// What the reader works on: the batch that it was handed last.
    in_hand: usize,
    work: Option<AbortOnDropHandle<()>>,
}

impl Handover {
    /// Makes batches on the workers, as far ahead of the reader as the channel is long. What waits in it is reserved in `pool`.
    pub(in crate::query) fn start(workers: &Workers, pool: &Arc<dyn MemoryPool>, batches: Batches) -> Self {
        let (sender, pieces) = mpsc::channel(AHEAD);
        let reserved = Arc::new(MemoryConsumer::new("result").register(pool));
        let work = workers.spawn(produce(batches, sender, Arc::clone(&reserved)));
        Self { wanted: None, pieces, reserved, in_hand: 0, work: Some(work) }
    }

    /// Cancels the statement when the reader goes.
    pub(in crate::query) fn wanted_by(mut self, wanted: DropGuard) -> Self {
        self.wanted = Some(wanted);
        self
    }

    fn release(&mut self) {
        self.reserved.shrink(std::mem::take(&mut self.in_hand));
    }

    fn end(&mut self) {
        self.release();
        self.wanted = None;
        self.work = None;
    }
}

impl Stream for Handover {
    type Item = Result<Egress<RecordBatch>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.release();
        if self.work.is_none() {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.pieces.poll_recv(context)) {
            Some(Piece::Batch(batch, bytes)) => {
                self.in_hand = bytes;
                Some(Ok(batch))
            }
            Some(Piece::Failed(error)) => {
                self.end();
                Some(Err(error))
            }
            Some(Piece::End) => {
                self.end();
                None
            }
            // The work went without a word: a short result must never look like a whole one.
            None => {
                self.end();
                Some(Err(work_lost()))
            }
        })
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        self.release();
    }
}

/// The statement gives back its memory before the reader learns that it ended.
async fn produce(mut batches: Batches, pieces: mpsc::Sender<Piece>, reserved: Arc<MemoryReservation>) {
    let all = async {
        while let Some(batch) = batches.next().await {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return Piece::Failed(error),
            };
            let bytes = batch.get().get_array_memory_size();
            // A batch that is there takes its memory; what still asks for some is refused the sooner.
            reserved.grow(bytes);
            if pieces.send(Piece::Batch(batch, bytes)).await.is_err() {
                reserved.shrink(bytes);
                break;
            }
        }
        Piece::End
    };
    let last =
        AssertUnwindSafe(all).catch_unwind().await.unwrap_or_else(|panic| Piece::Failed(panicked(panic.as_ref())));
    drop(batches);
    // Nobody reads on when the receiver is gone.
    let _ = pieces.send(last).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use arrow::array::{ArrayRef, Int64Array};
    use datafusion::execution::memory_pool::UnboundedMemoryPool;
    use futures::stream;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::diagnostic::Kind;

    /// Far beyond what a busy machine needs.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn pool() -> Arc<dyn MemoryPool> {
        Arc::new(UnboundedMemoryPool::default())
    }

    fn batch() -> Egress<RecordBatch> {
        let rows = Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef;
        Egress::for_test(RecordBatch::try_from_iter([("n", rows)]).unwrap())
    }

    async fn until(condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < PATIENCE, "it does not come to that");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_reader_that_stops_stops_the_work() {
        let (workers, pool, made) = (Workers::start(1).unwrap(), pool(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&made);
        let endless = stream::repeat_with(move || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(batch())
        });
        let token = CancellationToken::new();
        let mut handover = Handover::start(&workers, &pool, endless.boxed()).wanted_by(token.clone().drop_guard());
        assert!(handover.next().await.unwrap().is_ok());
        // One is in the reader's hand, two wait, one is ready.
        until(|| made.load(Ordering::SeqCst) == 2 + AHEAD).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(made.load(Ordering::SeqCst), 2 + AHEAD);
        assert_eq!(pool.reserved(), (2 + AHEAD) * batch().get().get_array_memory_size());
        drop(handover);
        assert!(token.is_cancelled());
        until(|| pool.reserved() == 0 && workers.alive_tasks() == 0).await;
    }

    #[tokio::test]
    async fn a_result_ends_with_its_end_or_an_error() {
        let (workers, pool) = (Workers::start(1).unwrap(), pool());
        let ended: Vec<_> =
            Handover::start(&workers, &pool, stream::iter([Ok(batch()), Ok(batch())]).boxed()).collect().await;
        assert!(ended.len() == 2 && ended.iter().all(Result::is_ok));

        let failing = stream::iter([Ok(batch()), Err(Diagnostic::error(Kind::Unavailable, "gone")), Ok(batch())]);
        let failed: Vec<_> = Handover::start(&workers, &pool, failing.boxed()).collect().await;
        assert_eq!((failed.len(), failed[1].as_ref().unwrap_err().kind), (2, Kind::Unavailable));

        let panicking = stream::iter([1, 2]).map(|n| if n == 1 { Ok(batch()) } else { panic!("secret {n}") });
        let panicked: Vec<_> = Handover::start(&workers, &pool, panicking.boxed()).collect().await;
        let error = panicked[1].as_ref().unwrap_err();
        assert_eq!((panicked.len(), error.kind), (2, Kind::Internal));
        assert!(error.message.contains("correlation id") && !error.message.contains("secret"), "{error:?}");

        let lost = Handover::start(&workers, &pool, stream::pending().boxed());
        drop(workers);
        let lost: Vec<_> = tokio::time::timeout(PATIENCE, lost.collect()).await.unwrap();
        assert_eq!(lost[0].as_ref().unwrap_err().kind, Kind::Internal, "work that was lost is no end");
        assert_eq!(pool.reserved(), 0);
    }
}
