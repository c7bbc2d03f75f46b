//! Contracts, policies and data for the tests of this folder.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields};
use arrow::util::display::array_value_to_string;
use datafusion::catalog::MemTable;
use datafusion::datasource::provider_as_source;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use futures::FutureExt as _;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::contract::{Column, Contract, Dataset, Format, Location, OnDrift, Server, Status, TextLayout};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::engine::PrivateSession;
use crate::govern::{GovernedTable, Openings, ProductScan};
use crate::mesh::{Product, TableEntry};
use crate::name::{ColumnPath, QualifiedProduct, QualifiedTable};
use crate::policy::{Clause, ColumnRules, Comparison, Condition, Exposed, Literal, Rule, Term};
use crate::source::{Open, RawTable};

pub fn path(text: &str) -> ColumnPath {
    let mut segments = text.split('.').map(|segment| segment.parse().unwrap());
    let root = ColumnPath::root(segments.next().unwrap());
    segments.fold(root, |path, segment| path.child(segment))
}

pub fn column(name: &str, data_type: DataType, required: bool) -> Column {
    Column {
        name: name.parse().unwrap(),
        physical_name: name.to_owned(),
        data_type,
        fields: Vec::new(),
        list_in_files: None,
        in_json: None,
        written: None,
        written_inside: BTreeMap::new(),
        description: None,
        tags: Vec::new(),
        classification: "internal".parse().unwrap(),
        required,
        unique: false,
        range: None,
        primary_key: None,
        partition_key: None,
        critical: false,
        quality: Vec::new(),
    }
}

pub fn structure(name: &str, fields: Vec<Column>, required: bool) -> Column {
    let types: Fields = fields.iter().map(|f| Field::new(f.name.as_str(), f.data_type.clone(), true)).collect();
    Column { fields, ..column(name, DataType::Struct(types), required) }
}

pub fn entry(columns: Vec<Column>) -> TableEntry {
    let internal = "internal".parse().unwrap();
    let dataset = Dataset {
        name: "orders".parse().unwrap(),
        physical_name: "orders".to_owned(),
        description: None,
        tags: Vec::new(),
        classification: internal,
        // Large enough to be read in several partitions.
        row_count: Some(1_000_000),
        on_drift: OnDrift::default(),
        columns,
        references: Vec::new(),
        quality: Vec::new(),
    };
    let contract = Contract {
        id: "orders".to_owned(),
        domain: "sales".parse().unwrap(),
        product: "orders".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        status: Status::Active,
        purpose: None,
        usage: None,
        limitations: None,
        tags: Vec::new(),
        classification: "internal".parse().unwrap(),
        owner_team: None,
        support: Vec::new(),
        server: Server {
            name: "here".to_owned(),
            location: Location::Local { path: "orders".to_owned() },
            format: Format::Parquet,
            layout: TextLayout::default(),
        },
        datasets: vec![dataset],
        sla: Vec::new(),
        file: "orders.odcs.yaml".to_owned(),
    };
    let name = QualifiedProduct { domain: "sales".parse().unwrap(), product: "orders".parse().unwrap() };
    TableEntry {
        table: QualifiedTable { domain: "sales".parse().unwrap(), table: "orders".parse().unwrap() },
        product: Arc::new(Product { name, contract: Arc::new(contract) }),
        dataset: 0,
    }
}

pub fn rule(mask: &str, conditions: &[Condition]) -> Rule {
    let clause = |(i, condition): (usize, &Condition)| Clause {
        policy: format!("{mask}-{i}").into(),
        condition: Arc::new(condition.clone()),
    };
    Rule { mask: mask.parse().unwrap(), when: conditions.iter().enumerate().map(clause).collect() }
}

pub fn rules(at: &str, offers: Vec<Rule>, caps: Vec<Rule>) -> ColumnRules {
    ColumnRules { path: path(at), offers: offers.into(), caps: caps.into() }
}

pub fn exposed(columns: Vec<ColumnRules>) -> Exposed {
    Exposed { columns, policies: vec!["a-policy".to_owned(), "b-policy".to_owned()], reads_clock: false }
}

pub const ALWAYS: Condition = Condition::Const(true);

pub fn compare(op: Comparison, at: &str, literal: Literal) -> Condition {
    Condition::Compare(op, Box::new(Term::Column(path(at))), Box::new(Term::Literal(literal)))
}

pub fn is(at: &str, text: &str) -> Condition {
    compare(Comparison::Equal, at, Literal::String(text.to_owned()))
}

