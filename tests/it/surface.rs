//! What is not offered says so, what is garbled is the caller's fault, and the server lives.

use arrow_flight::sql::{
    ActionBeginSavepointRequest, ActionBeginTransactionRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedSubstraitPlanRequest, ActionEndSavepointRequest, ActionEndTransactionRequest, Any,
    CommandGetTables, CommandPreparedStatementUpdate, CommandStatementIngest, CommandStatementQuery,
    CommandStatementSubstraitPlan, CommandStatementUpdate, ProstMessageExt,
};
use arrow_flight::{Action, Criteria, Empty, FlightData, FlightDescriptor, Ticket};
use bytes::Bytes;
use futures::{TryStreamExt, stream};
use prost::Message;
use tonic::{Code, Request};

use crate::harness::wire::{Recorded, Served};

const MESH: &str = include_str!("fixtures/regions.txt");

fn ana<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", "Basic YW5hOmFuYQ".parse().unwrap());
    request
}

fn query(sql: &str) -> Any {
    CommandStatementQuery { query: sql.to_owned(), transaction_id: None }.as_any()
}

fn commands() -> Vec<Any> {
    vec![
        CommandStatementSubstraitPlan::default().as_any(),
        CommandStatementUpdate { query: "DELETE FROM sales.orders".to_owned(), transaction_id: None }.as_any(),
        CommandPreparedStatementUpdate::default().as_any(),
        CommandStatementIngest::default().as_any(),
        Any { type_url: "type.googleapis.com/arrow.flight.protocol.sql.Nonsense".to_owned(), value: Bytes::new() },
        Any { type_url: "nonsense".to_owned(), value: Bytes::from_static(b"nonsense") },
    ]
}

