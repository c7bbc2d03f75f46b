//! The fence around a domain's data: read-only, nothing outside one prefix, and no answer that is shorter or longer than it says.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use super::damaged::Damaged;
use super::pins::broken;

/// Keys stay whole: what is written in a Delta log or a cache key means the same on both sides of the fence.
#[derive(Debug)]
pub(super) struct Fence {
    inner: Arc<dyn ObjectStore>,
    prefix: Path,
    /// Delta's log reader expects listings in key order, which a local file system does not give.
    sorted: bool,
}

impl Fence {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, prefix: Path, sorted: bool) -> Self {
        Self { inner, prefix, sorted }
    }

    /// By whole segments: the prefix `sales` does not open `sales2`.
    fn admit(&self, key: &Path) -> Result<()> {
        if key.prefix_matches(&self.prefix) { Ok(()) } else { Err(outside(key)) }
    }

    fn folder(&self, prefix: Option<&Path>) -> Result<Path> {
        let folder = prefix.unwrap_or(&self.prefix);
        self.admit(folder)?;
        Ok(folder.clone())
    }

    fn listed(&self, found: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = self.prefix.clone();
        let inside = found.try_filter(move |meta| std::future::ready(meta.location.prefix_matches(&prefix)));
        if !self.sorted {
            return inside.boxed();
        }
        let all = async move {
            let mut all: Vec<ObjectMeta> = inside.try_collect().await?;
            all.sort_by(|a, b| a.location.cmp(&b.location));
            Ok::<_, Error>(stream::iter(all.into_iter().map(Ok)))
        };
        stream::once(all).try_flatten().boxed()
    }
}

/// A body that ends early, or goes on, is an error at its end: a text that was cut off is a shorter text.
fn counted(bytes: BoxStream<'static, Result<Bytes>>, key: Path, length: u64) -> BoxStream<'static, Result<Bytes>> {
    stream::try_unfold((bytes, key, length), |(mut bytes, key, left)| async move {
        match bytes.next().await.transpose()? {
            Some(chunk) => match left.checked_sub(chunk.len() as u64) {
                Some(left) => Ok(Some((chunk, (bytes, key, left)))),
                None => Err(broken(&key, "more bytes came than the store said")),
            },
            None if left == 0 => Ok(None),
            None => Err(broken(&key, &format!("{left} bytes are missing at its end"))),
        }
    })
    .boxed()
}

/// Places of products are inside: a log named the file.
fn outside(key: &Path) -> Error {
    Damaged::file(key, "it is outside the domain's storage").into()
}

fn read_only(key: &Path) -> Error {
    Error::PermissionDenied { path: key.to_string(), source: "the gateway never writes to a domain's storage".into() }
}

fn refused<T: Send + 'static>(error: Error) -> BoxStream<'static, Result<T>> {
    stream::once(std::future::ready(Err(error))).boxed()
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fence({})", self.prefix)
    }
}

