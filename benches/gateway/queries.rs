//! The 22 queries of TPC-H through policy beside the same without one, or with filters and masks by hand, in one process and taking turns:
//! what governance costs before anything is sent, in time and in what is asked of the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use futures::TryStreamExt;
use meshgate::config::Limits;
use meshgate::engine::Engine;
use meshgate::flight::wire_schema;
use meshgate::govern::{Current, Generation};
use meshgate::mesh::{Files, load};
use meshgate::policy::{PolicyStore, Principals};
use meshgate::query::{Egress, Session, Sessions};
use meshgate::source::{Sources, Stores};
use meshgate::telemetry::Clock;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use url::Url;

use crate::counting::{Asked, Counting};
use crate::measure::{Times, millis, ratios, shuffled, table};
use crate::tpch::{ANALYST, DOMAINS, Format, Query, READER, TABLES, Tables, by_hand, make, mesh, queries};

const RUNS: usize = 15;
pub const PARTITIONS: usize = 2;
const POLICIES: usize = 500;
/// 0.1 is 600,000 lines; the variable MESHGATE_BENCH_SCALE sets another.
const SCALE: f64 = 0.1;

pub fn scale() -> f64 {
    std::env::var("MESHGATE_BENCH_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(SCALE)
}

/// Where generated files are kept between runs.
pub fn home() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// What a table of figures comes to.
#[derive(Debug)]
struct Sum {
    /// Governed over alone, of all queries.
    ratio: f64,
    /// The largest ratio of bytes, and the query.
    bytes: (f64, usize),
    /// The most requests for lists and headers beyond one for each scan, and the query.
    looks: (u64, usize),
}

/// Over the goals by as much as the machine of a gate may be off.
const SLACK: f64 = 1.15;

/// Prints the tables. With `gate`, answers false where a ratio or a count is worse than it may be.
pub fn run(gate: bool) -> bool {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(PARTITIONS + 2).enable_all().build().unwrap();
    let [all, part, delta] = runtime.block_on(compare());
    let checks = [
        ("P1: permitted all over the engine alone", all.ratio, 1.10 * SLACK),
        ("P3: half of the rows and two masks over the same by hand", part.ratio, 1.05 * SLACK),
        ("P4: bytes of a query over those by hand", part.bytes.0, 1.05),
        ("P4: bytes of a query over those of the engine alone", all.bytes.0, 1.05),
        ("P14: listings of a Delta query beyond one for each scan", delta.looks.0 as f64, 0.0),
    ];
    for (name, value, most) in checks.iter().filter(|_| gate) {
        println!("{} {name}: {value:.2}, at most {most:.2}", if value <= most { "ok    " } else { "FAILED" });
    }
    !gate || checks.iter().all(|(_, value, most)| value <= most)
}

async fn compare() -> [Sum; 3] {
    let tables = make(home(), scale()).await;
    println!("{} lines, {RUNS} runs of each in turns, {POLICIES} policies\n", tables.known[0].rows);
    let plain = |query: &Query| query.with(|_| "public".to_owned());
    let hand = |query: &Query| query.with(|_| "hand".to_owned());
    [
        pair("Permitted all, beside the engine alone", &tables, Format::Parquet, READER, plain).await,
        pair("Half of the rows and two masks, beside the same by hand", &tables, Format::Parquet, ANALYST, hand).await,
        pair("Delta, permitted all, beside the engine alone on Parquet", &tables, Format::Delta, READER, plain).await,
    ]
}

/// One table of figures: `user`'s governed queries beside those that `text` gives the engine alone.
async fn pair(title: &str, tables: &Tables, format: Format, user: &str, text: impl Fn(&Query) -> String) -> Sum {
    let stores = stores(tables);
    let session = governed(tables, &stores, format, user);
    let context = bare(&stores).await;
    let take = || stores.values().fold(Asked::default(), |sum, store| sum.plus(store.take()));
    println!("### {title}\n");
    let mut told = Vec::new();
    let (mut whole, mut alone_whole) = (0.0, 0.0);
    let mut sum = Sum { ratio: 0.0, bytes: (0.0, 0), looks: (0, 0) };
    for query in queries() {
        let (ours, theirs) = (query.of_domains(), text(&query));
        let (mut governed, mut alone) = (Times::default(), Times::default());
        let mut asked = [Asked::default(); 2];
        for at in 0..=RUNS {
            let (mut answers, mut took) = ([Vec::new(), Vec::new()], [Duration::ZERO; 2]);
            for arm in shuffled::<2>(at) {
                take();
                let started = Instant::now();
                answers[arm] = match arm {
                    0 => ask(&session, &ours).await,
                    _ => context.sql(&theirs).await.unwrap().collect().await.unwrap(),
                };
                took[arm] = started.elapsed();
                asked[arm] = take();
            }
            if at == 0 {
                // To warm up, and to see that both say the same.
                assert_eq!(text_of(&answers[0]), text_of(&answers[1]), "query {}", query.number);
                continue;
            }
            governed.push(took[0]);
            alone.push(took[1]);
        }
        whole += governed.median().as_secs_f64();
        alone_whole += alone.median().as_secs_f64();
        let ratio = ratios(&governed, &alone);
        let bytes = asked[0].bytes as f64 / asked[1].bytes.max(1) as f64;
        // The engine alone looks once at the file of each scan.
        let more_looks = asked[0].looks.saturating_sub(asked[1].looks);
        if bytes > sum.bytes.0 {
            sum.bytes = (bytes, query.number);
        }
        if more_looks > sum.looks.0 {
            sum.looks = (more_looks, query.number);
        }
        told.push(vec![
            query.number.to_string(),
            millis(governed.median()),
            millis(alone.median()),
            ratio.to_string(),
            format!("{bytes:.2}"),
            format!("{} / {}", asked[0].reads, asked[1].reads),
            format!("{} / {}", asked[0].looks, asked[1].looks),
        ]);
    }
    sum.ratio = whole / alone_whole;
    let mut last = vec!["all".to_owned(), format!("{:.2}", whole * 1e3), format!("{:.2}", alone_whole * 1e3)];
    last.extend([format!("{:.2}", sum.ratio), String::new(), String::new(), String::new()]);
    told.push(last);
    table(&["query", "governed, ms", "alone, ms", "ratio (95 %)", "bytes, ratio", "reads", "looks"], &told);
    println!("{sum:?}\n");
    sum
}

fn text_of(batches: &[RecordBatch]) -> Vec<String> {
    let text = pretty_format_batches(batches).unwrap().to_string();
    text.lines()
        .skip(3)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| line.starts_with('|'))
        .collect()
}

