//! What this room asks of `query`: the one seam, so that the protocol is tested without a mesh.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::common::ScalarValue;
use futures::stream::BoxStream;

use crate::diagnostic::Result;
use crate::discovery::VisibleTable;
use crate::identity::Principal;
use crate::query::{Change, Defaults, Egress, Planned, Session, Sessions, Setting};

/// Opens a door for each login.
pub trait Doors: Send + Sync + 'static {
    type Door: Door;

    fn open(&self, principal: Principal) -> Arc<Self::Door>;
}

/// What one login may ask; [`Session`] says what each means.
#[async_trait]
pub trait Door: Send + Sync + 'static {
    type Planned: Statement;

    /// One request of this login, with what its headers say; `kept` where the login outlives it.
    fn request(&self, says: &[(Setting, &str)], kept: bool) -> Result<Arc<Self>>;
    fn principal(&self) -> &Principal;
    fn settings(&self) -> Vec<(Setting, String)>;
    fn set(&self, change: &Change) -> Result<()>;
    fn generation(&self) -> [u8; 32];
    fn view(&self) -> [u8; 32];
    fn catalog(&self) -> String;
    fn defaults(&self) -> Defaults;
    fn domains(&self) -> Result<Vec<String>>;
    fn tables(&self) -> Result<Vec<VisibleTable>>;
    async fn plan(&self, sql: &str) -> Result<Self::Planned>;
    async fn bind(&self, planned: &Self::Planned, values: Vec<ScalarValue>) -> Result<Self::Planned>;
    async fn plan_again(&self, planned: &Self::Planned) -> Result<Self::Planned>;
    async fn run(
        &self,
        planned: &Self::Planned,
        wire: SchemaRef,
    ) -> Result<BoxStream<'static, Result<Egress<RecordBatch>>>>;
}

/// What was planned and admitted.
pub trait Statement: Clone + Send + Sync + 'static {
    fn schema(&self) -> &SchemaRef;
    fn generation(&self) -> [u8; 32];
    fn view(&self) -> [u8; 32];
    fn parameters(&self) -> &[Option<DataType>];
    fn is_bound(&self) -> bool;
    fn defaults(&self) -> &Defaults;
    fn weight(&self) -> usize;
}

impl Doors for Sessions {
    type Door = Session;

    fn open(&self, principal: Principal) -> Arc<Session> {
        Sessions::open(self, principal)
    }
}

#[async_trait]
impl Door for Session {
    type Planned = Planned;

    fn request(&self, says: &[(Setting, &str)], kept: bool) -> Result<Arc<Self>> {
        Session::request(self, says, kept)
    }

    fn principal(&self) -> &Principal {
        Session::principal(self)
    }

    fn settings(&self) -> Vec<(Setting, String)> {
        Session::settings(self)
    }

    fn set(&self, change: &Change) -> Result<()> {
        Session::set(self, change)
    }

    fn generation(&self) -> [u8; 32] {
        Session::generation(self)
    }

    fn view(&self) -> [u8; 32] {
        Session::view(self)
    }

    fn catalog(&self) -> String {
        Session::catalog(self)
    }

    fn defaults(&self) -> Defaults {
        Session::defaults(self)
    }

    fn domains(&self) -> Result<Vec<String>> {
        Session::domains(self)
    }

    fn tables(&self) -> Result<Vec<VisibleTable>> {
        Session::tables(self)
    }

    async fn plan(&self, sql: &str) -> Result<Planned> {
        Session::plan(self, sql).await
    }

    async fn bind(&self, planned: &Planned, values: Vec<ScalarValue>) -> Result<Planned> {
        Session::bind(self, planned, values).await
    }

    async fn plan_again(&self, planned: &Planned) -> Result<Planned> {
        Session::plan_again(self, planned).await
    }

    async fn run(&self, planned: &Planned, wire: SchemaRef) -> Result<BoxStream<'static, Result<Egress<RecordBatch>>>> {
        Session::run(self, planned, wire).await
    }
}

impl Statement for Planned {
    fn schema(&self) -> &SchemaRef {
        Planned::schema(self)
    }

    fn generation(&self) -> [u8; 32] {
        Planned::generation(self)
    }

    fn view(&self) -> [u8; 32] {
        Planned::view(self)
    }

    fn parameters(&self) -> &[Option<DataType>] {
        Planned::parameters(self)
    }

    fn is_bound(&self) -> bool {
        Planned::is_bound(self)
    }

    fn defaults(&self) -> &Defaults {
        Planned::defaults(self)
    }

    fn weight(&self) -> usize {
        Planned::weight(self)
    }
}
