//! A store that reads only the files of one opening, and only as they were listed.
//!
//! Every read says which entity it expects (`If-Match`, RFC 9110 section 13.1.1), and every answer is compared with what was listed,
//! since some stores ignore the condition.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    OBJECT_STORE_COALESCE_DEFAULT, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result, coalesce_ranges,
};

use super::damaged::Damaged;
use super::footer;
use super::pins::Pins;

/// Bytes of a local file that are read before a look tells whether they can be used.
const LOCAL_CHUNK: u64 = 4 << 20;

/// A store of which only expected files can be read, and those only as they are expected.
#[derive(Debug, Clone)]
pub(super) struct PinnedStore {
    inner: Arc<dyn ObjectStore>,
    pins: Arc<Pins>,
    is_local: bool,
}

impl PinnedStore {
    pub(super) fn pins(&self) -> &Arc<Pins> {
        &self.pins
    }

    /// `is_local` for files that can be written to while they are read.
    pub(super) fn new(inner: Arc<dyn ObjectStore>, pins: Arc<Pins>, is_local: bool) -> Self {
        Self { inner, pins, is_local }
    }

    async fn fetch(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        let options = GetOptions { if_match: self.pins.tag(key), ..options };
        let found = self.inner.get_opts(key, options).await.map_err(|error| self.pins.failed(key, error))?;
        self.pins.admit(key, &found.meta)?;
        Ok(found)
    }

    /// A look behind a read sees whatever was put in the file's place, or written into it, before.
    async fn get_local(&self, key: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        // What was not seen yet is looked at before as well: the look behind compares with it.
        if self.pins.tag(key).is_none() {
            self.fetch(key, GetOptions { head: true, ..GetOptions::default() }).await?;
        }
        let bytes = self.inner.get_ranges(key, ranges).await;
        self.fetch(key, GetOptions { head: true, ..GetOptions::default() }).await?;
        bytes.map_err(|error| self.pins.failed(key, error))
    }

    fn local_stream(&self, key: &Path, range: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
        let (store, key) = (self.clone(), key.clone());
        stream::try_unfold(range.start, move |at| {
            let (store, key) = (store.clone(), key.clone());
            async move {
                if at >= range.end {
                    return Ok(None);
                }
                let to = range.end.min(at.saturating_add(LOCAL_CHUNK));
                let bytes = store.get_local(&key, std::slice::from_ref(&(at..to))).await?;
                Ok(bytes.into_iter().next().map(|bytes| (bytes, to)))
            }
        })
        .boxed()
    }
}

impl fmt::Display for PinnedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pinned")
    }
}

/// Looks at the length of a footer, where the bytes are the end of a file. Texts are read whole, so that no end of a text comes here.
fn check_end(key: &Path, range: &Range<u64>, bytes: &Bytes, size: u64) -> Result<()> {
    let checked = if range.end == size { footer::check_length(bytes, size) } else { Ok(()) };
    checked.map_err(|why| Damaged::file(key, &why).into())
}

fn unused<T>() -> Result<T> {
    Err(Error::NotImplemented { operation: "only reads".to_owned(), implementer: "pinned".to_owned() })
}

#[async_trait::async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for PinnedStore {
    async fn get_opts(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        let (head, is_part) = (options.head, options.range.is_some());
        let mut found = self.fetch(key, options).await?;
        if head {
            return Ok(found);
        }
        if self.is_local {
            found.payload = GetResultPayload::Stream(self.local_stream(key, found.range.clone()));
        }
        if !is_part || found.range.end != found.meta.size {
            return Ok(found);
        }
        let (range, meta, attributes) = (found.range.clone(), found.meta.clone(), found.attributes.clone());
        let bytes = found.bytes().await?;
        check_end(key, &range, &bytes, meta.size)?;
        let payload = GetResultPayload::Stream(stream::once(std::future::ready(Ok(bytes))).boxed());
        Ok(GetResult { payload, meta, range, attributes })
    }

    async fn get_ranges(&self, key: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let read = |range: Range<u64>| async {
            let range = Some(GetRange::Bounded(range));
            self.fetch(key, GetOptions { range, ..GetOptions::default() }).await?.bytes().await
        };
        let found = if self.is_local {
            self.get_local(key, ranges).await?
        } else {
            coalesce_ranges(ranges, read, OBJECT_STORE_COALESCE_DEFAULT).await?
        };
        let size = self.pins.size(key);
        for (range, bytes) in ranges.iter().zip(&found) {
            check_end(key, range, bytes, size)?;
        }
        Ok(found)
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::once(std::future::ready(unused())).boxed()
    }

    fn list_with_offset(&self, prefix: Option<&Path>, _: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list(prefix)
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        unused()
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        unused()
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        unused()
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        stream::once(std::future::ready(unused())).boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        unused()
    }

    async fn rename_opts(&self, _: &Path, _: &Path, _: object_store::RenameOptions) -> Result<()> {
        unused()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::source::files::DataFile;
    use crate::source::pins::Replaced;
    use crate::source::readers::PinnedReaders;
    use datafusion::datasource::listing::PartitionedFile;
    use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
    use datafusion::execution::runtime_env::RuntimeEnv;
    use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    fn listed(meta: &ObjectMeta) -> Arc<Pins> {
        Pins::of(&[DataFile { meta: meta.clone(), values: Vec::new() }])
    }

    #[tokio::test]
    async fn replaced_file_is_refused_by_any_store() {
        for is_local in [true, false] {
            let store = Arc::new(InMemory::new());
            let key = Path::from("a.parquet");
            store.put(&key, "0123456789".into()).await.unwrap();
            let meta = store.head(&key).await.unwrap();
            let pins = listed(&meta);
            let pinned = PinnedStore::new(Arc::clone(&store) as _, Arc::clone(&pins), is_local);
            let footers = RuntimeEnv::default().cache_manager.get_file_metadata_cache();
            let readers = PinnedReaders::new(pinned.clone(), footers);
            let file = PartitionedFile::new_from_meta(meta.clone());
            let mut reader = readers.create_reader(0, file, None, &ExecutionPlanMetricsSet::new()).unwrap();
            assert_eq!(reader.get_byte_ranges(vec![0..2, 8..10]).await.unwrap(), ["01", "89"], "{is_local}");
            assert_eq!(reader.get_bytes(3..5).await.unwrap(), "34", "{is_local}");
            assert_eq!(pinned.get(&key).await.unwrap().bytes().await.unwrap(), "0123456789");
            assert!(!pins.is_outdated(), "{is_local}");

            store.put(&key, "abcdefghij".into()).await.unwrap();
            let refused = |error: &(dyn std::error::Error + 'static)| {
                let chain = std::iter::successors(Some(error), |error| error.source());
                assert!(chain.into_iter().any(<dyn std::error::Error>::is::<Replaced>), "{is_local}: {error}");
                assert!(pins.outdated.swap(false, Ordering::Relaxed), "{is_local}");
            };
            refused(&reader.get_byte_ranges(vec![0..2, 8..10]).await.unwrap_err());
            refused(&reader.get_bytes(3..5).await.unwrap_err());
            refused(&reader.get_metadata(None).await.unwrap_err());
            refused(&pinned.get(&key).await.unwrap_err());
            store.delete(&key).await.unwrap();
            refused(&reader.get_byte_ranges(vec![0..2, 4..5]).await.unwrap_err());
        }
    }
}
