//! What statements that hold much do to the memory of the process: eight at once, and a `SELECT 1` beside them.
//!
//! `make soak` runs each shape eight times at once and prints its factor: resident memory beyond the idle process, by `memory_mib`.
#![expect(clippy::print_stdout, reason = "the whole is measured, and a person reads it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use futures::future::join_all;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use crate::process::{Folder, Serving, resident_kib};

const MESH: &str = include_str!("fixtures/regions.txt");
const AT_ONCE: usize = 8;
/// Resident memory beyond the idle process, by `memory_mib`.
const MOST: f64 = 1.5;

/// Statements that hold as much as they can.
fn shapes() -> Vec<(&'static str, String)> {
    let wide = |bytes: usize| format!("(SELECT value AS n, repeat('x', {bytes}) || value AS s FROM range(0, 1000000))");
    let (thousand, ten, hundred) = (wide(1_000), wide(10_000), wide(100_000));
    let constants: Vec<String> = (0..3_000).map(|n| format!("(repeat('x', 100000), {n})")).collect();
    let constants = constants.join(", ");
    let unions = vec![format!("SELECT s FROM {hundred}"); 40].join(" UNION ALL ");
    vec![
        ("string_agg of groups", format!("SELECT n % 3, length(string_agg(s, ',')) FROM {ten} GROUP BY 1")),
        (
            "string_agg of groups, a constant",
            "SELECT value % 3 k, string_agg(repeat('x',100000), ',') FROM range(0,1000000) GROUP BY 1".to_owned(),
        ),
        (
            "groups of gathered values",
            format!(
                "SELECT s, count(*) FROM (SELECT n % 100000, string_agg(s, ',') AS s FROM {thousand} GROUP BY 1) GROUP BY 1"
            ),
        ),
        (
            "string_agg of grouping sets",
            format!(
                "SELECT a, b, length(string_agg(s, ',')) FROM (SELECT n % 3 AS a, n % 7 AS b, s FROM {ten}) GROUP BY ROLLUP (a, b)"
            ),
        ),
        (
            "two counts of distinct texts",
            format!("SELECT n % 9, count(DISTINCT s), count(DISTINCT s || 'y') FROM {thousand} GROUP BY 1"),
        ),
        ("constants in rows", format!("SELECT count(*) FROM (VALUES {constants}) v(s, n)")),
        (
            "a list beside a wide column",
            format!(
                "SELECT max(length(s) + u) FROM (SELECT s, unnest(range(0, 100000)) AS u FROM {thousand} LIMIT 9000000)"
            ),
        ),
        (
            "approx_distinct of many groups",
            "SELECT value k, approx_distinct(value) FROM range(0, 100000000) GROUP BY 1".to_owned(),
        ),
        ("string_agg", format!("SELECT length(string_agg(s, ',')) FROM {ten}")),
        ("array_agg of groups", format!("SELECT n % 3, cardinality(array_agg(s)) FROM {ten} GROUP BY 1")),
        ("array_agg in order", format!("SELECT cardinality(array_agg(s ORDER BY n)) FROM {thousand}")),
        ("lag", format!("SELECT max(length(p)) FROM (SELECT lag(s) OVER (ORDER BY n % 7) AS p FROM {hundred})")),
        (
            "a window of all rows",
            format!("SELECT max(c) FROM (SELECT count(*) OVER () AS c, s FROM {ten}) WHERE s > ''"),
        ),
        ("DISTINCT over long keys", format!("SELECT count(*) FROM (SELECT DISTINCT s FROM {ten})")),
        ("count of distinct texts", format!("SELECT count(DISTINCT s) FROM {ten}")),
        ("a wide sort", format!("SELECT count(*) FROM (SELECT s FROM {ten} ORDER BY s OFFSET 1)")),
        (
            "the first of wide rows",
            format!("SELECT count(*) FROM (SELECT s, n FROM {ten} ORDER BY n % 7 LIMIT 500000)"),
        ),
        ("many inputs", format!("SELECT max(length(s)) FROM ({unions})")),
        ("many sorted inputs", format!("SELECT count(*) FROM (SELECT s FROM ({unions}) ORDER BY s OFFSET 1)")),
        ("a join of wide rows", format!("SELECT count(*) FROM {ten} a JOIN {ten} b ON a.s = b.s")),
        ("a join without equality", format!("SELECT count(*) FROM {ten} a JOIN {ten} b ON a.s < b.s")),
        ("medians", "SELECT value % 1000 k, median(value) FROM range(0, 100000000) GROUP BY 1".to_owned()),
        (
            "a recursive query",
            format!(
                "WITH RECURSIVE r AS (SELECT s FROM {ten} UNION ALL SELECT s || 'y' FROM r) SELECT count(*) FROM r"
            ),
        ),
    ]
}

