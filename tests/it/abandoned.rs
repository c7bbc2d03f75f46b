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
use crate::shapes;

const MESH: &str = include_str!("fixtures/regions.txt");

/// Of [`shapes`], those whose tasks, joins and files differ.
const ASKED: [&str; 14] = [
    "cross join",
    "hash join",
    "nested loop join",
    "full outer join",
    "semi join",
    "aggregate",
    "one group",
    "distinct",
    "sort",
    "top k",
    "window",
    "union",
    "replaced by a pattern",
    "recursion",
];

/// The gateway takes a tenth of a second; a machine with other work on it is slow.
const SOON: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy)]
enum End {
    Drop,
    Cancel,
}

fn tasks(served: &Served) -> usize {
    Handle::current().metrics().num_alive_tasks() + served.mesh.sessions.engine().workers().alive_tasks()
}

/// Lets it work, ends it, and waits until nothing of it is left.
async fn abandon(served: &Served, who: &mut Recorded, name: &str, sql: &str, end: End) {
    let engine = served.mesh.sessions.engine();
    let before = tasks(served);
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
    while engine.reserved_bytes() > 0 || engine.spill_files() > 0 || tasks(served) > before {
        let left = (engine.reserved_bytes(), engine.spill_files(), tasks(served), before);
        assert!(start.elapsed() < SOON, "{name}, {end:?}: {left:?} is left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_of_plan_ends_with_its_client() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    ana.fetch("SELECT count(*) AS n FROM sales.orders").await.unwrap();
    for name in ASKED {
        let (_, shape) = shapes::SHAPES.iter().find(|(known, _)| *known == name).unwrap();
        for end in [End::Drop, End::Cancel] {
            abandon(&served, &mut ana, name, &shapes::sql(shape), end).await;
        }
    }
    assert_eq!(ana.fetch("SELECT 1 AS one").await.unwrap(), "one Int64\n1");
}
