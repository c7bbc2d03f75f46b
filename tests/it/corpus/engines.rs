//! The two that are asked: DataFusion itself, with nothing of ours, and the gateway through a Flight SQL client.

use arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::{SessionConfig, SessionContext};
use sqllogictest::{AsyncDB, DBOutput, MakeConnection, Runner, strict_column_validator};

use super::render::{Decimals, Letter, letters, rows};
use crate::harness::wire::Recorded;

/// What went wrong, for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failed(String);

fn failed(error: impl std::fmt::Display) -> Failed {
    Failed(error.to_string())
}

/// A session of DataFusion with no tables, and the options that decide how SQL is read and rows are ordered set as ours.
pub fn bare() -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(2);
    let options = config.options_mut();
    options.sql_parser.collect_spans = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    SessionContext::new_with_config(config)
}

/// DataFusion in this process.
#[derive(Clone)]
pub struct InProcess(pub SessionContext, pub Decimals);

/// The gateway behind its socket.
#[derive(Clone)]
pub struct ThroughGateway(pub Recorded, pub Decimals);

#[async_trait::async_trait]
impl AsyncDB for InProcess {
    type Error = Failed;
    type ColumnType = Letter;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<Letter>, Failed> {
        let (context, sql) = (self.0.clone(), sql.to_owned());
        // What panics in the engine fails as what it refuses.
        let asked = tokio::spawn(async move {
            let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
            let frame = context.sql_with_options(&sql, options).await?;
            let letters = letters(frame.schema().as_arrow());
            Ok::<_, DataFusionError>((letters, frame.collect().await?))
        });
        let (types, batches) = asked.await.map_err(failed)?.map_err(failed)?;
        Ok(output(types, &batches, self.1))
    }

    fn engine_name(&self) -> &'static str {
        "DataFusion"
    }

    async fn shutdown(&mut self) {}
}

#[async_trait::async_trait]
impl AsyncDB for ThroughGateway {
    type Error = Failed;
    type ColumnType = Letter;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<Letter>, Failed> {
        let (schema, batches) = self.0.fetch_typed(sql).await.map_err(failed)?;
        Ok(output(letters(&schema), &batches, self.1))
    }

    fn engine_name(&self) -> &'static str {
        "DataFusion"
    }

    async fn shutdown(&mut self) {}
}

fn output(types: Vec<Letter>, batches: &[RecordBatch], decimals: Decimals) -> DBOutput<Letter> {
    if types.is_empty() {
        DBOutput::StatementComplete(0)
    } else {
        DBOutput::Rows { types, rows: rows(batches, decimals) }
    }
}

/// Compares as DataFusion's own runner does: types count, blanks at the end of a line do not.
pub fn runner<D: AsyncDB<ColumnType = Letter> + Clone + Send>(
    engine: D,
) -> Runner<D, impl MakeConnection<Conn = D, MakeFuture: Send>> {
    let mut runner = Runner::new(move || std::future::ready(Ok(engine.clone())));
    runner.with_column_validator(strict_column_validator);
    runner.with_normalizer(|text| text.trim_end().to_owned());
    runner.with_validator(|normalizer, actual, expected| {
        let actual = actual.iter().map(|row| row.join(" ").trim_end().to_owned());
        actual.eq(expected.iter().map(normalizer))
    });
    runner
}
