//! A store that misbehaves, as it is told to or by a seed.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What the store says of the identity of an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Tags {
    #[default]
    Strong,
    Weak,
    None,
}

/// What is wrong with it.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each fault comes with or without each other")]
pub(super) struct Faults {
    pub tags: Tags,
    /// `If-Match` is read over.
    pub ignores_conditions: bool,
    /// Bodies end so many bytes early, though their answers say nothing of it.
    pub cut: usize,
    /// Bodies go on for so many bytes.
    pub longer: usize,
    /// Each key is listed twice.
    pub doubled: bool,
    /// And the second time with another size.
    pub doubled_as_other: bool,
    /// Answers are about an object of another tag.
    pub wrong_tag: bool,
    /// Answers fail in the middle of their bodies.
    pub breaks_off: bool,
    /// So many of the next requests are refused.
    pub unavailable: usize,
    /// Answers come after so long.
    pub stall: Duration,
}

/// A store in memory, in which every version of an object is of another second.
#[derive(Debug)]
pub(super) struct FaultStore {
    inner: InMemory,
    faults: Mutex<Faults>,
    versions: Mutex<HashMap<Path, i64>>,
    /// With a seed, each request meets one of the faults or none.
    seed: Mutex<Option<u64>>,
}

impl FaultStore {
    pub(super) fn new(faults: Faults) -> Arc<Self> {
        Arc::new(Self { inner: InMemory::new(), faults: faults.into(), versions: Mutex::default(), seed: None.into() })
    }

    pub(super) fn set(&self, faults: Faults) {
        *self.faults.lock().unwrap() = faults;
    }

    /// From now on each request draws its fault.
    pub(super) fn draw_from(&self, seed: Option<u64>) {
        *self.seed.lock().unwrap() = seed;
    }

    pub(super) async fn publish(&self, key: &str, bytes: impl Into<PutPayload>) {
        self.inner.put(&key.into(), bytes.into()).await.unwrap();
        *self.versions.lock().unwrap().entry(key.into()).or_default() += 1;
    }

    fn drawn(&self) -> Faults {
        let mut faults = self.faults.lock().unwrap();
        let now = *faults;
        faults.unavailable = faults.unavailable.saturating_sub(1);
        let Some(seed) = &mut *self.seed.lock().unwrap() else { return now };
        *seed = next(*seed);
        match *seed >> 33 & 31 {
            0 => Faults { cut: 1, ..now },
            1 => Faults { cut: 40, ..now },
            2 => Faults { longer: 7, ..now },
            3 => Faults { doubled: true, ..now },
            4 => Faults { doubled: true, doubled_as_other: true, ..now },
            5 => Faults { wrong_tag: true, ..now },
            6 => Faults { breaks_off: true, ..now },
            7 => Faults { unavailable: 1, ..now },
            8 => Faults { stall: Duration::from_millis(3), ..now },
            9 => Faults { ignores_conditions: true, ..now },
            _ => now,
        }
    }

    fn described(&self, meta: ObjectMeta, faults: &Faults) -> ObjectMeta {
        let version = self.versions.lock().unwrap().get(&meta.location).copied().unwrap_or_default();
        let other = if faults.wrong_tag { "-other" } else { "" };
        let e_tag = match faults.tags {
            Tags::Strong => Some(format!("\"{version}{other}\"")),
            Tags::Weak => Some(format!("W/\"same{other}\"")),
            Tags::None => None,
        };
        ObjectMeta { e_tag, last_modified: DateTime::from_timestamp(1_000_000 + version, 0).unwrap(), ..meta }
    }
}

/// A linear congruential generator: the same run for the same seed, everywhere.
pub(super) fn next(seed: u64) -> u64 {
    seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

fn unavailable() -> Error {
    Error::Generic { store: "fault", source: "503 Slow Down".into() }
}

impl fmt::Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fault")
    }
}

#[async_trait::async_trait]
impl ObjectStore for FaultStore {
    async fn get_opts(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        let faults = self.drawn();
        if faults.unavailable > 0 {
            return Err(unavailable());
        }
        tokio::time::sleep(faults.stall).await;
        let expected = options.if_match.clone();
        let found = self.inner.get_opts(key, GetOptions { if_match: None, ..options }).await?;
        let meta = self.described(found.meta.clone(), &faults);
        if !faults.ignores_conditions && expected.is_some() && expected != meta.e_tag {
            return Err(Error::Precondition { path: key.to_string(), source: "If-Match".into() });
        }
        let (range, attributes) = (found.range.clone(), found.attributes.clone());
        let bytes = found.bytes().await?;
        let kept = bytes.len().saturating_sub(faults.cut);
        let mut chunks = vec![Ok(bytes.slice(..kept / 2)), Ok(bytes.slice(kept / 2..kept))];
        if faults.longer > 0 {
            chunks.push(Ok(Bytes::from("9".repeat(faults.longer))));
        }
        if faults.breaks_off {
            chunks.truncate(1);
            chunks.push(Err(unavailable()));
        }
        Ok(GetResult { payload: GetResultPayload::Stream(stream::iter(chunks).boxed()), meta, range, attributes })
    }

    async fn get_ranges(&self, key: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let mut found = Vec::new();
        for range in ranges {
            found.push(self.get_range(key, range.clone()).await?);
        }
        Ok(found)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let faults = self.drawn();
        if faults.unavailable > 0 {
            return stream::once(std::future::ready(Err(unavailable()))).boxed();
        }
        let mut versions = Vec::new();
        for meta in futures::executor::block_on(self.inner.list(prefix).try_collect::<Vec<_>>()).unwrap() {
            let meta = self.described(meta, &Faults { wrong_tag: false, ..faults });
            let is_data = !meta.location.as_ref().contains("_delta_log");
            if is_data && faults.doubled {
                let other = u64::from(faults.doubled_as_other);
                versions.push(Ok(ObjectMeta { size: meta.size + other, ..meta.clone() }));
            }
            versions.push(Ok(meta));
        }
        stream::iter(versions).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

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
}
