//! Threads that compute: what reads, joins and masks rows runs here, and never on the threads that hold connections.
//!
//! A thread inside one long computation cannot be interrupted. Here it delays other statements at most; logins, deadlines, signals and
//! the answer to a client that calls its statement off do not wait for it.

use std::any::Any;
use std::future::Future;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::thread::available_parallelism;

use datafusion::common::runtime::trace_future;
use futures::FutureExt as _;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::telemetry::correlation_id;

/// Threads for each core. A statement keeps as many threads busy as it has partitions; the cores are shared between threads by the
/// operating system in slices of milliseconds, so a statement that computes for long does not keep the next one from starting.
const THREADS_PER_CORE: usize = 4;
/// Streams are nested as deep as a statement may be; what is not used takes no memory.
const STACK_BYTES: usize = 64 << 20;
/// Turns of a thread between two looks at timers and sockets: one turn may be long here.
const TURNS_BETWEEN_EVENTS: u32 = 7;

/// The runtime of plans under way.
#[derive(Debug)]
pub struct Workers {
    /// None once dropped.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Workers {
    /// Starts the threads: four for each core, and at least as many for each partition of a statement.
    ///
    /// # Errors
    /// `Unavailable` when the system has no threads left.
    pub fn start(partitions: usize) -> Result<Self> {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let runtime = Builder::new_multi_thread()
            .thread_name("worker")
            .worker_threads(cores.max(partitions).saturating_mul(THREADS_PER_CORE))
            .thread_stack_size(STACK_BYTES)
            .event_interval(TURNS_BETWEEN_EVENTS)
            .enable_all()
            .build()
            .map_err(|error| {
                Diagnostic::error(Kind::Unavailable, format!("the threads of the engine cannot start: {error}"))
                    .hint("raise the limit of threads of this process")
            })?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Where tasks of a plan belong. What is started inside `handle().enter()` starts its tasks there.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Starts `work`; it ends with the handle. It logs under the span of the caller, and is traced as the engine's own tasks are.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> AbortOnDropHandle<T> {
        AbortOnDropHandle::new(self.handle.spawn(trace_future(work.in_current_span())))
    }

    /// What `work` answers. It ends when this future is dropped; a computation under way is not waited for.
    ///
    /// # Errors
    /// Those of `work`; `Internal` where it panics.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        match self.spawn(AssertUnwindSafe(work).catch_unwind()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(panic)) => Err(panicked(panic.as_ref())),
            Err(_) => Err(work_lost()),
        }
    }

    /// Tasks that have not ended.
    pub fn alive_tasks(&self) -> usize {
        self.handle.metrics().num_alive_tasks()
    }
}

impl Drop for Workers {
    /// A thread that computes must not hold up who drops the engine.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a panic is to the caller. Buffers of the engine hold two gigabytes of text, and it panics where a batch would have more.
pub fn panicked(panic: &(dyn Any + Send)) -> Diagnostic {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    if text.is_some_and(|text| text.contains("offset overflow")) {
        return Diagnostic::error(
            Kind::Exhausted,
            "a step of the statement makes more than two gigabytes of text at once",
        )
        .hint("make shorter values, or ask for fewer rows");
    }
    work_lost()
}

/// For work that ended without an answer. A panic itself is in the log, under a line of its own.
pub fn work_lost() -> Diagnostic {
    let id = correlation_id();
    tracing::error!(correlation_id = %id, "a statement panicked");
    Diagnostic::error(Kind::Internal, format!("the statement failed inside the gateway (correlation id {id})"))
        .hint("give the id to the operator, with the statement")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test]
    async fn stuck_work_holds_neither_caller_nor_exit() {
        let workers = Workers::start(1).unwrap();
        let (begun, begins) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let stuck = workers.run(async move {
            begun.send(()).unwrap();
            // Computes without end.
            let _ = ended.recv();
            Ok(())
        });
        assert!(tokio::time::timeout(Duration::from_millis(50), stuck).await.is_err());
        begins.recv().unwrap();
        let start = Instant::now();
        drop(workers);
        assert!(start.elapsed() < Duration::from_secs(5));
        drop(end);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_without_its_text() {
        let workers = Workers::start(1).unwrap();
        let error = workers.run::<()>(async { panic!("secret of a row") }).await.unwrap_err();
        assert_eq!(error.kind, Kind::Internal);
        assert!(error.message.contains("correlation id") && !error.message.contains("secret"), "{}", error.message);
        assert_eq!(workers.run(async { Ok(7) }).await, Ok(7));
        let too_large = workers.run::<()>(async { panic!("offset overflow") }).await.unwrap_err();
        assert_eq!(too_large.kind, Kind::Exhausted);
    }
}
