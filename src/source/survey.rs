//! What the files of a dataset hold against its contract, file by file: counts and places, never values.
//!
//! In: an opened dataset. Out: for each file its rows, and for each column the values that statements would find broken. The plan is the
//! one that statements run, without policy, one file at a time, batch by batch.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::compute::{and_not, is_null};
use datafusion::catalog::Session;
use datafusion::common::DataFusionError;
use datafusion::error::Result as PlanResult;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties as _};
use futures::{FutureExt, StreamExt};
use object_store::path::Path;

use super::damaged::reason;
use super::pins::Replaced;
use super::watched::is_silent;
use super::{Open, RawTable, Sources};
use crate::contract::Column;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::mesh::TableEntry;
use crate::name::ColumnPath;

/// How often a dataset is opened whose files are replaced while they are read.
const ATTEMPTS: usize = 3;

/// What was found of one dataset.
#[derive(Debug)]
pub struct Survey {
    pub files: Vec<SurveyedFile>,
    /// Columns and members of structs that no statement may read, by the first file that is not as promised.
    pub unreadable: BTreeMap<ColumnPath, Diagnostic>,
}

/// What was found in one file.
#[derive(Debug)]
pub struct SurveyedFile {
    /// Relative to the domain's storage.
    pub file: String,
    /// Those that were read before the fault, if there is one: batches that are whole, and so at least as many as stand before it.
    pub rows: u64,
    /// Values that have no meaning as promised.
    pub broken: BTreeMap<ColumnPath, Rows>,
    /// NULLs in columns that the contract requires.
    pub missing: BTreeMap<ColumnPath, Rows>,
    /// Why the rest of the file cannot be read.
    pub fault: Option<Diagnostic>,
}

/// Some rows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    pub count: u64,
    /// Counted from 1; in a text file the header is not counted.
    pub first: u64,
}

/// Which files a plan reads, as an extension of the session that plans it.
#[derive(Debug)]
pub(super) enum Choice {
    /// All, which are noted.
    Noted(Mutex<Vec<Path>>),
    One(Path),
}

impl Choice {
    /// True for a plan that is made for the names of its files alone.
    pub(super) fn is_noted(state: &dyn Session) -> bool {
        state.config().get_extension::<Self>().is_some_and(|choice| matches!(*choice, Self::Noted(_)))
    }

    /// True for a file that the plan of `state` reads.
    pub(super) fn admits(state: &dyn Session, key: &Path) -> bool {
        let Some(choice) = state.config().get_extension::<Self>() else { return true };
        match choice.as_ref() {
            Self::One(chosen) => chosen == key,
            Self::Noted(keys) => {
                keys.lock().unwrap_or_else(PoisonError::into_inner).push(key.clone());
                true
            }
        }
    }
}

impl Sources {
    /// Reads a dataset whole, without policy, and counts what is not as its contract promises. For the operator's own eyes: it tells of
    /// every row, but shows the values of none.
    ///
    /// # Errors
    /// Why the dataset cannot be opened, with the place. `Unavailable` where its store does not answer meanwhile.
    pub async fn survey(&self, entry: &TableEntry) -> Result<Survey> {
        let mut left = ATTEMPTS;
        loop {
            left -= 1;
            let raw = self.open(entry).await?;
            match Box::pin(self.read_files(entry, &raw, left == 0)).await {
                Ok(survey) => return Ok(survey),
                Err(error) if is_silent(&error) => {
                    let what = format!("the store does not answer: {error}");
                    return Err(Diagnostic::error(Kind::Unavailable, what).hint("check again when it does"));
                }
                Err(error) if left > 0 && is_replaced(&error) => {}
                Err(error) => return Err(Diagnostic::error(Kind::Invalid, reason(&error))),
            }
        }
    }

