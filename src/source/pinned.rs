//! Files that are read as they were when they were listed, or not at all.
//!
//! A footer, a header and a size describe the bytes of one file; a file that was put in its place since then has others. Every read
//! says which entity it expects (`If-Match`, RFC 9110 section 13.1.1), and every answer is compared with what was listed, since some
//! stores ignore the condition. A weak or absent entity tag says too little: there size and time must agree as well.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    OBJECT_STORE_COALESCE_DEFAULT, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result, coalesce_ranges,
};

use super::damaged::Damaged;
use super::files::DataFile;
use super::footer;
use crate::diagnostic::{Diagnostic, Kind};

/// Bytes of a local file that are read before a look tells whether they can be used.
const LOCAL_CHUNK: u64 = 4 << 20;

/// A file was replaced or taken away between the moment it was listed and the moment it was read.
#[derive(Debug)]
pub struct Replaced(String);

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Replaced {}

impl Replaced {
    pub(super) fn file(key: &Path) -> Self {
        Self(format!("`{key}` is not the file that was there when the product was opened"))
    }
}

/// The files of one opening, as every read must find them.
#[derive(Debug, Default)]
pub(super) struct Pins {
    files: Mutex<HashMap<Path, Pin>>,
    /// Set once a file was found to be another: what was opened is out of date.
    outdated: AtomicBool,
    /// Texts are read as bytes, since one of them was found to be no text.
    careful: bool,
    /// Such a text was met.
    distrusted: AtomicBool,
    /// The log has a line of a broken value.
    broken: AtomicBool,
    /// What was read last, the latest first.
    recent: Mutex<VecDeque<Path>>,
    /// Files that were not there.
    missing: Mutex<HashSet<Path>>,
    /// Those that were not there when the table was opened before.
    were_missing: HashSet<Path>,
}

/// How many of the files that were read last the log names for an error that names none: about as many as are read at once.
const RECENT: usize = 4;

#[derive(Debug, Clone)]
struct Pin {
    size: u64,
    /// None until the first answer, where a log named the file and no listing did.
    seen: Option<Seen>,
}

#[derive(Debug, Clone)]
struct Seen {
    tag: Option<String>,
    at: DateTime<Utc>,
}

impl Seen {
    fn of(meta: &ObjectMeta) -> Self {
        Self { tag: meta.e_tag.clone(), at: meta.last_modified }
    }

    /// What `If-Match` can ask for. A weak tag (`W/…`) matches nothing there.
    fn strong(&self) -> Option<&String> {
        self.tag.as_ref().filter(|tag| is_strong(tag))
    }

    fn is_same(&self, found: &Self) -> bool {
        let strong = self.strong().is_some() && found.strong().is_some();
        let tags = match (&self.tag, &found.tag) {
            (Some(listed), Some(found)) => opaque(listed) == opaque(found),
            _ => true,
        };
        // A header gives the second. A store that gives no time at all is taken to have been there since the epoch.
        let unsaid = [self, found].iter().any(|seen| seen.at.timestamp() == 0);
        tags && (strong || unsaid || self.at.timestamp() == found.at.timestamp())
    }
}

fn is_strong(tag: &str) -> bool {
    !tag.starts_with("W/")
}

/// Listings and headers differ in quotes, and proxies weaken tags.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"')
}

impl Pins {
    pub(super) fn of(files: &[DataFile]) -> Arc<Self> {
        Self::with_care(files, false)
    }

    /// For files that a log names, where a log named `before` until now.
    pub(super) fn after(before: Option<&Self>) -> Arc<Self> {
        let missing = before.map(|before| before.missing.lock().unwrap_or_else(PoisonError::into_inner).clone());
        Arc::new(Self { were_missing: missing.unwrap_or_default(), ..Self::default() })
    }

