//! Parquet files, in hive folders or not.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};
use datafusion::catalog::Session;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::datasource::{TableProvider, provider_as_source};
use datafusion::error::Result as PlanResult;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;
use object_store::path::Path;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit as ParquetUnit};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::adapt::{Marked, TotalAdapters};
use super::conform::{self, Conformed, Unreadable};
use super::decoded::{self, RowBytes};
use super::files::{self, DataFile, FileTable, Read};
use super::footer;
use super::location::Place;
use super::pinned::{PinnedStore, Pins};
use super::raw::Watch;
use super::readers::PinnedReaders;
use super::watched::is_silent;
use crate::contract::{Column, Dataset};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::engine::PrivateSession;
use crate::engine::memory::BatchBytes;
use crate::name::ColumnPath;

const ENDINGS: [&str; 2] = [".parquet", ".parq"];
/// Footers fetched at once.
const FETCHES: usize = 16;
const FOOTER_BYTES: usize = 64 * 1024;

/// Files whose footers were checked.
#[derive(Debug, Default)]
pub(super) struct Checked {
    files: Files,
    pins: Arc<Pins>,
}

type Files = HashMap<Path, (ObjectMeta, Footer)>;

/// What the footer of one file says.
#[derive(Debug, Clone)]
struct Footer {
    rows: u64,
    /// How wide rows become when they are decoded.
    widths: Arc<RowBytes>,
    /// Columns that are not as promised.
    faults: Unreadable,
    /// Columns of times of which some may have no microseconds, as the file calls them.
    coarse: BTreeSet<String>,
}

impl Checked {
    /// Rows of all files.
    pub(super) fn row_count(&self) -> u64 {
        self.files.values().map(|(_, footer)| footer.rows).sum()
    }

    /// Bytes that one row of a column can take in any file.
    fn row_bytes(&self, column: &str) -> u64 {
        self.files.values().filter_map(|(_, footer)| footer.widths.get(column)).copied().max().unwrap_or(0)
    }

    /// What looks at the errors of reads.
    pub(super) fn watch(&self) -> Watch {
        Watch::of(&self.pins)
    }

    /// Whether some text among `found` was found to be none, so that all are read as bytes.
    fn is_distrusted(&self, found: &[DataFile]) -> bool {
        let known = |file: &DataFile| self.files.get(&file.meta.location).is_some_and(|(meta, _)| *meta == file.meta);
        self.pins.is_distrusted() && found.iter().any(known)
    }

    /// True once a reader found another file under a key that was checked.
    pub(super) fn is_outdated(&self) -> bool {
        self.pins.is_outdated()
    }
}

/// Opens the files that are there now; those already in `checked` are not read again.
pub(super) async fn open(
    place: &Place,
    dataset: &Dataset,
    session: &PrivateSession,
    checked: &Checked,
) -> Result<(Conformed, Checked)> {
    let partitions = files::partition_columns(dataset);
    let found = files::list(place, &ENDINGS, &partitions).await?;
    let careful = checked.is_distrusted(&found);
    let pins = Pins::with_care(&found, careful);
    let is_local = place.placement.url.scheme() == "local";
    let store = PinnedStore::new(Arc::clone(&place.placement.store), Arc::clone(&pins), is_local);
    let files = check(place, dataset, session, &store, &found, &checked.files).await;
    let files = files.map_err(|why| pins.stale_or(why))?;
    let checked = Checked { files, pins };
    let mut unreadable = Unreadable::new();
    let mut coarse = BTreeSet::new();
    for (_, footer) in found.iter().filter_map(|file| checked.files.get(&file.meta.location)) {
        coarse.extend(footer.coarse.iter().cloned());
        for (name, why) in &footer.faults {
            unreadable.entry(name.clone()).or_insert_with(|| why.clone());
        }
    }
    conform::some_readable(dataset.columns.iter().filter(|c| c.partition_key.is_none()), &unreadable)?;
    let is_text = |column: &Column| careful && column.data_type == DataType::Utf8;
    let promised = |column: &Column| if is_text(column) { DataType::Binary } else { conform::source_type(column) };
    let mut fields: Vec<FieldRef> = files::file_schema(dataset, promised).fields().to_vec();
    let (mut markers, mut marked) = (Vec::new(), HashMap::new());
    let whole = dataset.columns.iter().filter(|c| c.partition_key.is_none() && !unreadable.contains_key(&c.name));
    for column in whole {
        let path = ColumnPath::root(column.name.clone());
        if coarse.contains(&column.physical_name) {
            let name = conform::marker(&path);
            fields.push(Arc::new(Field::new(&name, DataType::Boolean, true)));
            markers.push((path, conform::source_column(&name)));
            marked.insert(name, column.physical_name.clone());
        } else if is_text(column) {
            markers.push((path, conform::is_no_text(conform::source_column(&column.physical_name))));
        }
    }
    let columns = Arc::new(Schema::new(fields));
    let reader = Reader {
        url: ObjectStoreUrl::parse(place.placement.url.as_str().trim_end_matches('/')).map_err(|e| internal(&e))?,
        schema: TableSchema::builder(Arc::clone(&columns))
            .with_table_partition_cols(
                files::partition_fields(&partitions).into_iter().map(Arc::new).collect::<Vec<_>>(),
            )
            .build(),
        widths: columns.fields().iter().map(|column| checked.row_bytes(column.name())).collect(),
        is_local,
        pins: Arc::clone(&checked.pins),
        marked: Arc::new(marked),
    };
    let table: Arc<dyn TableProvider> = Arc::new(FileTable::new(found, &columns, &partitions, Arc::new(reader)));
    let conformed = conform::project(provider_as_source(table), &dataset.columns, markers, unreadable);
    Ok((conformed.map_err(|e| internal(&e))?, checked))
}

