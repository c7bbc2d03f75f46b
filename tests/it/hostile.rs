//! Text that ends other engines, through the whole gateway: a real process with little memory, a socket, and after each text a
//! `SELECT 1`. What the parser alone holds is tested beside it; here stand the texts that must survive planning and running.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use tonic::transport::Channel;

use crate::process::{Folder, Serving};

const MESH: &str = include_str!("fixtures/regions.txt");

/// Seconds that planning may take, and that the rows of one statement may take.
const PLANNING: u64 = 10;
const RUNNING: u64 = 3;
/// An answer may come this much later than its deadline. A build without optimization, beside other tests, needs more.
const SLACK: Duration = Duration::from_secs(if cfg!(debug_assertions) { 3 } else { 1 });
/// What all statements together may reserve.
const MEMORY_MIB: u64 = 256;
/// Resident beyond what a fresh process has: at most while the suite runs, and when it is over.
const PEAK_MIB: u64 = 2_048;
const AFTER_MIB: u64 = 768;

/// How a text may be answered.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    /// With this many rows; a slow machine may end it in time.
    Rows(usize),
    /// In words, of which one is this.
    Refused(&'static str),
    /// Either, if it is quick and the memory comes back.
    Either,
}
use Answer::{Either, Refused, Rows};

fn times(part: &str, count: usize) -> String {
    part.repeat(count)
}

fn nested(open: &str, middle: &str, close: &str, count: usize) -> String {
    format!("{}{middle}{}", open.repeat(count), close.repeat(count))
}

fn numbered(count: usize, separator: &str, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect::<Vec<_>>().join(separator)
}

/// So many rows of a column `n`.
fn rows(count: usize) -> String {
    format!("(SELECT unnest(range(0, {count})) AS n)")
}

fn doubling_ctes(count: usize) -> String {
    let mut sql = format!("WITH c0 AS (SELECT * FROM {})", rows(10));
    for number in 1..count {
        let before = number - 1;
        write!(sql, ", c{number} AS (SELECT a.n FROM c{before} a, c{before} b)").unwrap();
    }
    sql + &format!(" SELECT count(*) FROM c{}", count - 1)
}

/// Queries that stand on each other, each computing `step` of the one before.
fn chained(count: usize, step: &str, then: &str) -> String {
    let mut sql = "WITH c0 AS (SELECT amount AS n FROM sales.orders)".to_owned();
    for number in 1..count {
        write!(sql, ", c{number} AS (SELECT {step} AS n FROM c{})", number - 1).unwrap();
    }
    sql + &format!(" SELECT {then} FROM c{} WHERE n > 0", count - 1)
}