    /// `careful` where texts are to be read as bytes.
    pub(super) fn with_care(files: &[DataFile], careful: bool) -> Arc<Self> {
        let pin = |file: &DataFile| {
            let pin = Pin { size: file.meta.size, seen: Some(Seen::of(&file.meta)) };
            (file.meta.location.clone(), pin)
        };
        Arc::new(Self { files: Mutex::new(files.iter().map(pin).collect()), careful, ..Self::default() })
    }

    /// Why a look failed: `Stale` where a file was replaced between its listing and the look at it, so that another look may help.
    pub(super) fn stale_or(&self, why: Diagnostic) -> Diagnostic {
        if !self.is_outdated() {
            return why;
        }
        Diagnostic::error(Kind::Stale, format!("a file was replaced while it was looked at: {}", why.message))
            .hint("put new files beside the old ones")
    }

    /// True once a reader found another file under a key.
    pub(super) fn is_outdated(&self) -> bool {
        self.outdated.load(Ordering::Relaxed)
    }

    pub(super) fn is_careful(&self) -> bool {
        self.careful
    }

    /// Asks the next opening to read texts as bytes; false where this one did already.
    pub(super) fn distrust(&self) -> bool {
        if !self.careful {
            self.distrusted.store(true, Ordering::Relaxed);
            self.outdated.store(true, Ordering::Relaxed);
        }
        !self.careful
    }

    /// True where the next opening of some of these files must be careful.
    pub(super) fn is_distrusted(&self) -> bool {
        self.careful || self.distrusted.load(Ordering::Relaxed)
    }

    /// Says that a product is to be opened again for what a read of it met.
    #[expect(clippy::unused_self, reason = "only who pins files makes such an error")]
    pub(super) fn reread(&self, error: &dyn fmt::Display) -> Replaced {
        Replaced(format!("a text of the product is none, and is read as bytes from now on: {error}"))
    }

    /// True the first time: one line of the log tells of a product's broken values, however often they are read.
    pub(super) fn note_broken(&self) -> bool {
        !self.broken.swap(true, Ordering::Relaxed)
    }

