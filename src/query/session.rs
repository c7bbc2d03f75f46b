//! One client session for each login.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::stream::BoxStream;

use super::Egress;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::discovery::VisibleTable;
use crate::identity::Principal;

/// Opens sessions over the gateway's generation.
#[derive(Debug)]
pub struct Sessions {}

impl Sessions {
    pub fn open(&self, principal: Principal) -> Arc<Session> {
        Arc::new(Session { principal })
    }
}

/// A login: its principal, its options.
#[derive(Debug)]
pub struct Session {
    principal: Principal,
}

/// A statement that was planned and admitted for one session. What it may be run for is bound inside.
#[derive(Debug, Clone)]
pub struct Planned {
    schema: SchemaRef,
}

impl Planned {
    /// The logical schema of the result, before lowering for the wire.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Digest of the generation under which it was planned.
    pub fn generation(&self) -> [u8; 32] {
        [0; 32]
    }

    /// Digest of the principal's view under which it was planned.
    pub fn view(&self) -> [u8; 32] {
        [0; 32]
    }
}

impl Session {
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Digest of the generation that is current now.
    pub fn generation(&self) -> [u8; 32] {
        [0; 32]
    }

    /// Digest of this session's view under the current generation: every input evaluation can see.
    pub fn view(&self) -> [u8; 32] {
        [0; 32]
    }

    /// The SQL catalog's name.
    pub fn catalog(&self) -> String {
        "mesh".to_owned()
    }

    /// Domains of which this principal may see something, sorted.
    pub fn domains(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Every table this principal may read some cells of, sorted by domain and name; no storage is touched.
    pub fn tables(&self) -> Result<Vec<VisibleTable>> {
        Ok(Vec::new())
    }

    /// Parses, gates and plans logically. No storage is read.
    ///
    /// # Errors
    /// `Invalid` for the text, `NotFound` for names that do not exist for this principal, `Exhausted` for limits.
    pub async fn plan(&self, _sql: &str) -> Result<Planned> {
        Err(Diagnostic::error(Kind::Unsupported, "planning is not there"))
    }

    /// Plans physically and runs. Every batch is rebuilt into the columns of `wire`, which has as many columns as the plan.
    /// A plan of an older generation is planned again; `Stale` if its schema is no longer the same.
    pub async fn run(&self, _planned: &Planned, _wire: SchemaRef) -> Result<BoxStream<'static, Result<Egress<RecordBatch>>>> {
        Err(Diagnostic::error(Kind::Unsupported, "running is not there"))
    }
}
