//! Rows held in memory, for tests of policies.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::record_batch::RecordBatch;
use datafusion::catalog::MemTable;
use datafusion::common::DataFusionError;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use object_store::memory::InMemory;
use url::Url;

use super::{Open, RawTable};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::engine::{Engine, PrivateSession};
use crate::mesh::TableEntry;
use crate::name::QualifiedTable;

/// Opens what was put into it. Nothing of it is stored, and nothing can be reached through it.
#[derive(Debug)]
pub struct RowsInMemory {
    session: Arc<PrivateSession>,
    tables: Mutex<HashMap<QualifiedTable, Arc<RawTable>>>,
}

impl RowsInMemory {
    /// # Errors
    /// `Internal` when no session can be made.
    pub fn new(engine: &Engine) -> Result<Self> {
        let url = Url::parse("memory://rows/").map_err(|error| unusable(&error))?;
        let session = Arc::new(engine.private(&url, Arc::new(InMemory::new()))?);
        Ok(Self { session, tables: Mutex::default() })
    }

    /// Holds these rows for a table, in place of others. The batch has the contract's columns in order, by name and type.
    ///
    /// # Errors
    /// `Internal` for a batch that is no table.
    pub fn put(&self, table: &QualifiedTable, rows: RecordBatch) -> Result<()> {
        let plan = MemTable::try_new(rows.schema(), vec![vec![rows]])
            .and_then(|rows| LogicalPlanBuilder::scan("rows", provider_as_source(Arc::new(rows)), None)?.build())
            .map_err(|error: DataFusionError| unusable(&error))?;
        let raw = Arc::new(RawTable::new(plan, Arc::clone(&self.session), [].into()));
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).insert(table.clone(), raw);
        Ok(())
    }
}

#[async_trait::async_trait]
impl Open for RowsInMemory {
    async fn open(&self, entry: &TableEntry) -> Result<Arc<RawTable>> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let found = tables.get(&entry.table).map(Arc::clone);
        found.ok_or_else(|| Diagnostic::error(Kind::NotFound, format!("no rows of `{}` were given", entry.table)))
    }
}

fn unusable(error: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::error(Kind::Internal, format!("the rows cannot be held: {error}"))
}
