//! A dataset opened for reading, before policy.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;

use crate::diagnostic::Result;
use crate::engine::PrivateSession;
use crate::mesh::TableEntry;
use crate::name::ColumnPath;

/// Opens datasets; the gateway's is `Sources`, tests may hand in another.
#[async_trait::async_trait]
pub trait Open: Send + Sync + fmt::Debug {
    /// # Errors
    /// Any kind; the message names files and columns and is for the owner's log, never for a caller.
    async fn open(&self, entry: &TableEntry) -> Result<Arc<RawTable>>;
}

/// A dataset conformed to its contract: the plan's output has the contract's columns in order, by name and type, all nullable,
/// followed by drift markers. Its plan is reachable only in `govern::scan`.
pub struct RawTable {
    plan: LogicalPlan,
    session: Arc<PrivateSession>,
    drift: BTreeMap<ColumnPath, String>,
}

impl RawTable {
    /// `drift` names, for every leaf column whose values may fail to convert, the boolean output column that is TRUE in rows where
    /// a value was there and could not be converted (the cell itself is then NULL).
    pub fn new(plan: LogicalPlan, session: Arc<PrivateSession>, drift: BTreeMap<ColumnPath, String>) -> Self {
        Self { plan, session, drift }
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