/// A dataset opened from a plan of the test's own making.
#[derive(Debug)]
pub struct Opened {
    plan: LogicalPlan,
    session: Arc<PrivateSession>,
    drift: BTreeMap<ColumnPath, String>,
    fails: bool,
}

#[async_trait::async_trait]
impl Open for Opened {
    async fn open(&self, _: &TableEntry) -> Result<Arc<RawTable>> {
        if self.fails {
            return Err(Diagnostic::error(Kind::Unavailable, "secret/bucket/path.parquet is truncated"));
        }
        Ok(Arc::new(RawTable::new(self.plan.clone(), Arc::clone(&self.session), self.drift.clone())))
    }
}

/// How the private session reads.
pub fn private_config() -> SessionConfig {
    let mut config = SessionConfig::new().with_target_partitions(2).with_batch_size(16);
    config.options_mut().execution.parquet.schema_force_view_types = false;
    config
}

pub fn memory(batch: RecordBatch, drift: BTreeMap<ColumnPath, String>) -> Opened {
    let context = SessionContext::new_with_config(private_config());
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
    let plan = LogicalPlanBuilder::scan("raw", provider_as_source(Arc::new(table)), None).unwrap().build().unwrap();
    Opened { plan, session: Arc::new(PrivateSession::for_tests(context.state())), drift, fails: false }
}

pub fn broken() -> Opened {
    let context = SessionContext::new_with_config(private_config());
    let plan = LogicalPlanBuilder::empty(false).build().unwrap();
    Opened { plan, session: Arc::new(PrivateSession::for_tests(context.state())), drift: BTreeMap::new(), fails: true }
}

/// One Parquet file in an in-memory store, with row groups of the given size.
pub async fn parquet(batch: RecordBatch, group: usize, config: SessionConfig) -> Opened {
    files(&[("orders.parquet", batch)], group, config, ParquetReadOptions::default()).await
}

/// Parquet files in an in-memory store.
pub async fn files(
    files: &[(&str, RecordBatch)],
    group: usize,
    config: SessionConfig,
    options: ParquetReadOptions<'_>,
) -> Opened {
    let store = Arc::new(InMemory::new());
    for (name, batch) in files {
        let mut bytes = Vec::new();
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        store.put(&format!("orders/{name}").into(), PutPayload::from(bytes)).await.unwrap();
    }
    let context = SessionContext::new_with_config(config);
    let url = ObjectStoreUrl::parse("mem://bucket").unwrap();
    context.register_object_store(url.as_ref(), store as Arc<dyn ObjectStore>);
    let frame = context.read_parquet("mem://bucket/orders/", options).await.unwrap();
    let plan = frame.logical_plan().clone();
    Opened { plan, session: Arc::new(PrivateSession::for_tests(context.state())), drift: BTreeMap::new(), fails: false }
}

pub fn governed(columns: Vec<Column>, exposed: Exposed, opened: Opened) -> GovernedTable {
    let key = Some("key".to_owned().into());
    GovernedTable::new(entry(columns), exposed, Arc::new(opened), key, false).expect("something is visible")
}

/// A client session with the table under the name `orders`, opened once for all that is asked there.
pub fn client(table: GovernedTable) -> SessionContext {
    client_of_stored(table).now_or_never().expect("the fixture opens at once")
}

/// The same for a table whose files lie in a store.
pub async fn client_of_stored(table: GovernedTable) -> SessionContext {
    let openings = Openings::open(&[table.unopened()], Duration::from_mins(1)).await.unwrap();
    let config = SessionConfig::new().with_target_partitions(3).with_information_schema(true).with_extension(openings);
    let context = SessionContext::new_with_config(config);
    context.register_table("orders", Arc::new(table)).unwrap();
    context
}

/// Rows as text, `|` between cells and `∅` for NULL, or the error.
pub async fn query(context: &SessionContext, sql: &str) -> std::result::Result<Vec<String>, String> {
    let frame = context.sql(sql).await.map_err(|e| e.to_string())?;
    let batches = frame.collect().await.map_err(|e| e.to_string())?;
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| {
                if column.is_null(row) { "∅".to_owned() } else { array_value_to_string(column, row).unwrap() }
            });
            rows.push(cells.collect::<Vec<_>>().join("|"));
        }
    }
    Ok(rows)
}

/// Every product scan of a plan, in order.
pub fn scans(plan: &Arc<dyn ExecutionPlan>) -> Vec<ProductScan> {
    let mut out: Vec<ProductScan> = plan.downcast_ref::<ProductScan>().cloned().into_iter().collect();
    for child in plan.children() {
        out.extend(scans(child));
    }
    out
}
