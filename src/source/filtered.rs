//! A Delta table that trusts neither pushed filters nor the log's counts, and reads only the files that it read first.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DataFusionError, Result, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use futures::FutureExt as _;
use object_store::path::Path;

use super::damaged::{self, Damaged};
use super::drifting::DriftingFiles;
use super::left_out::LeftOut;
use super::pinned::PinnedStore;
use super::pins::Pins;
use super::readers::PinnedReaders;
use super::survey::Choice;
use super::vectors;

/// A table whose filters are asked again of every row, whose rows are counted in its files, and whose files are pinned.
///
/// The reader promises to apply a filter on partitions itself, but skips only files for which it is FALSE: what is NULL stays, of a
/// partition or in a filter that names no column. It answers counts from the log where no column of a file is asked for.
#[derive(Debug)]
pub(super) struct Filtered {
    table: Arc<dyn TableProvider>,
    /// The column that is read where only rows are counted, cheapest first; none in a table of partition columns alone.
    counted: Option<usize>,
    is_partition: Vec<bool>,
    pins: Arc<Pins>,
    is_local: bool,
    /// The folder of a table some of whose files have deletion vectors.
    vectors: Option<Path>,
    partitions: Fields,
    /// By file, where the log says what can be read as their types.
    values: HashMap<Path, Vec<ScalarValue>>,
}

impl Filtered {
    pub(super) fn new(table: Arc<dyn TableProvider>, partitions: &[String], pins: Arc<Pins>, is_local: bool) -> Self {
        let schema = table.schema();
        let is_partition: Vec<bool> = schema.fields().iter().map(|field| partitions.contains(field.name())).collect();
        let columns = schema.fields().iter().zip(&is_partition).enumerate().filter(|(_, (_, partition))| !**partition);
        let width = |(_, (field, _)): &(usize, (&Arc<Field>, &bool))| width(field);
        let counted = columns.min_by_key(width).map(|(i, _)| i);
        let fields = partitions.iter().filter_map(|name| schema.field_with_name(name).ok().cloned()).collect();
        Self { table, counted, is_partition, pins, is_local, vectors: None, partitions: fields, values: HashMap::new() }
    }

    /// What the log says of the partitions of its files, as text in their order: an empty one is NULL.
    pub(super) fn with_partition_values(self, texts: impl Iterator<Item = (Path, Vec<Option<String>>)>) -> Self {
        let value = |(text, field): (Option<String>, &FieldRef)| {
            let of = match field.data_type() {
                DataType::Dictionary(_, values) => values.as_ref(),
                of => of,
            };
            match text.filter(|text| !text.is_empty()) {
                Some(text) => ScalarValue::try_from_string(text, of).ok(),
                None => ScalarValue::try_from(of).ok(),
            }
        };
        let values = texts.filter_map(|(key, texts)| {
            let values = texts.into_iter().zip(&self.partitions).map(value).collect::<Option<Vec<_>>>()?;
            Some((key, values))
        });
        Self { values: values.collect(), ..self }
    }

    /// Of a table in this folder, some of whose files have deletion vectors. It is surveyed as one file: which rows are deleted is known
    /// only where all files are read.
    pub(super) fn with_vectors(self, folder: Option<Path>) -> Self {
        Self { vectors: folder, ..self }
    }

    fn names_partition(&self, filter: &Expr) -> bool {
        filter.column_refs().iter().any(|column| self.partitions.find(column.name()).is_some())
    }

    /// The projection, and whether it ends with a column that was not asked for, so that rows are read and not only promised.
    fn columns(&self, projection: Option<&Vec<usize>>) -> (Option<Vec<usize>>, bool) {
        let Some(projection) = projection else { return (None, false) };
        let reads = projection.iter().any(|i| self.is_partition.get(*i) == Some(&false));
        match self.counted {
            Some(counted) if !reads => (Some(projection.iter().copied().chain([counted]).collect()), true),
            _ => (Some(projection.clone()), false),
        }
    }

    /// The table's own plan. Its reader looks at files with vectors meanwhile, in a store that is not pinned, and panics over some bytes.
    async fn planned(
        &self,
        state: &dyn Session,
        columns: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planned = AssertUnwindSafe(self.table.scan(state, columns, filters, limit)).catch_unwind().await;
        let planned = planned.unwrap_or_else(|_| Err(DataFusionError::External(Box::new(Damaged::panicked()))));
        planned.map_err(|error| match (damaged::missing(&error), Damaged::met_in_log(&error)) {
            (Some(key), _) => DataFusionError::ObjectStore(Box::new(self.pins.lost(&key))),
            (None, Some(damaged)) => DataFusionError::External(Box::new(damaged)),
            (None, None) => error,
        })
    }

