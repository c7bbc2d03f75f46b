//! Files that are read as they were when they were listed, or not at all.
//!
//! A footer describes the bytes of one file; a file that was put in its place since then has others. Every read says which entity it
//! expects (`If-Match`, RFC 9110 section 13.1.1), so that such a file is refused instead of being read by a footer that is not its own.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{CachedParquetFileReaderFactory, ParquetFileReaderFactory};
use datafusion::error::Result as PlanResult;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, OBJECT_STORE_COALESCE_DEFAULT, ObjectStore, coalesce_ranges};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;

/// Set once a file was found to be another than the one that was listed: what was opened is out of date.
pub(super) type Outdated = Arc<AtomicBool>;

/// A file was replaced or taken away between the moment it was listed and the moment it was read.
#[derive(Debug)]
pub struct Replaced(Path);

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not the file that was there when the product was opened", self.0)
    }
}

impl std::error::Error for Replaced {}

/// Readers of files whose store gives them entity tags; others are read as they are found.
#[derive(Debug)]
pub(super) struct PinnedReaders {
    store: Arc<dyn ObjectStore>,
    cached: CachedParquetFileReaderFactory,
    is_local: bool,
    outdated: Outdated,
}

impl PinnedReaders {
    pub(super) fn new(runtime: &RuntimeEnv, url: &ObjectStoreUrl, outdated: Outdated) -> PlanResult<Self> {
        let store = runtime.object_store(url)?;
        let footers = runtime.cache_manager.get_file_metadata_cache();
        let cached = CachedParquetFileReaderFactory::new(Arc::clone(&store), footers);
        Ok(Self { store, cached, is_local: url.as_str().starts_with("local:"), outdated })
    }
}

impl ParquetFileReaderFactory for PinnedReaders {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> PlanResult<Box<dyn AsyncFileReader + Send>> {
        let (key, tag) = (file.object_meta.location.clone(), file.object_meta.e_tag.clone());
        let footers = self.cached.create_reader(partition_index, file, metadata_size_hint, metrics)?;
        // A weak tag (`W/…`) matches nothing.
        let Some(tag) = tag.filter(|tag| !tag.starts_with("W/")) else { return Ok(footers) };
        let (store, outdated) = (Arc::clone(&self.store), Arc::clone(&self.outdated));
        let file = Pinned { store, key, tag, is_local: self.is_local, outdated };
        Ok(Box::new(PinnedReader { footers, file }))
    }
}

struct PinnedReader {
    /// From the cache, where the look that found the file has put it.
    footers: Box<dyn AsyncFileReader + Send>,
    file: Pinned,
}

struct Pinned {
    store: Arc<dyn ObjectStore>,
    key: Path,
    tag: String,
    is_local: bool,
    outdated: Outdated,
}

impl Pinned {
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let range = Some(GetRange::Bounded(range));
        let found = self.store.get_opts(&self.key, GetOptions { range, ..self.expected() }).await;
        found.map_err(|error| self.failed(error))?.bytes().await.map_err(|error| self.failed(error))
    }

    async fn read_all(&self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        if !self.is_local {
            return coalesce_ranges(&ranges, |range| self.read(range), OBJECT_STORE_COALESCE_DEFAULT).await;
        }
        // A local file is read in one go, and no byte more; a look behind it sees whatever was put in its place before.
        let bytes = self.store.get_ranges(&self.key, &ranges).await.map_err(|error| self.failed(error))?;
        let looked = self.store.get_opts(&self.key, GetOptions { head: true, ..self.expected() }).await;
        looked.map_err(|error| self.failed(error)).map(|_| bytes)
    }

    fn expected(&self) -> GetOptions {
        GetOptions { if_match: Some(self.tag.clone()), ..GetOptions::default() }
    }

    fn failed(&self, error: object_store::Error) -> ParquetError {
        use object_store::Error::{NotFound, Precondition};
        if matches!(error, Precondition { .. } | NotFound { .. }) {
            self.outdated.store(true, Ordering::Relaxed);
            return ParquetError::External(Box::new(Replaced(self.key.clone())));
        }
        ParquetError::External(Box::new(error))
    }
}

impl AsyncFileReader for PinnedReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.file.read(range).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        self.file.read_all(ranges).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        self.footers.get_metadata(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::engine::Engine;
    use object_store::memory::InMemory;
    use object_store::{ObjectMeta, ObjectStoreExt};
    use url::Url;

    #[tokio::test]
    async fn what_was_listed_is_read_from_any_store_and_nothing_that_came_after_it() {
        for place in ["local://sales/", "s3://lake/"] {
            let store = Arc::new(InMemory::new());
            let key = Path::from("a.parquet");
            store.put(&key, "0123456789".into()).await.unwrap();
            let listed = store.head(&key).await.unwrap();
            let session =
                Engine::new(&Limits::default()).unwrap().private(&Url::parse(place).unwrap(), Arc::clone(&store) as _);
            let (session, outdated) = (session.unwrap(), Outdated::default());
            let url = ObjectStoreUrl::parse(place).unwrap();
            let readers = PinnedReaders::new(session.state().runtime_env(), &url, Arc::clone(&outdated)).unwrap();
            let reader = |listed: &ObjectMeta| {
                let file = PartitionedFile::new_from_meta(listed.clone());
                readers.create_reader(0, file, None, &ExecutionPlanMetricsSet::new()).unwrap()
            };
            let (mut pinned, weak) = (reader(&listed), ObjectMeta { e_tag: Some("W/\"1\"".to_owned()), ..listed });
            assert_eq!(pinned.get_byte_ranges(vec![0..2, 8..10]).await.unwrap(), ["01", "89"], "{place}");
            assert_eq!(pinned.get_bytes(3..5).await.unwrap(), "34", "{place}");
            assert!(!outdated.load(Ordering::Relaxed), "{place}");

            store.put(&key, "abcdefghij".into()).await.unwrap();
            let refused = |error: ParquetError| {
                assert!(matches!(&error, ParquetError::External(inner) if inner.is::<Replaced>()), "{place}: {error}");
                assert!(outdated.swap(false, Ordering::Relaxed), "{place}");
            };
            refused(pinned.get_byte_ranges(vec![0..2, 8..10]).await.unwrap_err());
            refused(pinned.get_bytes(3..5).await.unwrap_err());
            assert_eq!(reader(&weak).get_bytes(0..2).await.unwrap(), "ab", "a weak tag is none: {place}");
            store.delete(&key).await.unwrap();
            refused(pinned.get_byte_ranges(vec![0..2, 4..5]).await.unwrap_err());
        }
    }
}
