//! The gate: nothing runs that was not looked at here.
//!
//! INVARIANT: in any plan a product occurs only as a governed table, and outside a governed table the only data are literals, series
//! of numbers or times, and system tables. Node kinds that the engine may add later are refused until somebody reviews them.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::source_as_provider;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::functions_table::generate_series::{Empty, GenerateSeriesTable, GenericSeriesState, TimestampValue};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::explain::ExplainExec;
use datafusion::physical_plan::memory::LazyMemoryExec;
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::work_table::WorkTableExec;

use super::openings::{Openings, Unopened};
use super::scan::ProductScan;
use super::system::SystemTable;
use super::table::GovernedTable;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::engine::calls::{bind_calls, bind_optimized_calls};
use crate::engine::{StatementControl, check_arithmetic};

/// A logical plan that may run for the view it was planned for.
#[derive(Debug, Clone)]
pub struct AdmittedPlan {
    logical: LogicalPlan,
    reads_clock: bool,
}

/// A physical plan that may be executed.
#[derive(Debug)]
pub struct AdmittedExecution(Arc<dyn ExecutionPlan>);

/// Admits a logical plan.
///
/// # Errors
/// `Unsupported` for a node that is not on the list, `Internal` for a table that is not governed.
pub fn admit(logical: LogicalPlan) -> Result<AdmittedPlan> {
    let mut refused = None;
    let mut reads_clock = false;
    let walked = logical.apply_with_subqueries(|node| {
        refused = match node {
            LogicalPlan::TableScan(scan) => match source_as_provider(&scan.source) {
                Ok(provider) => {
                    let any: &dyn Any = provider.as_ref();
                    if let Some(table) = any.downcast_ref::<GovernedTable>() {
                        reads_clock |= table.exposed().reads_clock;
                        None
                    } else if any.is::<SystemTable>() || any.is::<CteWorkTable>() || any.is::<GenerateSeriesTable>() {
                        None
                    } else {
                        Some(ungoverned())
                    }
                }
                Err(_) => Some(ungoverned()),
            },
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Unnest(_)
            | LogicalPlan::RecursiveQuery(_) => None,
            LogicalPlan::Statement(_)
            | LogicalPlan::Extension(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_) => Some(
                Diagnostic::error(Kind::Unsupported, "this statement is not offered")
                    .hint("meshgate is read-only: SELECT, VALUES, EXPLAIN, SHOW and DESCRIBE are offered"),
            ),
        };
        Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match (walked, refused) {
        (Ok(_), None) => Ok(AdmittedPlan { logical, reads_clock }),
        (_, Some(diagnostic)) => Err(diagnostic),
        (Err(_), None) => Err(ungoverned()),
    }
}

impl AdmittedPlan {
    /// True where a policy that applies reads the time: such a plan is made anew for every execution.
    pub fn reads_clock(&self) -> bool {
        self.reads_clock
    }

    pub fn schema(&self) -> arrow::datatypes::SchemaRef {
        Arc::clone(self.logical.schema().inner())
    }

    /// Optimizes in a client session, binding calls that can cost much to the control of the execution; whole numbers do not wrap around. What the optimizer finds to be
    /// empty is not among the products to open.
    ///
    /// # Errors
    /// Those of the optimizer.
    pub fn optimize(&self, state: &SessionState) -> Result<OptimizedPlan, DataFusionError> {
        let checked = check_arithmetic(self.logical.clone())?;
        let logical = match state.config().get_extension::<StatementControl>() {
            Some(control) => {
                let optimized = state.optimize(&bind_calls(&checked, &control)?)?;
                bind_optimized_calls(optimized, &control)?
            }
            None => state.optimize(&checked)?,
        };
        let unopened = unopened(&logical)?;
        Ok(OptimizedPlan { logical, unopened })
    }
}

/// The products of a plan, in each of its subqueries, each once.
fn unopened(logical: &LogicalPlan) -> Result<Vec<Unopened>, DataFusionError> {
    let mut found: Vec<Unopened> = Vec::new();
    logical.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            let any: &dyn Any = provider.as_ref();
            if let Some(table) = any.downcast_ref::<GovernedTable>()
                && !found.iter().any(|known| known.is_same(table.entry()))
            {
                found.push(table.unopened());
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// An admitted plan, optimized for one execution.
#[derive(Debug, Clone)]
pub struct OptimizedPlan {
    logical: LogicalPlan,
    unopened: Vec<Unopened>,
}

impl OptimizedPlan {
    /// True if there is nothing to open.
    pub fn reads_no_product(&self) -> bool {
        self.unopened.is_empty()
    }

    /// Opens each product once; waits for stores, and for each product no longer than `within`.
    ///
    /// # Errors
    /// What the reader may know of a product that cannot be opened: `Unavailable` or `Internal`.
    pub async fn open(&self, within: Duration) -> Result<Arc<Openings>> {
        Openings::open(&self.unopened, within).await
    }

    /// Plans physically over what was opened, in a client session, and looks at the leaves once more.
    ///
    /// # Errors
    /// Those of the planner; an internal one for a product that was not opened.
    pub async fn physical(
        &self,
        state: &mut SessionState,
        openings: Arc<Openings>,
    ) -> Result<AdmittedExecution, DataFusionError> {
        state.config_mut().set_extension(openings);
        let plan = state.query_planner().create_physical_plan(&self.logical, state).await?;
        if !leaves_are_governed(&plan) {
            return Err(DataFusionError::External(Box::new(ungoverned())));
        }
        Ok(AdmittedExecution(plan))
    }
}

impl AdmittedExecution {
    pub fn plan(&self) -> &Arc<dyn ExecutionPlan> {
        &self.0
    }
}

fn leaves_are_governed(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let children = plan.children();
    if !children.is_empty() {
        return children.into_iter().all(leaves_are_governed);
    }
    let any: &dyn Any = plan.as_ref();
    any.is::<ProductScan>()
        || any.is::<EmptyExec>()
        || any.is::<PlaceholderRowExec>()
        || any.is::<WorkTableExec>()
        || any
            .downcast_ref::<LazyMemoryExec>()
            .is_some_and(|exec| exec.generators().iter().all(|generator| is_series(generator.read().as_any())))
        || any.is::<ExplainExec>()
        || any.downcast_ref::<DataSourceExec>().is_some_and(|exec| {
            let source: &dyn Any = exec.data_source().as_ref();
            source.is::<MemorySourceConfig>()
        })
}

fn is_series(generator: &dyn Any) -> bool {
    generator.is::<GenericSeriesState<i64>>()
        || generator.is::<GenericSeriesState<TimestampValue>>()
        || generator.is::<Empty>()
}

fn ungoverned() -> Diagnostic {
    tracing::error!("a plan reached the gate with a source that is not governed");
    Diagnostic::error(Kind::Internal, "the statement reaches data outside governance and was refused")
}
