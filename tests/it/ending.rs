//! How statements end that do not end by themselves, and that they are planned once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_flight::Ticket;
use arrow_flight::error::FlightError;
use futures::{StreamExt, TryStreamExt};
use meshgate::config::Limits;
use tonic::{Code, Request};

use crate::harness::wire::{Recorded, Served, Setting};
use crate::harness::{Mesh, render};

const MESH: &str = include_str!("fixtures/regions.txt");
const BASIC: &str = "Basic YW5hOmFuYQ";

/// 2^25 rows that no test reads to the end, over build sides that reserve memory.
pub(crate) fn endless() -> String {
    let side = "(SELECT unnest(range(0, 4096)) AS n)";
    format!("SELECT a.order_id, '{}' AS filler FROM sales.orders a, {side} b, {side} c", "x".repeat(500))
}

/// Takes long to plan.
fn many_tables() -> String {
    let sides: Vec<String> = ('a'..='x').map(|side| format!("sales.orders {side}")).collect();
    format!("SELECT a.order_id FROM {}", sides.join(", "))
}

fn reserved(served: &Served) -> usize {
    served.mesh.sessions.engine().reserved_bytes()
}

/// Waits until nothing is reserved; a machine with other work on it is slow, the gateway is not.
pub(crate) async fn released(served: &Served) -> Duration {
    let start = Instant::now();
    while reserved(served) > 0 {
        assert!(start.elapsed() < Duration::from_secs(5), "{} bytes are still reserved", reserved(served));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    start.elapsed()
}

pub(crate) async fn last(
    mut stream: impl StreamExt<Item = Result<arrow::array::RecordBatch, FlightError>> + Unpin,
) -> Code {
    while let Some(batch) = stream.next().await {
        match batch {
            Ok(_) => {}
            Err(FlightError::Tonic(status)) => return status.code(),
            Err(other) => panic!("{other}"),
        }
    }
    Code::Ok
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_ends_at_the_gateways_limit() {
    let limits = Limits { statement_seconds: 1, partitions: 2, ..Limits::default() };
    let served = Served::start_with(MESH, limits).await;
    let mut ana = served.connect("ana").await;
    let waiting = ana.ticket(&endless()).await;
    let stream = ana.client.do_get(waiting).await.unwrap();
    assert_eq!(last(stream).await, Code::DeadlineExceeded);
    released(&served).await;
    assert_eq!(ana.fetch("SELECT 1 AS one").await.unwrap(), "one Int64\n1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_reading_holds_nothing_beyond_the_limit() {
    let limits = Limits { statement_seconds: 2, partitions: 2, ..Limits::default() };
    let served = Served::start_with(MESH, limits).await;
    let mut ana = served.connect("ana").await;
    let waiting = ana.ticket(&endless()).await;
    let mut stream = ana.client.do_get(waiting).await.unwrap();
    stream.next().await.unwrap().unwrap();
    assert!(reserved(&served) > 0, "the statement reserves something while it runs");
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    released(&served).await;
    assert_eq!(last(stream).await, Code::DeadlineExceeded, "and it is told when it reads on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_own_deadline_ends_its_calls() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let mut client = served.flight().await;
    let waiting = ana.ticket(&endless()).await;
    let mut request = Request::new(waiting);
    request.metadata_mut().insert("authorization", BASIC.parse().unwrap());
    request.set_timeout(Duration::from_secs(4));
    let mut frames = client.do_get(request).await.unwrap().into_inner();
    let end = loop {
        match frames.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended by itself"),
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), Code::DeadlineExceeded, "{end}");
    released(&served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_gives_its_memory_back() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    for _ in 0..3 {
        let waiting = ana.ticket(&endless()).await;
        let mut stream = ana.client.do_get(waiting).await.unwrap();
        stream.next().await.unwrap().unwrap();
        assert!(reserved(&served) > 0);
        drop(stream);
        released(&served).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_while_it_plans_leaves_nothing() {
    let served = Served::start(MESH).await;
    // More than there are places to plan in.
    for wait in 0..24 {
        let mut ana = served.connect("ana").await;
        let planning = ana.client.execute(many_tables(), None);
        let _ = tokio::time::timeout(Duration::from_millis(wait), planning).await;
    }
    assert_eq!(served.connect("ana").await.fetch("SELECT 1 AS one").await.unwrap(), "one Int64\n1");
    released(&served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_planned_once_where_it_was_announced_and_again_elsewhere() {
    let setting = || Setting { ticket_key: [7; 32], ..Setting::default() };
    let here = Served::start_on(Mesh::new(MESH).await, MESH, setting()).await;
    let there = Served::start_on(Mesh::new(MESH).await, MESH, setting()).await;
    let stranger = Served::start(MESH).await;
    let sql = "SELECT order_id FROM sales.orders ORDER BY order_id";
    let (mut ana, mut elsewhere) = (here.connect("ana").await, there.connect("ana").await);
    let waiting = ana.ticket(sql).await;
    let get = async |client: &mut Recorded, ticket: Ticket| -> String {
        let batches: Vec<_> = client.client.do_get(ticket).await.unwrap().try_collect().await.unwrap();
        render(&batches)
    };
    assert_eq!(get(&mut ana, waiting.clone()).await, "order_id Int64\n1\n2");
    assert_eq!(here.mesh.sessions.plannings(), 1);
    assert_eq!(there.mesh.sessions.plannings(), 0);
    assert_eq!(get(&mut elsewhere, waiting.clone()).await, "order_id Int64\n1\n2");
    assert_eq!(there.mesh.sessions.plannings(), 1, "the other gateway plans the statement of the ticket");
    assert!(stranger.connect("ana").await.client.do_get(waiting).await.is_err(), "another key");

    let mut prepared = ana.client.prepare(sql.to_owned(), None).await.unwrap();
    for _ in 0..3 {
        let info = prepared.execute().await.unwrap();
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        assert_eq!(get(&mut ana, ticket).await, "order_id Int64\n1\n2");
    }
    assert_eq!(here.mesh.sessions.plannings(), 2, "a prepared statement is planned when it is prepared");
    assert_eq!(Arc::strong_count(&here.mesh.sessions), 2, "the mesh's own and the gateway's");
}
