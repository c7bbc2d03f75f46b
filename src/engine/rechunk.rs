//! Batches of one size, whatever size they came in.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};

/// Re-chunks a stream into full batches of the given schema, which has the stream's types.
///
/// Arrow's coalescer without its bypass for large batches: with it, frames as large as row groups came out.
pub fn rechunked(input: SendableRecordBatchStream, schema: SchemaRef, rows: usize) -> SendableRecordBatchStream {
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