/// One statement to its end: its rows, or the code and the words of its refusal.
async fn ask(client: &mut FlightSqlServiceClient<Channel>, sql: &str) -> Result<usize, String> {
    let told = |error: FlightError| match error {
        FlightError::Tonic(status) => format!("{:?}: {}", status.code(), status.message()),
        other => format!("not a status: {other}"),
    };
    let info = client.execute(sql.to_owned(), None).await.map_err(told)?;
    let stream = client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.map_err(told)?;
    stream.try_fold(0, |rows, batch| async move { Ok(rows + batch.num_rows()) }).await.map_err(told)
}

struct Report {
    answers: Vec<Result<usize, String>>,
    factor: f64,
    took: Duration,
    /// The slowest of the small statements beside them.
    slowest: Duration,
}

/// Runs the statements at once in a fresh process.
async fn run_at_once(memory_mib: u32, seconds: u32, statements: &[String]) -> Report {
    let folder = Folder::new(MESH);
    folder.limit(&format!("memory_mib = {memory_mib}\nstatement_seconds = {seconds}"));
    let serving = Serving::start(&folder, &[]);
    let mut small = serving.login().await;
    ask(&mut small, "SELECT count(*) FROM sales.orders").await.unwrap();
    let mut clients = Vec::new();
    for _ in statements {
        clients.push(serving.login().await);
    }
    let idle = resident_kib(serving.id());
    let done = Arc::new(AtomicBool::new(false));
    let sampler = {
        let (done, id) = (Arc::clone(&done), serving.id());
        std::thread::spawn(move || {
            let mut peak = 0;
            while !done.load(Ordering::Relaxed) {
                peak = peak.max(resident_kib(id));
                std::thread::sleep(Duration::from_millis(5));
            }
            peak
        })
    };
    let begun = Instant::now();
    let beside = async {
        let mut slowest = Duration::ZERO;
        while !done.load(Ordering::Relaxed) {
            let begun = Instant::now();
            // A machine that does too much may refuse to plan it, in words.
            let answer = ask(&mut small, "SELECT 1").await;
            assert!(answer == Ok(1) || is_typed(&answer) || too_many(&answer), "{answer:?}");
            slowest = slowest.max(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        slowest
    };
    let hostile = async {
        let answers = join_all(clients.iter_mut().zip(statements).map(|(client, sql)| ask(client, sql))).await;
        done.store(true, Ordering::Relaxed);
        answers
    };
    let (answers, slowest) = tokio::join!(hostile, beside);
    let peak = sampler.join().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "a ratio of mebibytes")]
    let factor = peak.saturating_sub(idle) as f64 / 1024.0 / f64::from(memory_mib);
    Report { answers, factor, took: begun.elapsed(), slowest }
}

fn too_many(answer: &Result<usize, String>) -> bool {
    answer.as_ref().is_err_and(|error| error.contains("too many statements are being planned"))
}

