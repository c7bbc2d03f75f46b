//! Joins that compare many pairs for few rows.
//!
//! A nested-loop join compares each batch of its probe side with all rows of the build side before it looks at anything else; a hash
//! join does so with all rows of one key. Where hardly a pair matches, no row comes out that [`super::Yielding`] could wait behind. So
//! such a join reads its probe side in slices, and waits between them. Slices follow the time that the last one took. One row of the
//! probe side is the smallest slice: a condition of the join also asks before each comparison of a batch whether the statement is
//! still wanted.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use arrow::record_batch::RecordBatch;
use datafusion::common::JoinSide;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties as _, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::stream::{Stream, StreamExt as _, poll_fn};

use super::guarded::{Guarded, Wanted};

/// Pairs that the first slice of a nested-loop join makes.
const FIRST_PAIRS: usize = 1 << 18;
/// Rows of the first slice of a hash join: nothing tells how many rows of the other side have the same key.
const FIRST_ROWS: usize = 16;
/// How much larger the slice behind a quick one is, and how much smaller the one behind a slow one.
const STEP: usize = 4;
const QUICK: Duration = Duration::from_millis(5);
const SLOW: Duration = Duration::from_millis(40);

/// The join with its probe side in slices, if it is one that may compare much and answer little.
pub(in crate::engine) fn sliced(join: &Arc<dyn ExecutionPlan>) -> Result<Option<Sliced>> {
    if let Some(join) = join.downcast_ref::<NestedLoopJoinExec>() {
        let progress = Arc::new(Progress::of(join.right().as_ref()));
        let build = PartExec::over(join.left(), JoinSide::Left, &progress);
        let probe = PartExec::over(join.right(), JoinSide::Right, &progress);
        let filter = join.filter().map(|filter| guarded(filter, &progress));
        let join = NestedLoopJoinExecBuilder::from(join).with_filter(filter).build()?;
        let same = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
        let plan = (Arc::new(join) as Arc<dyn ExecutionPlan>).replace_children(vec![build, probe], same)?;
        return Ok(Some(Sliced { plan, progress }));
    }
    let Some(join) = join.downcast_ref::<HashJoinExec>() else { return Ok(None) };
    let answers_each_pair =
        matches!(join.join_type(), JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full);
    if answers_each_pair && join.filter().is_none() {
        return Ok(None);
    }
    let progress = Arc::new(Progress::of(join.right().as_ref()));
    let probe = PartExec::over(join.right(), JoinSide::Right, &progress);
    let filter = join.filter().map(|filter| guarded(filter, &progress));
    let builder = join.builder().with_filter(filter).with_new_children(vec![Arc::clone(join.left()), probe])?;
    Ok(Some(Sliced { plan: builder.build_exec()?, progress }))
}

/// A join whose probe side comes in slices.
pub(in crate::engine) struct Sliced {
    pub plan: Arc<dyn ExecutionPlan>,
    pub progress: Arc<Progress>,
}

/// What the parts of one join know of each other.
#[derive(Debug)]
pub(in crate::engine) struct Progress {
    /// Rows of the build side, where each of them is compared with each row of the other.
    build_rows: AtomicUsize,
    /// Batches that the join answered so far, by partition.
    answers: Vec<AtomicUsize>,
    wanted: Arc<Wanted>,
}

impl Progress {
    fn of(probe: &dyn ExecutionPlan) -> Self {
        let partitions = probe.output_partitioning().partition_count();
        let answers = std::iter::repeat_with(AtomicUsize::default).take(partitions).collect();
        Self { build_rows: AtomicUsize::new(0), answers, wanted: Arc::default() }
    }

    /// The statement that the join runs for.
    pub fn begin(&self, context: &TaskContext) {
        self.wanted.begin(context);
    }

    pub fn answered(&self, partition: usize) {
        if let Some(answers) = self.answers.get(partition) {
            answers.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn answers(&self, partition: usize) -> usize {
        self.answers.get(partition).map_or(0, |answers| answers.load(Ordering::Relaxed))
    }

    /// Rows of the first slice.
    fn first(&self) -> usize {
        FIRST_PAIRS.checked_div(self.build_rows.load(Ordering::Relaxed)).map_or(FIRST_ROWS, |rows| rows.max(1))
    }
}

/// One side of a join: rows of the build side are counted, those of the probe side come in slices.
#[derive(Debug)]
struct PartExec {
    input: Arc<dyn ExecutionPlan>,
    side: JoinSide,
    progress: Arc<Progress>,
}

impl PartExec {
    fn over(input: &Arc<dyn ExecutionPlan>, side: JoinSide, progress: &Arc<Progress>) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { input: Arc::clone(input), side, progress: Arc::clone(progress) })
    }
}

impl DisplayAs for PartExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ExecutionPlan for PartExec {
    fn name(&self) -> &'static str {
        match self.side {
            JoinSide::Left => "CountingExec",
            _ => "SlicingExec",
        }
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
        Ok(Self::over(&input, self.side, &self.progress))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.progress.begin(&context);
        let input = self.input.execute(partition, context)?;
        let (schema, progress) = (input.schema(), Arc::clone(&self.progress));
        if self.side == JoinSide::Right {
            let mut slices = Slices::new(input, progress, partition);
            let slices = poll_fn(move |context| slices.poll(context));
            return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, slices)));
        }
        let mut rows = 0;
        let counted = input.inspect(move |batch| {
            rows += batch.as_ref().map_or(0, RecordBatch::num_rows);
            progress.build_rows.fetch_max(rows, Ordering::Relaxed);
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, counted)))
    }
}

