//! Queries through policy beside the same queries with the filters and masks written by hand, in one process and taking turns.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use futures::TryStreamExt;
use meshgate::config::Limits;
use meshgate::engine::Engine;
use meshgate::flight::wire_schema;
use meshgate::govern::{Current, Generation};
use meshgate::mesh::load;
use meshgate::policy::{PolicyStore, Principals};
use meshgate::query::{Egress, Session, Sessions};
use meshgate::source::{Sources, Stores};
use meshgate::telemetry::Clock;
use object_store::ObjectStore;
use url::Url;

use crate::counting::Counting;
use crate::measure::{Times, millis, table};
use crate::tables::{NAMES, by_hand, files, fill};

const RUNS: usize = 15;
const PARTITIONS: usize = 2;
/// 0.1 is 600,000 lines; the variable MESHGATE_BENCH_SCALE sets another.
const SCALE: f64 = 0.1;

/// `{lineitem}` stands for the governed table, or for the relation by hand. The flag: a predicate of the query can go below the policy.
const QUERIES: &[(&str, bool, &str)] = &[
    (
        "sums by flag over most lines",
        true,
        "SELECT l_returnflag, l_linestatus, count(*) AS lines, sum(l_quantity) AS pieces, avg(l_discount) AS discount, \
         sum(l_extendedprice * (1 - l_discount)) AS revenue \
         FROM {lineitem} l WHERE l_shipdate <= DATE '1998-06-30' GROUP BY l_returnflag, l_linestatus ORDER BY 1, 2",
    ),
    (
        "one sum over few lines",
        true,
        "SELECT sum(l_extendedprice * l_discount) AS saved FROM {lineitem} l \
         WHERE l_shipdate >= DATE '1995-01-01' AND l_shipdate < DATE '1995-04-01' AND l_quantity < 10 AND l_discount >= 0.05",
    ),
    (
        "three tables, the largest open orders of a segment",
        true,
        "SELECT o.o_orderkey, o.o_orderdate, sum(l.l_extendedprice * (1 - l.l_discount)) AS revenue \
         FROM {customer} c JOIN {orders} o ON c.c_custkey = o.o_custkey JOIN {lineitem} l ON l.l_orderkey = o.o_orderkey \
         WHERE c.c_mktsegment = 'FURNITURE' AND o.o_orderdate < DATE '1995-06-01' AND l.l_shipdate > DATE '1995-06-01' \
         GROUP BY o.o_orderkey, o.o_orderdate ORDER BY revenue DESC, o.o_orderkey LIMIT 20",
    ),
    (
        "late lines by priority",
        true,
        "SELECT o.o_orderpriority, l.l_shipmode, count(*) AS late FROM {orders} o JOIN {lineitem} l ON o.o_orderkey = l.l_orderkey \
         WHERE l.l_receiptdate >= DATE '1996-01-01' AND l.l_receiptdate < DATE '1997-01-01' AND l.l_commitdate < l.l_receiptdate \
         GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    (
        "masked columns: balances by end of phone",
        false,
        "SELECT right(c_phone, 1) AS digit, count(*) AS customers, sum(CAST(c_acctbal AS DOUBLE)) AS balance, count(c_comment) AS comments \
         FROM {customer} c GROUP BY 1 ORDER BY 1",
    ),
    (
        "masked columns: orders by clerk",
        true,
        "SELECT o_clerk, count(*) AS orders, sum(o_totalprice) AS total FROM {orders} o WHERE o_orderdate >= DATE '1997-01-01' \
         GROUP BY o_clerk ORDER BY orders DESC, o_clerk LIMIT 10",
    ),
    ("no rows but a count", true, "SELECT count(*) AS orders FROM {orders} o"),
    ("one order", true, "SELECT * FROM {orders} o WHERE o_orderkey = 4711"),
];

pub fn run() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(PARTITIONS + 2).enable_all().build().unwrap();
    runtime.block_on(compare());
}