fn texts() -> Vec<(&'static str, String, Answer)> {
    let thousand = rows(1_000);
    let many = rows(100_000);
    let mut texts = vec![
        ("20,000 OR", format!("SELECT 1 FROM sales.orders WHERE amount = 1{}", times(" OR amount = 1", 20_000)), Refused("more than")),
        ("5,000 additions", format!("SELECT 1{}", times("+1", 5_000)), Refused("operators")),
        ("3,000 UNION ALL", format!("SELECT 1{}", times(" UNION ALL SELECT 1", 3_000)), Refused("set operations")),
        ("1,000 parentheses", format!("SELECT {}", nested("(", "1", ")", 1_000)), Refused("more than")),
        ("20,000 IN", format!("SELECT order_id FROM sales.orders WHERE order_id IN (1{})", times(",2", 20_000)), Rows(2)),
        ("100,000 IN", format!("SELECT order_id FROM sales.orders WHERE order_id IN (1{})", times(",2", 100_000)), Rows(2)),
        ("range(0, 2e8)", "SELECT range(0, 200000000)".to_owned(), Refused("at most")),
        ("range as a table", "SELECT count(*) FROM range(0, 200000000)".to_owned(), Either),
        ("an endless table", "SELECT sum(value) FROM range(0, 9000000000000000000)".to_owned(), Either),
        ("a table of what is computed", "SELECT count(*) FROM range(0, length(repeat('x', 1000000000)))".to_owned(), Refused("written out")),
        ("a table of a NULL of two gigabytes", "SELECT count(*) FROM range(0, CAST(NULL AS INT[2000000000]))".to_owned(), Refused("written out")),
        ("repeat('x', 1e9)", "SELECT repeat('x', 1000000000)".to_owned(), Refused("at most")),
        // Sizes that are fine once and not in each row of a batch.
        ("repeat in each row", format!("SELECT sum(length(repeat(CAST(n AS VARCHAR), 100000))) FROM {thousand}"), Either),
        ("array_repeat in each row", format!("SELECT count(array_repeat(n, 1000000)) FROM {many}"), Either),
        ("array_repeat of a hundred, nested", format!("SELECT {} FROM {thousand}", nested("array_repeat(", "n", ", 100)", 8)), Refused("one row")),
        ("repeat of a hundred, nested", format!("SELECT {} FROM {thousand}", nested("repeat(", "'abc'", ", 100)", 10)), Refused("one row")),
        ("a constant list beside many rows", format!("SELECT count(l) FROM (SELECT range(0, 900000) AS l, n FROM {thousand})"), Either),
        ("a constant text beside many rows", format!("SELECT max(length('{}' || n)) FROM {many}", "x".repeat(900_000)), Either),
        ("a constant text in all rows of a result", format!("SELECT count(DISTINCT s) FROM (SELECT '{}' AS s FROM {many})", "y".repeat(900_000)), Either),
        ("concat of one text", format!("SELECT length(concat({})) FROM (SELECT repeat('x', 1000000) AS s)", numbered(20_000, ",", |_| "s".to_owned())), Refused("one row")),
        ("doubling text", format!("SELECT length(s) FROM {}", nested("(SELECT s || s AS s FROM ", "(SELECT repeat('x', 1000000) AS s)", ")", 20)), Refused("more than")),
        ("doubling text in a recursive query", "WITH RECURSIVE r AS (SELECT 'x' AS s UNION ALL SELECT s || s FROM r) SELECT max(length(s)) FROM r".to_owned(), Refused("doubles")),
        ("replace by much", format!("SELECT length(replace(repeat('x', 1000000), 'x', '{}'))", "y".repeat(10_000)), Refused("one row")),
        ("a gathered text, repeated", "SELECT length(repeat(s, 800000)) FROM (SELECT string_agg(CAST(a.n AS VARCHAR), ',') AS s FROM (SELECT unnest(range(0, 100)) AS n) a, (SELECT unnest(range(0, 100)) AS n) b, (SELECT unnest(range(0, 100)) AS n) c)".to_owned(), Refused("one row")),
        ("a text of any size", "SELECT length(repeat(arrow_cast(region, 'LargeUtf8'), 1000)) FROM sales.orders".to_owned(), Refused("LargeUtf8")),
        ("a NULL of two gigabytes", "SELECT arrow_cast(NULL, 'FixedSizeBinary(2000000000)')".to_owned(), Refused("one row")),
        ("lpad in each row", format!("SELECT sum(length(lpad(CAST(n AS VARCHAR), 1000000))) FROM {}", rows(100)), Either),
        ("lists joined by much", format!("SELECT length(array_to_string(range(0, 100000), '{}'))", "-".repeat(10_000)), Refused("one row")),
        ("split of much", "SELECT count(string_to_array(repeat('a,', 1000000), ','))".to_owned(), Either),
        ("generate_series in each row", format!("SELECT count(generate_series(0, 900000)) FROM {thousand}"), Either),
        // What operators hold is reserved.
        ("string_agg of much", format!("SELECT length(string_agg(repeat('x', 10000) || a.n, ',')) FROM {many} a"), Either),
        ("array_agg of many", format!("SELECT array_length(array_agg(a.n)) FROM {many} a, {thousand} b"), Either),
        ("array_agg over a window", format!("SELECT array_agg(n) OVER (ORDER BY n) FROM {many}"), Refused("over a window")),
        ("many groups", format!("SELECT count(*) FROM (SELECT a.n * 1000 + b.n AS g, count(*) FROM {many} a, {thousand} b GROUP BY 1)"), Either),
        ("sort of many", format!("SELECT a.n, b.n FROM {many} a, {thousand} b ORDER BY b.n, a.n LIMIT 5 OFFSET 50000000"), Either),
        ("count of many pairs", format!("SELECT count(*) FROM {many} a, {many} b, {many} c"), Either),
        ("a table with itself", format!("SELECT count(*) FROM {}", numbered(40, ", ", |at| format!("sales.orders t{at}"))), Either),
        ("unequal join", format!("SELECT count(*) FROM {many} a JOIN {many} b ON a.n < b.n"), Either),
        ("endless recursion", "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r".to_owned(), Either),
        ("recursion that multiplies", "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT a.n FROM r a, (VALUES (1), (2), (3)) b) SELECT count(*) FROM r".to_owned(), Either),
        ("recursion in recursion", nested("WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM (", "SELECT 1 AS n", ") q) SELECT n FROM r", 20), Either),
        ("times in a series", "SELECT cardinality(generate_series(cast(0 as timestamp(0)), cast(1000000 as timestamp(0)), interval '1 nanosecond'))".to_owned(), Refused("at most")),
        ("dates in a series", "SELECT cardinality(generate_series(cast(cast(1 as int) as date), cast(2000000 as date), interval '1 day'))".to_owned(), Refused("at most")),
        ("days in a series", "SELECT cardinality(generate_series(cast(cast(1 as int) as date), date '2030-01-01', interval '1 day'))".to_owned(), Rows(1)),
        ("a series of casts", "SELECT cardinality(generate_series(cast(1 as bigint), cast(9 as int)))".to_owned(), Rows(1)),
        // What is planned.
        ("20 doubling CTEs", doubling_ctes(20), Refused("reads more than")),
        ("8 doubling CTEs", doubling_ctes(8), Either),
        ("40 doubling columns", chained(40, "n + n", "count(*)"), Refused("written out")),
        ("10 doubling columns", chained(10, "n + n", "count(*)"), Rows(1)),
        ("5 chains on each other", chained(6, &format!("n{}", times(" + 1", 300)), "n"), Refused("counted through")),
        ("250 queries on each other", chained(250, "n + 1", "n"), Rows(2)),
        ("700 queries on each other", chained(700, "n + 1", "n"), Refused("more than")),
        ("one long chain", format!("SELECT amount{} FROM sales.orders", times(" + 1", 250)), Rows(2)),
        ("a longer chain", format!("SELECT amount{} FROM sales.orders", times(" + 1", 251)), Refused("250 computations")),
        ("900 OR", format!("SELECT 1 FROM sales.orders WHERE amount = 1{}", times(" OR amount = 1", 900)), Either),
        ("9 nested CASE", format!("SELECT {} FROM sales.orders", nested("CASE WHEN amount > 1 THEN ", "1", " ELSE 2 END", 9)), Rows(2)),
        ("900 nested NOT", format!("SELECT 1 FROM sales.orders WHERE {}true", times("NOT ", 900)), Refused("in a row")),
        ("20 subqueries", format!("SELECT * FROM {}", nested("(SELECT * FROM ", "sales.orders", ")", 20)), Rows(2)),
        ("EXISTS in EXISTS", nested("SELECT 1 FROM sales.orders o WHERE EXISTS (", "SELECT 1", ")", 9), Either),
        ("64 joins", format!("SELECT count(*) FROM sales.orders a{}", numbered(64, "", |at| format!(" JOIN sales.orders b{at} ON a.order_id = b{at}.order_id"))), Either),
        ("CUBE of 20", format!("SELECT count(*) FROM {thousand} GROUP BY CUBE ({})", numbered(20, ", ", |at| format!("n % {}", at + 2))), Refused("written out")),
        ("grouping sets", format!("SELECT count(*) FROM sales.orders GROUP BY GROUPING SETS ({})", numbered(2_000, ", ", |_| "(region, amount)".to_owned())), Either),
        ("ROLLUPs that multiply", format!("SELECT count(*) FROM sales.orders GROUP BY {}", numbered(10, ", ", |_| "ROLLUP (region, amount, order_id)".to_owned())), Either),
        ("500 windows", format!("SELECT {} FROM sales.orders", numbered(500, ", ", |at| format!("sum(amount + {at}) OVER (ORDER BY amount % {})", at + 1))), Either),
        ("5,000 columns", format!("SELECT {} FROM sales.orders", numbered(5_000, ", ", |at| format!("amount + {at} AS c{at}"))), Either),
        ("12,000 rows of VALUES", format!("SELECT count(*) FROM (VALUES {})", numbered(12_000, ", ", |at| format!("({at})"))), Either),
        ("200 predicates to prove", format!("SELECT 1 FROM sales.orders WHERE {}", numbered(200, " AND ", |at| format!("(amount > {at} OR order_id > {at})"))), Either),
        // Values.
        ("a name of 900 KB", format!("SELECT {} FROM sales.orders", "x".repeat(900_000)), Refused("longer than")),
        ("an alias of 900 KB", format!("SELECT 1 AS {}", "x".repeat(900_000)), Refused("longer than")),
        ("a text of 900 KB", format!("SELECT '{}'", "x".repeat(900_000)), Rows(1)),
        ("a number of 500 KB", format!("SELECT {}", "9".repeat(500_000)), Either),
        ("a regular expression that multiplies", format!("SELECT regexp_like(region, '{}') FROM sales.orders", nested("(", "a", "{100})", 6)), Refused("regular expression")),
        ("a regular expression without an end", "SELECT regexp_like(region, '(a') FROM sales.orders".to_owned(), Refused("syntax error")),
        ("a regular expression that goes back", format!("SELECT regexp_like(repeat('a', 1000000), '{}b')", times("(a+)*", 40)), Either),
        ("a LIKE of signs", format!("SELECT repeat('a', 1000000) LIKE '{}b'", times("%a", 5_000)), Either),
        ("levenshtein of long texts", "SELECT levenshtein(repeat('a', 1000000), repeat('b', 100))".to_owned(), Either),
        ("a factorial", "SELECT factorial(1000000)".to_owned(), Either),
        ("a power", "SELECT power(10, 1000000), 1e308 * 10, 9223372036854775807 + 1".to_owned(), Either),
        ("intervals", format!("SELECT now(){}", times(" + INTERVAL '1 month'", 900)), Either),
        ("200,000 comments", format!("{}SELECT 1", times("/**/", 200_000)), Rows(1)),
        ("letters that turn", "SELECT '\u{202e}\u{2066}x' AS \"\u{202e}1\u{200b}\"".to_owned(), Rows(1)),
        ("combining marks", format!("SELECT upper('a{}')", "\u{301}".repeat(300_000)), Rows(1)),
    ];
    // Shapes of trees that a planner walks more than once.
    texts.push((
        "coalesce in coalesce",
        format!("SELECT {} FROM sales.orders", nested("coalesce(amount, ", "1", ")", 40)),
        Rows(2),
    ));
    texts.push((
        "a subquery in each column",
        format!(
            "SELECT {} FROM sales.orders o",
            numbered(60, ", ", |at| format!("(SELECT max(amount) FROM sales.orders WHERE order_id > {at}) AS c{at}"))
        ),
        Either,
    ));
    texts
}

