//! Parquet files, in hive folders or not.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::arrow::datatypes::TimeUnit;
use datafusion::catalog::Session;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::datasource::{TableProvider, provider_as_source};
use datafusion::error::Result as PlanResult;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;
use object_store::path::Path;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit as ParquetUnit};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use super::conform;
use super::files::{self, DataFile, FileTable, Read};
use super::location::Place;
use super::pinned::{Outdated, PinnedReaders};
use crate::contract::{Column, Dataset};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::engine::PrivateSession;

const ENDINGS: [&str; 2] = [".parquet", ".parq"];
/// Footers fetched at once.
const FETCHES: usize = 16;
const FOOTER_BYTES: usize = 64 * 1024;

/// Files whose footers were checked.
#[derive(Debug, Default)]
pub(super) struct Checked {
    files: Files,
    outdated: Outdated,
}

/// How many rows each has.
type Files = HashMap<Path, (ObjectMeta, u64)>;

impl Checked {
    /// Rows of all files.
    pub(super) fn row_count(&self) -> u64 {
        self.files.values().map(|(_, rows)| rows).sum()
    }

    /// True once a reader found another file under a key that was checked.
    pub(super) fn is_outdated(&self) -> bool {
        self.outdated.load(Ordering::Relaxed)
    }
}

/// Opens the files that are there now; those already in `checked` are not read again.
pub(super) async fn open(
    place: &Place,
    dataset: &Dataset,
    session: &PrivateSession,
    checked: &Checked,
) -> Result<(LogicalPlan, Checked)> {
    let partitions = files::partition_columns(dataset);
    let found = files::list(place, &ENDINGS, &partitions).await?;
    let checked =
        Checked { files: check(place, dataset, session, &found, &checked.files).await?, outdated: Outdated::default() };
    let columns = files::file_schema(dataset, conform::source_type);
    let reader = Reader {
        url: ObjectStoreUrl::parse(place.placement.url.as_str().trim_end_matches('/')).map_err(|e| internal(&e))?,
        schema: TableSchema::builder(Arc::clone(&columns))
            .with_table_partition_cols(
                files::partition_fields(&partitions).into_iter().map(Arc::new).collect::<Vec<_>>(),
            )
            .build(),
        outdated: Arc::clone(&checked.outdated),
    };
    let table: Arc<dyn TableProvider> = Arc::new(FileTable::new(found, &columns, &partitions, Arc::new(reader)));
    let plan = conform::project(provider_as_source(table), &dataset.columns, []).map_err(|e| internal(&e))?;
    Ok((plan, checked))
}

fn internal(error: &datafusion::error::DataFusionError) -> Diagnostic {
    Diagnostic::error(Kind::Internal, format!("cannot plan the read of a product: {error}"))
}

async fn check(
    place: &Place,
    dataset: &Dataset,
    session: &PrivateSession,
    found: &[DataFile],
    checked: &Files,
) -> Result<Files> {
    let columns: Vec<&Column> = dataset.columns.iter().filter(|c| c.partition_key.is_none()).collect();
    let cache = session.state().runtime_env().cache_manager.get_file_metadata_cache();
    let footers = stream::iter(found.to_vec()).map(|file| {
        let (columns, cache) = (&columns, Arc::clone(&cache));
        async move {
            if let Some(known) = checked.get(&file.meta.location).filter(|(meta, _)| *meta == file.meta) {
                return Ok((file.meta.location.clone(), known.clone()));
            }
            // Cached footers are compared by size and second only; this one may be of what was here before under the same key.
            cache.remove(&file.meta.location);
            let name = place.relative(&file.meta.location);
            let footer = DFParquetMetadata::new(place.placement.store.as_ref(), &file.meta)
                .with_metadata_size_hint(Some(FOOTER_BYTES))
                .with_coerce_int96(Some(TimeUnit::Microsecond))
                .with_file_metadata_cache(Some(cache));
            let broken = |error: &datafusion::error::DataFusionError| {
                Diagnostic::error(Kind::Invalid, format!("`{name}` cannot be read as Parquet: {error}"))
                    .hint("the file is cut off or damaged; write it again")
            };
            let schema = footer.fetch_schema().await.map_err(|e| broken(&e))?;
            conform::check(&name, &schema, columns.iter().copied())?;
            let metadata = footer.fetch_metadata().await.map_err(|e| broken(&e))?;
            times_fit(&name, &metadata, columns)?;
            let rows = metadata.file_metadata().num_rows();
            Ok((file.meta.location.clone(), (file.meta.clone(), u64::try_from(rows).unwrap_or(0))))
        }
    });
    footers.buffered(FETCHES).try_collect().await
}

/// Milliseconds become microseconds as a file is read, below any policy: a time that has no microseconds would fail the query of
/// somebody who may not see its row. So no such time is served.
fn times_fit(name: &str, metadata: &ParquetMetaData, columns: &[&Column]) -> Result<()> {
    const LARGEST: i64 = i64::MAX / 1_000;
    for group in metadata.row_groups() {
        for chunk in group.columns() {
            let described = chunk.column_descr();
            let is_millis = described.converted_type() == ConvertedType::TIMESTAMP_MILLIS
                || matches!(
                    described.logical_type_ref(),
                    Some(LogicalType::Timestamp(kind)) if kind.unit == ParquetUnit::MILLIS
                );
            let path = described.path().parts();
            if !is_millis || !columns.iter().any(|column| path.first() == Some(&column.physical_name)) {
                continue;
            }
            let fits = match chunk.statistics() {
                Some(Statistics::Int64(known)) => match (known.min_opt(), known.max_opt()) {
                    (Some(min), Some(max)) => *min >= -LARGEST && *max <= LARGEST,
                    _ => known.null_count_opt() == u64::try_from(chunk.num_values()).ok(),
                },
                _ => chunk.num_values() == 0,
            };
            if !fits {
                return Err(Diagnostic::error(
                    Kind::Invalid,
                    format!("column `{}` of `{name}` can hold times beyond what microseconds reach", path.join(".")),
                )
                .hint("write the file again with microseconds, or with statistics that show that all times are between the years -290308 and 294247"));
            }
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Reader {
    url: ObjectStoreUrl,
    schema: TableSchema,
    outdated: Outdated,
}

#[async_trait::async_trait]
impl Read for Reader {
    async fn read(
        &self,
        state: &dyn Session,
        files: Vec<DataFile>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let readers = PinnedReaders::new(state.runtime_env(), &self.url, Arc::clone(&self.outdated))?;
        let groups = files::deal(files, state.config().target_partitions());
        let group = |files: Vec<DataFile>| FileGroup::new(files.into_iter().map(partitioned).collect());
        let source = ParquetSource::new(self.schema.clone())
            .with_table_parquet_options(state.default_table_options().parquet)
            .with_parquet_file_reader_factory(Arc::new(readers));
        let config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(source))
            .with_file_groups(groups.into_iter().map(group).collect())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

fn partitioned(file: DataFile) -> PartitionedFile {
    PartitionedFile::new_from_meta(file.meta).with_partition_values(file.values)
}
