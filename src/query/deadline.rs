//! Planning on a thread of its own: a large stack and a deadline.
//!
//! A statement can make the planner recurse deeply or run for minutes (RELIABILITY facts 1); a thread with its own stack keeps
//! the server's, and the caller gets an answer in time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use crate::diagnostic::{Diagnostic, Kind, Result};

const STACK_BYTES: usize = 64 << 20;

/// Threads that plan. A planner past its deadline keeps its place until it ends, so that slow statements cannot pile up.
#[derive(Debug)]
pub struct Planners {
    places: Arc<Semaphore>,
    deadline: Duration,
}

impl Planners {
    pub fn new(places: usize, deadline: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(places.max(1))), deadline }
    }

    /// Runs `work` on a planning thread.
    ///
    /// # Errors
    /// What `work` answers; `Deadline` past the deadline; `Exhausted` when no place became free in time.
    pub async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let late = || {
            Diagnostic::error(Kind::Deadline, format!("planning took longer than {} seconds", self.deadline.as_secs()))
                .hint("split the statement, or shorten its chains and lists")
        };
        let waited = tokio::time::timeout(self.deadline, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = waited else {
            return Err(Diagnostic::error(Kind::Exhausted, "too many statements are being planned")
                .hint("try again in a moment"));
        };
        let (answer, answered) = oneshot::channel();
        let handle = Handle::current();
        let span = tracing::Span::current();
        let started = std::thread::Builder::new().name("planner".to_owned()).stack_size(STACK_BYTES).spawn(move || {
            let _span = span.enter();
            // A caller that went away does not want the answer.
            let _ = answer.send(handle.block_on(work));
            drop(place);
        });
        if let Err(error) = started {
            tracing::error!(%error, "no thread for planning");
            return Err(Diagnostic::error(Kind::Exhausted, "the gateway has no thread left for planning"));
        }
        match tokio::time::timeout(self.deadline, answered).await {
            Ok(Ok(result)) => result,
            // The thread ended without an answer: the planner panicked, which `telemetry` logs.
            Ok(Err(_)) => Err(Diagnostic::error(Kind::Internal, "planning failed inside the gateway")),
            Err(_) => Err(late()),
        }
    }
}