fn internal(error: &datafusion::error::DataFusionError) -> Diagnostic {
    Diagnostic::error(Kind::Internal, format!("cannot plan the read of a product: {error}"))
}

async fn check(
    place: &Place,
    dataset: &Dataset,
    session: &PrivateSession,
    store: &PinnedStore,
    found: &[DataFile],
    checked: &Files,
) -> Result<Files> {
    let columns: Vec<&Column> = dataset.columns.iter().filter(|c| c.partition_key.is_none()).collect();
    let cache = session.state().runtime_env().cache_manager.get_file_metadata_cache();
    let batch = BatchBytes::of(session.state().config());
    let footers = stream::iter(found.to_vec()).map(|file| {
        let (columns, cache) = (&columns, Arc::clone(&cache));
        async move {
            if let Some(known) = checked.get(&file.meta.location).filter(|(meta, ..)| *meta == file.meta) {
                return Ok((file.meta.location.clone(), known.clone()));
            }
            // Cached footers are compared by size and second only; this one may be of what was here before under the same key.
            cache.remove(&file.meta.location);
            let name = place.relative(&file.meta.location);
            let footer = DFParquetMetadata::new(store, &file.meta)
                .with_metadata_size_hint(Some(FOOTER_BYTES))
                .with_coerce_int96(Some(TimeUnit::Microsecond))
                .with_file_metadata_cache(Some(cache));
            let broken = |error: &datafusion::error::DataFusionError| {
                if is_silent(error) {
                    return Diagnostic::error(Kind::Unavailable, format!("cannot read `{name}`: {error}"))
                        .hint("look whether the domain's storage answers");
                }
                Diagnostic::error(Kind::Invalid, format!("`{name}` cannot be read as Parquet: {error}"))
                    .hint("the file is cut off or damaged; write it again")
            };
            let schema = footer.fetch_schema().await.map_err(|e| broken(&e))?;
            let mut faults = Unreadable::new();
            for column in columns {
                if let Err(why) = conform::check(&name, &schema, column) {
                    faults.insert(column.name.clone(), why);
                }
            }
            let metadata = footer.fetch_metadata().await.map_err(|e| broken(&e))?;
            footer::check(&metadata, file.meta.size).map_err(|why| {
                Diagnostic::error(Kind::Invalid, format!("`{name}` cannot be read as Parquet: {why}"))
                    .hint("its footer is damaged; write it again")
            })?;
            let coarse = coarse_times(&name, &metadata, columns, &mut faults);
            let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
            let widths = Arc::new(decoded::row_bytes(&metadata, batch));
            Ok((file.meta.location.clone(), (file.meta.clone(), Footer { rows, widths, faults, coarse })))
        }
    });
    footers.buffered(FETCHES).try_collect().await
}

