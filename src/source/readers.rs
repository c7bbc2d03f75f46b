//! Readers of Parquet files that are pinned, and whose footers and pages must agree.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{CachedParquetFileReaderFactory, ParquetFileReaderFactory};
use datafusion::error::Result as PlanResult;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::damaged::Damaged;
use super::footer;
use super::pinned::PinnedStore;
use super::pins::{Pins, Replaced};

/// Readers of Parquet files that are pinned, with footers from a cache.
#[derive(Debug)]
pub(super) struct PinnedReaders {
    pins: Arc<Pins>,
    footers: Arc<FileMetadataCache>,
    cached: CachedParquetFileReaderFactory,
    checks: bool,
}

impl PinnedReaders {
    pub(super) fn new(store: PinnedStore, footers: Arc<FileMetadataCache>) -> Self {
        let pins = Arc::clone(store.pins());
        Self {
            pins,
            cached: CachedParquetFileReaderFactory::new(Arc::new(store), Arc::clone(&footers)),
            footers,
            checks: false,
        }
    }

    /// Readers that check footers, which nobody has looked at.
    pub(super) fn checking(self) -> Self {
        Self { checks: true, ..self }
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
        let key = file.object_meta.location.clone();
        let size = self.checks.then_some(file.object_meta.size);
        if !self.pins.expect(&key, file.object_meta.size) {
            // A cached footer may be of a file that was here before under the same key.
            self.footers.remove(&key);
        }
        let reader = self.cached.create_reader(partition_index, file, metadata_size_hint, metrics)?;
        Ok(Box::new(PinnedReader { reader, key, size, footer: None, pins: Arc::clone(&self.pins) }))
    }
}

struct PinnedReader {
    reader: Box<dyn AsyncFileReader + Send>,
    key: Path,
    /// That of a file whose footer is still to be checked.
    size: Option<u64>,
    /// Once it was read.
    footer: Option<Arc<ParquetMetaData>>,
    pins: Arc<Pins>,
}

impl AsyncFileReader for PinnedReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        self.pins.note_read(&self.key);
        self.reader.get_bytes(range)
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        self.pins.note_read(&self.key);
        async move {
            let found = self.reader.get_byte_ranges(ranges.clone()).await?;
            if let Some(footer) = &self.footer {
                for (range, bytes) in ranges.iter().zip(&found) {
                    let checked = footer::check_pages(footer, range, bytes);
                    checked.map_err(|why| damaged(&self.key, &why))?;
                }
            }
            Ok(found)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        self.pins.note_read(&self.key);
        async move {
            let found = self.reader.get_metadata(options).await;
            // The reader of footers keeps only the text of an error.
            let found = found.map_err(|error| {
                if self.pins.is_outdated() {
                    ParquetError::External(Box::new(Replaced::file(&self.key)))
                } else {
                    error
                }
            })?;
            if let Some(size) = self.size {
                let checked = footer::check(&found, size);
                checked.map_err(|why| damaged(&self.key, &why))?;
            }
            self.footer = Some(Arc::clone(&found));
            if self.pins.is_careful() {
                return footer::texts_as_bytes(&found).map(Arc::new);
            }
            Ok(found)
        }
        .boxed()
    }
}

fn damaged(key: &Path, why: &str) -> ParquetError {
    ParquetError::External(Box::new(Damaged::file(key, why)))
}
