//! What a file reader may apply in the place of a filter.
//!
//! DataFusion decides against a table's types that a reader applies a condition, takes it out of the plan's filter, and lets the reader
//! drop it where a file's own types do not allow it after all: the condition vanishes, without an error (its issues 24109 and 25268).
//! Only one case is proven to hold for each file: whole columns, of types without members, in Parquet files whose types were compared
//! with the contract's when they were opened. Conditions over anything else stay in a filter above the reader.

use std::any::type_name;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::datasource::physical_plan::{FileSource as _, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::{CastExpr, Column, TryCastExpr};
use datafusion::physical_expr::{PhysicalExpr, conjunction, split_conjunction};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

/// The engine's own pushdown of filters, for conditions that [`applied_by`] would find in the reader. It stands in the place of that rule.
#[derive(Debug)]
pub(in crate::engine) struct ExactPushdown(FilterPushdown);

impl ExactPushdown {
    pub fn new() -> Self {
        Self(FilterPushdown::new())
    }
}

impl PhysicalOptimizerRule for ExactPushdown {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let held = plan.transform_up(hold).data()?;
        self.0.optimize(held, config)?.transform_up(release).data()
    }

    fn name(&self) -> &'static str {
        "ExactPushdown"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The conditions that a leaf applies to each row of each file itself.
pub fn applied_by(leaf: &dyn ExecutionPlan) -> Vec<Arc<dyn PhysicalExpr>> {
    let Some(reader) = exact_reader(leaf).filter(|reader| reader.table_parquet_options().global.pushdown_filters)
    else {
        return Vec::new();
    };
    let schema = reader.table_schema().table_schema();
    let predicate = reader.filter();
    let parts = predicate.iter().flat_map(split_conjunction);
    parts.filter(|part| is_over_whole_columns(part, schema)).map(Arc::clone).collect()
}

/// A reader of Parquet files whose types were compared with the table's. One with an adapter of its own, as Delta has, reads files that
/// nobody has compared.
fn exact_reader(node: &dyn ExecutionPlan) -> Option<&ParquetSource> {
    let (config, reader) = node.downcast_ref::<DataSourceExec>()?.downcast_to_file_source::<ParquetSource>()?;
    config.expr_adapter_factory.is_none().then_some(reader)
}

/// True for a condition over what the reader right below hands up as whole columns.
fn is_exact(condition: &Arc<dyn PhysicalExpr>, input: &dyn ExecutionPlan) -> Result<bool> {
    if exact_reader(input).is_some() {
        return Ok(is_over_whole_columns(condition, &input.schema()));
    }
    let Some(projection) = input.downcast_ref::<ProjectionExec>() else { return Ok(false) };
    let mut renamed = true;
    let below = Arc::clone(condition).transform_up(|part| {
        let Some(column) = part.downcast_ref::<Column>() else { return Ok(Transformed::no(part)) };
        let below = projection.expr().get(column.index()).map(|projected| &projected.expr);
        let below = below.filter(|below| below.is::<Column>()).map(Arc::clone);
        renamed &= below.is_some();
        Ok(below.map_or_else(|| Transformed::no(part), Transformed::yes))
    });
    Ok(renamed && is_exact(&below.data()?, projection.input().as_ref())?)
}

/// True for a condition over columns without members as they are, not as they are cast.
fn is_over_whole_columns(condition: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    let mut whole = true;
    let looked = condition.apply(|part| {
        let is_cast = part.is::<CastExpr>() || part.is::<TryCastExpr>();
        let is_nested = part.downcast_ref::<Column>().is_some_and(|column| {
            schema.fields().get(column.index()).is_none_or(|field| field.data_type().is_nested())
        });
        whole = !is_cast && !is_nested;
        Ok(if whole { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    whole && looked.is_ok()
}

/// Puts what a reader is not proven to apply where no pushdown looks.
fn hold(node: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let Some(filter) = node.downcast_ref::<FilterExec>() else { return Ok(Transformed::no(node)) };
    let input = Arc::clone(filter.input());
    let (mut pushed, mut kept) = (Vec::new(), Vec::new());
    for part in split_conjunction(filter.predicate()) {
        let parts = if is_exact(part, input.as_ref())? { &mut pushed } else { &mut kept };
        parts.push(Arc::clone(part));
    }
    if kept.is_empty() {
        return Ok(Transformed::no(node));
    }
    let below: Arc<dyn ExecutionPlan> = if pushed.is_empty() {
        input
    } else {
        Arc::new(FilterExecBuilder::new(conjunction(pushed), input).with_batch_size(filter.batch_size()).build()?)
    };
    let predicate = conjunction(kept);
    Ok(Transformed::yes(Arc::new(HoldExec { predicate, filter: Arc::clone(&node), input: below })))
}

fn release(node: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let Some(held) = node.downcast_ref::<HoldExec>() else { return Ok(Transformed::no(node)) };
    let Some(filter) = held.filter.downcast_ref::<FilterExec>() else {
        return Err(DataFusionError::Internal(format!("{} holds no filter", type_name::<HoldExec>())));
    };
    let kept = FilterExecBuilder::from(filter).with_predicate(Arc::clone(&held.predicate));
    Ok(Transformed::yes(Arc::new(kept.with_input(Arc::clone(&held.input)).build()?)))
}

/// A filter while other filters are pushed past it. The default of a plan node lets none through.
#[derive(Debug)]
struct HoldExec {
    predicate: Arc<dyn PhysicalExpr>,
    filter: Arc<dyn ExecutionPlan>,
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for HoldExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ExecutionPlan for HoldExec {
    fn name(&self) -> &'static str {
        "HoldExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.filter.properties()
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
        Ok(Arc::new(Self { predicate: Arc::clone(&self.predicate), filter: Arc::clone(&self.filter), input }))
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        Err(DataFusionError::Internal("a filter is held only while a plan is made".to_owned()))
    }
}
