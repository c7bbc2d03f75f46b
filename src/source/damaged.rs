//! Files whose bytes are not what their format, their footer or their table's log says: the owner can mend them, and nobody else.

use std::collections::BTreeMap;
use std::error::Error;

use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use object_store::path::Path;
use parquet::errors::ParquetError;

use super::pins::{Pins, Replaced};
use crate::contract::Column;
use crate::diagnostic::{Diagnostic, Kind};
use crate::engine::CalledOff;
use crate::engine::memory::ExceededLimit;

/// A file cannot be read to its end. The text names it, and is for the owner's log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot be read: {why}")]
pub struct Damaged {
    what: String,
    why: String,
}

impl Damaged {
    pub(super) fn file(key: &Path, why: &str) -> Self {
        Self { what: format!("`{key}`"), why: why.to_owned() }
    }

    pub(super) fn footer(name: &str, why: &dyn std::fmt::Display) -> Self {
        Self { what: format!("`{name}`"), why: format!("it is no whole Parquet file: {}", plain(&why.to_string())) }
    }

    /// For its owner, where it keeps a product from being opened.
    pub(super) fn diagnostic(&self) -> Diagnostic {
        Diagnostic::error(Kind::Invalid, self.to_string()).hint("the file is cut off or damaged; write it again")
    }

    /// The log of a table, or what it names besides data.
    fn table(why: &dyn std::fmt::Display) -> Self {
        let what = "the table's log, or a deletion vector,".to_owned();
        Self { what, why: plain(&why.to_string()).to_owned() }
    }

    /// The reader of a log or of files fails over bytes that it did not expect.
    pub(super) fn panicked() -> Self {
        Self { what: "a file, or the log that names it,".to_owned(), why: "its reader panics".to_owned() }
    }

    /// What is said to be damaged anywhere in the causes of an error.
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        causes(error).find_map(<dyn Error>::downcast_ref)
    }

    /// What a table's reader could not make sense of before it read rows. What the store answers, and what is wrong with a plan, is no
    /// damage.
    pub(super) fn met_in_log(error: &DataFusionError) -> Option<Self> {
        // A log may name a file of any store; those of other stores are unknown here.
        let names_other_store = error.to_string().contains("No suitable object store");
        let is_about_bytes = matches!(
            error.find_root(),
            DataFusionError::External(_)
                | DataFusionError::Execution(_)
                | DataFusionError::ArrowError(..)
                | DataFusionError::ParquetError(_)
                | DataFusionError::IoError(_)
        );
        let is_own =
            CalledOff::is_cause_of(error) || ExceededLimit::find(error).is_some() || Self::find(error).is_some();
        let is_of_store = causes(error).any(|cause| cause.is::<object_store::Error>() || cause.is::<Replaced>());
        (names_other_store || is_about_bytes && !is_own && !is_of_store).then(|| Self::table(error))
    }

    /// What the engine's readers could not make sense of. They name no file: `recent` are those that were read last.
    pub(super) fn met(error: &DataFusionError, recent: &[Path]) -> Option<Self> {
        let is_about_bytes = |cause: &(dyn Error + 'static)| match cause.downcast_ref::<ParquetError>() {
            Some(error) => !matches!(error, ParquetError::External(_)),
            None => matches!(
                cause.downcast_ref::<ArrowError>(),
                Some(
                    ArrowError::ParquetError(_)
                        | ArrowError::CastError(_)
                        | ArrowError::ParseError(_)
                        | ArrowError::SchemaError(_)
                )
            ),
        };
        // What a store answers is no fault of the file.
        let is_of_store = causes(error).any(<dyn Error>::is::<object_store::Error>);
        if is_of_store || !causes(error).any(is_about_bytes) {
            return None;
        }
        let files: Vec<String> = recent.iter().map(|key| format!("`{key}`")).collect();
        let what = match files.as_slice() {
            [] => "a file".to_owned(),
            [file] => file.clone(),
            files => format!("one of {}", files.join(", ")),
        };
        Some(Self { what, why: plain(&error.to_string()).to_owned() })
    }
}

/// Files that are damaged where the product is looked at. In folders of partitions the product is opened without them, and fails where
/// they are read: policy may keep a reader from the whole folder.
#[derive(Debug, Clone, Default)]
pub(super) struct Damages(BTreeMap<Path, Damaged>);

/// How many damaged files an error names.
const TOLD: usize = 10;

impl Damages {
    pub(super) fn note(&mut self, key: Path, why: Damaged) {
        self.0.insert(key, why);
    }

