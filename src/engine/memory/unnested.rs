//! Lists that become rows.
//!
//! The engine copies what stands beside a list once for each of its elements, and reserves nothing. One row is not divided, however long
//! its list is. So the copies of a batch are reserved before the operator gets it.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt as _;

use crate::engine::calls::bytes_between;

/// How often a copied row is there: as it is made, and as the next operator has it.
const COPIES: u64 = 2;

/// The input of an operator that makes rows of lists, with a reservation for these rows.
pub(super) fn reserving(unnest: &UnnestExec) -> Arc<dyn ExecutionPlan> {
    let lists = unnest.list_column_indices().iter().map(|list| list.index_in_input_schema).collect();
    Arc::new(UnnestInputExec { input: Arc::clone(unnest.input()), lists })
}

#[derive(Debug)]
struct UnnestInputExec {
    input: Arc<dyn ExecutionPlan>,
    /// Columns whose elements become rows.
    lists: Vec<usize>,
}

impl DisplayAs for UnnestInputExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ExecutionPlan for UnnestInputExec {
    fn name(&self) -> &'static str {
        "UnnestInputExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
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

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else { return Ok(self) };
        Ok(Arc::new(Self { input, lists: self.lists.clone() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows_at_once = context.session_config().batch_size() as u64;
        let reservation = MemoryConsumer::new("rows of lists").register(context.memory_pool());
        let input = self.input.execute(partition, context)?;
        let (schema, lists) = (input.schema(), self.lists.clone());
        let batches = input.map(move |batch| {
            let batch = batch?;
            let bytes = copied_bytes(&batch, &lists, rows_at_once).saturating_mul(COPIES);
            reservation.try_resize(usize::try_from(bytes).unwrap_or(usize::MAX))?;
            Ok::<_, DataFusionError>(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

/// Bytes that one step makes of the batch at most: of as many rows as are made at once, or of all that one row becomes.
fn copied_bytes(batch: &RecordBatch, lists: &[usize], rows_at_once: u64) -> u64 {
    let columns = batch.columns().iter().enumerate();
    let (unnested, beside): (Vec<_>, Vec<_>) = columns.partition(|(at, _)| lists.contains(at));
    let (mut all, mut widest, mut of_one) = (0_u64, 0, 0);
    for row in 0..batch.num_rows() {
        let size = |(_, column): &(usize, &ArrayRef)| bytes_between(column.as_ref(), row, row + 1);
        let bytes = beside.iter().map(size).fold(0, u64::saturating_add);
        let length = unnested.iter().map(|(_, list)| length(list, row)).max().unwrap_or(1);
        let copied = bytes.saturating_mul(length);
        (all, widest, of_one) = (all.saturating_add(copied), bytes.max(widest), copied.max(of_one));
    }
    all.min(of_one.max(rows_at_once.saturating_mul(widest)))
}

fn length(list: &ArrayRef, row: usize) -> u64 {
    if list.is_null(row) {
        return 1;
    }
    let length = match list.data_type() {
        DataType::List(_) => usize::try_from(list.as_list::<i32>().value_length(row)).unwrap_or(0),
        DataType::LargeList(_) => usize::try_from(list.as_list::<i64>().value_length(row)).unwrap_or(0),
        DataType::FixedSizeList(_, size) => usize::try_from(*size).unwrap_or(0),
        DataType::ListView(_) => list.as_list_view::<i32>().value_size(row).try_into().unwrap_or(0),
        DataType::LargeListView(_) => list.as_list_view::<i64>().value_size(row).try_into().unwrap_or(0),
        _ => 1,
    };
    length as u64
}

#[cfg(test)]
mod tests {
    use arrow::array::{ListArray, StringArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn copies_follow_lists() {
        let list = |length: i32| Some((0..length).map(Some).collect::<Vec<_>>());
        let lists: ArrayRef =
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([list(1_000), None, list(10)]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["four", "eight wd", "0123456789"]));
        let batch = RecordBatch::try_from_iter([("l", lists), ("s", texts)]).unwrap();
        let all = 4 * 1_000 + 8 + 10 * 10;
        assert_eq!(copied_bytes(&batch, &[0], 8_192), all);
        assert_eq!(copied_bytes(&batch, &[0], 100), 4 * 1_000, "one row is not divided");
        assert_eq!(copied_bytes(&batch, &[0], 402), 402 * 10);
        assert_eq!(copied_bytes(&batch.slice(2, 1), &[0], 1), 100);
    }
}