/// Milliseconds become microseconds as a file is read, below any policy. Columns in which, for all that the statistics say, one may
/// have no microseconds are read with a marker; inside of a struct or list there is none, and the column is unreadable.
fn coarse_times(
    name: &str,
    metadata: &ParquetMetaData,
    columns: &[&Column],
    faults: &mut Unreadable,
) -> BTreeSet<String> {
    let mut coarse = BTreeSet::new();
    let chunks = metadata.row_groups().iter().flat_map(RowGroupMetaData::columns);
    for chunk in chunks.filter(|chunk| is_millis(chunk) && !fits(chunk)) {
        let path = chunk.column_descr().path().parts();
        for column in columns.iter().filter(|column| path.first() == Some(&column.physical_name)) {
            if path.len() == 1 {
                coarse.insert(column.physical_name.clone());
                continue;
            }
            let what = format!("column `{}` of `{name}` can hold times beyond what microseconds reach", path.join("."));
            let why = Diagnostic::error(Kind::Invalid, what);
            faults.entry(column.name.clone()).or_insert(why.hint("write the file again with microseconds, or with statistics that show that all times are between the years -290308 and 294247"));
        }
    }
    coarse
}

fn is_millis(chunk: &ColumnChunkMetaData) -> bool {
    let described = chunk.column_descr();
    described.converted_type() == ConvertedType::TIMESTAMP_MILLIS
        || matches!(
            described.logical_type_ref(),
            Some(LogicalType::Timestamp(kind)) if kind.unit == ParquetUnit::MILLIS
        )
}

/// Whether the statistics show that each time has microseconds.
fn fits(chunk: &ColumnChunkMetaData) -> bool {
    const LARGEST: i64 = i64::MAX / 1_000;
    match chunk.statistics() {
        Some(Statistics::Int64(known)) => match (known.min_opt(), known.max_opt()) {
            (Some(min), Some(max)) => *min >= -LARGEST && *max <= LARGEST,
            _ => known.null_count_opt() == u64::try_from(chunk.num_values()).ok(),
        },
        _ => chunk.num_values() == 0,
    }
}

#[derive(Debug)]
struct Reader {
    url: ObjectStoreUrl,
    schema: TableSchema,
    /// Bytes that one row can take, by the columns of the files.
    widths: Vec<u64>,
    is_local: bool,
    pins: Arc<Pins>,
    marked: Marked,
}

impl Reader {
    /// How many rows are decoded at once.
    fn rows_at_once(&self, config: &SessionConfig, projection: Option<&Vec<usize>>) -> usize {
        let all = || (0..self.widths.len()).collect();
        let chosen: Vec<usize> = projection.map_or_else(all, Clone::clone);
        // Columns of folder names come behind those of the files.
        let widths = chosen.iter().filter_map(|at| self.widths.get(*at)).copied();
        decoded::rows_at_once(widths, BatchBytes::of(config), config.batch_size())
    }
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
        let runtime = state.runtime_env();
        let store = PinnedStore::new(runtime.object_store(&self.url)?, Arc::clone(&self.pins), self.is_local);
        let readers = PinnedReaders::new(store, runtime.cache_manager.get_file_metadata_cache());
        let groups = files::deal(files, state.config().target_partitions());
        let group = |files: Vec<DataFile>| FileGroup::new(files.into_iter().map(partitioned).collect());
        let source = ParquetSource::new(self.schema.clone())
            .with_table_parquet_options(state.default_table_options().parquet)
            .with_parquet_file_reader_factory(Arc::new(readers));
        // The engine applies whole-column conditions in a reader without adapters of its own only (`engine::pushdown`).
        let adapters = (!self.marked.is_empty()).then(|| Arc::new(TotalAdapters(Arc::clone(&self.marked))) as _);
        let config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(source))
            .with_file_groups(groups.into_iter().map(group).collect())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_batch_size(Some(self.rows_at_once(state.config(), projection)))
            .with_expr_adapter(adapters)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

fn partitioned(file: DataFile) -> PartitionedFile {
    PartitionedFile::new_from_meta(file.meta).with_partition_values(file.values)
}