fn is_typed(answer: &Result<usize, String>) -> bool {
    match answer {
        Ok(_) => true,
        Err(error) => {
            error.starts_with("DeadlineExceeded")
                || (error.starts_with("ResourceExhausted")
                    && error.contains("`limits.")
                    && !error.contains("reservation")
                    && !error.contains("datafusion"))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_statements_stay_within_memory() {
    let chosen = ["string_agg of groups", "array_agg of groups", "string_agg of grouping sets", "lag"];
    let mut statements: Vec<String> =
        shapes().into_iter().filter(|(name, _)| chosen.contains(name)).map(|(_, sql)| sql).collect();
    statements.extend(statements.clone());
    assert_eq!(statements.len(), AT_ONCE);
    let report = run_at_once(256, 3, &statements).await;
    assert!(report.answers.iter().all(|answer| is_typed(answer) || too_many(answer)), "{:#?}", report.answers);
    assert!(report.factor < MOST, "{:.2} times the limit: {:#?}", report.factor, report.answers);
}

/// Alone, it has the process to itself for longer: two stages of an aggregate took sixteen times the limit in ten seconds.
#[tokio::test(flavor = "multi_thread")]
async fn groups_that_gather_stay_within_memory() {
    let statement =
        "SELECT value % 3 k, string_agg(repeat('x',10000), ',') FROM range(0,1000000) GROUP BY 1".to_owned();
    let report = run_at_once(128, 4, &[statement]).await;
    assert!(report.answers.iter().all(is_typed), "{:#?}", report.answers);
    assert!(report.factor < MOST, "{:.2} times the limit: {:#?}", report.factor, report.answers);
}

/// `MESHGATE_SOAK_MEMORY` is the `memory_mib` to run each shape with; `MESHGATE_SOAK_SHAPE` chooses one by a part of its name.
#[tokio::test(flavor = "multi_thread")]
async fn soak_holds_each_hostile_shape() {
    let Some(memory) = std::env::var("MESHGATE_SOAK_MEMORY").ok().and_then(|mib| mib.parse().ok()) else { return };
    let part = std::env::var("MESHGATE_SOAK_SHAPE").unwrap_or_default();
    let mut wrong = Vec::new();
    for (name, sql) in shapes().into_iter().filter(|(name, _)| name.contains(&part)) {
        let report = run_at_once(memory, 20, &vec![sql; AT_ONCE]).await;
        let (factor, took, slowest) = (report.factor, report.took, report.slowest);
        println!("{name}: {factor:.2} in {took:.1?}, SELECT 1 at most {slowest:.2?}, {:?}", report.answers.first());
        if factor >= MOST || !report.answers.iter().all(|answer| is_typed(answer) || too_many(answer)) {
            wrong.push(format!("{name}: {factor:.2}, {:?}", report.answers));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A sort of `rows` rows of a kilobyte, in an order that no row has at first.
fn sort(rows: usize) -> String {
    format!(
        "SELECT n, s FROM (SELECT value AS n, value * 7919 % 100003 AS k, repeat('x', 1000) || value AS s FROM range(0, {rows})) \
         ORDER BY k, n"
    )
}

/// Sorts, and compares each row with the order that it must have.
async fn sort_rightly(client: &mut FlightSqlServiceClient<Channel>, rows: usize) -> Result<(), String> {
    let info = client.execute(sort(rows), None).await.map_err(|error| error.to_string())?;
    let stream = client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.map_err(|error| error.to_string())?;
    let batches: Vec<_> = stream
        .map_ok(|batch| {
            let numbers = batch.column(0).as_primitive::<Int64Type>().values().to_vec();
            let lengths = batch.column(1).as_string::<i32>().iter().map(|text| text.unwrap().len());
            numbers.into_iter().zip(lengths).collect::<Vec<_>>()
        })
        .try_collect()
        .await
        .map_err(|error| error.to_string())?;
    let mut expected: Vec<i64> = (0..i64::try_from(rows).unwrap()).collect();
    expected.sort_by_key(|n| (n * 7919 % 100_003, *n));
    let expected: Vec<_> = expected.into_iter().map(|n| (n, 1_000 + n.to_string().len())).collect();
    if batches.concat() == expected { Ok(()) } else { Err("rows are missing, double or in another order".to_owned()) }
}

const SPILLED: &str = "spill/meshgate-spill";

/// A large sort, once it has spilled something.
async fn spilling(folder: &Folder, mut client: FlightSqlServiceClient<Channel>) -> JoinHandle<Result<usize, String>> {
    let running = tokio::spawn(async move { ask(&mut client, &sort(400_000)).await });
    wait_for_spilled(folder, |files| files > 0).await;
    running
}

async fn wait_for_spilled(folder: &Folder, wanted: impl Fn(usize) -> bool) {
    let begun = Instant::now();
    while !wanted(folder.count_files(SPILLED)) {
        assert!(begun.elapsed() < Duration::from_mins(1), "{} files are spilled", folder.count_files(SPILLED));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sort_beyond_memory_ends_right() {
    let folder = Folder::new(MESH);
    folder.limit("memory_mib = 16\nspill_dir = 'spill'");
    let serving = Serving::start(&folder, &[]);
    let mut client = serving.login().await;
    for _ in 0..2 {
        assert_eq!(sort_rightly(&mut client, 15_000).await, Ok(()));
        assert_eq!(folder.count_files(SPILLED), 0, "spilled data stays behind");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_gateway_leaves_nothing_spilled() {
    let folder = Folder::new(MESH);
    folder.limit("memory_mib = 16\nspill_dir = 'spill'");
    let serving = Serving::start(&folder, &[]);
    let running = spilling(&folder, serving.login().await).await;
    serving.signal("KILL");
    serving.ended();
    assert!(running.await.unwrap().is_err());
    assert!(folder.count_files(SPILLED) > 0);
    let _serving = Serving::start(&folder, &[]);
    assert_eq!(folder.count_files(SPILLED), 0, "spilled data stays behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn sort_beyond_spill_limit_is_refused() {
    let folder = Folder::new(MESH);
    folder.limit("memory_mib = 16\nspill_mib = 8\nspill_dir = 'spill'");
    let serving = Serving::start(&folder, &[]);
    let mut client = serving.login().await;
    for _ in 0..2 {
        let refused = ask(&mut client, &sort(100_000)).await.unwrap_err();
        assert!(refused.starts_with("ResourceExhausted") && refused.contains("`limits.spill_mib`"), "{refused}");
        wait_for_spilled(&folder, |files| files == 0).await;
        assert_eq!(ask(&mut client, "SELECT 1").await, Ok(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abandoned_sort_leaves_nothing_spilled() {
    let folder = Folder::new(MESH);
    folder.limit("memory_mib = 16\nspill_dir = 'spill'");
    let serving = Serving::start(&folder, &[]);
    let running = spilling(&folder, serving.login().await).await;
    running.abort();
    wait_for_spilled(&folder, |files| files == 0).await;
}

/// `MESHGATE_SOAK_SORTS` is how many sorts of a gigabyte run at each of these limits.
#[tokio::test(flavor = "multi_thread")]
async fn soak_sorts_beyond_memory() {
    let Some(runs) = std::env::var("MESHGATE_SOAK_SORTS").ok().and_then(|runs| runs.parse::<usize>().ok()) else {
        return;
    };
    for memory in [96, 128, 192, 256] {
        let folder = Folder::new(MESH);
        folder.limit(&format!("memory_mib = {memory}\nspill_dir = 'spill'"));
        let serving = Serving::start(&folder, &[]);
        let mut client = serving.login().await;
        let (begun, idle) = (Instant::now(), resident_kib(serving.id()));
        for run in 0..runs {
            assert_eq!(sort_rightly(&mut client, 1_000_000).await, Ok(()), "run {run} with {memory} MiB");
            assert_eq!(folder.count_files(SPILLED), 0, "spilled data stays behind");
        }
        let grown = resident_kib(serving.id()).saturating_sub(idle) >> 10;
        println!("{memory} MiB: {runs} of {runs} sorts end right in {:.1?}, {grown} MiB grown", begun.elapsed());
    }
}
