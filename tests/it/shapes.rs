//! Statements of every kind that run for minutes, and what is left of each once nobody wants it.
//!
//! Each begins to answer, and its reader goes. Within a second memory, spilled files and tasks are back, and no thread was held for
//! longer than a quarter of one: with `MESHGATE_SHAPES=whole`, which `make soak` sets for an optimized build, all of that holds for all
//! of them. Otherwise some are asked, and have to end at all.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use datafusion::common::runtime::{JoinSetTracer, set_join_set_tracer};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use meshgate::flight::wire_schema;
use tokio::runtime::Handle;

use crate::harness::Mesh;

const MESH: &str = include_str!("fixtures/regions.txt");

/// `few` has 64 rows, `side` 2^12, `mid` 2^18, `big` 2^24, `huge` 2^36. Those that come first are asked by every run.
pub(crate) const SHAPES: [(&str, &str); 49] = [
    ("nested loop join without a match", "SELECT count(*) AS n FROM mid x JOIN huge y ON x.k + y.k < 0"),
    (
        "skewed join without a match",
        "SELECT count(*) AS n FROM mid x JOIN huge y ON x.k % 2 = y.k % 2 AND x.k + y.k < 0",
    ),
    ("skewed semi join", "SELECT count(*) AS n FROM huge x WHERE EXISTS (SELECT 1 FROM mid y WHERE y.k % 2 = x.k % 2)"),
    ("> ALL", "SELECT count(*) AS n FROM huge x WHERE k < ALL (SELECT k - 5 FROM side)"),
    ("= ANY", "SELECT count(*) AS n FROM huge h WHERE k = ANY (SELECT k FROM big)"),
    ("nested loop join of many", "SELECT count(*) AS n FROM big x JOIN big y ON x.k + y.k < 0"),
    ("cross join", "SELECT h.k, o.amount FROM huge h, sales.orders o"),
    ("counted cross join", "SELECT count(*) AS n FROM huge a, huge b"),
    ("hash join", "SELECT x.k FROM big x JOIN big y ON x.k = y.k JOIN big z ON y.k = z.k"),
    ("nested loop join", "SELECT x.k FROM big x JOIN big y ON x.k < y.k"),
    ("full nested loop join", "SELECT x.k FROM side x FULL JOIN huge y ON x.k < y.k AND x.k > y.k + 1"),
    ("full outer join", "SELECT x.k FROM big x FULL JOIN big y ON x.k = y.k AND x.k + y.k > 7"),
    ("semi join", "SELECT x.k FROM huge x WHERE EXISTS (SELECT 1 FROM big y WHERE y.k = x.k)"),
    (
        "anti join",
        "SELECT count(*) AS n FROM huge x WHERE NOT EXISTS (SELECT 1 FROM big y WHERE y.k % 3 = x.k % 3 AND y.k + x.k < 0)",
    ),
    ("NOT IN", "SELECT count(*) AS n FROM huge h WHERE k NOT IN (SELECT k FROM big)"),
    ("< ANY", "SELECT count(*) AS n FROM huge x WHERE k + 70000 < ANY (SELECT k FROM side)"),
    ("scalar subquery", "SELECT count(*) AS n FROM big x WHERE k = (SELECT max(k) FROM huge)"),
    ("aggregate", "SELECT k, count(*) AS n FROM huge h GROUP BY k"),
    ("one group", "SELECT sum(k) AS n FROM huge h"),
    (
        "cube",
        "SELECT k % 10 AS a, k % 7 AS b, k % 3 AS c, count(*) AS n FROM huge GROUP BY CUBE (k % 10, k % 7, k % 3)",
    ),
    ("distinct", "SELECT DISTINCT k % 100000000 AS k FROM huge h"),
    ("count distinct", "SELECT count(DISTINCT k % 10000000) AS n FROM huge h"),
    ("sort", "SELECT k FROM huge h ORDER BY k % 1000, k DESC"),
    ("wide sort", "SELECT k, repeat(CAST(k AS VARCHAR), 50) AS s FROM huge h ORDER BY s"),
    ("top k", "SELECT k FROM huge h ORDER BY k % 1000, k DESC LIMIT 10"),
    ("window", "SELECT k, row_number() OVER (PARTITION BY k % 3 ORDER BY k) AS n FROM huge h"),
    (
        "window of a frame",
        "SELECT max(n) AS n FROM (SELECT sum(k) OVER (ORDER BY k ROWS BETWEEN 100 PRECEDING AND CURRENT ROW) AS n FROM huge)",
    ),
    ("window of all", "SELECT max(n) AS n FROM (SELECT avg(k) OVER (PARTITION BY k % 1000) AS n FROM huge)"),
    ("union", "SELECT k FROM huge h UNION ALL SELECT k + 1 FROM huge h"),
    ("intersection", "SELECT k FROM huge INTERSECT SELECT k FROM big"),
    ("difference", "SELECT k FROM huge EXCEPT SELECT k FROM big"),
    ("recursion", "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT n FROM r"),
    (
        "counted recursion",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) AS n FROM r",
    ),
    (
        "distinct recursion",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT (n + 1) % 100000000 FROM r) SELECT count(*) AS n FROM r",
    ),
    ("unnest", "SELECT sum(n) AS n FROM (SELECT unnest(range(0, 1000)) AS n FROM huge)"),
    ("series", "SELECT sum(value) AS n FROM range(0, 9000000000000000000)"),
    (
        "replaced by a pattern",
        "SELECT sum(length(regexp_replace(repeat(CAST(k AS VARCHAR), 10), '(1|2)+x$', ''))) AS n FROM huge h",
    ),
    (
        "matched by a pattern",
        "SELECT count(*) AS n FROM huge h WHERE repeat(CAST(k AS VARCHAR), 20) ~ '(1|2|3)+(4|5)+x$'",
    ),
    ("like", "SELECT count(*) AS n FROM huge h WHERE repeat(CAST(k AS VARCHAR), 20) LIKE '%1%2%3%4%x'"),
    (
        "distance of texts",
        "SELECT sum(levenshtein(repeat(CAST(k AS VARCHAR), 12), repeat('4711', 20))) AS n FROM huge h",
    ),
    ("texts", "SELECT max(reverse(upper(repeat(CAST(k AS VARCHAR), 50)))) AS n FROM huge h"),
    ("digests", "SELECT count(DISTINCT sha256(CAST(k AS VARCHAR))) AS n FROM huge h"),
    ("dates", "SELECT max(to_char(DATE '2020-01-01' + CAST(k % 1000 AS INT), '%Y-%m-%d')) AS n FROM huge h"),
    ("lists", "SELECT sum(array_length(array_sort(make_array(k % 100, k % 7, -k, k % 31)))) AS n FROM huge h"),
    ("numbers", "SELECT sum(sin(k) + ln(k + 1) + power(k, 0.3)) AS n FROM huge h"),
    ("decimals", "SELECT sum(CAST(k AS DECIMAL(20, 2)) / 7) AS n FROM huge h"),
    ("casts", "SELECT sum(CAST(CAST(k AS VARCHAR) AS BIGINT)) AS n FROM huge h"),
    (
        "cases",
        "SELECT sum(CASE k % 5 WHEN 0 THEN k WHEN 1 THEN -k ELSE coalesce(nullif(k, 7), 1) END) AS n FROM huge h",
    ),
    ("explain analyze", "EXPLAIN ANALYZE SELECT sum(k) FROM huge h"),
];

