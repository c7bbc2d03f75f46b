//! What a tool asks when it draws its tree: a mesh of ten thousand datasets, of which the caller may read half.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use futures::TryStreamExt as _;
use meshgate::config::Limits;
use meshgate::engine::Engine;
use meshgate::flight::wire_schema;
use meshgate::govern::{Current, Generation};
use meshgate::mesh::{self, Files};
use meshgate::policy::{PolicyStore, Principals};
use meshgate::query::{Session, Sessions};
use meshgate::telemetry::Clock;

use crate::decisions::{NOW, Nowhere};
use crate::measure::{Times, millis, table};

const DOMAINS: usize = 100;
const DATASETS: usize = 10_000;
const RUNS: usize = 20;

const ASKED: [&str; 7] = [
    "SHOW SCHEMAS",
    "SHOW TABLES",
    "SHOW COLUMNS FROM d7.p7",
    "SELECT table_schema, table_name FROM information_schema.tables",
    "SELECT count(*) FROM information_schema.columns",
    "SELECT * FROM information_schema.columns",
    "SELECT * FROM information_schema.key_column_usage",
];

/// Datasets of twenty columns; two policies for each domain.
fn files() -> Files {
    let mut files = Files::default();
    let mut put = |path: String, text: String| files.texts.insert(path, text);
    put("mesh.yaml".to_owned(), "roles: [analyst, officer]\nclassifications: [public, internal]\n".to_owned());
    let mut properties = "      - {name: id, logicalType: integer, required: true, primaryKey: true}\n".to_owned();
    for at in 1..20 {
        let kind = ["string", "integer", "date", "number"][at % 4];
        let _ = writeln!(properties, "      - {{name: c{at}, logicalType: {kind}, description: what c{at} is}}");
    }
    for domain in 0..DOMAINS {
        put(
            format!("d{domain}/domain.yaml"),
            format!("name: d{domain}\nowner: {{team: t}}\nsupport: [{{channel: '#c'}}]\n"),
        );
        let reader = if domain % 2 == 1 { "analyst" } else { "officer" };
        let policy = format!(
            "@id(\"d{domain}\") permit (principal in Role::\"{reader}\", action == Action::\"read\", resource in Domain::\"d{domain}\");"
        );
        put(format!("d{domain}/policies/all.cedar"), policy);
    }
    for at in 0..DATASETS {
        let (domain, name) = (format!("d{}", at % DOMAINS), format!("p{at}"));
        put(
            format!("{domain}/{name}.odcs.yaml"),
            format!(
                "apiVersion: v3.1.0\nkind: DataContract\nid: {name}\nname: {name}\nversion: 1.0.0\nstatus: active\ndomain: {domain}\n\
                 servers: [{{server: local, type: local, path: \"{{model}}.parquet\", format: parquet}}]\n\
                 schema:\n  - name: {name}\n    properties:\n{properties}"
            ),
        );
    }
    files
}

fn sessions() -> Sessions {
    let files = files();
    let snapshot = Arc::new(mesh::load(&files).unwrap());
    let store = PolicyStore::load(&files, &snapshot);
    assert_eq!((snapshot.findings.as_slice(), store.findings()), ([].as_slice(), [].as_slice()));
    assert_eq!(snapshot.tables.len(), DATASETS);
    let generation = Generation::new(snapshot, store, Arc::new(Nowhere), BTreeMap::new());
    let limits = Limits::default();
    let engine = Engine::new(&limits).unwrap();
    Sessions::new(Arc::new(Current::new(generation)), engine, limits, Clock::manual(NOW))
}

/// Nothing can be opened here, so nothing that answers has touched storage.
async fn rows(session: &Session, sql: &str) -> usize {
    let planned = session.plan(sql).await.unwrap();
    let stream = session.run(&planned, wire_schema(planned.schema())).await.unwrap();
    let batches: Vec<_> = stream.try_collect().await.unwrap();
    batches.iter().map(|batch| batch.get().num_rows()).sum()
}

pub fn run() {
    let started = Instant::now();
    let sessions = sessions();
    let load = started.elapsed();
    let principals = Principals::parse("ana: { roles: [analyst] }\n", "principals.yaml").unwrap();
    let session = sessions.open(principals.get("ana").unwrap().principal.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("### Browsing {DATASETS} datasets, in ms (loaded in {} ms)\n", millis(load));
    let mut out = Vec::new();
    for sql in ASKED {
        let started = Instant::now();
        let count = runtime.block_on(rows(&session, sql));
        let first = started.elapsed();
        let mut times = Times::default();
        for _ in 0..RUNS {
            let started = Instant::now();
            runtime.block_on(rows(&session, sql));
            times.push(started.elapsed());
        }
        out.push(vec![
            format!("`{sql}`"),
            count.to_string(),
            millis(first),
            millis(times.median()),
            millis(times.percentile(0.99)),
        ]);
    }
    table(&["asked", "rows", "first", "again p50", "again p99"], &out);
}
