//! Admitted execution → scrubbed batches.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::Egress;
use super::egress::scrub;
use super::failure::diagnose;
use crate::diagnostic::Result;
use crate::engine::rechunked;
use crate::govern::AdmittedExecution;

/// Runs a plan without collecting it. Dropping the stream ends the work below it.
///
/// Partitions end in short batches, and how rows were dealt to partitions follows files, hidden rows among them: the merged
/// result is cut anew, so that batch boundaries tell of nothing but the number of rows shown.
pub(in crate::query) fn run(
    execution: &AdmittedExecution,
    context: Arc<TaskContext>,
    wire: SchemaRef,
) -> Result<BoxStream<'static, Result<Egress<RecordBatch>>>> {
    let rows = context.session_config().batch_size();
    let merged = execute_stream(Arc::clone(execution.plan()), context).map_err(|error| diagnose(&error))?;
    let schema = nullable(&merged.schema());
    let scrubbed = rechunked(merged, schema, rows).map(move |batch| {
        let batch = batch.map_err(|error| diagnose(&error))?;
        scrub(&batch, &wire)
    });
    Ok(scrubbed.boxed())
}

/// What the engine says of nullability is not relied on; the wire's own schema is checked when a batch is scrubbed.
fn nullable(schema: &Schema) -> SchemaRef {
    Arc::new(Schema::new(
        schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>(),
    ))
}
