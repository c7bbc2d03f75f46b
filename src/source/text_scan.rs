//! Reads files of text: records of one share of the files become batches, with a marker beside each value that may be broken.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{ArrayRef, AsArray as _, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::DataFusionError;
use datafusion::error::Result as PlanResult;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::ObjectStore;
use object_store::path::Path;
use url::Url;

use super::damaged::Damaged;
use super::delimited::CsvRecords;
use super::files::{self, DataFile, Read};
use super::json::JsonRecords;
use super::pins::Pins;
use super::text::{Records, TextFormat, pinned, text_of};
use crate::contract::{Column, TextLayout};

#[derive(Debug)]
pub(super) struct Shape {
    pub format: TextFormat,
    pub layout: Arc<TextLayout>,
    pub columns: Vec<Column>,
    pub headers: HashMap<Path, Arc<Vec<String>>>,
}

impl Shape {
    /// A decoder of one file that fills only `wanted` columns.
    fn records(&self, key: &Path, wanted: &[bool]) -> Box<dyn Records> {
        let columns: Vec<Column> =
            self.columns.iter().zip(wanted).filter(|(_, wanted)| **wanted).map(|(c, _)| c.clone()).collect();
        match self.format {
            TextFormat::Json => Box::new(JsonRecords::new(columns, self.layout.marks)),
            TextFormat::Csv => {
                let header = self.headers.get(key).map(Arc::clone).unwrap_or_default();
                Box::new(CsvRecords::new(&columns, Some(header), &self.layout))
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Reader {
    pub url: ObjectStoreUrl,
    pub shape: Arc<Shape>,
    /// Columns in the files, then markers.
    pub schema: SchemaRef,
    pub partitions: Vec<Field>,
    pub pins: Arc<Pins>,
}

#[async_trait::async_trait]
impl Read for Reader {
    async fn read(
        &self,
        state: &dyn Session,
        files: Vec<DataFile>,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let fields: Vec<Field> =
            self.schema.fields().iter().map(|f| f.as_ref().clone()).chain(self.partitions.iter().cloned()).collect();
        let output = projection.cloned().unwrap_or_else(|| (0..fields.len()).collect());
        let schema = Arc::new(Schema::new(fields).project(&output)?);
        let store = state.runtime_env().object_store(&self.url)?;
        let url: &Url = self.url.as_ref();
        let store = pinned(store, &self.pins, url);
        let streams = files::deal(files, state.config().target_partitions()).into_iter().map(|files| {
            Arc::new(Part {
                files,
                store: Arc::clone(&store),
                pins: Arc::clone(&self.pins),
                shape: Arc::clone(&self.shape),
                output: output.clone(),
                schema: Arc::clone(&schema),
            }) as Arc<dyn PartitionStream>
        });
        Ok(Arc::new(StreamingTableExec::try_new(Arc::clone(&schema), streams.collect(), None, [], false, limit)?))
    }
}

/// One share of the files.
#[derive(Clone)]
struct Part {
    files: Vec<DataFile>,
    store: Arc<dyn ObjectStore>,
    pins: Arc<Pins>,
    shape: Arc<Shape>,
    output: Vec<usize>,
    schema: SchemaRef,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Part({} files)", self.files.len())
    }
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = context.session_config().batch_size().max(1);
        let files = VecDeque::from(self.files.clone());
        let reading = Reading { part: self.clone(), files, file: None, rows };
        let batches = stream::try_unfold(reading, |mut reading| async move {
            let batch = reading.next().await?;
            Ok(batch.map(|batch| (batch, reading)))
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

struct Reading {
    part: Part,
    files: VecDeque<DataFile>,
    file: Option<OpenFile>,
    rows: usize,
}

struct OpenFile {
    file: DataFile,
    bytes: BoxStream<'static, object_store::Result<Bytes>>,
    pending: Bytes,
    records: Box<dyn Records>,
    ended: bool,
    /// Records in the batches before.
    done: usize,
}

impl Reading {
    /// The next batch with rows; a batch never spans files, whose partition values differ.
    async fn next(&mut self) -> PlanResult<Option<RecordBatch>> {
        loop {
            let Some(open) = &mut self.file else {
                let Some(file) = self.files.pop_front() else { return Ok(None) };
                let bytes = text_of(Arc::clone(&self.part.store), file.meta.location.clone(), &self.part.shape.layout);
                let records = self.part.shape.records(&file.meta.location, &self.part.wanted());
                self.file = Some(OpenFile { file, bytes, pending: Bytes::new(), records, ended: false, done: 0 });
                continue;
            };
            while !open.ended && !open.records.cells().is_full(self.rows) {
                if open.pending.is_empty() {
                    if let Some(chunk) = open.bytes.next().await {
                        open.pending = chunk.map_err(|e| DataFusionError::ObjectStore(Box::new(e)))?;
                    } else {
                        open.records.decode(&[], usize::MAX);
                        open.ended = true;
                    }
                }
                if !open.pending.is_empty() {
                    let used = open.records.decode(&open.pending, self.rows);
                    open.pending = open.pending.slice(used..);
                }
                if let Some(why) = open.records.fault() {
                    let damaged = Damaged::file(&open.file.meta.location, why);
                    return Err(DataFusionError::External(Box::new(damaged)));
                }
                if open.records.is_foreign() {
                    let replaced = self.part.pins.replaced(&open.file.meta.location);
                    return Err(DataFusionError::External(Box::new(replaced)));
                }
            }
            let rows = open.records.cells().rows();
            let values = if rows > 0 { Some(self.part.batch(open)?) } else { None };
            if open.ended {
                self.file = None;
            }
            if values.is_some() {
                return Ok(values);
            }
        }
    }
}

impl Part {
    /// Which columns of the files must be decoded: those asked for, and those whose markers are.
    fn wanted(&self) -> Vec<bool> {
        let columns = &self.shape.columns;
        let mut wanted = vec![false; columns.len()];
        let mut at = columns.len();
        for (i, column) in columns.iter().enumerate() {
            let markers = at..at + column.leaves().len();
            at = markers.end;
            if let Some(wanted) = wanted.get_mut(i) {
                *wanted = self.output.iter().any(|o| *o == i || markers.contains(o));
            }
        }
        wanted
    }

    /// Tells the operator where the first broken value stands that was met since the files were looked at.
    fn note_broken(&self, open: &OpenFile, markers: &[Option<ArrayRef>]) {
        let leaves = self.shape.columns.iter().flat_map(Column::leaves);
        for ((path, _), marker) in leaves.zip(markers) {
            let marker = marker.as_ref().and_then(|marker| marker.as_boolean_opt());
            let Some(row) = marker.and_then(|marker| marker.iter().position(|broken| broken == Some(true))) else {
                continue;
            };
            if self.pins.note_broken() {
                let (file, record) = (&open.file.meta.location, open.done + row + 1);
                tracing::warn!(target: "meshgate::product", %file, record, column = %path, "a value is not as its contract promises");
            }
            return;
        }
    }

    fn batch(&self, open: &mut OpenFile) -> PlanResult<RecordBatch> {
        let rows = open.records.cells().rows();
        let mut decoded = open.records.cells().finish()?.into_iter();
        let columns = &self.shape.columns;
        // Table columns → arrays; what was not decoded stays empty and is not asked for.
        let mut values: Vec<Option<ArrayRef>> = Vec::new();
        let mut markers: Vec<Option<ArrayRef>> = Vec::new();
        for (column, wanted) in columns.iter().zip(self.wanted()) {
            let leaves = column.leaves().len();
            if let (true, Some((value, drift))) = (wanted, if wanted { decoded.next() } else { None }) {
                values.push(Some(value));
                markers.extend(drift.into_iter().map(Some));
            } else {
                values.push(None);
                markers.extend(std::iter::repeat_n(None, leaves));
            }
        }
        self.note_broken(open, &markers);
        open.done += rows;
        values.append(&mut markers);
        for value in &open.file.values {
            values.push(Some(value.to_array_of_size(rows)?));
        }
        let output = self.output.iter().map(|i| {
            let value = values.get(*i).cloned().flatten();
            value.ok_or_else(|| DataFusionError::Internal("a column was not decoded".to_owned()))
        });
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), output.collect::<PlanResult<_>>()?, &options)?)
    }
}
