//! What is damaged: a file of each format, the files beside a Delta table, a contract, a policy.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use deltalake::checkpoints::create_checkpoint;
use object_store::ObjectStore;
use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use url::Url;

use super::mutate::{Damage, damaged, flipped};
use crate::harness::{Fixture, Mesh, delta_log, parquet, rows};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Written by pyarrow 26 with checksums: snappy and pages of version 1, a page index.
    ParquetV1,
    /// The same with zstd and pages of version 2.
    ParquetV2,
    /// Bits of pages, of both: their checksums show the damage.
    ParquetPages,
    DeltaLog,
    DeltaCheckpoint,
    Csv,
    Json,
    Contract,
    Policy,
}

const V1: &[u8] = include_bytes!("../fixtures/checksums.parquet");
const V2: &[u8] = include_bytes!("../fixtures/checksums_v2.parquet");

const COLUMNS: &str = "
      - {name: id, logicalType: integer}
      - {name: region, logicalType: string, required: true}
      - {name: note, logicalType: string}
      - {name: amount, logicalType: number, physicalType: 'decimal(12,2)'}
      - {name: ratio, logicalType: number}
      - {name: day, logicalType: date}";
const TAGS: &str = "\n      - {name: tags, logicalType: array, items: {logicalType: string}}";

const MESH: &str = "//- mesh.yaml
name: mesh
roles: [analyst]
tags: []
classifications: [internal]
//- users.toml
[users.ana]
password = \"x\"
roles = [\"analyst\"]
//- sales/domain.yaml
name: sales
owner: {team: sales-team}
//- hr/domain.yaml
name: hr
owner: {team: hr-team}
//- sales/policies/all.cedar
@id(\"rows\") permit (principal in Role::\"analyst\", action == Action::\"read\", resource is sales::orders)
when { resource.region == \"EU\" || resource.region == \"APAC\" } unless { context.column.name == \"note\" };
@id(\"notes\") @mask(\"last(4)\") permit (principal in Role::\"analyst\", action == Action::\"read\", resource is sales::orders)
when { context.column.name == \"note\" };
//- hr/policies/all.cedar
@id(\"all\") permit (principal in Role::\"analyst\", action == Action::\"read\", resource is hr::people);
//- data/hr/people.csv
id:i64
7
";

const ASKED: &str = "SELECT * FROM sales.orders ORDER BY id";
const BESIDE: &str = "SELECT id FROM hr.people";

fn contract(domain: &str, name: &str, path: &str, format: &str, columns: &str) -> String {
    format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: {domain}-{name}\nname: {name}\nversion: 1.0.0\nstatus: active\ndomain: {domain}\n\
         customProperties: [{{property: meshgateClassification, value: internal}}]\n\
         servers: [{{server: local, type: local, path: {path}, format: {format}}}]\nschema:\n  - name: {name}\n    properties:{columns}\n"
    )
}

pub struct World {
    kind: Kind,
    fixture: Fixture,
    /// What undamaged files answer.
    whole: String,
}

/// One damaged file.
pub struct Mutant {
    place: Place,
    pub bytes: Vec<u8>,
    pub told: String,
    /// An answer other than that of the undamaged files is a fault.
    exact: bool,
}

#[derive(Debug, Clone)]
enum Place {
    Data(String),
    Catalog(&'static str),
}

impl World {
    pub async fn new(kind: Kind) -> Self {
        let mut fixture = Fixture::parse(MESH);
        let (path, format, columns) = match kind {
            Kind::DeltaLog | Kind::DeltaCheckpoint => ("orders", "delta", COLUMNS.to_owned()),
            Kind::Csv => ("orders.csv", "csv", COLUMNS.to_owned()),
            Kind::Json => ("orders.json", "json", COLUMNS.to_owned() + TAGS),
            _ => ("orders.parquet", "parquet", COLUMNS.to_owned() + TAGS),
        };
        fixture.catalogs.insert("sales/orders.odcs.yaml".into(), contract("sales", "orders", path, format, &columns));
        let people = contract("hr", "people", "people.csv", "csv", "\n      - {name: id, logicalType: integer}");
        fixture.catalogs.insert("hr/people.odcs.yaml".into(), people);
        fixture.data.get_mut("hr").unwrap().insert("people.csv".to_owned(), b"id\n7\n".to_vec());
        fixture.data.insert("sales".to_owned(), files(kind).await);
        let mut world = Self { kind, fixture, whole: String::new() };
        world.whole = world.answers(None).await.0;
        assert!(world.whole.lines().count() > 100, "{}", world.whole);
        world
    }

    pub fn damage(&self, random: &mut ChaCha8Rng) -> Mutant {
        let place = match self.kind {
            Kind::Contract => Place::Catalog("sales/orders.odcs.yaml"),
            Kind::Policy => Place::Catalog("sales/policies/all.cedar"),
            _ => {
                let files: Vec<&String> = self.fixture.data["sales"].keys().collect();
                Place::Data((*files.choose(random).unwrap()).clone())
            }
        };
        let bytes = match &place {
            Place::Catalog(path) => self.fixture.catalogs[*path].as_bytes(),
            Place::Data(path) => &self.fixture.data["sales"][path],
        };
        let exact = self.kind == Kind::ParquetPages;
        let Damage { bytes, told } = if exact {
            let whole = if random.random() { V1 } else { V2 };
            flipped(whole, 4, pages_end(whole), random)
        } else {
            damaged(bytes, random)
        };
        Mutant { told: format!("{place:?}: {told}"), place, bytes, exact }
    }

    /// What is wrong with the answers over a damaged file.
    pub async fn ask(&self, mutant: Mutant) -> Option<String> {
        let exact = mutant.exact;
        let (answer, beside) = self.answers(Some(mutant)).await;
        if beside != "id Int64\n7" {
            return Some(format!("another domain's product answers {beside}"));
        }
        if answer.contains("failed inside the gateway") {
            return Some(answer);
        }
        let is_error = answer.lines().next().is_some_and(|line| line.contains(": "));
        (exact && !is_error && answer != self.whole).then(|| {
            let differ = answer.lines().zip(self.whole.lines()).find(|(found, said)| found != said);
            format!("it answers other rows: {differ:?}")
        })
    }

    async fn answers(&self, mutant: Option<Mutant>) -> (String, String) {
        let mut fixture = Fixture {
            catalogs: self.fixture.catalogs.clone(),
            users: self.fixture.users.clone(),
            ..Fixture::default()
        };
        fixture.data = self.fixture.data.clone();
        match mutant {
            Some(Mutant { place: Place::Data(path), bytes, .. }) => {
                fixture.data.get_mut("sales").unwrap().insert(path, bytes);
            }
            Some(Mutant { place: Place::Catalog(path), bytes, .. }) => {
                fixture.catalogs.insert(path.to_owned(), String::from_utf8_lossy(&bytes).into_owned());
            }
            None => {}
        }
        let stores = fixture.stores().await;
        let stores = stores.into_iter().map(|(domain, store)| (domain, store as Arc<dyn ObjectStore>)).collect();
        let mesh = Mesh::over(&fixture, stores);
        (mesh.answer("ana", ASKED).await, mesh.answer("ana", BESIDE).await)
    }
}

/// Where the pages end: before the footer, whose length stands before the last four bytes, and the page index.
fn pages_end(file: &[u8]) -> usize {
    use datafusion::parquet::file::metadata::{ParquetMetaDataReader, RowGroupMetaData};
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::copy_from_slice(file)).unwrap();
    let ends = metadata.row_groups().iter().flat_map(RowGroupMetaData::columns).map(|chunk| {
        let (start, length) = chunk.byte_range();
        start + length
    });
    usize::try_from(ends.max().unwrap()).unwrap()
}

async fn files(kind: Kind) -> BTreeMap<String, Vec<u8>> {
    let one = |path: &str, bytes: &[u8]| BTreeMap::from([(path.to_owned(), bytes.to_vec())]);
    match kind {
        Kind::ParquetV2 => one("orders.parquet", V2),
        Kind::ParquetV1 | Kind::ParquetPages | Kind::Contract | Kind::Policy => one("orders.parquet", V1),
        Kind::Csv => one("orders.csv", csv().as_bytes()),
        Kind::Json => one("orders.json", json().as_bytes()),
        Kind::DeltaLog => delta(&table(240), false).await,
        Kind::DeltaCheckpoint => delta(&table(240), true).await,
    }
}

const ROWS: usize = 240;

fn csv() -> String {
    let mut text = "id,region,note,amount,ratio,day\n".to_owned();
    for i in 0..ROWS {
        let region = ["EU", "US", "APAC"][i % 3];
        writeln!(text, "{i},{region},\"a \"\"note\"\", {i}\",{}.{:02},0.{i},2024-01-{:02}", i, i % 100, i % 28 + 1)
            .unwrap();
    }
    text
}

fn json() -> String {
    let mut text = String::new();
    for i in 0..ROWS {
        let line = serde_json::json!({ "id": i, "region": (["EU", "US", "APAC"][i % 3]), "note": format!("a \"note\" {i}"),
            "amount": i, "ratio": 0.5, "day": format!("2024-01-{:02}", i % 28 + 1), "tags": ["a", "b"] });
        writeln!(text, "{line}").unwrap();
    }
    text
}

fn table(rows_in_all: usize) -> RecordBatch {
    let mut text = "id:i64,region:utf8,note:utf8,amount:dec,ratio:f64,day:date\n".to_owned();
    for i in 0..rows_in_all {
        writeln!(text, "{i},{},note {i},{i}.50,0.5,2024-01-{:02}", ["EU", "US", "APAC"][i % 3], i % 28 + 1).unwrap();
    }
    rows(&text)
}

/// A table of two files, with its checkpoint alone or its log alone.
async fn delta(batch: &RecordBatch, checkpoint: bool) -> BTreeMap<String, Vec<u8>> {
    let half = batch.num_rows() / 2;
    let parts = [batch.slice(0, half), batch.slice(half, batch.num_rows() - half)];
    let mut files: BTreeMap<String, Vec<u8>> =
        parts.iter().enumerate().map(|(i, part)| (format!("part-{i}.parquet"), parquet(part))).collect();
    let adds: Vec<(String, usize)> = files.iter().map(|(path, bytes)| (path.clone(), bytes.len())).collect();
    let log = delta_log(&batch.schema(), &adds);
    files.insert("_delta_log/00000000000000000000.json".to_owned(), log.into_bytes());
    if checkpoint {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in &files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let table = deltalake::open_table(Url::from_directory_path(folder.path()).unwrap()).await.unwrap();
        create_checkpoint(&table, None).await.unwrap();
        for entry in std::fs::read_dir(folder.path().join("_delta_log")).unwrap() {
            let entry = entry.unwrap();
            let name = format!("_delta_log/{}", entry.file_name().into_string().unwrap());
            files.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    files.into_iter().map(|(path, bytes)| (format!("orders/{path}"), bytes)).collect()
}
