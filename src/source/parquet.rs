//! Parquet files, in hive folders or not.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::datasource::{TableProvider, provider_as_source};
use datafusion::error::Result as PlanResult;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use datafusion::prelude::SessionConfig;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;
use object_store::path::Path;

use super::adapt::{Marker, TotalAdapters};
use super::compared::{Footer, Summary, compare};
use super::conform::{self, Conformed};
use super::damaged::{Damaged, Damages};
use super::decoded;
use super::files::{self, DataFile, FileTable, Read};
use super::footer;
use super::location::Place;
use super::pinned::PinnedStore;
use super::pins::Pins;
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
        Watch::of(&self.pins).rereading()
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
    let looked = check(place, dataset, session, &store, &found, &checked.files).await;
    let (files, damaged) = looked.map_err(|why| pins.stale_or(why))?;
    damaged.admit(&partitions, &pins)?;
    let checked = Checked { files, pins };
    let footers: Vec<&Footer> =
        found.iter().filter_map(|file| checked.files.get(&file.meta.location)).map(|(_, footer)| footer).collect();
    let Summary { unreadable, broken, mut converted, bytes, lossy, evolved } = Summary::of(&footers, dataset);
    let mut unshown = broken;
    unshown.extend(unreadable.clone());
    conform::some_readable(dataset.columns.iter().filter(|c| c.partition_key.is_none()), &unshown)?;
    let part = |column: &Column| conform::readable(column, &unreadable);
    // The files have members that the table has not.
    let in_part = dataset.columns.iter().filter(|column| part(column).is_some_and(|part| part != **column));
    converted.extend(in_part.map(|column| column.physical_name.clone()));
    // The reader would hand up bytes as text where the table says text, without a look at what they are.
    let is_text = |column: &Column| {
        let is_bytes = careful && !converted.contains(&column.physical_name) || bytes.contains(&column.physical_name);
        is_bytes && column.data_type == DataType::Utf8
    };
    let promised = |column: &Column| if is_text(column) { DataType::Binary } else { column.type_in_files() };
    let in_files = |column: &Column| promised(part(column).as_ref().unwrap_or(column));
    let mut fields: Vec<FieldRef> = files::file_schema(dataset, in_files).fields().to_vec();
    let (mut markers, mut marked) = (Vec::new(), HashMap::new());
    for column in dataset.columns.iter().filter(|column| column.partition_key.is_none()) {
        let Some(part) = part(column) else { continue };
        let column = &part;
        if is_text(column) {
            let path = ColumnPath::root(column.name.clone());
            markers.push((path, conform::is_no_text(conform::source_column(&column.physical_name))));
            continue;
        }
        // A text that is read as bytes may be none.
        let bytes = careful && column.data_type == DataType::Utf8;
        for (path, _) in column.leaves().into_iter().filter(|(path, _)| bytes || lossy.contains(path)) {
            let name = conform::marker(&path);
            fields.push(Arc::new(Field::new(&name, DataType::Boolean, true)));
            marked.insert(
                name.clone(),
                Marker { column: column.physical_name.clone(), lost: conform::lost(column, &path) },
            );
            markers.push((path, conform::source_column(&name)));
        }
    }
    let adapters = (evolved || !converted.is_empty() || !marked.is_empty())
        .then(|| Arc::new(TotalAdapters { converted: converted.clone(), marked }));
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
        adapters,
    };
    let table = FileTable::new(found, &columns, &partitions, Arc::new(reader)).with_damaged(damaged.clone());
    let table: Arc<dyn TableProvider> = Arc::new(table);
    let conformed =
        conform::project(provider_as_source(table), &dataset.columns, markers, unreadable, conform::source_column);
    // Policies read of a required column what the files that have it hold; in the others its promise is broken.
    Ok((Conformed { unreadable: unshown, damaged: damaged.first(), ..conformed.map_err(|e| internal(&e))? }, checked))
}

fn internal(error: &DataFusionError) -> Diagnostic {
    Diagnostic::error(Kind::Internal, format!("cannot plan the read of a product: {error}"))
}