/// How many are asked without being told to ask all.
const SAMPLE: usize = 3;

pub(crate) fn sql(shape: &str) -> String {
    // Generators of rows are bounded, joins of rows that are there are not.
    let values = (0..64).map(|n| format!("({n})")).collect::<Vec<_>>().join(", ");
    let sides = format!(
        "WITH few AS (SELECT n FROM (VALUES {values}) v(n)), \
         side AS (SELECT a.n * 64 + b.n AS k FROM few a, few b), \
         mid AS (SELECT a.n * 4096 + b.k AS k FROM few a, side b), \
         big AS (SELECT a.k * 4096 + b.k AS k FROM side a, side b), \
         huge AS (SELECT a.k * 16777216 + b.k * 4096 + c.k AS k FROM side a, side b, side c)"
    );
    match shape.strip_prefix("EXPLAIN ANALYZE ") {
        _ if shape.starts_with("WITH") => shape.to_owned(),
        Some(query) => format!("EXPLAIN ANALYZE {sides} {query}"),
        None => format!("{sides} {shape}"),
    }
}

/// How long tasks were polled, and how many there are. It sees those of the engine and the one that reads the result.
struct Watch {
    longest: AtomicU64,
    total: AtomicU64,
    tasks: AtomicUsize,
}

static WATCH: Watch = Watch { longest: AtomicU64::new(0), total: AtomicU64::new(0), tasks: AtomicUsize::new(0) };

impl Watch {
    fn reset(&self) {
        self.longest.store(0, Ordering::Relaxed);
        self.total.store(0, Ordering::Relaxed);
    }

    fn longest(&self) -> Duration {
        Duration::from_micros(self.longest.load(Ordering::Relaxed))
    }

    fn total(&self) -> Duration {
        Duration::from_micros(self.total.load(Ordering::Relaxed))
    }
}