#[async_trait::async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for Fence {
    async fn get_opts(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        self.admit(key)?;
        let (asked, head) = (options.range.clone(), options.head);
        let found = self.inner.get_opts(key, options).await?;
        if head {
            return Ok(found);
        }
        let whole = || Ok(0..found.meta.size);
        let expected = asked.map_or_else(whole, |range| range.as_range(found.meta.size));
        if expected.as_ref().ok() != Some(&found.range) {
            return Err(broken(key, &format!("bytes {:?} came where others were asked for", found.range)));
        }
        let payload = match found.payload {
            GetResultPayload::Stream(bytes) => {
                GetResultPayload::Stream(counted(bytes, key.clone(), found.range.end - found.range.start))
            }
            file @ GetResultPayload::File(..) => file,
        };
        Ok(GetResult { payload, ..found })
    }

    async fn get_ranges(&self, key: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.admit(key)?;
        let found = self.inner.get_ranges(key, ranges).await?;
        let lengths = found.iter().map(|bytes| bytes.len() as u64);
        if lengths.eq(ranges.iter().map(|range| range.end - range.start)) {
            Ok(found)
        } else {
            Err(broken(key, "fewer or more bytes came than were asked for"))
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.folder(prefix) {
            Ok(folder) => self.listed(self.inner.list(Some(&folder))),
            Err(error) => refused(error),
        }
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.folder(prefix).and_then(|folder| self.admit(offset).map(|()| folder)) {
            Ok(folder) => self.listed(self.inner.list_with_offset(Some(&folder), offset)),
            Err(error) => refused(error),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let folder = self.folder(prefix)?;
        let mut found = self.inner.list_with_delimiter(Some(&folder)).await?;
        found.objects.retain(|meta| meta.location.prefix_matches(&self.prefix));
        found.common_prefixes.retain(|path| path.prefix_matches(&self.prefix));
        if self.sorted {
            found.objects.sort_by(|a, b| a.location.cmp(&b.location));
            found.common_prefixes.sort();
        }
        Ok(found)
    }

    async fn put_opts(&self, key: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(read_only(key))
    }

    async fn put_multipart_opts(&self, key: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(read_only(key))
    }

    fn delete_stream(&self, keys: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        keys.and_then(|key| std::future::ready(Err(read_only(&key)))).boxed()
    }

    async fn copy_opts(&self, _: &Path, to: &Path, _: CopyOptions) -> Result<()> {
        Err(read_only(to))
    }

    async fn rename_opts(&self, _: &Path, to: &Path, _: RenameOptions) -> Result<()> {
        Err(read_only(to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    async fn fence() -> (Arc<dyn ObjectStore>, Fence) {
        let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for key in ["sales/a", "sales/t/b", "sales2/c", "hr/d"] {
            inner.put(&key.into(), "bytes".into()).await.unwrap();
        }
        (Arc::clone(&inner), Fence::new(inner, "sales".into(), false))
    }

    fn denied<T>(result: &Result<T>) -> bool {
        matches!(result, Err(Error::PermissionDenied { .. }))
    }

    fn is_outside<T>(result: &Result<T>) -> bool {
        let damaged = result.as_ref().err().and_then(|error| Damaged::find(error));
        damaged.is_some_and(|damaged| damaged.to_string().ends_with("it is outside the domain's storage"))
    }

    #[tokio::test]
    async fn reads_and_lists_inside_only_by_whole_segments() {
        let (_, fence) = fence().await;
        assert!(fence.get(&"sales/a".into()).await.is_ok());
        assert_eq!(fence.get_range(&"sales/t/b".into(), 0..2).await.unwrap().as_ref(), b"by");
        for key in ["sales2/c", "hr/d", "", "sale"] {
            let key = Path::from(key);
            assert!(is_outside(&fence.get(&key).await), "{key}");
            assert!(is_outside(&fence.head(&key).await), "{key}");
            assert!(is_outside(&fence.get_range(&key, 0..1).await), "{key}");
            assert!(is_outside(&fence.get_ranges(&key, &[0..1, 1..2]).await), "{key}");
            assert!(is_outside(&fence.list(Some(&key)).try_collect::<Vec<_>>().await), "{key}");
            assert!(is_outside(&fence.list_with_offset(None, &key).try_collect::<Vec<_>>().await), "{key}");
            assert!(is_outside(&fence.list_with_delimiter(Some(&key)).await), "{key}");
        }
        let all: Vec<_> = fence.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
        assert_eq!(all, ["sales/a", "sales/t/b"]);
        let top = fence.list_with_delimiter(None).await.unwrap();
        assert_eq!((top.objects.len(), top.common_prefixes), (1, vec![Path::from("sales/t")]));
    }

    #[tokio::test]
    async fn writes_nothing() {
        let (inner, fence) = fence().await;
        let key = Path::from("sales/a");
        assert!(denied(&fence.put(&key, "x".into()).await));
        assert!(denied(&fence.put_multipart(&key).await.map(|_| ())));
        assert!(denied(&fence.delete(&key).await));
        assert!(denied(&fence.copy(&key, &"sales/z".into()).await));
        assert!(denied(&fence.rename(&key, &"sales/z".into()).await));
        assert_eq!(inner.get(&key).await.unwrap().bytes().await.unwrap().as_ref(), b"bytes");
    }
}
