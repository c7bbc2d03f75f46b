//! One evaluation of a row's expressions on this thread: what its calls share.
//!
//! An expression is evaluated without a wait, so what calls have to know of the operator around them stands beside the thread.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::MemoryReservation;

thread_local! {
    static CURRENT: RefCell<Option<Evaluation>> = const { RefCell::new(None) };
}

#[derive(Debug)]
struct Evaluation {
    rows: usize,
    started: Instant,
    longest: Duration,
    /// Rows that would have been few enough, once there were too many.
    fitting: Option<usize>,
    steps: u64,
    held: Vec<MemoryReservation>,
    held_bytes: usize,
}

/// What calls of one evaluation make before it is cut to fewer rows: each of them is cut earlier by itself.
const HELD_BYTES: usize = 64 << 20;

/// What came of it.
#[derive(Debug)]
pub(super) struct Evaluated<T> {
    pub result: Result<T>,
    /// It was stopped, and this many rows are to be tried.
    pub fitting: Option<usize>,
    pub took: Duration,
    /// What its calls have reserved: for the values that they made, as long as those live.
    pub held: Vec<MemoryReservation>,
}

/// Evaluates `work` over `rows`. A call in it that finds more than one row to take `longest` stops it.
pub(super) fn evaluate<T>(rows: usize, longest: Duration, work: impl FnOnce() -> Result<T>) -> Evaluated<T> {
    let started = Instant::now();
    let evaluation = Evaluation { rows, started, longest, fitting: None, steps: 0, held: Vec::new(), held_bytes: 0 };
    let outer = OuterEvaluation(CURRENT.replace(Some(evaluation)));
    let result = work();
    let evaluation = CURRENT.take();
    drop(outer);
    let (fitting, held) = evaluation.map_or((None, Vec::new()), |ended| (ended.fitting, ended.held));
    Evaluated { result, fitting, took: started.elapsed(), held }
}

/// The evaluation around this one is put back even where the work panics.
struct OuterEvaluation(Option<Evaluation>);

impl Drop for OuterEvaluation {
    fn drop(&mut self) {
        CURRENT.replace(self.0.take());
    }
}

/// True inside [`evaluate`]: rows are computed, not a plan made.
pub(super) fn is_under_way() -> bool {
    CURRENT.with_borrow(Option::is_some)
}

/// Adds work that is about to be done. Answers all work of the evaluation where it has but one row, which nothing can divide.
pub(super) fn add_steps(steps: u64) -> Option<u64> {
    CURRENT.with_borrow_mut(|current| {
        let current = current.as_mut()?;
        current.steps = current.steps.saturating_add(steps);
        (current.rows <= 1).then_some(current.steps)
    })
}

/// Stops the evaluation where it takes too long, or where `is_full`, if its rows can be divided. `done` of the call's `all` rows are ready.
///
/// # Errors
/// The end of the evaluation; the operator tries again with fewer rows.
pub(super) fn stop_where_long(done: usize, all: usize, is_full: bool) -> Result<()> {
    CURRENT.with_borrow_mut(|current| {
        let Some(current) = current.as_mut() else { return Ok(()) };
        let is_full = is_full || current.held_bytes > HELD_BYTES;
        if current.rows <= 1 || (current.started.elapsed() < current.longest && !is_full) {
            return Ok(());
        }
        let fitting = current.rows.saturating_mul(done) / all.max(1);
        current.fitting = Some(fitting.clamp(1, current.rows / 2));
        Err(DataFusionError::Internal("an evaluation was stopped, and nobody began it again".to_owned()))
    })
}

/// Keeps a reservation until the values of the evaluation are used up. Without an evaluation it ends here.
pub(super) fn hold(reservation: MemoryReservation) {
    CURRENT.with_borrow_mut(|current| {
        if let Some(current) = current.as_mut() {
            current.held_bytes = current.held_bytes.saturating_add(reservation.size());
            current.held.push(reservation);
        }
    });
}
