//! The files of a dataset at one moment, and a table over them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, DataFusionError, ScalarValue};
use datafusion::datasource::listing::helpers::expr_applicable_for_cols;
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::damaged::{Damaged, Damages};
use super::fit::type_name;
use super::left_out::LeftOut;
use super::location::Place;
use super::survey::Choice;
use crate::contract::{Column, Dataset};
use crate::diagnostic::{Diagnostic, Kind, Result};

/// One file, and the values that its folders give to the partition columns.
#[derive(Debug, Clone)]
pub(super) struct DataFile {
    pub meta: ObjectMeta,
    pub values: Vec<ScalarValue>,
}

/// Partition columns by position.
pub(super) fn partition_columns(dataset: &Dataset) -> Vec<&Column> {
    let mut columns: Vec<&Column> = dataset.columns.iter().filter(|c| c.partition_key.is_some()).collect();
    columns.sort_by_key(|c| c.partition_key);
    columns
}

/// Lists the files of a place, in key order. In a folder those with one of `endings` count; names that start with `_` or `.` are not data.
///
/// # Errors
/// `Unavailable` when there are none or the store does not answer, `Invalid` when a file is not in the folders that the contract promises.
pub(super) async fn list(place: &Place, endings: &[&str], partitions: &[&Column]) -> Result<Vec<DataFile>> {
    let store = &place.placement.store;
    let unreachable = |error: object_store::Error| unreachable(place, &error);
    let mut found: Vec<ObjectMeta> = Vec::new();
    if place.pattern.is_none() && ends_with(&place.folder, endings) {
        match store.head(&place.folder).await {
            Ok(meta) => found.push(meta),
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(unreachable(error)),
        }
    }
    if found.is_empty() {
        found = store.list(Some(&place.folder)).try_collect().await.map_err(unreachable)?;
        found.retain(|meta| is_data(place, &meta.location, endings));
    }
    found.sort_by(|a, b| a.location.cmp(&b.location));
    // A listing in pages, or while a file is replaced, can name a key twice; its rows are there once.
    found.dedup();
    let twice = found.windows(2).find_map(|pair| match pair {
        [one, other] if one.location == other.location => Some(&one.location),
        _ => None,
    });
    if let Some(key) = twice {
        let what = format!("`{}` was listed twice, and not as the same file", place.relative(key));
        return Err(Diagnostic::error(Kind::Unavailable, what).hint("ask again: it was replaced while it was listed"));
    }
    if found.is_empty() {
        let what = match &place.pattern {
            Some(pattern) => format!("no file matches `{pattern}`"),
            None => format!("there is no `{}` file in `{}`", endings.join("` or `"), place.relative(&place.folder)),
        };
        return Err(Diagnostic::error(Kind::Unavailable, what)
            .hint("write the data there, or correct the location in the contract's `servers`"));
    }
    found
        .into_iter()
        .map(|meta| partition_values(place, &meta.location, partitions).map(|values| DataFile { meta, values }))
        .collect()
}

/// The store did not answer as it should, or a file of it is damaged.
pub(super) fn unreachable(place: &Place, error: &object_store::Error) -> Diagnostic {
    if let Some(damaged) = Damaged::find(error) {
        return damaged.diagnostic();
    }
    let at = format!("{}{}", place.placement.url, place.folder);
    let (kind, why) = match error {
        object_store::Error::NotFound { .. } => (Kind::Unavailable, "it is not there"),
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            (Kind::Unavailable, "access is refused")
        }
        _ => (Kind::Unavailable, "the store does not answer"),
    };
    Diagnostic::error(kind, format!("cannot read `{at}`: {why} ({error})"))
        .hint("check that the bucket or folder exists and that the configured credentials may list and read it")
}

fn ends_with(key: &Path, endings: &[&str]) -> bool {
    let key = key.as_ref().to_ascii_lowercase();
    endings.iter().any(|ending| key.ends_with(ending))
}

