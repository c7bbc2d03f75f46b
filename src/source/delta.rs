//! Delta tables, on the fenced store.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DataFusionError;
use datafusion::datasource::provider_as_source;
use datafusion::functions::core::expr_fn::nullif;
use datafusion::logical_expr::{cast, lit};
use deltalake::kernel::transaction::TransactionError;
use deltalake::logstore::{StorageConfig, default_logstore};
use deltalake::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::conform::{self, Conformed, Unreadable};
use super::features;
use super::filtered::Filtered;
use super::fit::{Fit, fit};
use super::location::Place;
use super::pins::Pins;
use super::raw::Watch;
use super::watched::is_silent;
use crate::contract::Dataset;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::engine::PrivateSession;

/// Opens the newest version; `known` is brought up to date instead of being loaded anew.
pub(super) async fn open(
    place: &Place,
    dataset: &Dataset,
    session: &PrivateSession,
    known: Option<Known>,
) -> Result<(Conformed, Known)> {
    let known = load(place, known).await?;
    let table = &known.table;
    let failed = |error: &dyn std::fmt::Display| broken(place, &error.to_string());
    let mut provider = table.table_provider().with_session(Arc::new(session.state().clone()));
    if let Some(snapshot) = features::without_harmless(table).await.map_err(|error| explain(place, &error))? {
        provider = provider.with_snapshot(snapshot);
    }
    let provider = provider.await.map_err(|error| match &error {
        DataFusionError::External(inner) => match inner.downcast_ref::<DeltaTableError>() {
            Some(inner) => explain(place, inner),
            None => failed(&error),
        },
        _ => failed(&error),
    })?;
    let mut unreadable = Unreadable::new();
    let mut markers = Vec::new();
    for column in &dataset.columns {
        // The log says what its files have: a column that it does not know is in none.
        let found = conform::compare(&place.relative(&place.folder), &provider.schema(), column, &|_| false);
        unreadable.extend(found.faults);
        for (path, why) in found.absent {
            unreadable.entry(conform::path_in(column, &path)).or_insert(why);
        }
        let Some(part) = conform::readable(column, &unreadable) else { continue };
        let readable = found.lossy.into_iter().filter(|path| conform::unreadable_at(&unreadable, path).is_none());
        let lost = |path: &_| conform::lost(&part, path).of(conform::source_column(&column.physical_name));
        markers.extend(readable.map(|path| (path.clone(), lost(&path))));
    }
    conform::some_readable(&dataset.columns, &unreadable)?;
    let pins = Arc::clone(&known.pins);
    let filtered = Filtered::new(provider, &known.partitions(), pins, place.placement.url.scheme() == "local")
        .with_partition_values(known.partition_values(place).into_iter())
        .with_vectors(known.has_vectors().then(|| place.folder.clone()));
    let source = provider_as_source(Arc::new(filtered));
    let emptied = known.emptied();
    let types = source.schema();
    let is_emptied = |column: &str| {
        let found = types.field_with_name(column).map(|field| fit(field.data_type(), &DataType::Utf8, false));
        matches!(found, Ok(Some(Fit::Stock))) && emptied.iter().any(|name| name == column)
    };
    let read = |column: &str| {
        let value = conform::source_column(column);
        if is_emptied(column) { nullif(cast(value, DataType::Utf8), lit("")) } else { value }
    };
    let conformed = conform::project(source, &dataset.columns, markers, unreadable, read);
    Ok((conformed.map_err(|error| failed(&error))?, known))
}

/// A table at a version, and the commit that made it.
pub(super) struct Known {
    table: DeltaTable,
    commit: Option<ObjectMeta>,
    /// The data files as reads of any version found them: a log names immutable files.
    pins: Arc<Pins>,
}

async fn load(place: &Place, known: Option<Known>) -> Result<Known> {
    if place.pattern.is_some() {
        return Err(Diagnostic::error(Kind::Invalid, "the location of a Delta table has a wildcard")
            .hint("name the table's folder, the one that holds `_delta_log`"));
    }
    let renewed = Pins::after(known.as_ref().map(|known| known.pins.as_ref()));
    let (mut table, pins) = match known {
        // Updates only go forward: a table that was written anew would look as if nothing had happened.
        Some(Known { table, commit: Some(before), pins })
            if !pins.is_outdated() && newest(place, &table).await.as_ref() == Some(&before) =>
        {
            (table, pins)
        }
        _ => (fresh(place), renewed),
    };
    if let Err(error) = Box::pin(table.load()).await {
        return Err(diagnose(place, &error).await);
    }
    let commit = newest(place, &table).await;
    Ok(Known { table, commit, pins })
}

fn fresh(place: &Place) -> DeltaTable {
    let mut url = place.placement.url.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.clear().extend(place.folder.parts().map(|part| part.as_ref().to_owned())).push("");
    }
    let root = Arc::clone(&place.placement.store);
    let prefixed: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(Arc::clone(&root), place.folder.clone()));
    DeltaTable::new(default_logstore(prefixed, root, &url, &StorageConfig::default()))
}

/// Whether the log still ends with the commit that was loaded: one listing from there on, so that a commit is seen by the next query.
///
/// # Errors
/// `Unavailable` when the store is silent; after any other failure the log is to be loaded again.
pub(super) async fn is_newest(place: &Place, version: u64, commit: &ObjectMeta) -> Result<bool> {
    let log = place.folder.clone().join("_delta_log");
    // Listings begin behind the key they are given. Version 0 has none before it, and all names begin with a digit.
    let before = log.clone().join(version.checked_sub(1).map_or_else(|| "0".to_owned(), |v| format!("{v:020}.json")));
    let listed: Result<Vec<ObjectMeta>, _> =
        place.placement.store.list_with_offset(Some(&log), &before).try_collect().await;
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) if is_silent(&error) => return Err(super::files::unreachable(place, &error)),
        Err(_) => return Ok(false),
    };
    let commits = listed.iter().filter(|meta| version_of(meta).is_some());
    Ok(commits.eq([commit]))
}

