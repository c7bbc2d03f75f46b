//! A store that answers in time or is given up: each request has a limit, and a breaker answers for a store that is silent.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::breaker::{Attempt, Breaker, Lenience};

/// Requests to one store that may wait for its answer at once; more of them wait here, and never for a connection.
const REQUESTS: usize = 512;
/// A local file is read in one go: so many bytes give a second more.
const BYTES_PER_SECOND: u64 = 1 << 20;

/// What the gateway knows of one domain's store: whether it answers, and how many requests wait for it.
#[derive(Debug)]
pub(super) struct Health {
    breaker: Arc<Breaker>,
    requests: Semaphore,
    patience: Duration,
}

/// The store did not answer in time, or has not lately and is not asked.
#[derive(Debug, thiserror::Error)]
pub enum Silent {
    #[error("the store did not answer within {} ms", .0.as_millis())]
    Now(Duration),
    #[error("the store has not answered lately and is asked again after a pause")]
    Lately,
    #[error("too many requests wait for the store")]
    Busy,
}

impl From<Silent> for Error {
    fn from(silent: Silent) -> Self {
        Error::Generic { store: "silent", source: Box::new(silent) }
    }
}

/// True if an error says, anywhere in its causes, that a store did not answer. What a store answers, an error too, is an answer.
pub fn is_silent(error: &(dyn std::error::Error + 'static)) -> bool {
    use HttpErrorKind::{Connect, Interrupted, Request, Timeout};
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.into_iter().any(|cause| {
        let unreached = |error: &HttpError| matches!(error.kind(), Connect | Interrupted | Request | Timeout);
        cause.is::<Silent>() || cause.downcast_ref().is_some_and(unreached)
    })
}

impl Health {
    /// `patience` is the longest wait for one answer, and the pause before a silent store is asked again.
    pub(super) fn new(name: String, patience: Duration) -> Arc<Self> {
        Arc::new(Self { breaker: Breaker::new(name, patience), requests: Semaphore::new(REQUESTS), patience })
    }

    /// True if the last request was not answered.
    pub(super) fn is_silent(&self) -> bool {
        self.breaker.is_silent()
    }

    /// Until the answer is dropped, silence does not open the circuit for others.
    pub(super) fn be_lenient(&self) -> Lenience {
        self.breaker.be_lenient()
    }

    /// Asks once, within the limit.
    async fn ask<T>(&self, request: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.ask_within(self.patience, request).await
    }

    async fn ask_within<T>(&self, limit: Duration, request: impl Future<Output = Result<T>> + Send) -> Result<T> {
        // The time that a request waits for its turn says nothing of the store.
        let Ok(Ok(_turn)) = timeout(self.patience, self.requests.acquire()).await else {
            return Err(Silent::Busy.into());
        };
        let attempt = self.breaker.admit().ok_or(Silent::Lately)?;
        judged(attempt, timeout(limit, request).await, limit)
    }

    /// Waits for more of an answer that has begun.
    async fn wait<T>(&self, more: impl Future<Output = T> + Send) -> Result<T> {
        timeout(self.patience, more).await.map_err(|_| {
            self.breaker.note_silence(false);
            Silent::Now(self.patience).into()
        })
    }
}

fn judged<T>(attempt: Attempt, outcome: Result<Result<T>, tokio::time::error::Elapsed>, limit: Duration) -> Result<T> {
    match outcome {
        Ok(Err(error)) if is_silent(&error) => {
            attempt.fail();
            Err(error)
        }
        Ok(answer) => {
            attempt.succeed();
            answer
        }
        Err(_) => {
            attempt.fail();
            Err(Silent::Now(limit).into())
        }
    }
}

/// A store whose every answer has a limit.
#[derive(Debug)]
pub(super) struct Watched {
    inner: Arc<dyn ObjectStore>,
    health: Arc<Health>,
    is_local: bool,
}

impl Watched {
    /// `is_local` keeps the reads of one local file in one request, which sees one state of the file.
    pub(super) fn new(inner: Arc<dyn ObjectStore>, health: Arc<Health>, is_local: bool) -> Self {
        Self { inner, health, is_local }
    }

    /// Items of a listing: the first is the store's answer, the others are more of it.
    fn items(&self, found: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
        let health = Arc::clone(&self.health);
        stream::unfold(Some((health, found, false)), |state| async move {
            let (health, mut found, begun) = state?;
            let item = if begun {
                health.wait(found.next()).await.and_then(Option::transpose)
            } else {
                health.ask(found.next().map(Option::transpose)).await
            };
            match item {
                Ok(Some(meta)) => Some((Ok(meta), Some((health, found, true)))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
        // Readers of Delta logs poll a listing again after its end.
        .fuse()
        .boxed()
    }

    fn bytes(&self, body: BoxStream<'static, Result<Bytes>>) -> BoxStream<'static, Result<Bytes>> {
        let health = Arc::clone(&self.health);
        stream::unfold(Some((health, body)), |state| async move {
            let (health, mut body) = state?;
            match health.wait(body.next()).await {
                Ok(Some(piece)) => Some((piece, Some((health, body)))),
                Ok(None) => None,
                Err(silent) => Some((Err(silent), None)),
            }
        })
        .fuse()
        .boxed()
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "watched({})", self.inner)
    }
}

#[async_trait::async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for Watched {
    async fn get_opts(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        let mut found = self.health.ask(self.inner.get_opts(key, options)).await?;
        found.payload = match found.payload {
            GetResultPayload::Stream(body) => GetResultPayload::Stream(self.bytes(body)),
            file @ GetResultPayload::File(..) => file,
        };
        Ok(found)
    }

    async fn get_ranges(&self, key: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if self.is_local {
            let bytes: u64 = ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum();
            let limit = self.health.patience + Duration::from_secs(bytes / BYTES_PER_SECOND);
            return self.health.ask_within(limit, self.inner.get_ranges(key, ranges)).await;
        }
        let read = |range: Range<u64>| -> BoxFuture<'_, Result<Bytes>> {
            let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
            async move { self.get_opts(key, options).await?.bytes().await }.boxed()
        };
        object_store::coalesce_ranges(ranges, read, object_store::OBJECT_STORE_COALESCE_DEFAULT).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.items(self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.items(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.health.ask(self.inner.list_with_delimiter(prefix)).await
    }

    // The fence above refuses all of these.
    async fn put_opts(&self, key: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(key, payload, options).await
    }

    async fn put_multipart_opts(&self, key: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(key, options).await
    }

    fn delete_stream(&self, keys: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(keys)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}