impl JoinSetTracer for Watch {
    fn trace_future(&self, task: BoxFuture<'static, Box<dyn Any + Send>>) -> BoxFuture<'static, Box<dyn Any + Send>> {
        Box::pin(Watched::new(task))
    }

    fn trace_block(
        &self,
        block: Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>,
    ) -> Box<dyn FnOnce() -> Box<dyn Any + Send> + Send> {
        block
    }
}

/// A task whose polls are timed.
struct Watched<F>(F);

impl<F> Watched<F> {
    fn new(task: F) -> Self {
        WATCH.tasks.fetch_add(1, Ordering::Relaxed);
        Self(task)
    }
}

impl<F> Drop for Watched<F> {
    fn drop(&mut self) {
        WATCH.tasks.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<F: Future + Unpin> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let since = Instant::now();
        let polled = Pin::new(&mut self.0).poll(context);
        let took = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        WATCH.longest.fetch_max(took, Ordering::Relaxed);
        WATCH.total.fetch_add(took, Ordering::Relaxed);
        polled
    }
}

/// How one statement ended.
struct End {
    name: &'static str,
    after: Duration,
    longest: Duration,
    worked: Duration,
    /// What it answered before it was left, if that was no row.
    refused: Option<String>,
}

/// How long it runs before its reader goes: long enough to be in the midst of it.
const RUN: Duration = Duration::from_millis(500);

async fn abandon(mesh: &Mesh, name: &'static str, shape: &str, limit: Duration) -> End {
    let engine = mesh.sessions.engine();
    let alive = || Handle::current().metrics().num_alive_tasks() + engine.workers().alive_tasks();
    let (before, watched) = (alive(), WATCH.tasks.load(Ordering::Relaxed));
    let session = mesh.session("ana");
    let planned = session.plan(&sql(shape)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let wire = wire_schema(planned.schema());
    WATCH.reset();
    let refused = Arc::new(Mutex::new(None));
    let refuse = Arc::clone(&refused);
    let reader = tokio::spawn(Watched::new(Box::pin(async move {
        let mut rows = match session.run(&planned, wire).await {
            Ok(rows) => rows,
            Err(error) => return *refuse.lock().unwrap() = Some(error.to_string()),
        };
        while let Some(batch) = rows.next().await {
            if let Err(error) = batch {
                *refuse.lock().unwrap() = Some(error.to_string());
            }
        }
    })));
    tokio::time::sleep(RUN).await;
    let start = Instant::now();
    reader.abort();
    let held = || {
        let tasks = alive().saturating_sub(before) + WATCH.tasks.load(Ordering::Relaxed).saturating_sub(watched);
        (engine.reserved_bytes(), engine.spill_files(), tasks)
    };
    while held() != (0, 0, 0) && start.elapsed() < limit {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let refused = refused.lock().unwrap().take();
    let end = End { name, after: start.elapsed(), longest: WATCH.longest(), worked: WATCH.total(), refused };
    assert_eq!(held(), (0, 0, 0), "{name}: bytes, spilled files or tasks are left after {limit:?}");
    end
}

#[expect(clippy::print_stdout, reason = "the whole is measured, and a person reads it")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_shape_ends_with_its_reader() {
    let mesh = Mesh::new(MESH).await;
    mesh.batches("ana", "SELECT count(*) AS n FROM sales.orders").await.unwrap();
    if std::env::var("MESHGATE_SHAPES").is_err() {
        for (name, shape) in SHAPES.iter().take(SAMPLE) {
            // An unoptimized build compares fifty times slower, beside other tests.
            abandon(&mesh, name, shape, Duration::from_secs(30)).await;
        }
        return;
    }
    set_join_set_tracer(&WATCH).unwrap();
    let mut ends = Vec::new();
    for _ in 0..3 {
        for (name, shape) in SHAPES {
            let end = abandon(&mesh, name, shape, Duration::from_mins(1)).await;
            let refused = end.refused.as_ref().map_or(String::new(), |error| format!(", answered {error}"));
            println!(
                "{name}: ended after {:?}, longest poll {:?}, worked {:?}{refused}",
                end.after, end.longest, end.worked
            );
            ends.push(end);
        }
    }
    let unseen: Vec<&str> =
        ends.iter().filter(|end| end.refused.is_none() && end.worked < RUN / 3).map(|end| end.name).collect();
    assert!(unseen.is_empty(), "the watch saw hardly any work of {unseen:?}: it runs in tasks that are not watched");
    ends.sort_by_key(|end| end.after);
    let p99 = ends[(ends.len() * 99).div_ceil(100) - 1].after;
    let held: Vec<String> = ends
        .iter()
        .filter(|end| end.longest > Duration::from_millis(250))
        .map(|end| format!("{} {:?}", end.name, end.longest))
        .collect();
    println!("{} ends, p99 {p99:?}, longest {:?}", ends.len(), ends.last().unwrap().after);
    assert!(
        p99 <= Duration::from_secs(1) && held.is_empty(),
        "p99 of ends {p99:?}; polls of more than 250 ms: {held:?}"
    );
}