    /// The plan with readers that are pinned, without the files that the filters leave out.
    fn pinned(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        state: &dyn Session,
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut named: HashSet<Path> = HashSet::new();
        let runtime = state.runtime_env();
        let pin = |node: Arc<dyn ExecutionPlan>| -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
            let Some(scan) = node.downcast_ref::<DataSourceExec>() else { return Ok(Transformed::no(node)) };
            let Some((config, source)) = scan.downcast_to_file_source::<ParquetSource>() else {
                return Err(DataFusionError::Internal("a Delta table is read by an unknown reader".to_owned()));
            };
            for file in config.file_groups.iter().flat_map(FileGroup::iter) {
                let key = &file.object_meta.location;
                if !named.insert(key.clone()) {
                    return Err(DataFusionError::External(Box::new(Damaged::file(key, "the log names it twice"))));
                }
            }
            let mut left_out = LeftOut::new(filters, &self.table.schema(), &self.partitions)?;
            let admitted = |group: &FileGroup| {
                let is_chosen = |file: &&PartitionedFile| {
                    let values = self.values.get(&file.object_meta.location);
                    !values.is_some_and(|values| left_out.is(values))
                        && (self.vectors.is_some() || Choice::admits(state, &file.object_meta.location))
                };
                let files = group.iter().filter(is_chosen);
                FileGroup::new(files.map(uncounted).collect())
            };
            let groups = config.file_groups.iter().map(admitted);
            let statistics = Statistics { num_rows: Precision::Absent, ..config.statistics() };
            let mut uncounted = FileScanConfigBuilder::from(config.clone())
                .with_file_groups(groups.collect())
                .with_statistics(statistics);
            if self.vectors.is_none() {
                let store = runtime.object_store(&config.object_store_url)?;
                let store = PinnedStore::new(store, Arc::clone(&self.pins), self.is_local);
                let readers = PinnedReaders::new(store, runtime.cache_manager.get_file_metadata_cache());
                let source = source.clone().with_parquet_file_reader_factory(Arc::new(readers.checking()));
                uncounted = uncounted.with_source(Arc::new(source));
                if let Some(table) = &config.expr_adapter_factory {
                    let files = DriftingFiles::new(Arc::clone(table), state);
                    uncounted = uncounted.with_expr_adapter(Some(Arc::new(files)));
                }
            }
            Ok(Transformed::yes(DataSourceExec::from_data_source(uncounted.build())))
        };
        plan.transform_up(pin).data()
    }
}

/// The file without the number of its rows that the log claims.
fn uncounted(file: &PartitionedFile) -> PartitionedFile {
    let known = file.statistics.as_ref();
    let statistics = known.map(|known| Arc::new(Statistics { num_rows: Precision::Absent, ..known.as_ref().clone() }));
    PartitionedFile { statistics, ..file.clone() }
}

/// Logs hold the beginnings of long texts as their largest ones; Spark cuts after as many characters.
const CUT: usize = 32;

/// True for a condition on a text that is as long as what logs hold, or longer: the largest text of a file may look smaller than it.
fn names_long_text(filter: &Expr) -> bool {
    let found = filter.exists(|part| {
        let text = match part {
            Expr::Literal(value, _) => value.try_as_str().flatten(),
            _ => None,
        };
        Ok(text.is_some_and(|text| text.chars().count() >= CUT))
    });
    found.unwrap_or(true)
}

fn width(field: &Field) -> usize {
    field.data_type().primitive_width().unwrap_or(usize::MAX)
}

#[async_trait::async_trait]
impl TableProvider for Filtered {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        self.table.table_type()
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        use TableProviderFilterPushDown::{Exact, Inexact};
        let answers = self.table.supports_filters_pushdown(filters)?.into_iter().zip(filters);
        // What the table itself cannot use may leave out files all the same.
        let answer = |(answer, filter): (TableProviderFilterPushDown, &&Expr)| {
            if answer == Exact || self.names_partition(filter) { Inexact } else { answer }
        };
        Ok(answers.map(answer).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (columns, counts) = self.columns(projection);
        let all: Vec<&Expr> = filters.iter().collect();
        let answers = self.table.supports_filters_pushdown(&all)?.into_iter().zip(filters);
        let is_used = |(answer, filter): &(TableProviderFilterPushDown, &Expr)| {
            *answer != TableProviderFilterPushDown::Unsupported && !names_long_text(filter)
        };
        let skipping: Vec<Expr> = answers.filter(is_used).map(|(_, filter)| filter.clone()).collect();
        let mut plan = self.planned(state, columns.as_ref(), &skipping, limit).await?;
        if let Some(folder) = &self.vectors {
            Choice::admits(state, folder);
            let pinned = vectors::pinned_state(state, &plan, &self.pins, self.is_local).await?;
            plan = self.planned(&pinned, columns.as_ref(), &skipping, limit).await?;
        }
        let plan = self.pinned(plan, state, filters)?;
        if !counts {
            return Ok(plan);
        }
        let schema = plan.schema();
        let asked = schema.fields().iter().enumerate().take(schema.fields().len().saturating_sub(1));
        let kept = asked.map(|(i, field)| {
            let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), i));
            ProjectionExpr::new(column, field.name().clone())
        });
        let kept: Vec<ProjectionExpr> = kept.collect();
        Ok(Arc::new(ProjectionExec::try_new(kept, plan)?))
    }
}