fn is_data(place: &Place, key: &Path, endings: &[&str]) -> bool {
    let Some(mut below) = key.prefix_match(&place.folder) else { return false };
    // A partition column may well start with an underscore.
    let hidden = below
        .any(|part| part.as_ref().starts_with('.') || part.as_ref().starts_with('_') && !part.as_ref().contains('='));
    !hidden && if place.pattern.is_some() { place.admits(key) } else { ends_with(key, endings) }
}

/// Hive's name for NULL.
const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";

fn partition_values(place: &Place, key: &Path, partitions: &[&Column]) -> Result<Vec<ScalarValue>> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let below: Vec<_> = key.prefix_match(&place.placement.prefix).into_iter().flatten().collect();
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    for part in below.iter().rev().skip(1) {
        if let Some((name, value)) = part.as_ref().split_once('=') {
            given.entry(decoded(place, name)).or_insert_with(|| decoded(place, value));
        }
    }
    let invalid = |what: String| {
        Diagnostic::error(Kind::Invalid, format!("`{}` {what}", place.relative(key)))
            .hint("correct `partitioned` and the type of the column in the contract, or move the file")
    };
    let value = |column: &&Column| {
        let name = &column.physical_name;
        let text = given.get(name).ok_or_else(|| invalid(format!("is not in a folder `{name}=…`")))?;
        if text == NULL_FOLDER {
            return ScalarValue::try_from(&column.data_type).map_err(|error| invalid(error.to_string()));
        }
        let promised = type_name(&column.data_type);
        let wrong = || invalid(format!("is in the folder `{name}={text}`, but the contract promises {promised}"));
        let value = ScalarValue::try_from_string(text.clone(), &column.data_type).map_err(|_| wrong())?;
        if value.is_null() { Err(wrong()) } else { Ok(value) }
    };
    partitions.iter().map(value).collect()
}

/// Writers of partitions percent-encode folder names; the local store encodes their `%` once more.
fn decoded(place: &Place, text: &str) -> String {
    let once = |text: String| percent(&text).unwrap_or(text);
    let decoded = once(text.to_owned());
    if place.placement.url.scheme() == "local" { once(decoded) } else { decoded }
}

fn percent(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}

/// How one format reads a choice of files.
#[async_trait::async_trait]
pub(super) trait Read: Send + Sync + fmt::Debug {
    /// `projection` counts columns of the table: those of the files, then the partition columns. `filters` may serve to skip what
    /// they are not TRUE for; they are applied above.
    async fn read(
        &self,
        state: &dyn Session,
        files: Vec<DataFile>,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>>;
}

/// A snapshot: the files are those that were there, and checked, when it was opened.
#[derive(Debug)]
pub(super) struct FileTable {
    files: Arc<Vec<DataFile>>,
    schema: SchemaRef,
    partitions: SchemaRef,
    reader: Arc<dyn Read>,
    damaged: Damages,
}

impl FileTable {
    /// `columns` are those that stand in the files.
    pub(super) fn new(
        files: Vec<DataFile>,
        columns: &SchemaRef,
        partitions: &[&Column],
        reader: Arc<dyn Read>,
    ) -> Self {
        let partitions = partition_fields(partitions);
        let schema = Schema::new(
            columns.fields().iter().cloned().chain(partitions.iter().map(|f| Arc::new(f.clone()))).collect::<Vec<_>>(),
        );
        let (schema, partitions) = (Arc::new(schema), Arc::new(Schema::new(partitions)));
        Self { files: Arc::new(files), schema, partitions, reader, damaged: Damages::default() }
    }

    /// Some of the files may be unreadable.
    pub(super) fn with_damaged(self, damaged: Damages) -> Self {
        Self { damaged, ..self }
    }

    fn is_about_partitions(&self, filter: &Expr) -> bool {
        let names: Vec<&str> = self.partitions.fields().iter().map(|f| f.name().as_str()).collect();
        !names.is_empty() && expr_applicable_for_cols(&names, filter)
    }

