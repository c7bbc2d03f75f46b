//! Whatever a plan is made of, it ends when its client goes or calls it off: its tasks, its memory and its spilled files.
//!
//! None of the statements ends by itself in the life of a test.

use std::time::{Duration, Instant};

use arrow_flight::CancelFlightInfoRequest;
use futures::StreamExt as _;
use prost::Message as _;
use tokio::runtime::Handle;
use tonic::Code;

use crate::ending::last;
use crate::harness::wire::{Recorded, Served};

const MESH: &str = include_str!("fixtures/regions.txt");

/// `big` has 2^24 rows, `huge` 2^36.
const SHAPES: [(&str, &str); 14] = [
    ("cross join", "SELECT h.k, o.amount FROM huge h, sales.orders o"),
    ("hash join", "SELECT x.k FROM big x JOIN big y ON x.k = y.k JOIN big z ON y.k = z.k"),
    ("nested loop join", "SELECT x.k FROM big x JOIN big y ON x.k < y.k"),
    ("full outer join", "SELECT x.k FROM big x FULL JOIN big y ON x.k = y.k AND x.k + y.k > 7"),
    ("semi join", "SELECT x.k FROM huge x WHERE EXISTS (SELECT 1 FROM big y WHERE y.k = x.k)"),
    ("aggregate", "SELECT k, count(*) AS n FROM huge h GROUP BY k"),
    ("one group", "SELECT sum(k) AS n FROM huge h"),
    ("distinct", "SELECT DISTINCT k % 100000000 AS k FROM huge h"),
    ("sort", "SELECT k FROM huge h ORDER BY k % 1000, k DESC"),
    ("top k", "SELECT k FROM huge h ORDER BY k % 1000, k DESC LIMIT 10"),
    ("window", "SELECT k, row_number() OVER (PARTITION BY k % 3 ORDER BY k) AS n FROM huge h"),
    ("union", "SELECT k FROM huge h UNION ALL SELECT k + 1 FROM huge h"),
    // In a condition it would be the join's own, which looks at nothing else until it has compared a batch with all rows.
    ("function", "SELECT sum(length(regexp_replace(repeat(CAST(k AS VARCHAR), 10), '(1|2)+x$', ''))) AS n FROM huge h"),
    ("recursion", "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT n FROM r"),
];

fn sql(shape: &str) -> String {
    // Generators of rows are bounded, joins of rows that are there are not.
    let values = (0..64).map(|n| format!("({n})")).collect::<Vec<_>>().join(", ");
    let sides = format!(
        "WITH few AS (SELECT n FROM (VALUES {values}) v(n)), \
         side AS (SELECT a.n * 64 + b.n AS n FROM few a, few b), \
         big AS (SELECT a.n * 4096 + b.n AS k FROM side a, side b), \
         huge AS (SELECT a.n * 16777216 + b.n * 4096 + c.n AS k FROM side a, side b, side c)"
    );
    if shape.starts_with("WITH") { shape.to_owned() } else { format!("{sides} {shape}") }
}

/// The gateway takes a tenth of a second; a machine with other work on it is slow.
const SOON: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy)]
enum End {
    Drop,
    Cancel,
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Lets it work, ends it, and waits until nothing of it is left.
async fn abandon(served: &Served, who: &mut Recorded, name: &str, sql: &str, end: End) {
    let engine = served.mesh.sessions.engine();
    let before = tasks();
    let info = who.client.execute(sql.to_owned(), None).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut stream = who.client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    tokio::select! {
        first = stream.next() => drop(first.unwrap().unwrap_or_else(|error| panic!("{name}: {error}"))),
        // Long enough to be in the midst of it.
        () = tokio::time::sleep(Duration::from_millis(200)) => {}
    }
    let start = Instant::now();
    match end {
        End::Drop => drop(stream),
        End::Cancel => {
            who.act("CancelFlightInfo", CancelFlightInfoRequest::new(info).encode_to_vec()).await.unwrap();
            assert_eq!(last(stream).await, Code::Cancelled, "{name}");
        }
    }
    while engine.reserved_bytes() > 0 || engine.spill_files() > 0 || tasks() > before {
        let left = (engine.reserved_bytes(), engine.spill_files(), tasks(), before);
        assert!(start.elapsed() < SOON, "{name}, {end:?}: {left:?} is left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_of_plan_ends_with_its_client() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    ana.fetch("SELECT count(*) AS n FROM sales.orders").await.unwrap();
    for (name, shape) in SHAPES {
        for end in [End::Drop, End::Cancel] {
            abandon(&served, &mut ana, name, &sql(shape), end).await;
        }
    }
    assert_eq!(ana.fetch("SELECT 1 AS one").await.unwrap(), "one Int64\n1");
}