fn actions() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("BeginTransaction", ActionBeginTransactionRequest {}.as_any().encode_to_vec()),
        ("EndTransaction", ActionEndTransactionRequest::default().as_any().encode_to_vec()),
        ("BeginSavepoint", ActionBeginSavepointRequest::default().as_any().encode_to_vec()),
        ("EndSavepoint", ActionEndSavepointRequest::default().as_any().encode_to_vec()),
        ("CreatePreparedSubstraitPlan", ActionCreatePreparedSubstraitPlanRequest::default().as_any().encode_to_vec()),
        ("list_schemas", vec![0x80]),
        ("", Vec::new()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_offered_is_unimplemented() {
    let served = Served::start(MESH).await;
    let mut client = served.flight().await;
    let mut answers = Vec::new();
    for command in commands() {
        let name = command.type_url.clone();
        let descriptor = FlightDescriptor::new_cmd(command.encode_to_vec());
        let put = stream::iter([FlightData::new().with_descriptor(descriptor.clone())]);
        answers.push((format!("info {name}"), client.get_flight_info(ana(descriptor.clone())).await.err()));
        answers.push((format!("schema {name}"), client.get_schema(ana(descriptor.clone())).await.err()));
        answers.push((format!("poll {name}"), client.poll_flight_info(ana(descriptor)).await.err()));
        // Updates are puts and nothing else; what they may change is tested with the session.
        if !name.ends_with("Update") {
            answers.push((format!("put {name}"), client.do_put(ana(put)).await.err()));
        }
    }
    for (name, body) in actions() {
        answers.push((format!("action {name}"), client.do_action(ana(Action::new(name, body))).await.err()));
    }
    let criteria = Criteria { expression: "orders".into() };
    answers.push(("criteria".to_owned(), client.list_flights(ana(criteria)).await.err()));
    answers.push(("exchange".to_owned(), client.do_exchange(ana(stream::empty())).await.err()));
    for (what, status) in answers {
        let status = status.unwrap_or_else(|| panic!("{what} was accepted"));
        assert_eq!(status.code(), Code::Unimplemented, "{what}: {status}");
        assert!(status.message().contains("not offered"), "{what}: {}", status.message());
    }
    // What is listed is there: with an empty body each answers, or says what it misses.
    let listed = client.list_actions(ana(Empty {})).await.unwrap().into_inner();
    let listed: Vec<String> = listed.map_ok(|action| action.r#type).try_collect().await.unwrap();
    assert_eq!(listed.len(), 8, "{listed:?}");
    for name in listed {
        if let Err(status) = client.do_action(ana(Action::new(&name, Vec::new()))).await {
            assert_eq!(status.code(), Code::InvalidArgument, "{name}: {status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbled_messages_are_told_and_harm_nobody() {
    let served = Served::start(MESH).await;
    let mut client = served.flight().await;
    let mut garbled: Vec<Vec<u8>> = vec![vec![], vec![0xff; 3], vec![0x0a, 0xff], vec![0; 1000], b"SELECT 1".to_vec()];
    let prepare = ActionCreatePreparedStatementRequest { query: "SELECT 1".to_owned(), transaction_id: None };
    for good in [query("SELECT 1").encode_to_vec(), prepare.as_any().encode_to_vec()] {
        for place in 0..good.len() {
            garbled.push(good[..place].to_vec());
            let mut flipped = good.clone();
            flipped[place] ^= 0x81;
            garbled.push(flipped);
        }
    }
    for bytes in garbled {
        let descriptor = || FlightDescriptor::new_cmd(bytes.clone());
        let codes = [
            client.get_flight_info(ana(descriptor())).await.err(),
            client.get_schema(ana(descriptor())).await.err(),
            client.do_get(ana(Ticket::new(bytes.clone()))).await.err(),
            client.do_action(ana(Action::new("CreatePreparedStatement", bytes.clone()))).await.err(),
            client.do_action(ana(Action::new("ClosePreparedStatement", bytes.clone()))).await.err(),
        ];
        for (rpc, status) in codes.into_iter().enumerate() {
            // A flipped byte may leave a statement that is fine, or that names what is not there.
            let Some(status) = status else { continue };
            let told = [Code::InvalidArgument, Code::Unimplemented, Code::NotFound];
            assert!(told.contains(&status.code()), "rpc {rpc}, {bytes:?}: {status}");
        }
    }
    assert_eq!(served.connect("ana").await.fetch("SELECT 1 AS one").await.unwrap(), "one Int64\n1");
}

async fn refusal(client: &mut Recorded, sql: &str) -> tonic::Status {
    let told = |error: arrow_flight::error::FlightError| match error {
        arrow_flight::error::FlightError::Tonic(status) => *status,
        other => panic!("{other}"),
    };
    let info = match client.client.execute(sql.to_owned(), None).await {
        Ok(info) => info,
        Err(error) => return told(error),
    };
    match client.client.do_get(info.endpoint[0].ticket.clone().unwrap()).await {
        Ok(stream) => told(stream.try_collect::<Vec<_>>().await.unwrap_err()),
        Err(error) => told(error),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_in_a_sentence() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let long = format!("SELECT '{}'", "x".repeat(5_000_000));
    let status = refusal(&mut ana, &long).await;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.message().len() < 2_100, "{}", status.message().len());

    let sql = "SELECT order_id, repeat(repeat('x', 1000000), 5) AS body FROM sales.orders";
    let status = refusal(&mut ana, sql).await;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.message().contains("`body`"), "{status}");
    assert_eq!(ana.fetch("SELECT 1 AS one").await.unwrap(), "one Int64\n1");
}

/// A token of 12 KB beside the properties of a driver is looked at; a header list of 64 KB is not even read.
#[tokio::test(flavor = "multi_thread")]
async fn large_headers_are_read_and_huge_ones_are_refused() {
    let served = Served::start(MESH).await;
    let mut client = served.flight().await;
    let asks = |bytes: usize| {
        let mut request = Request::new(Empty {});
        let token = format!("Bearer {}", "x".repeat(bytes));
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        request
    };
    let large = client.list_actions(asks(12 << 10)).await.err().unwrap();
    assert_eq!(large.code(), Code::Unauthenticated, "{large}");
    assert!(large.message().contains("bearer token is not known"), "{large}");
    // The transport answers by itself, with 431 in place of a status: the client makes one of it when it reads on.
    let huge = match client.list_actions(asks(64 << 10)).await {
        Ok(answer) => answer.into_inner().message().await.err(),
        Err(status) => Some(status),
    };
    let huge = huge.expect("64 KB of headers were accepted");
    assert_eq!(huge.code(), Code::Unknown, "{huge}");
    assert!(huge.message().contains("431"), "{huge}");
    client.list_actions(ana(Empty {})).await.unwrap();
    assert_eq!(served.connect("ana").await.fetch("SELECT 1 AS one").await.unwrap(), "one Int64\n1");
}

/// pandas asks whether its statement is the name of a table.
#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_may_be_a_whole_statement() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    for pattern in ["%_\\".repeat(34_000), format!("SELECT '{}'", "x".repeat(100_000))] {
        let command = CommandGetTables {
            table_name_filter_pattern: Some(pattern),
            include_schema: true,
            ..CommandGetTables::default()
        };
        let info = ana.client.get_tables(command).await.unwrap();
        let rows = ana.client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
        let rows: Vec<_> = rows.try_collect().await.unwrap();
        assert_eq!(rows.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 0);
    }
    assert_eq!(ana.fetch("SELECT 1 AS one").await.unwrap(), "one Int64\n1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_is_read_by_a_client_with_the_default_limit() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    // Two rows of 3 MB each beside many of 300 bytes: 18 MB, and the average says nothing of a frame.
    let sql = format!(
        "SELECT CASE WHEN a.n = 7 AND b.n = 7 AND c.n < 2 THEN repeat(repeat('y', 1000000), 3) ELSE '{}' END AS body \
         FROM (SELECT unnest(range(0, 100)) AS n) a, (SELECT unnest(range(0, 100)) AS n) b, \
         (SELECT unnest(range(0, 4)) AS n) c",
        "x".repeat(300)
    );
    let batches = ana.fetch_batches(&sql).await.unwrap();
    assert_eq!(batches.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 40_000);
    let received = ana.received().len();
    assert!(received > 17_000_000, "{received} bytes");
}
