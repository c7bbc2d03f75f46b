//! Planning on a thread of its own: a large stack and a deadline.
//!
//! A statement can make the planner recurse deeply or run for minutes; a thread with its own stack keeps the server's, and
//! the caller gets an answer in time. Planning waits for nothing that statements under way may hold: its timers and its reads
//! have threads of their own too.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{AcquireError, Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::engine::until_called_off;

const STACK_BYTES: usize = 64 << 20;
/// Threads for what a planner starts beside itself, and for its timers.
const BESIDE: usize = 2;
/// Threads that read files for planners, besides those that plan.
const READERS: usize = 64;

/// Threads that plan. A planner past its deadline is called off, and keeps its place until it ends, so that slow statements cannot
/// pile up; one principal may have half of the places, so that the statements of others are planned meanwhile.
#[derive(Debug)]
pub struct Planners {
    places: Arc<Semaphore>,
    share: usize,
    /// By principal, as long as one of its statements is being planned.
    shares: Mutex<HashMap<String, Weak<Semaphore>>>,
    deadline: Duration,
    /// Keeps threads for a while: making and ending one with its heap takes as long as planning a small statement. None once dropped.
    threads: Option<Runtime>,
}

impl Planners {
    pub fn new(places: usize, deadline: Duration) -> Self {
        let places = places.max(1);
        let threads = Builder::new_multi_thread()
            .thread_name("planner")
            .worker_threads(BESIDE)
            .thread_stack_size(STACK_BYTES)
            .max_blocking_threads(places + READERS)
            .enable_all()
            .build();
        Self {
            threads: threads.inspect_err(|error| tracing::error!(%error, "no threads for planning")).ok(),
            places: Arc::new(Semaphore::new(places)),
            share: (places / 2).max(1),
            shares: Mutex::default(),
            deadline,
        }
    }

    fn share(&self, principal: &str) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shares.get(principal).and_then(Weak::upgrade) {
            return known;
        }
        shares.retain(|_, share| share.strong_count() > 0);
        let made = Arc::new(Semaphore::new(self.share));
        shares.insert(principal.to_owned(), Arc::downgrade(&made));
        made
    }

    /// Runs `work` on a planning thread, for a principal of this name. It is called off past the deadline, and once the caller goes
    /// away: [`check_wanted`](crate::engine::check_wanted) then ends it.
    ///
    /// # Errors
    /// What `work` answers; `Deadline` past the deadline; `Exhausted` when no place became free in time.
    pub async fn run<T, F>(&self, principal: &str, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        // One deadline for both waits: the caller does not care which of them was the long one.
        let deadline = Instant::now() + self.deadline;
        let both = async {
            let own = self.share(principal).acquire_owned().await?;
            Ok::<_, AcquireError>((own, Arc::clone(&self.places).acquire_owned().await?))
        };
        let Ok(Ok(place)) = tokio::time::timeout_at(deadline, both).await else {
            return Err(Diagnostic::error(Kind::Exhausted, "too many statements are being planned")
                .hint("try again in a moment"));
        };
        let (answer, answered) = oneshot::channel();
        let called_off = CancellationToken::new();
        let _wanted = called_off.clone().drop_guard();
        let span = tracing::Span::current();
        let Some(threads) = &self.threads else {
            return Err(Diagnostic::error(Kind::Exhausted, "the gateway has no thread for planning")
                .hint("ask the operator to raise its limit of threads"));
        };
        let handle = threads.handle().clone();
        threads.spawn_blocking(move || {
            let _span = span.enter();
            // A caller that went away does not want the answer.
            let _ = answer.send(handle.block_on(until_called_off(called_off, work)));
            drop(place);
        });
        match tokio::time::timeout_at(deadline, answered).await {
            Ok(Ok(result)) => result,
            // The thread ended without an answer: the planner panicked. What it said is on standard error.
            Ok(Err(_)) => Err(failed()),
            Err(_) => Err(Diagnostic::error(
                Kind::Deadline,
                format!("planning took longer than {} seconds", self.deadline.as_secs()),
            )
            .hint("split the statement, or shorten its chains and lists")),
        }
    }
}

impl Drop for Planners {
    /// A runtime must not be waited for where it may be dropped; a planner past its deadline would be.
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

/// The caller gets a number to ask for; the log has the same beside the statement's span.
fn failed() -> Diagnostic {
    let id = crate::telemetry::correlation_id();
    tracing::error!(correlation_id = %id, "a planner panicked");
    Diagnostic::error(Kind::Internal, format!("planning failed inside the gateway (correlation id {id})"))
        .hint("give the id to the operator, with the statement")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const SOON: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn a_planner_that_panics_gives_an_error_and_its_place_back() {
        let planners = Planners::new(1, SOON);
        for _ in 0..2 {
            let error = planners.run::<(), _>("ana", async { panic!("secret of the planner") }).await.unwrap_err();
            assert_eq!(error.kind, Kind::Internal);
            assert!(error.message.starts_with("planning failed inside the gateway"), "{}", error.message);
            assert!(!error.message.contains("secret"), "{}", error.message);
        }
        assert_eq!(planners.run("ana", async { Ok(7) }).await, Ok(7));
    }

    #[tokio::test]
    async fn planning_past_the_deadline_answers_in_time_and_keeps_its_place_until_it_ends() {
        let planners = Planners::new(1, Duration::from_millis(50));
        let (end, ended) = mpsc::channel::<()>();
        let begun = Instant::now();
        let slow = planners.run("ana", async move {
            // A planner that computes does not look at any deadline.
            let _ = ended.recv();
            Ok(())
        });
        assert_eq!(slow.await.unwrap_err().kind, Kind::Deadline);
        assert!(begun.elapsed() < SOON);
        assert_eq!(planners.run("ana", async { Ok(()) }).await.unwrap_err().kind, Kind::Exhausted);
        end.send(()).unwrap();
        let place = tokio::time::timeout(SOON, planners.places.acquire()).await.unwrap().unwrap();
        drop(place);
        assert_eq!(planners.run("ana", async { Ok(7) }).await, Ok(7));
    }

    #[tokio::test]
    async fn one_principal_does_not_take_all_places() {
        let planners = Planners::new(4, Duration::from_millis(200));
        let (end, ended) = mpsc::channel::<()>();
        let ended = Arc::new(Mutex::new(ended));
        let slow = (0..6).map(|_| {
            let ended = Arc::clone(&ended);
            planners.run("eve", async move {
                let _ = ended.lock().unwrap().recv();
                Ok(())
            })
        });
        let kinds: Vec<Kind> = futures::future::join_all(slow).await.into_iter().map(|e| e.unwrap_err().kind).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == Kind::Exhausted).count(), 4, "{kinds:?}");
        assert_eq!(planners.run("ana", async { Ok(7) }).await, Ok(7));
        drop(end);
    }

    #[tokio::test]
    async fn a_planner_has_room_for_deep_recursion() {
        fn deep(levels: u32) -> u64 {
            let room = std::hint::black_box([1_u8; 1024]);
            if levels == 0 { u64::from(room[0]) } else { deep(levels - 1) + u64::from(room[1]) }
        }
        // More than twice what a thread of the server has.
        assert_eq!(Planners::new(1, SOON).run("ana", async { Ok(deep(5_000)) }).await, Ok(5_001));
    }
}
