//! The files of one opening as every read must find them, or not read them at all.
//!
//! A footer, a header and a size describe the bytes of one file; a file that was put in its place since then has others. A weak or absent
//! entity tag says too little: there size and time must agree as well.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{Error, ObjectMeta, Result};

use super::damaged::Damaged;
use super::files::DataFile;
use crate::diagnostic::{Diagnostic, Kind};

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
    pub(super) outdated: AtomicBool,
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

    pub(super) fn tag(&self, key: &Path) -> Option<String> {
        self.lock().get(key)?.seen.as_ref()?.strong().cloned()
    }

    /// Takes an answer that is about the expected file.
    pub(super) fn admit(&self, key: &Path, found: &ObjectMeta) -> Result<()> {
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

    pub(super) fn failed(&self, key: &Path, error: Error) -> Error {
        match error {
            Error::NotFound { .. } => self.lost(key),
            Error::Precondition { .. } => self.refused(key),
            error => error,
        }
    }

    /// The size with which a file is read; without an end where nothing says it.
    pub(super) fn size(&self, key: &Path) -> u64 {
        self.lock().get(key).map_or(u64::MAX, |pin| pin.size)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Path, Pin>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes are not those that the store was asked for.
pub(super) fn broken(key: &Path, why: &str) -> Error {
    Error::Generic { store: "pinned", source: format!("`{key}` cannot be read: {why}").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(meta: &ObjectMeta) -> Arc<Pins> {
        Pins::of(&[DataFile { meta: meta.clone(), values: Vec::new() }])
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
