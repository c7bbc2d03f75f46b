//! Truth tables of policy: `tests/slt/**.slt` over the demo mesh, one connection for each principal.
//!
//! sqllogictest does not tell the maker of a connection its name, so the records are walked here and each goes to the runner of the
//! connection that was named last.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use meshgate::diagnostic::Diagnostic;
use meshgate::query::Session;
use sqllogictest::{AsyncDB, Connection, DBOutput, DefaultColumnType, Record, Runner};

use crate::demo::demo_mesh;
use crate::harness::run;

#[derive(Debug)]
struct Principal(Arc<Session>);

#[async_trait::async_trait]
impl AsyncDB for Principal {
    type Error = Diagnostic;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Diagnostic> {
        let batches = run(&self.0, sql).await?;
        let width = batches.first().map_or(0, RecordBatch::num_columns);
        let rows = batches.iter().flat_map(cells).collect();
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; width], rows })
    }

    async fn shutdown(&mut self) {}
}

fn cells(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::new().with_null("NULL");
    let columns: Vec<_> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    (0..batch.num_rows())
        .map(|row| {
            let text = |value: String| if value.is_empty() { "(empty)".to_owned() } else { value };
            columns.iter().map(|column| text(column.value(row).to_string())).collect()
        })
        .collect()
}

fn scripts(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|ending| ending == "slt"));
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn truth_tables() {
    let mesh = demo_mesh().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut asked = 0;
    for script in scripts(&folder) {
        let mut runners = BTreeMap::new();
        let mut name: Option<String> = None;
        for record in sqllogictest::parse_file::<DefaultColumnType>(&script).unwrap() {
            match &record {
                Record::Connection(Connection::Named(who)) => {
                    let session = mesh.session(who);
                    runners.entry(who.clone()).or_insert_with(|| {
                        Runner::new(move || {
                            let session = Arc::clone(&session);
                            async move { Ok(Principal(session)) }
                        })
                    });
                    name = Some(who.clone());
                }
                Record::Query { .. } | Record::Statement { .. } => {
                    let who = name.as_ref().unwrap_or_else(|| panic!("{}: name a connection first", script.display()));
                    let runner = runners.get_mut(who).unwrap();
                    if let Err(error) = runner.run_async(record).await {
                        panic!("as {who}: {}", error.display(false));
                    }
                    asked += 1;
                }
                _ => {}
            }
        }
    }
    assert!(asked > 40, "only {asked} statements were asked");
}
