//! How a call ends that does not end by itself: at its deadline, called off, or by a panic.
//!
//! The transport watches a client's deadline only until the first header, and never a result that is under way.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use arrow_flight::FlightData;
use futures::future::OptionFuture;
use futures::{FutureExt as _, Stream, StreamExt as _};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::cancel::Fetch;
use super::encode::Frames;
use super::status;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::engine::CalledOff;
use crate::telemetry::correlation_id;

/// The transport answers CANCELLED at the client's deadline; ours, which says what happened, comes first.
const AHEAD_OF_TRANSPORT: Duration = Duration::from_millis(5);

/// Until when a call must be answered in full, and who said so.
#[derive(Debug, Clone, Copy)]
pub(in crate::flight) struct Deadline {
    at: Option<Instant>,
    /// The gateway's own limit, where that comes first.
    limit: Option<Duration>,
}

impl Deadline {
    /// The client's own deadline, if it sent one.
    pub(in crate::flight) fn of_client(headers: &MetadataMap) -> Self {
        let wait = client_timeout(headers).map(|wait| wait.saturating_sub(AHEAD_OF_TRANSPORT));
        Self { at: wait.and_then(|wait| Instant::now().checked_add(wait)), limit: None }
    }

    /// The client's own deadline or `limit` from now, whichever comes first.
    pub(in crate::flight) fn of_statement(headers: &MetadataMap, limit: Duration) -> Self {
        let client = Self::of_client(headers);
        match (client.at, Instant::now().checked_add(limit)) {
            (Some(at), Some(end)) if at <= end => client,
            (_, Some(end)) => Self { at: Some(end), limit: Some(limit) },
            // So far away that no clock can say it.
            (_, None) => client,
        }
    }

    /// What `work` answers, unless it takes too long or panics.
    ///
    /// # Errors
    /// `Deadline`, `Internal`, and those of `work`.
    pub(in crate::flight) async fn answer<T>(self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let work = AssertUnwindSafe(work).catch_unwind();
        let answered = match self.at {
            Some(at) => timeout_at(at, work).await.map_err(|_| self.passed())?,
            None => work.await,
        };
        answered.unwrap_or_else(|_| Err(panicked()))
    }

    /// The frames until the deadline, until they are called off, or until a panic, and then the error. The work below ends even if
    /// nobody reads: a client that stalls is not polled for.
    pub(in crate::flight) fn bound(self, frames: Frames, fetch: Option<Fetch>) -> Frames {
        let frames = Arc::new(Mutex::new(Some(frames)));
        let (tell, ended) = oneshot::channel();
        let token = fetch.as_ref().map(Fetch::token);
        let watch = (self.at.is_some() || token.is_some()).then(|| {
            let frames = Arc::clone(&frames);
            #[expect(clippy::disallowed_methods, reason = "the handle belongs to the stream and ends with it")]
            AbortOnDropHandle::new(tokio::spawn(async move {
                let why = tokio::select! {
                    Some(()) = OptionFuture::from(self.at.map(sleep_until)) => self.passed(),
                    Some(()) = OptionFuture::from(token.as_ref().map(CancellationToken::cancelled)) => CalledOff::diagnostic(),
                };
                drop(take(&frames));
                // The stream may be gone.
                let _ = tell.send(why);
            }))
        });
        Bounded { frames, ended: watch.is_some().then_some(ended), fetch, _watch: watch }.boxed()
    }

    fn passed(self) -> Diagnostic {
        match self.limit {
            Some(limit) => {
                Diagnostic::error(Kind::Deadline, format!("the statement ran longer than {} seconds", limit.as_secs()))
                    .hint("ask for less, or ask the operator to raise `limits.statement_seconds`")
            }
            None => Diagnostic::error(Kind::Deadline, "the deadline that the client set has passed"),
        }
    }
}

/// The format of gRPC over HTTP/2: up to eight digits and a unit. What cannot be read counts as absent, as in the transport.
fn client_timeout(headers: &MetadataMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// The panic itself is in the log, under its own line.
fn panicked() -> Diagnostic {
    let id = correlation_id();
    tracing::error!(correlation = %id, "a call panicked");
    Diagnostic::error(Kind::Internal, format!("the call failed inside the gateway (reference {id})"))
        .hint("give the reference to the operator")
}

fn take(frames: &Mutex<Option<Frames>>) -> Option<Frames> {
    frames.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// A result under way.
struct Bounded {
    /// Taken by whoever ends it: the reader, the watch, a panic.
    frames: Arc<Mutex<Option<Frames>>>,
    /// Resolves with the reason when the frames are taken away; none where nobody will, or when the end was told.
    ended: Option<oneshot::Receiver<Diagnostic>>,
    fetch: Option<Fetch>,
    _watch: Option<AbortOnDropHandle<()>>,
}

impl Stream for Bounded {
    type Item = Result<FlightData, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(ended) = &mut self.ended
            && let Poll::Ready(Ok(why)) = ended.poll_unpin(context)
        {
            self.end();
            return Poll::Ready(Some(Err(status::of(&why))));
        }
        let polled = {
            let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
            match frames.as_mut() {
                Some(frames) => catch_unwind(AssertUnwindSafe(|| frames.poll_next_unpin(context))),
                // The watch has it and will say so.
                None if self.ended.is_some() => return Poll::Pending,
                None => return Poll::Ready(None),
            }
        };
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Some(Ok(frame)))) => Poll::Ready(Some(Ok(frame))),
            Ok(Poll::Ready(last)) => {
                self.end();
                Poll::Ready(last)
            }
            Err(_) => {
                self.end();
                Poll::Ready(Some(Err(status::of(&panicked()))))
            }
        }
    }
}

