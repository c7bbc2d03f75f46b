//! Projections in pieces.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::ScalarUDF;
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use futures::TryStreamExt as _;

use super::super::call::Pace;
use super::super::sliced::SlicedProjectionExec;
use super::{SINGLE, bounded, control};
use crate::engine::StatementControl;

/// Pieces of a projection of 100 rows that writes each text twice.
async fn doubled(control: &Arc<StatementControl>, pace: Option<Pace>, longest: Duration) -> Vec<RecordBatch> {
    let column: ArrayRef = Arc::new(StringArray::from((0..100).map(|n| format!("{n:0>1000}")).collect::<Vec<_>>()));
    let schema = Arc::new(Schema::new(vec![Field::new("t", DataType::Utf8, true)]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
    let input = MemorySourceConfig::try_new_exec(&[vec![batch.clone()]], Arc::clone(&schema), None).unwrap();
    let call = bounded("concat", control);
    let call = ScalarUDF::new_from_impl(match pace {
        Some(pace) => call.with_pace(pace),
        None => call,
    });
    let column = || Arc::new(Column::new("t", 0)) as _;
    let config = Arc::new(ConfigOptions::default());
    let expr = ScalarFunctionExpr::try_new(Arc::new(call), vec![column(), column()], &schema, config).unwrap();
    let exprs = [ProjectionExpr { expr: Arc::new(expr), alias: "tt".to_owned() }];
    let projection = ProjectionExec::try_new(exprs, input).unwrap();
    let stream = SlicedProjectionExec::that_stops(projection, longest).execute(0, Arc::new(TaskContext::default()));
    stream.unwrap().try_collect().await.unwrap()
}

fn assert_doubled(pieces: &[RecordBatch]) {
    let texts = pieces.iter().flat_map(|piece| {
        let texts = piece.column(0).as_any().downcast_ref::<StringArray>().unwrap().clone();
        (0..texts.len()).map(move |row| texts.value(row).to_owned()).collect::<Vec<_>>()
    });
    assert_eq!(texts.collect::<Vec<_>>(), (0..100).map(|n| format!("{n:0>1000}").repeat(2)).collect::<Vec<_>>());
}

#[tokio::test]
async fn stopped_evaluations_lose_no_row() {
    let pieces = doubled(&control(), Some(SINGLE), Duration::ZERO).await;
    assert!(pieces.len() > 10, "the batch was not divided: {} pieces", pieces.len());
    assert_doubled(&pieces);
}

#[tokio::test]
async fn quick_batches_stay_whole() {
    let pieces = doubled(&control(), None, Duration::MAX).await;
    assert_eq!(pieces.len(), 1);
    assert_doubled(&pieces);
}

#[tokio::test]
async fn little_memory_means_fewer_rows() {
    // Enough for each row, not for all.
    let control = StatementControl::for_tests(100_000);
    let pieces = doubled(&control, None, Duration::MAX).await;
    assert!(pieces.len() > 2, "the batch was not divided: {} pieces", pieces.len());
    assert_doubled(&pieces);
    assert_eq!(control.memory_pool().reserved(), 0);
}
