//! Admitted execution → scrubbed batches.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;

use super::egress::scrub;
use super::failure::diagnose_run;
use super::handover::Handover;
use crate::diagnostic::Result;
use crate::engine::{Workers, rechunked};
use crate::govern::AdmittedExecution;

/// Runs a plan on the workers without collecting it. Dropping the stream ends the work below it.
///
/// Partitions end in short batches, and how rows were dealt to partitions follows files, hidden rows among them: the merged
/// result is cut anew, so that batch boundaries tell of nothing but the number of rows shown.
pub(in crate::query) fn run(
    execution: &AdmittedExecution,
    context: Arc<TaskContext>,
    wire: SchemaRef,
    workers: &Workers,
) -> Result<Handover> {
    let rows = context.session_config().batch_size();
    let pool = Arc::clone(context.memory_pool());
    // Operators start tasks of their own while they are executed.
    let entered = workers.handle().enter();
    let merged =
        execute_stream(Arc::clone(execution.plan()), Arc::clone(&context)).map_err(|error| diagnose_run(&error))?;
    let schema = nullable(&merged.schema());
    drop(entered);
    let scrubbed = rechunked(merged, schema, rows).map(move |batch| {
        // Dropped with the stream: what the statement reserved is given back.
        let _held = &context;
        let batch = batch.map_err(|error| diagnose_run(&error))?;
        scrub(&batch, &wire)
    });
    Ok(Handover::start(workers, &pool, scrubbed.boxed()))
}

/// What the engine says of nullability is not relied on; the wire's own schema is checked when a batch is scrubbed.
fn nullable(schema: &Schema) -> SchemaRef {
    Arc::new(Schema::new(
        schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>(),
    ))
}