async fn compare() {
    let scale = std::env::var("MESHGATE_BENCH_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(SCALE);
    let store = Arc::new(Counting::default());
    let rows = fill(&store, scale).await;
    let session = governed(&store, rows);
    let context = bare(&store).await;
    println!(
        "### Governed queries beside filters and masks by hand (scale {scale}, {} lines, {RUNS} runs each)\n",
        rows[0]
    );
    let mut told = Vec::new();
    let (mut whole, mut by_hand_whole) = (0.0, 0.0);
    for (name, sinks, text) in QUERIES {
        let sql = |relation: &dyn Fn(&str) -> String| {
            NAMES.iter().fold((*text).to_owned(), |sql, name| sql.replace(&format!("{{{name}}}"), &relation(name)))
        };
        let (governed, plain) = (sql(&|name| format!("trade.{name}")), sql(&by_hand));
        let (mut first, mut second) = (Times::default(), Times::default());
        let mut ratios = Vec::new();
        let mut bytes = (0, 0);
        for at in 0..=RUNS {
            store.take();
            let started = std::time::Instant::now();
            let answer = ask(&session, &governed).await;
            let ours = started.elapsed();
            bytes.0 = store.take();
            let started = std::time::Instant::now();
            let expected = context.sql(&plain).await.unwrap().collect().await.unwrap();
            let theirs = started.elapsed();
            bytes.1 = store.take();
            if at == 0 {
                // To warm up, and to see that both say the same.
                assert_eq!(text_of(&answer), text_of(&expected), "{name}");
                continue;
            }
            first.push(ours);
            second.push(theirs);
            ratios.push(ours.as_secs_f64() / theirs.as_secs_f64());
        }
        ratios.sort_by(f64::total_cmp);
        whole += first.median().as_secs_f64();
        by_hand_whole += second.median().as_secs_f64();
        told.push(vec![
            (*name).to_owned(),
            millis(first.median()),
            millis(second.median()),
            format!("{:.2}", ratios[ratios.len() / 2]),
            format!("{:.2}", bytes.0 as f64 / bytes.1.max(1) as f64),
            if *sinks { "yes" } else { "no" }.to_owned(),
        ]);
    }
    told.push(vec![
        "all".to_owned(),
        format!("{:.2}", whole * 1e3),
        format!("{:.2}", by_hand_whole * 1e3),
        format!("{:.2}", whole / by_hand_whole),
        String::new(),
        String::new(),
    ]);
    table(&["query", "governed, ms", "by hand, ms", "median of ratios", "bytes read, ratio", "predicates sink"], &told);
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

fn governed(store: &Arc<Counting>, rows: [usize; 3]) -> Arc<Session> {
    let files = files(rows);
    let snapshot = Arc::new(load(&files).unwrap());
    let policies = PolicyStore::load(&files, &snapshot);
    assert_eq!(snapshot.findings, []);
    assert_eq!(policies.findings(), []);
    let limits = Limits { partitions: PARTITIONS, ..Limits::default() };
    let engine = Engine::new(&limits).unwrap();
    let mut stores = Stores::default();
    let url = Url::parse("local://trade/").unwrap();
    stores.insert("trade".parse().unwrap(), &url, Arc::clone(store) as Arc<dyn ObjectStore>);
    let sources = Arc::new(Sources::new(Arc::clone(&engine), stores));
    let generation = Generation::new(snapshot, policies, sources, BTreeMap::new());
    let sessions = Sessions::new(Arc::new(Current::new(generation)), engine, limits, Clock::real());
    let principals = Principals::parse("ana: { roles: [analyst] }\n", "principals.yaml").unwrap();
    sessions.open(principals.get("ana").unwrap().principal.clone())
}

/// The engine alone, reading as the gateway's private sessions do.
async fn bare(store: &Arc<Counting>) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(PARTITIONS).with_collect_statistics(true);
    let parquet = &mut config.options_mut().execution.parquet;
    parquet.schema_force_view_types = false;
    parquet.pushdown_filters = true;
    parquet.metadata_size_hint = Some(512 * 1024);
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let context = SessionContext::new_with_config(config);
    let url = Url::parse("mem://bench/").unwrap();
    context.register_object_store(&url, Arc::clone(store) as Arc<dyn ObjectStore>);
    for name in NAMES {
        context
            .register_parquet(name, format!("mem://bench/{name}.parquet"), ParquetReadOptions::default())
            .await
            .unwrap();
    }
    context
}