    /// Notes that bytes of a file were read.
    pub(super) fn note_read(&self, key: &Path) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.front() != Some(key) {
            recent.retain(|other| other != key);
            recent.push_front(key.clone());
            recent.truncate(RECENT);
        }
    }

    /// The files that were read last, the latest first.
    pub(super) fn recent(&self) -> Vec<Path> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Notes that another file is under the key, so that the next query looks again at once.
    pub(super) fn replaced(&self, key: &Path) -> Replaced {
        self.outdated.store(true, Ordering::Relaxed);
        Replaced::file(key)
    }

    /// Expects a file that a log names, of which only the size is known; false where no read has seen it yet.
    pub(super) fn expect(&self, key: &Path, size: u64) -> bool {
        let mut files = self.lock();
        let pin = files.entry(key.clone()).or_insert(Pin { size, seen: None });
        if pin.size != size {
            *pin = Pin { size, seen: None };
        }
        pin.seen.is_some()
    }

    fn tag(&self, key: &Path) -> Option<String> {
        self.lock().get(key)?.seen.as_ref()?.strong().cloned()
    }

    /// Takes an answer that is about the expected file.
    fn admit(&self, key: &Path, found: &ObjectMeta) -> Result<()> {
        let mut files = self.lock();
        let same = match files.get_mut(key) {
            None => false,
            Some(Pin { size, seen: None }) if *size != found.size => {
                let why = format!("it has {} bytes where {size} were promised", found.size);
                return Err(Damaged::file(key, &why).into());
            }
            Some(Pin { seen: seen @ None, .. }) => {
                *seen = Some(Seen::of(found));
                true
            }
            Some(Pin { size, seen: Some(seen) }) => *size == found.size && seen.is_same(&Seen::of(found)),
        };
        drop(files);
        if same { Ok(()) } else { Err(self.refused(key)) }
    }

    fn refused(&self, key: &Path) -> Error {
        Error::Generic { store: "pinned", source: Box::new(self.replaced(key)) }
    }

    /// About a file that is not there. A newer version of its table may name other files; one that this version names as well is lost.
    pub(super) fn lost(&self, key: &Path) -> Error {
        if self.were_missing.contains(key) {
            return Damaged::file(key, "the log of its table names it, and it is not there").into();
        }
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        self.refused(key)
    }

    fn failed(&self, key: &Path, error: Error) -> Error {
        match error {
            Error::NotFound { .. } => self.lost(key),
            Error::Precondition { .. } => self.refused(key),
            error => error,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Path, Pin>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes are not those that the store was asked for.
pub(super) fn broken(key: &Path, why: &str) -> Error {
    Error::Generic { store: "pinned", source: format!("`{key}` cannot be read: {why}").into() }
}

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
        let size = self.pins.lock().get(key).map_or(u64::MAX, |pin| pin.size);
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
    use super::*;
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

    #[test]
    fn tags_that_say_little_need_size_and_time() {
        let at = |seconds: i64| DateTime::from_timestamp(seconds, 0).unwrap();
        let meta = |tag: Option<&str>, size: u64, seconds: i64| ObjectMeta {
            location: "a".into(),
            last_modified: at(seconds),
            size,
            e_tag: tag.map(str::to_owned),
            version: None,
        };
        let cases = [
            (meta(Some("\"1\""), 10, 1), meta(Some("\"1\""), 10, 9), true, "a strong tag says all"),
            (meta(Some("\"1\""), 10, 1), meta(Some("1"), 10, 1), true, "quotes say nothing"),
            (meta(Some("\"1\""), 10, 1), meta(Some("\"1\""), 11, 1), false, "no file has two sizes"),
            (meta(Some("\"1\""), 10, 1), meta(Some("\"2\""), 10, 1), false, "another tag"),
            (meta(Some("W/\"1\""), 10, 1), meta(Some("W/\"1\""), 10, 1), true, "weak, and all is equal"),
            (meta(Some("W/\"1\""), 10, 1), meta(Some("W/\"1\""), 10, 2), false, "weak, and of another time"),
            (meta(Some("W/\"1\""), 10, 1), meta(Some("W/\"2\""), 10, 1), false, "another weak tag"),
            (meta(Some("\"1\""), 10, 1), meta(Some("W/\"1\""), 10, 1), true, "weakened on the way"),
            (meta(None, 10, 1), meta(None, 10, 1), true, "no tags"),
            (meta(None, 10, 1), meta(None, 10, 2), false, "no tags, and of another time"),
            (meta(None, 10, 1), meta(None, 12, 1), false, "no tags, and of another size"),
            (meta(Some("\"1\""), 10, 1), meta(None, 10, 2), false, "an answer without a tag"),
        ];
        for (before, after, same, why) in cases {
            assert_eq!(listed(&before).admit(&"a".into(), &after).is_ok(), same, "{why}");
        }
    }

    #[test]
    fn log_file_is_pinned_by_its_first_answer() {
        let pins = Pins::default();
        let key = Path::from("a");
        let meta = |tag: &str, size: u64| ObjectMeta {
            location: key.clone(),
            last_modified: DateTime::UNIX_EPOCH,
            size,
            e_tag: Some(tag.to_owned()),
            version: None,
        };
        assert!(!pins.expect(&key, 10));
        let error = pins.admit(&key, &meta("1", 9)).unwrap_err().to_string();
        assert!(error.contains("it has 9 bytes where 10 were promised"), "{error}");
        assert!(!pins.is_outdated(), "asking again would not help");
        pins.admit(&key, &meta("1", 10)).unwrap();
        assert!(pins.expect(&key, 10));
        assert!(pins.admit(&key, &meta("2", 10)).is_err());
        assert!(pins.is_outdated());
        assert!(pins.admit(&"b".into(), &meta("1", 10)).is_err(), "what nobody listed is not read");
    }
}
