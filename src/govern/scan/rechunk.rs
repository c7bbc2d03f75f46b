//! Batches of one size, whatever size they came in: their boundaries follow what is shown, not row groups.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};
use futures::{StreamExt, stream};

/// Re-chunks a stream into full batches of the given schema, which has the stream's types.
///
/// Arrow's coalescer without its bypass for large batches: with it, frames as large as row groups came out.
pub(super) fn rechunked(input: SendableRecordBatchStream, schema: SchemaRef, rows: usize) -> SendableRecordBatchStream {
    let coalescer = BatchCoalescer::new(Arc::clone(&schema), rows);
    let declared = Arc::clone(&schema);
    let batches = stream::try_unfold((input, coalescer, false), move |(mut input, mut coalescer, mut ended)| {
        let schema = Arc::clone(&schema);
        async move {
            loop {
                if let Some(batch) = coalescer.next_completed_batch() {
                    return Ok(Some((batch, (input, coalescer, ended))));
                }
                if ended {
                    return Ok(None);
                }
                let Some(batch) = input.next().await else {
                    coalescer.finish_buffered_batch()?;
                    ended = true;
                    continue;
                };
                let batch = relabelled(&batch?, &schema)?;
                // A batch of just the size, with nothing before it, need not be copied.
                if batch.num_rows() == rows && coalescer.is_empty() {
                    return Ok(Some((batch, (input, coalescer, ended))));
                }
                coalescer.push_batch(batch)?;
            }
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(declared, batches))
}

fn relabelled(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), batch.columns().to_vec(), &options)?)
}

/// [`rechunked`] as a step of a plan, so that what is dealt out round-robin are batches of one size.
#[derive(Debug)]
pub(super) struct Rechunk {
    input: Arc<dyn ExecutionPlan>,
    rows: usize,
}

impl Rechunk {
    pub fn new(input: Arc<dyn ExecutionPlan>, rows: usize) -> Self {
        Self { input, rows }
    }
}

impl DisplayAs for Rechunk {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rechunk")
    }
}

impl ExecutionPlan for Rechunk {
    fn name(&self) -> &'static str {
        "Rechunk"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(match children.into_iter().next() {
            Some(input) => Arc::new(Self { input, rows: self.rows }),
            None => self,
        })
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        Ok(rechunked(self.input.execute(partition, context)?, self.input.schema(), self.rows))
    }
}
