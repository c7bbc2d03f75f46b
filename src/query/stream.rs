//! Admitted execution → scrubbed batches.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::Egress;
use super::egress::scrub;
use super::failure::diagnose;
use crate::diagnostic::Result;
use crate::govern::AdmittedExecution;

/// Runs a plan without collecting it. Dropping the stream ends the work below it.
pub(in crate::query) fn run(
    execution: &AdmittedExecution,
    context: Arc<TaskContext>,
    wire: SchemaRef,
) -> Result<BoxStream<'static, Result<Egress<RecordBatch>>>> {
    let batches = execute_stream(Arc::clone(execution.plan()), context).map_err(|error| diagnose(&error, None))?;
    let scrubbed = batches.map(move |batch| {
        let batch = batch.map_err(|error| diagnose(&error, None))?;
        scrub(&batch, &wire)
    });
    Ok(scrubbed.boxed())
}