    pub(super) fn of(&self, key: &Path) -> Option<&Damaged> {
        self.0.get(key)
    }

    pub(super) fn first(&self) -> Option<Diagnostic> {
        self.0.values().next().map(Damaged::diagnostic)
    }

    /// # Errors
    /// `Stale` where a file was replaced meanwhile, and `Invalid` where some are damaged and there are no folders, by their names.
    pub(super) fn admit(&self, partitions: &[&Column], pins: &Pins) -> Result<(), Diagnostic> {
        let Some(first) = self.first() else { return Ok(()) };
        if pins.is_outdated() {
            return Err(pins.stale_or(first));
        }
        if !partitions.is_empty() {
            return Ok(());
        }
        let others: Vec<String> = self.0.values().skip(1).take(TOLD).map(ToString::to_string).collect();
        let more = self.0.len().saturating_sub(1 + TOLD);
        let more = (more > 0).then(|| format!("and {more} files more"));
        Err(others.into_iter().chain(more).fold(first, Diagnostic::hint))
    }
}

/// Why a read of a file failed, without the file's name: for the operator.
pub(super) fn reason(error: &DataFusionError) -> String {
    Damaged::find(error).map_or_else(|| plain(&error.to_string()).to_owned(), |damaged| damaged.why.clone())
}

/// What libraries put before a reason, one inside the other.
const LAYERS: [&str; 24] = [
    "External error: ",
    "External: ",
    "Parquet error: ",
    "Parquet argument error: ",
    "Arrow error: ",
    "Arrow: ",
    "Object Store error: ",
    "ObjectStore error: ",
    "Execution error: ",
    "Internal error: ",
    "Error during planning: ",
    "EOF: ",
    "NYI: ",
    "Generic DeltaTable error: ",
    "Kernel error: ",
    "Generic delta kernel error: ",
    "Compute error: ",
    "Cast error: ",
    "Parser error: ",
    "Schema error: ",
    "IO error: ",
    "Io error: ",
    "Generic pinned error: ",
    "Generic file error: ",
];

/// The reason alone, in one line.
fn plain(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    let layers = LAYERS.iter().filter_map(|layer| line.rfind(layer).map(|at| at + layer.len()));
    let reason = line.get(layers.max().unwrap_or(0)..).unwrap_or(line);
    reason.rsplit_once("` cannot be read: ").map_or(reason, |(_, why)| why).trim_end()
}

/// As an answer of a store, which is what its readers hand up.
impl From<Damaged> for object_store::Error {
    fn from(damaged: Damaged) -> Self {
        Self::Generic { store: "file", source: Box::new(damaged) }
    }
}

/// The file that a store does not have, if that is a cause of an error.
pub(super) fn missing(error: &DataFusionError) -> Option<Path> {
    let path = causes(error).find_map(|cause| match cause.downcast_ref::<object_store::Error>() {
        Some(object_store::Error::NotFound { path, .. }) => Some(path),
        _ => None,
    });
    path.map(|path| Path::from(path.as_str()))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_of_a_store_is_no_damage() {
        let of_store = || object_store::Error::Generic { store: "S3", source: "500".into() };
        let parquet = |error: ParquetError| DataFusionError::ParquetError(Box::new(error));
        let keys = [Path::from("a.parquet"), Path::from("b.parquet")];
        for error in [
            DataFusionError::ObjectStore(Box::new(of_store())),
            parquet(ParquetError::External(Box::new(of_store()))),
            DataFusionError::ArrowError(Box::new(ArrowError::ComputeError("x".to_owned())), None),
            DataFusionError::Internal("x".to_owned()),
        ] {
            assert_eq!(Damaged::met(&error, &keys), None, "{error}");
        }
        let cut = parquet(ParquetError::EOF("x".to_owned()));
        assert!(
            Damaged::met(&cut, &keys)
                .unwrap()
                .to_string()
                .starts_with("one of `a.parquet`, `b.parquet` cannot be read: ")
        );
        assert_eq!(reason(&DataFusionError::External(Box::new(Damaged::met(&cut, &keys).unwrap()))), "x");
        assert!(Damaged::met(&cut, &keys[1..]).unwrap().to_string().starts_with("`b.parquet` cannot be read: "));
        let held = object_store::Error::from(Damaged::file(&keys[0], "x"));
        let held = parquet(ParquetError::External(Box::new(held)));
        assert_eq!(Damaged::find(&held), Some(&Damaged::file(&keys[0], "x")));
    }
}