/// A value of `/proc/<pid>/status` in MiB.
fn resident(pid: u32, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is alive");
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}

struct Outcome {
    answer: Result<usize, String>,
    planning: Duration,
    running: Duration,
}

async fn ask(client: &mut FlightSqlServiceClient<Channel>, sql: &str) -> Outcome {
    fn told(error: FlightError) -> String {
        match error {
            FlightError::Tonic(status) => format!("{:?}: {}", status.code(), status.message()),
            other => format!("not a status: {other}"),
        }
    }
    let begun = Instant::now();
    let info = client.execute(sql.to_owned(), None).await;
    let planning = begun.elapsed();
    let begun = Instant::now();
    let answer = match info {
        Err(error) => Err(told(error)),
        Ok(info) => match client.do_get(info.endpoint[0].ticket.clone().unwrap()).await {
            Err(error) => Err(told(error)),
            Ok(stream) => {
                let rows = stream.try_fold(0, |rows, batch| async move { Ok(rows + batch.num_rows()) });
                rows.await.map_err(told)
            }
        },
    };
    Outcome { answer, planning, running: begun.elapsed() }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_is_answered_and_the_process_lives() {
    let folder = Folder::new(MESH);
    folder.limit(&format!("memory_mib = {MEMORY_MIB}\nplanning_seconds = {PLANNING}\nstatement_seconds = {RUNNING}"));
    let serving = Serving::start(&folder, &[]);
    let mut client = serving.login().await;
    ask(&mut client, "SELECT * FROM sales.orders").await.answer.unwrap();
    let fresh = resident(serving.id(), "VmRSS");
    let texts = texts();
    assert!(texts.len() >= 30);
    let (mut wrong, mut report) = (Vec::new(), String::new());
    for (name, sql, expected) in texts {
        let Outcome { answer, planning, running } = ask(&mut client, &sql).await;
        let peak = resident(serving.id(), "VmHWM").saturating_sub(fresh);
        writeln!(report, "{name}: {answer:?} after {planning:?} and {running:?}, {peak} MiB at most so far").unwrap();
        let is_expected = match (&answer, expected) {
            (Ok(rows), Rows(expected)) => *rows == expected,
            (Err(error), Rows(_)) => error.starts_with("DeadlineExceeded"),
            (Err(error), Refused(word)) => error.contains(word) && !error.starts_with("Internal"),
            (Err(error), Either) => !error.starts_with("Internal") && !error.starts_with("Un") && error.len() < 700,
            (Ok(_), Either) => true,
            _ => false,
        };
        if !is_expected || planning > Duration::from_secs(PLANNING) + SLACK {
            wrong.push(format!("{name}: {answer:?} after {planning:?}, not {expected:?}"));
        }
        if running > Duration::from_secs(RUNNING) + SLACK {
            wrong.push(format!("{name}: its rows took {running:?}"));
        }
        let alive = ask(&mut client, "SELECT 1").await;
        if alive.answer != Ok(1) {
            wrong.push(format!("{name}: and then {:?}", alive.answer));
        }
        if std::fs::metadata(format!("/proc/{}", serving.id())).is_err() {
            wrong.push(format!("{name}: the process is gone"));
            break;
        }
    }
    let (peak, after) =
        (resident(serving.id(), "VmHWM") - fresh, resident(serving.id(), "VmRSS").saturating_sub(fresh));
    if peak > PEAK_MIB || after > AFTER_MIB {
        wrong.push(format!("{peak} MiB at most, {after} MiB when it is over"));
    }
    assert!(
        wrong.is_empty(),
        "{}\n\n{report}\n{fresh} MiB at first, {peak} MiB more at most, {after} MiB more after",
        wrong.join("\n")
    );
}