/// The probe side of a join, in slices.
struct Slices<S> {
    input: S,
    progress: Arc<Progress>,
    partition: usize,
    rest: Option<RecordBatch>,
    /// Rows of the next slice; not known before there is a row.
    rows: Option<usize>,
    /// The slice that the join has: since when, and how much it had answered before.
    handed: Option<(Instant, usize)>,
    /// Since when nothing has waited.
    turn: Option<Instant>,
}

impl<S: Stream<Item = Result<RecordBatch>> + Unpin> Slices<S> {
    fn new(input: S, progress: Arc<Progress>, partition: usize) -> Self {
        Self { input, progress, partition, rest: None, rows: None, handed: None, turn: None }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        self.progress.wanted.check()?;
        self.learn();
        if self.turn.is_some_and(|turn| turn.elapsed() >= QUICK) {
            self.turn = None;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match ready!(self.input.poll_next_unpin(context)) {
                Some(Ok(batch)) => batch,
                end => return Poll::Ready(end),
            },
        };
        let progress = &self.progress;
        let rows = (*self.rows.get_or_insert_with(|| progress.first())).min(batch.num_rows());
        let slice = batch.slice(0, rows);
        self.rest = (rows < batch.num_rows()).then(|| batch.slice(rows, batch.num_rows() - rows));
        self.handed = Some((Instant::now(), self.progress.answers(self.partition)));
        self.turn.get_or_insert_with(Instant::now);
        Poll::Ready(Some(Ok(slice)))
    }

    /// Goes by how long the join had the last slice, unless it answered meanwhile: then others had the time.
    fn learn(&mut self) {
        let (Some((since, answers)), Some(rows)) = (self.handed.take(), self.rows.as_mut()) else { return };
        if answers != self.progress.answers(self.partition) {
            return;
        }
        match since.elapsed() {
            quick if quick < QUICK => *rows = rows.saturating_mul(STEP),
            slow if slow > SLOW => *rows = (*rows / STEP).max(1),
            _ => {}
        }
    }
}

/// A join's filter that fails once nobody wants the statement.
fn guarded(filter: &JoinFilter, progress: &Arc<Progress>) -> JoinFilter {
    let guarded = Guarded::over(filter.expression(), &progress.wanted);
    JoinFilter::new(guarded, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray as _, Int64Array};
    use arrow::datatypes::Int64Type;
    use datafusion::physical_expr::expressions::lit;
    use futures::stream;

    use super::*;
    use crate::engine::StatementControl;

    fn progress(build_rows: usize, control: Option<&Arc<StatementControl>>) -> Arc<Progress> {
        let answers = vec![AtomicUsize::new(0)];
        let wanted = Arc::new(control.map_or_else(Wanted::default, Wanted::by));
        Arc::new(Progress { build_rows: AtomicUsize::new(build_rows), answers, wanted })
    }

    fn batch(numbers: std::ops::Range<i64>) -> RecordBatch {
        let numbers: Int64Array = numbers.collect();
        RecordBatch::try_from_iter([("n", Arc::new(numbers) as _)]).unwrap()
    }

    fn slices(progress: &Arc<Progress>) -> Slices<impl Stream<Item = Result<RecordBatch>> + Unpin> {
        Slices::new(stream::iter([Ok(batch(0..1_000)), Ok(batch(1_000..1_500))]), Arc::clone(progress), 0)
    }

    /// Rows of each slice of a probe side whose join takes `took` for each, and how often it waited.
    async fn sizes(progress: &Arc<Progress>, took: Duration) -> (Vec<usize>, usize) {
        let mut slices = slices(progress);
        let mut slices = Box::pin(poll_fn(move |context| slices.poll(context)));
        let (mut sizes, mut waits, mut next) = (Vec::new(), 0, 0);
        loop {
            match futures::poll!(slices.next()) {
                Poll::Pending => waits += 1,
                Poll::Ready(Some(slice)) => {
                    let slice = slice.unwrap();
                    for number in slice.column(0).as_primitive::<Int64Type>().values() {
                        assert_eq!(*number, next);
                        next += 1;
                    }
                    sizes.push(slice.num_rows());
                    std::thread::sleep(took);
                }
                Poll::Ready(None) => break,
            }
        }
        assert_eq!(next, 1_500);
        (sizes, waits)
    }

    #[tokio::test]
    async fn slices_follow_the_time_they_take() {
        let (quick, _) = sizes(&progress(0, None), Duration::ZERO).await;
        assert_eq!(quick, [16, 64, 256, 664, 500]);
        let (slow, waits) = sizes(&progress(FIRST_PAIRS / 1_000, None), SLOW + Duration::from_millis(1)).await;
        assert!(slow.len() > 4 && slow.is_sorted_by(|a, b| a >= b) && waits >= slow.len() - 1, "{slow:?}, {waits}");
        let (one, _) = sizes(&progress(usize::MAX, None), Duration::ZERO).await;
        assert_eq!(one.first(), Some(&1), "a large build side");
    }

    #[tokio::test]
    async fn nothing_is_compared_for_nobody() {
        let control = StatementControl::for_tests(1 << 40);
        let progress = progress(1, Some(&control));
        let guarded = Guarded::over(&lit(true), &progress.wanted);
        let mut slices = slices(&progress);
        let mut next = async || std::future::poll_fn(|context| slices.poll(context)).await.unwrap();
        assert!(next().await.is_ok() && guarded.evaluate(&batch(0..1)).is_ok());
        drop(control.cancel_on_drop());
        assert!(next().await.is_err() && guarded.evaluate(&batch(0..1)).is_err());
    }
}