impl Bounded {
    /// What was reserved is given back before the client has read the last frame.
    fn end(&mut self) {
        self.ended = None;
        self.fetch = None;
        drop(take(&self.frames));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures::stream;
    use tonic::Code;

    use super::*;

    fn headers(timeout: &str) -> MetadataMap {
        let mut headers = MetadataMap::new();
        headers.insert("grpc-timeout", timeout.parse().unwrap());
        headers
    }

    #[test]
    fn a_clients_timeout_is_read_as_the_standard_says() {
        for (text, expect) in [
            ("2H", Some(Duration::from_hours(2))),
            ("3M", Some(Duration::from_mins(3))),
            ("99999999S", Some(Duration::from_secs(99_999_999))),
            ("7m", Some(Duration::from_millis(7))),
            ("8u", Some(Duration::from_micros(8))),
            ("9n", Some(Duration::from_nanos(9))),
            ("999999999S", None),
            ("1", None),
            ("S", None),
            ("-1S", None),
            ("1s", None),
        ] {
            assert_eq!(client_timeout(&headers(text)), expect, "{text}");
        }
    }

    struct Alive(Arc<AtomicBool>);

    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.store(false, Ordering::SeqCst);
        }
    }

    /// Endless frames, and whether they are still there.
    fn endless() -> (Frames, Arc<AtomicBool>) {
        let here = Arc::new(AtomicBool::new(true));
        let alive = Alive(Arc::clone(&here));
        let frames = stream::repeat_with(move || {
            let _alive = &alive;
            Ok(FlightData::new())
        });
        (frames.boxed(), here)
    }

    #[tokio::test]
    async fn the_earlier_deadline_ends_the_stream_with_one_error() {
        let (short, long) = (Duration::from_secs(1), Duration::from_mins(1));
        for (client, limit, expect) in [("900m", long, "client"), ("2H", short, "1 seconds")] {
            let (frames, here) = endless();
            let mut bound = Deadline::of_statement(&headers(client), limit).bound(frames, None);
            assert!(bound.next().await.unwrap().is_ok());
            tokio::time::sleep(Duration::from_millis(1_100)).await;
            let error = bound.next().await.unwrap().unwrap_err();
            assert_eq!(error.code(), Code::DeadlineExceeded);
            assert!(error.message().contains(expect), "{error}");
            assert!(!here.load(Ordering::SeqCst), "the work below ended");
            assert!(bound.next().await.is_none());
        }
    }

    #[tokio::test]
    async fn the_deadline_wakes_who_waits_and_ends_what_nobody_reads() {
        let waiting: Frames = stream::pending().boxed();
        let mut bound = Deadline::of_client(&headers("50m")).bound(waiting, None);
        assert_eq!(bound.next().await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);

        let (frames, here) = endless();
        let unread = Deadline::of_client(&headers("50m")).bound(frames, None);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!here.load(Ordering::SeqCst), "the work of a stalled client ended");
        drop(unread);

        let late = Deadline::of_client(&headers("50m")).answer(std::future::pending::<Result<()>>()).await;
        assert_eq!(late.unwrap_err().kind, Kind::Deadline);
    }

    #[tokio::test]
    async fn a_result_that_ends_in_time_is_left_alone() {
        let frames: Frames = stream::iter([Ok(FlightData::new()), Ok(FlightData::new())]).boxed();
        let all: Vec<_> = Deadline::of_client(&headers("1H")).bound(frames, None).collect().await;
        assert!(all.len() == 2 && all.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn a_panic_ends_one_call_and_says_nothing_of_itself() {
        let frames: Frames =
            stream::iter([1, 2]).map(|n| if n == 1 { Ok(FlightData::new()) } else { panic!("secret {n}") }).boxed();
        let all: Vec<_> = Deadline::of_client(&MetadataMap::new()).bound(frames, None).collect().await;
        let error = all[1].as_ref().unwrap_err();
        assert_eq!((all.len(), error.code()), (2, Code::Internal));
        assert!(!error.message().contains("secret"), "{error}");

        let call = Deadline::of_client(&MetadataMap::new()).answer(async { panic!("secret") });
        let error: Result<()> = call.await;
        assert_eq!(error.unwrap_err().kind, Kind::Internal);
    }
}
