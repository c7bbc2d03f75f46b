//! From SQL text to a stream of batches.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::{FlightInfo, Ticket};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use super::connect::Client;
use super::failure;
use crate::diagnostic::{Diagnostic, Result};

/// The rows of one statement, as they arrive. Dropping it resets the stream, and the server stops working.
pub struct Rows {
    schema: SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch>>,
}

impl Rows {
    /// The Arrow schema that every batch has; without fields for a statement that answers nothing.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The next batch, or `None` at the end.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        self.batches.next().await
    }

    /// All batches at once: for results known to be small.
    ///
    /// # Errors
    /// The first failure of the stream.
    pub async fn collect(self) -> Result<Vec<RecordBatch>> {
        self.batches.try_collect().await
    }
}

impl Client {
    /// Plans one statement and opens its result.
    ///
    /// # Errors
    /// What the server says about the statement; failures while rows are made come from [`Rows::next`].
    pub async fn execute(&self, sql: &str) -> Result<Rows> {
        let info = self.flight().execute(sql.to_owned(), None).await.map_err(failure::from_flight)?;
        self.redeem(info).await
    }

    /// Reads the endpoints one after the other from this same server, wherever they say they are.
    pub(super) async fn redeem(&self, info: FlightInfo) -> Result<Rows> {
        let declared = if info.schema.is_empty() { None } else { Some(info.clone().try_decode_schema()) };
        let tickets: Vec<Ticket> = info.endpoint.into_iter().filter_map(|endpoint| endpoint.ticket).collect();
        let client = self.clone();
        let mut batches = stream::iter(tickets)
            .then(move |ticket| {
                let client = client.clone();
                async move {
                    let batches = client.flight().do_get(ticket).await.map_err(failure::from_flight)?;
                    Ok::<_, Diagnostic>(batches.map_err(failure::from_flight))
                }
            })
            .try_flatten()
            .boxed();
        if let Some(declared) = declared {
            let schema = declared.map_err(|error| failure::unreadable(&error.to_string()))?;
            return Ok(Rows { schema: Arc::new(schema), batches });
        }
        // A server may leave the schema out of its answer; then the first batch has it.
        let first = batches.try_next().await?;
        let schema = first.as_ref().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
        Ok(Rows { schema, batches: stream::iter(first.map(Ok)).chain(batches).boxed() })
    }
}