async fn check(
    place: &Place,
    dataset: &Dataset,
    session: &PrivateSession,
    store: &PinnedStore,
    found: &[DataFile],
    checked: &Files,
) -> Result<(Files, Damages)> {
    let columns: Vec<&Column> = dataset.columns.iter().filter(|c| c.partition_key.is_none()).collect();
    let cache = session.state().runtime_env().cache_manager.get_file_metadata_cache();
    let batch = BatchBytes::of(session.state().config());
    let footers = stream::iter(found.to_vec()).map(|file| {
        let (columns, cache) = (&columns, Arc::clone(&cache));
        async move {
            let key = file.meta.location.clone();
            if let Some(known) = checked.get(&key).filter(|(meta, ..)| *meta == file.meta) {
                return Ok((key, Ok(known.clone())));
            }
            // Cached footers are compared by size and second only; this one may be of what was here before under the same key.
            cache.remove(&key);
            let name = place.relative(&key);
            let footer = DFParquetMetadata::new(store, &file.meta)
                .with_metadata_size_hint(Some(FOOTER_BYTES))
                .with_coerce_int96(Some(TimeUnit::Microsecond))
                .with_file_metadata_cache(Some(cache));
            let looked = async {
                let schema = footer.fetch_schema().await?;
                Ok::<_, DataFusionError>((schema, footer.fetch_metadata().await?))
            };
            let (schema, metadata) = match looked.await {
                Ok(footer) => footer,
                Err(error) if is_silent(&error) => {
                    let what = format!("cannot read `{name}`: {error}");
                    return Err(
                        Diagnostic::error(Kind::Unavailable, what).hint("look whether the domain's storage answers")
                    );
                }
                Err(error) => return Ok((key.clone(), Err(Damaged::footer(&name, &error)))),
            };
            if let Err(why) = footer::check(&metadata, file.meta.size) {
                return Ok((key, Err(Damaged::footer(&name, &why))));
            }
            let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
            let widths = Arc::new(decoded::row_bytes(&metadata, batch));
            let mut footer = compare(&name, &schema, &metadata, columns);
            (footer.rows, footer.widths) = (rows, widths);
            Ok((key, Ok((file.meta.clone(), footer))))
        }
    });
    let (mut files, mut damaged) = (Files::new(), Damages::default());
    for (key, looked) in footers.buffered(FETCHES).try_collect::<Vec<_>>().await? {
        match looked {
            Ok(footer) => drop(files.insert(key, footer)),
            Err(why) => damaged.note(key, why),
        }
    }
    Ok((files, damaged))
}

#[derive(Debug)]
struct Reader {
    url: ObjectStoreUrl,
    schema: TableSchema,
    /// Bytes that one row can take, by the columns of the files.
    widths: Vec<u64>,
    is_local: bool,
    pins: Arc<Pins>,
    /// Where the engine's own do not do.
    adapters: Option<Arc<TotalAdapters>>,
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

impl Reader {
    /// What a reader with adapters of its own skips row groups by. The engine hands it no conditions, since it would take its word
    /// that they are applied (`engine::pushdown`).
    fn skips(&self, state: &dyn Session, filters: &[Expr]) -> PlanResult<Option<Arc<dyn PhysicalExpr>>> {
        let Some(filter) = self.adapters.as_ref().and_then(|_| conjunction(filters.iter().cloned())) else {
            return Ok(None);
        };
        let schema = DFSchema::try_from(Arc::clone(self.schema.table_schema()))?;
        state.create_physical_expr(filter, &schema).map(Some)
    }
}

#[async_trait::async_trait]
impl Read for Reader {
    async fn read(
        &self,
        state: &dyn Session,
        files: Vec<DataFile>,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
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
        let adapters = self.adapters.as_ref().map(|adapters| Arc::clone(adapters) as _);
        let source = match self.skips(state, filters)? {
            Some(predicate) => source.with_predicate(predicate).with_pushdown_filters(false),
            None => source,
        };
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