    /// At the `last` attempt a file that is not the one that was listed is a fault as others are.
    async fn read_files(&self, entry: &TableEntry, raw: &RawTable, last: bool) -> PlanResult<Survey> {
        let place = self.place(entry).map_err(|why| DataFusionError::External(Box::new(why)))?;
        let choice = Arc::new(Choice::Noted(Mutex::default()));
        plan(raw, &choice).await?;
        let Choice::Noted(keys) = choice.as_ref() else { return Ok(Survey::of(raw, Vec::new())) };
        let keys = std::mem::take(&mut *keys.lock().unwrap_or_else(PoisonError::into_inner));
        let columns = entry.dataset().served().columns.clone();
        let mut files = Vec::new();
        for key in keys {
            let mut found = SurveyedFile {
                file: place.relative(&key),
                rows: 0,
                broken: BTreeMap::new(),
                missing: BTreeMap::new(),
                fault: None,
            };
            // A reader that panics over damaged bytes ends with its file.
            let read = AssertUnwindSafe(found.read(raw, &columns, key)).catch_unwind().await;
            let read = read.unwrap_or_else(|_| Err(DataFusionError::Execution("its reader panics".to_owned())));
            if let Err(error) = read.map_err(|error| raw.watch().review(error)) {
                if is_silent(&error) || !last && is_replaced(&error) {
                    return Err(error);
                }
                found.fault = Some(Diagnostic::error(Kind::Broken, reason(&error)));
            }
            files.push(found);
        }
        Ok(Survey::of(raw, files))
    }
}

impl Survey {
    fn of(raw: &RawTable, files: Vec<SurveyedFile>) -> Self {
        Self { files, unreadable: raw.all_unreadable().clone() }
    }
}

impl SurveyedFile {
    async fn read(&mut self, raw: &RawTable, columns: &[Column], key: Path) -> PlanResult<()> {
        let plan = plan(raw, &Arc::new(Choice::One(key))).await?;
        let state = raw.session().single();
        let context = raw.session().task_context(&state.runtime_env().memory_pool);
        for partition in 0..plan.output_partitioning().partition_count() {
            let mut batches = plan.execute(partition, Arc::clone(&context))?;
            while let Some(batch) = batches.next().await.transpose()? {
                self.count(raw, columns, &batch)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, raw: &RawTable, columns: &[Column], batch: &RecordBatch) -> PlanResult<()> {
        let marker = |path: &ColumnPath| {
            let marker = raw.drift_marker(path).and_then(|name| batch.column_by_name(name));
            marker.and_then(|marker| marker.as_boolean_opt())
        };
        for column in columns {
            for (path, _) in column.leaves().into_iter().filter(|(path, _)| raw.unreadable(path).is_none()) {
                if let Some(broken) = marker(&path) {
                    note(&mut self.broken, path, broken, self.rows);
                }
            }
            let root = ColumnPath::root(column.name.clone());
            let values: Option<&ArrayRef> = batch.column_by_name(column.name.as_str());
            let is_counted = column.required && column.fields.is_empty() && raw.unreadable(&root).is_none();
            if let Some(values) = values.filter(|_| is_counted) {
                let missing = is_null(values.as_ref())?;
                let missing = match marker(&root) {
                    Some(broken) => and_not(&missing, broken)?,
                    None => missing,
                };
                note(&mut self.missing, root, &missing, self.rows);
            }
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }
}

/// Adds the rows of a batch that are marked; `before` rows came before it.
fn note(found: &mut BTreeMap<ColumnPath, Rows>, path: ColumnPath, marked: &BooleanArray, before: u64) {
    let Some(first) = marked.iter().position(|marked| marked == Some(true)) else { return };
    let rows = found.entry(path).or_insert(Rows { count: 0, first: before + first as u64 + 1 });
    rows.count += marked.true_count() as u64;
}

/// The dataset's own plan over chosen files, one after the other.
async fn plan(raw: &RawTable, choice: &Arc<Choice>) -> PlanResult<Arc<dyn ExecutionPlan>> {
    let mut state = raw.session().single().clone();
    state.config_mut().set_extension(Arc::clone(choice));
    let optimized = state.optimize(raw.plan())?;
    state.query_planner().create_physical_plan(&optimized, &state).await
}

fn is_replaced(error: &DataFusionError) -> bool {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.into_iter().any(<dyn std::error::Error>::is::<Replaced>)
}