    /// The files in whose folders `filters` may be TRUE, and are if they name nothing but partitions.
    fn chosen(&self, state: &dyn Session, filters: &[Expr]) -> PlanResult<Vec<DataFile>> {
        let mut files = self.chosen_by_folder(state, filters)?;
        // Those about partitions alone were asked already.
        let others: Vec<Expr> = filters.iter().filter(|filter| !self.is_about_partitions(filter)).cloned().collect();
        let mut left_out = LeftOut::new(&others, &self.schema, self.partitions.fields())?;
        files.retain(|file| !left_out.is(&file.values));
        Ok(files)
    }

    fn chosen_by_folder(&self, state: &dyn Session, filters: &[Expr]) -> PlanResult<Vec<DataFile>> {
        let about: Vec<Expr> = filters.iter().filter(|f| self.is_about_partitions(f)).cloned().collect();
        let Some(filter) = conjunction(about) else { return Ok(self.files.as_ref().clone()) };
        let columns = (0..self.partitions.fields().len())
            .map(|i| ScalarValue::iter_to_array(self.files.iter().filter_map(|f| f.values.get(i).cloned())))
            .collect::<PlanResult<Vec<_>>>()?;
        let folders = RecordBatch::try_new(Arc::clone(&self.partitions), columns)?;
        let schema = DFSchema::try_from(Arc::clone(&self.partitions))?;
        let kept = state.create_physical_expr(filter, &schema)?.evaluate(&folders)?.into_array(self.files.len())?;
        let kept = kept.as_boolean().iter();
        Ok(self.files.iter().zip(kept).filter(|(_, keep)| *keep == Some(true)).map(|(file, _)| file.clone()).collect())
    }
}

pub(super) fn partition_fields(partitions: &[&Column]) -> Vec<Field> {
    partitions.iter().map(|c| Field::new(&c.physical_name, c.data_type.clone(), true)).collect()
}

/// Deals files to at most `count` groups of about equal bytes.
pub(super) fn deal(files: Vec<DataFile>, count: usize) -> Vec<Vec<DataFile>> {
    let total: u64 = files.iter().map(|f| f.meta.size).sum();
    let share = total.div_ceil(u64::try_from(count.max(1)).unwrap_or(1)).max(1);
    let mut groups: Vec<Vec<DataFile>> = Vec::new();
    let mut taken = share;
    for file in files {
        if taken >= share && groups.len() < count.max(1) {
            groups.push(Vec::new());
            taken = 0;
        }
        taken = taken.saturating_add(file.meta.size.max(1));
        if let Some(group) = groups.last_mut() {
            group.push(file);
        }
    }
    groups
}

#[async_trait::async_trait]
impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        let exact = filters.iter().map(|filter| self.is_about_partitions(filter));
        let answer =
            |exact| if exact { TableProviderFilterPushDown::Exact } else { TableProviderFilterPushDown::Inexact };
        Ok(exact.map(answer).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let mut files = self.chosen(state, filters)?;
        files.retain(|file| Choice::admits(state, &file.meta.location));
        if Choice::is_noted(state) {
            // Nothing is read; a survey reads each file for itself.
            files.retain(|file| self.damaged.of(&file.meta.location).is_none());
        }
        if let Some(damaged) = files.iter().find_map(|file| self.damaged.of(&file.meta.location)) {
            return Err(DataFusionError::External(Box::new(damaged.clone())));
        }
        if files.is_empty() {
            let schema = match projection {
                Some(indices) => Arc::new(self.schema.project(indices)?),
                None => Arc::clone(&self.schema),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        // The limit counts rows after filters; those the files cannot promise are applied above.
        let limit = limit.filter(|_| filters.iter().all(|f| self.is_about_partitions(f)));
        self.reader.read(state, files, projection, filters, limit).await
    }
}

/// The columns of `dataset` that stand in its files, without repetition, as the contract promises them.
pub(super) fn file_schema(dataset: &Dataset, promised: impl Fn(&Column) -> DataType) -> SchemaRef {
    let mut fields: Vec<Field> = Vec::new();
    for column in dataset.columns.iter().filter(|c| c.partition_key.is_none()) {
        if !fields.iter().any(|f| f.name() == &column.physical_name) {
            fields.push(Field::new(&column.physical_name, promised(column), true));
        }
    }
    Arc::new(Schema::new(fields))
}
