//! One execution of a statement: refreshed, opened, planned physically, run.
//!
//! Products are opened between logical and physical planning, on no planning thread: a store that does not answer holds up the
//! statements that read it, and no other.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio_util::sync::DropGuard;

use super::deadline::Planners;
use super::handover::Handover;
use super::plan::{self, Planned, UnopenedQuery};
use super::session::ViewState;
use super::{Egress, stream as rows};
use crate::config::Limits;
use crate::diagnostic::Result;
use crate::engine::{Engine, StatementControl};
use crate::govern::Openings;

type Rows = BoxStream<'static, Result<Egress<RecordBatch>>>;

/// What an execution needs besides the plan of its statement.
pub(in crate::query) struct Execution {
    pub state: Arc<ViewState>,
    pub engine: Arc<Engine>,
    pub planners: Arc<Planners>,
    /// Whose share of the planning threads it takes.
    pub principal: String,
    pub limits: Limits,
    /// The columns that batches are rebuilt into.
    pub wire: SchemaRef,
}

/// How far the first visit to a planning thread comes.
enum Stage {
    Unopened(Planned, Arc<UnopenedQuery>),
    /// Nothing had to be opened.
    Running(Handover),
}

impl Execution {
    /// # Errors
    /// Those of planning; what a reader may know of products that cannot be opened. Both may also come as the first item.
    pub(in crate::query) async fn run(self, planned: Planned) -> Result<Rows> {
        let control = self.engine.begin_statement();
        // Dropping this future, or the stream that it answers, cancels the statement.
        let wanted = control.cancel_on_drop();
        match self.first_stage(planned, &control).await? {
            Stage::Running(rows) => Ok(rows.wanted_by(wanted).boxed()),
            Stage::Unopened(planned, unopened) => {
                let (rows, openings) = self.attempt(unopened, control, wanted).await?;
                Ok(stream::once(self.first_batch_or_again(planned, rows, openings)).flatten().boxed())
            }
        }
    }

    async fn first_stage(&self, planned: Planned, control: &Arc<StatementControl>) -> Result<Stage> {
        let (state, limits, control) = (Arc::clone(&self.state), self.limits.clone(), Arc::clone(control));
        let (engine, wire) = (Arc::clone(&self.engine), SchemaRef::clone(&self.wire));
        let work = async move {
            let planned = plan::refresh(&state, planned, &limits).await?;
            let unopened = plan::optimize(&state, &planned, &control)?;
            if unopened.reads_no_product() {
                let openings = unopened.open(Duration::ZERO).await?;
                let (execution, context) = unopened.physical(openings, &control).await?;
                return Ok(Stage::Running(rows::run(&execution, context, wire, engine.workers())?));
            }
            Ok(Stage::Unopened(planned, Arc::new(unopened)))
        };
        self.planners.run(&self.principal, work).await
    }

    /// Opens each product once, and runs the statement over what was opened.
    async fn attempt(
        &self,
        unopened: Arc<UnopenedQuery>,
        control: Arc<StatementControl>,
        wanted: DropGuard,
    ) -> Result<(Rows, Arc<Openings>)> {
        let patience = Duration::from_secs(self.limits.planning_seconds);
        let opening = Arc::clone(&unopened);
        let openings = self.engine.workers().run(async move { opening.open(patience).await }).await?;
        let (engine, opened, wire) = (Arc::clone(&self.engine), Arc::clone(&openings), SchemaRef::clone(&self.wire));
        let start = async move {
            let (execution, context) = unopened.physical(opened, &control).await?;
            rows::run(&execution, context, wire, engine.workers())
        };
        let rows = self.planners.run(&self.principal, start).await?;
        Ok((rows.wanted_by(wanted).boxed(), openings))
    }

    /// The rows, unless a file was replaced between its opening and the first of them: then those of another attempt, once. Nothing
    /// was sent yet, so the reader sees one state of the product.
    async fn first_batch_or_again(self, planned: Planned, mut rows: Rows, openings: Arc<Openings>) -> Rows {
        let first = rows.next().await;
        if !matches!(first, Some(Err(_))) || !openings.met_replaced_file() {
            return stream::iter(first).chain(rows).boxed();
        }
        drop(rows);
        match self.again(planned).await {
            Ok(rows) => rows,
            Err(error) => stream::once(std::future::ready(Err(error))).boxed(),
        }
    }

    /// Another attempt, with a control of its own: calls of the first are bound to one that is cancelled.
    async fn again(&self, planned: Planned) -> Result<Rows> {
        let control = self.engine.begin_statement();
        let wanted = control.cancel_on_drop();
        let (state, bound) = (Arc::clone(&self.state), Arc::clone(&control));
        let optimizing = async move { plan::optimize(&state, &planned, &bound) };
        let unopened = self.planners.run(&self.principal, optimizing).await?;
        Ok(self.attempt(Arc::new(unopened), control, wanted).await?.0)
    }
}