async fn ask(session: &Session, sql: &str) -> Vec<RecordBatch> {
    let planned = session.plan(sql).await.unwrap();
    let stream = session.run(&planned, wire_schema(planned.schema())).await.unwrap();
    stream.map_ok(Egress::into_inner).try_collect().await.unwrap()
}

pub fn stores(tables: &Tables) -> BTreeMap<&'static str, Arc<Counting>> {
    let store = |domain: &str| LocalFileSystem::new_with_prefix(tables.root.join(domain)).unwrap();
    DOMAINS.iter().map(|domain| (*domain, Arc::new(Counting::over(Arc::new(store(domain)))))).collect()
}

pub fn governed(
    tables: &Tables,
    counting: &BTreeMap<&'static str, Arc<Counting>>,
    format: Format,
    user: &str,
) -> Arc<Session> {
    let mesh = mesh(home(), tables, format, POLICIES);
    let files = Files::read(&mesh.catalogs).unwrap();
    let snapshot = Arc::new(load(&files).unwrap());
    let policies = PolicyStore::load(&files, &snapshot);
    assert_eq!(snapshot.findings, []);
    assert_eq!(policies.findings(), []);
    let limits = Limits { partitions: PARTITIONS, ..Limits::default() };
    let engine = Engine::new(&limits).unwrap();
    let mut stores = Stores::default();
    for (domain, store) in counting {
        let url = Url::parse(&format!("local://{domain}/")).unwrap();
        stores.insert(domain.parse().unwrap(), &url, Arc::clone(store) as Arc<dyn ObjectStore>);
    }
    let sources = Arc::new(Sources::new(Arc::clone(&engine), stores));
    let generation = Generation::new(snapshot, policies, sources, BTreeMap::new());
    let sessions = Sessions::new(Arc::new(Current::new(generation)), engine, limits, Clock::real());
    let principals = format!("{user}: {{ roles: [{user}] }}\n");
    let principals = Principals::parse(&principals, "principals.yaml").unwrap();
    sessions.open(principals.get(user).unwrap().principal.clone())
}

/// The engine alone, reading as the gateway's private sessions do: the tables, and in the schema `hand` what an analyst sees of them.
pub async fn bare(stores: &BTreeMap<&'static str, Arc<Counting>>) -> SessionContext {
    let context = alone();
    for (domain, store) in stores {
        let url = Url::parse(&format!("mem://{domain}/")).unwrap();
        context.register_object_store(&url, Arc::clone(store) as Arc<dyn ObjectStore>);
    }
    register(&context, |table, domain| format!("mem://{domain}/{table}/part-0.parquet")).await;
    context
}

pub fn alone() -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(PARTITIONS).with_collect_statistics(true);
    let parquet = &mut config.options_mut().execution.parquet;
    parquet.schema_force_view_types = false;
    parquet.pushdown_filters = true;
    parquet.metadata_size_hint = Some(512 * 1024);
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    SessionContext::new_with_config(config)
}

pub async fn register(context: &SessionContext, place: impl Fn(&str, &str) -> String) {
    context.sql("CREATE SCHEMA hand").await.unwrap();
    for (table, domain) in TABLES {
        context.register_parquet(table, place(table, domain), ParquetReadOptions::default()).await.unwrap();
        let seen = by_hand(table).map_or_else(|| format!("SELECT * FROM {table}"), str::to_owned);
        context.sql(&format!("CREATE VIEW hand.{table} AS {seen}")).await.unwrap();
    }
}
