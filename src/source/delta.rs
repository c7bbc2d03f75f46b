//! Delta tables, on the fenced store.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result as PlanResult};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use deltalake::kernel::transaction::TransactionError;
use deltalake::logstore::{StorageConfig, default_logstore};
use deltalake::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use object_store::prefix::PrefixStore;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::conform;
use super::location::Place;
use crate::contract::Dataset;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::engine::PrivateSession;

/// Opens the newest version; `known` is brought up to date instead of being loaded anew.
pub(super) async fn open(
    place: &Place,
    dataset: &Dataset,
    session: &PrivateSession,
    known: Option<Known>,
) -> Result<(LogicalPlan, Known)> {
    let known = load(place, known).await?;
    let table = &known.table;
    let failed = |error: &dyn std::fmt::Display| broken(place, &error.to_string());
    let provider = table.table_provider().with_session(Arc::new(session.state().clone()));
    let provider = provider.await.map_err(|error| match &error {
        DataFusionError::External(inner) => match inner.downcast_ref::<DeltaTableError>() {
            Some(inner) => explain(place, inner),
            None => failed(&error),
        },
        _ => failed(&error),
    })?;
    conform::check(&place.relative(&place.folder), &provider.schema(), &dataset.columns)?;
    let source = provider_as_source(Arc::new(Filtered { table: provider }));
    let plan = conform::project(source, &dataset.columns, []).map_err(|error| failed(&error))?;
    Ok((plan, known))
}

/// A table whose filters are asked again of every row.
///
/// The reader promises to apply a filter on partitions itself, but skips only files for which it is FALSE: what is NULL stays, of a
/// partition or in a filter that names no column.
#[derive(Debug)]
struct Filtered {
    table: Arc<dyn TableProvider>,
}

#[async_trait::async_trait]
impl TableProvider for Filtered {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        self.table.table_type()
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        use TableProviderFilterPushDown::{Exact, Inexact};
        let answers = self.table.supports_filters_pushdown(filters)?;
        Ok(answers.into_iter().map(|answer| if answer == Exact { Inexact } else { answer }).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        self.table.scan(state, projection, filters, limit).await
    }
}

/// A table at a version, and the commit that made it.
pub(super) struct Known {
    table: DeltaTable,
    commit: Option<ObjectMeta>,
}

async fn load(place: &Place, known: Option<Known>) -> Result<Known> {
    if place.pattern.is_some() {
        return Err(Diagnostic::error(Kind::Invalid, "the location of a Delta table has a wildcard")
            .hint("name the table's folder, the one that holds `_delta_log`"));
    }
    let mut table = match known {
        // Updates only go forward: a table that was written anew would look as if nothing had happened.
        Some(Known { table, commit: Some(before) }) if newest(place, &table).await.as_ref() == Some(&before) => table,
        _ => fresh(place),
    };
    if let Err(error) = Box::pin(table.load()).await {
        return Err(diagnose(place, &error).await);
    }
    let commit = newest(place, &table).await;
    Ok(Known { table, commit })
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
pub(super) async fn is_newest(place: &Place, version: u64, commit: &ObjectMeta) -> bool {
    let log = place.folder.clone().join("_delta_log");
    // Listings begin behind the key they are given. Version 0 has none before it, and all names begin with a digit.
    let before = log.clone().join(version.checked_sub(1).map_or_else(|| "0".to_owned(), |v| format!("{v:020}.json")));
    let listed: Result<Vec<ObjectMeta>, _> =
        place.placement.store.list_with_offset(Some(&log), &before).try_collect().await;
    let Ok(listed) = listed else { return false };
    let commits = listed.iter().filter(|meta| version_of(meta).is_some());
    commits.eq([commit])
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
