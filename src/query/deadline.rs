//! Planning on a thread of its own: a large stack and a deadline.
//!
//! A statement can make the planner recurse deeply or run for minutes; a thread with its own stack keeps the server's, and
//! the caller gets an answer in time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

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
        // One deadline for both waits: the caller does not care which of them was the long one.
        let deadline = Instant::now() + self.deadline;
        let waited = tokio::time::timeout_at(deadline, Arc::clone(&self.places).acquire_owned()).await;
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
            return Err(Diagnostic::error(Kind::Exhausted, "the gateway has no thread left for planning")
                .hint("try again in a moment"));
        }
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
            let error = planners.run::<(), _>(async { panic!("secret of the planner") }).await.unwrap_err();
            assert_eq!(error.kind, Kind::Internal);
            assert!(error.message.starts_with("planning failed inside the gateway"), "{}", error.message);
            assert!(!error.message.contains("secret"), "{}", error.message);
        }
        assert_eq!(planners.run(async { Ok(7) }).await, Ok(7));
    }

    #[tokio::test]
    async fn planning_past_the_deadline_answers_in_time_and_keeps_its_place_until_it_ends() {
        let planners = Planners::new(1, Duration::from_millis(50));
        let (end, ended) = mpsc::channel::<()>();
        let begun = Instant::now();
        let slow = planners.run(async move {
            // A planner that computes does not look at any deadline.
            let _ = ended.recv();
            Ok(())
        });
        assert_eq!(slow.await.unwrap_err().kind, Kind::Deadline);
        assert!(begun.elapsed() < SOON);
        assert_eq!(planners.run(async { Ok(()) }).await.unwrap_err().kind, Kind::Exhausted);
        end.send(()).unwrap();
        let place = tokio::time::timeout(SOON, planners.places.acquire()).await.unwrap().unwrap();
        drop(place);
        assert_eq!(planners.run(async { Ok(7) }).await, Ok(7));
    }

    #[tokio::test]
    async fn a_planner_has_room_for_deep_recursion() {
        fn deep(levels: u32) -> u64 {
            let room = std::hint::black_box([1_u8; 1024]);
            if levels == 0 { u64::from(room[0]) } else { deep(levels - 1) + u64::from(room[1]) }
        }
        // More than twice what a thread of the server has.
        assert_eq!(Planners::new(1, SOON).run(async { Ok(deep(5_000)) }).await, Ok(5_001));
    }
}