/// The version that a commit file makes; none for checkpoints and checksums.
fn version_of(meta: &ObjectMeta) -> Option<u64> {
    let name = meta.location.filename()?.strip_suffix(".json")?;
    (name.len() == 20).then(|| name.parse().ok())?
}

/// The commit file of the version that was loaded.
async fn newest(place: &Place, table: &DeltaTable) -> Option<ObjectMeta> {
    let commit = format!("{:020}.json", table.version()?);
    let key = place.folder.clone().join("_delta_log").join(commit);
    place.placement.store.head(&key).await.ok()
}

impl Known {
    /// True once a reader found another file than before under a name in the log.
    pub(super) fn is_outdated(&self) -> bool {
        self.pins.is_outdated()
    }

    /// What looks at the errors of reads.
    pub(super) fn watch(&self) -> Watch {
        Watch::of(&self.pins)
    }

    fn partitions(&self) -> Vec<String> {
        let snapshot = self.table.snapshot();
        snapshot.map(|snapshot| snapshot.metadata().partition_columns().to_vec()).unwrap_or_default()
    }

    /// The values by file, in the order of the partitions. A file is left out where the log lacks one of them.
    fn partition_values(&self, place: &Place) -> Vec<(Path, Vec<Option<String>>)> {
        let partitions = self.partitions();
        let (Ok(snapshot), false) = (self.table.snapshot(), partitions.is_empty()) else { return Vec::new() };
        let files = snapshot.log_data();
        let said = files.iter().filter_map(|file| {
            let mut values = file.partition_values_map();
            let key = place.folder.parts().chain(file.object_store_path().parts().collect::<Vec<_>>()).collect();
            Some((key, partitions.iter().map(|name| values.remove(name)).collect::<Option<Vec<_>>>()?))
        });
        said.collect()
    }

    /// Partition columns, if some file has an empty value of one. In a log it stands for NULL, which the reader takes for a text.
    fn emptied(&self) -> Vec<String> {
        let Ok(snapshot) = self.table.snapshot() else { return Vec::new() };
        let is_empty = |value: &Option<String>| value.as_deref() == Some("");
        let files = snapshot.log_data();
        let emptied = files.iter().any(|file| file.partition_values_map().values().any(is_empty));
        if emptied { self.partitions() } else { Vec::new() }
    }

    fn has_vectors(&self) -> bool {
        let snapshot = self.table.snapshot();
        snapshot
            .is_ok_and(|snapshot| snapshot.log_data().iter().any(|file| file.deletion_vector_descriptor().is_some()))
    }

    /// What [`is_newest`] compares with; none where the commit's file was gone when it was loaded.
    pub(super) fn newest(&self) -> Option<(u64, ObjectMeta)> {
        Some((self.table.version()?, self.commit.clone()?))
    }

    /// The rows that the log counts; none where a file has no count.
    pub(super) fn row_count(&self) -> Option<u64> {
        let snapshot = self.table.snapshot().ok()?;
        let mut rows = 0_u64;
        for file in snapshot.log_data().iter() {
            let deleted = file.deletion_vector_descriptor().map_or(0, |d| u64::try_from(d.cardinality).unwrap_or(0));
            rows = rows.checked_add(u64::try_from(file.num_records()?).ok()?)?.saturating_sub(deleted);
        }
        Some(rows)
    }
}

/// The log reader wraps what the store said; asking the store once more tells a missing bucket from a broken table.
async fn diagnose(place: &Place, error: &DeltaTableError) -> Diagnostic {
    let log = place.folder.clone().join("_delta_log");
    match place.placement.store.list(Some(&log)).try_next().await {
        Err(error) => super::files::unreachable(place, &error),
        Ok(None) => absent(place),
        Ok(Some(_)) => explain(place, error),
    }
}

fn absent(place: &Place) -> Diagnostic {
    Diagnostic::error(Kind::Unavailable, format!("there is no Delta table in `{}`", place.relative(&place.folder)))
        .hint("write the table there (its folder holds `_delta_log`), or correct the location in the contract's `servers`")
}

fn explain(place: &Place, error: &DeltaTableError) -> Diagnostic {
    let at = place.relative(&place.folder);
    match error {
        DeltaTableError::NotATable(_) => absent(place),
        DeltaTableError::ObjectStore { source } => super::files::unreachable(place, source),
        DeltaTableError::Transaction { source: TransactionError::UnsupportedTableFeatures(features) } => {
            let names: Vec<String> = features.iter().map(|feature| format!("`{}`", feature.as_ref())).collect();
            unsupported(&at, &names.join(", "))
        }
        error => broken(place, &error.to_string()),
    }
}

fn unsupported(at: &str, what: &str) -> Diagnostic {
    Diagnostic::error(
        Kind::Unsupported,
        format!("the Delta table `{at}` needs a reader feature that is not offered: {what}"),
    )
    .hint("drop the feature from the table with the tool that writes it, or publish a copy without it")
}

fn broken(place: &Place, why: &str) -> Diagnostic {
    let at = place.relative(&place.folder);
    let lower = why.to_lowercase();
    if lower.contains("unsupported") || lower.contains("feature") {
        return unsupported(&at, why);
    }
    Diagnostic::error(Kind::Invalid, format!("the Delta table `{at}` cannot be read: {why}"))
        .hint("look at the table with the tool that writes it; its log may be damaged")
}
