//! A dataset opened for reading, before policy.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::logical_expr::LogicalPlan;

use super::conform::{Unreadable, unreadable_at};
use super::damaged::Damaged;
use super::pins::Pins;
use super::sources::State;

use crate::diagnostic::{Diagnostic, Result};
use crate::engine::PrivateSession;
use crate::mesh::TableEntry;
use crate::name::ColumnPath;

/// Opens datasets; the gateway's is `Sources`, tests may hand in another.
#[async_trait::async_trait]
pub trait Open: Send + Sync + fmt::Debug {
    /// # Errors
    /// Any kind; the message names files and columns and is for the owner's log, never for a caller.
    async fn open(&self, entry: &TableEntry) -> Result<Arc<RawTable>>;

    /// What the last look found; nothing is opened.
    fn state(&self, _: &TableEntry) -> State {
        State::Declared
    }
}

/// A dataset conformed to its contract: the plan's output has the contract's columns in order, by name and type, all nullable,
/// followed by drift markers. Its plan is reachable only in `govern::scan`.
pub struct RawTable {
    plan: LogicalPlan,
    session: Arc<PrivateSession>,
    drift: BTreeMap<ColumnPath, String>,
    unreadable: Unreadable,
    damaged: Option<Diagnostic>,
    watch: Watch,
}

/// Looks at the errors of reads, of which some change how the next opening reads.
#[derive(Clone, Default)]
pub struct Watch {
    pins: Option<Arc<Pins>>,
    /// The next opening may read texts as bytes.
    rereads: bool,
}

impl Watch {
    pub(super) fn of(pins: &Arc<Pins>) -> Self {
        Self { pins: Some(Arc::clone(pins)), rereads: false }
    }

    /// Of a product whose next opening can read texts as bytes.
    #[must_use]
    pub(super) fn rereading(self) -> Self {
        Self { rereads: true, ..self }
    }

    /// The error as it is; [`super::Replaced`] where the next opening reads what this one could not, and [`Damaged`] where the bytes of a
    /// file make no sense.
    pub fn review(&self, error: DataFusionError) -> DataFusionError {
        let is_text = || error.to_string().to_lowercase().contains("utf-8");
        if let Some(pins) = self.pins.as_ref().filter(|pins| self.rereads && is_text() && pins.distrust()) {
            return DataFusionError::External(Box::new(pins.reread(&error)));
        }
        let recent = self.pins.as_ref().map(|pins| pins.recent()).unwrap_or_default();
        match Damaged::met(&error, &recent) {
            Some(damaged) => DataFusionError::External(Box::new(damaged)),
            None => error,
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl RawTable {
    /// `drift` names, for every leaf column whose values may fail to convert, the boolean output column that is TRUE in rows where
    /// a value was there and could not be converted (the cell itself is then NULL).
    pub fn new(plan: LogicalPlan, session: Arc<PrivateSession>, drift: BTreeMap<ColumnPath, String>) -> Self {
        Self { plan, session, drift, unreadable: BTreeMap::new(), damaged: None, watch: Watch::default() }
    }

    /// Columns that the files do not hold as promised, and why. They are NULL, and their markers TRUE.
    #[must_use]
    pub(super) fn with_unreadable(self, unreadable: Unreadable) -> Self {
        Self { unreadable, ..self }
    }

    /// Opened without a file that is damaged.
    #[must_use]
    pub(super) fn with_damaged(self, damaged: Option<Diagnostic>) -> Self {
        Self { damaged, ..self }
    }

    pub(super) fn damaged(&self) -> Option<&Diagnostic> {
        self.damaged.as_ref()
    }

    #[must_use]
    pub(super) fn with_watch(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    /// Why a column, or a member of a struct, cannot be shown to anybody. A statement that does not read it is answered.
    pub fn unreadable(&self, path: &ColumnPath) -> Option<&Diagnostic> {
        unreadable_at(&self.unreadable, path)
    }

    pub(super) fn all_unreadable(&self) -> &Unreadable {
        &self.unreadable
    }

    /// For counts of what is not as promised, which show no value.
    pub(super) fn plan(&self) -> &LogicalPlan {
        &self.plan
    }

    pub(super) fn first_unreadable(&self) -> Option<&Diagnostic> {
        self.unreadable.values().next()
    }

    /// What looks at the errors of its reads.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The plan that reads everything. Fenced by `clippy.toml`: only `govern::scan` may call it.
    pub fn expose_raw(&self) -> &LogicalPlan {
        &self.plan
    }

    /// Where the plan is to be planned and run.
    pub fn session(&self) -> &Arc<PrivateSession> {
        &self.session
    }

    /// The output column that marks rows whose value at `path` could not be converted.
    pub fn drift_marker(&self, path: &ColumnPath) -> Option<&str> {
        self.drift.get(path).map(String::as_str)
    }
}

impl fmt::Debug for RawTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawTable")
    }
}
