//! The client against a server on a socket.

use std::sync::atomic::Ordering;

use super::fake::Fake;
use super::{Client, Login, connect};
use crate::diagnostic::Kind;

fn ana(password: &str) -> Login {
    Login::Password { user: "ana".to_owned(), password: password.into() }
}

async fn client(fake: &Fake) -> Client {
    connect(&fake.url, &ana("ana"), None).await.unwrap()
}

#[tokio::test]
async fn rows_arrive_with_their_schema() {
    let fake = Fake::start().await;
    let rows = client(&fake).await.execute("select million").await.unwrap();
    assert_eq!(rows.schema().field(0).name(), "n");
    let batches = rows.collect().await.unwrap();
    assert_eq!(batches.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 1_000_000);
    fake.is_idle().await;
}

#[tokio::test]
async fn the_token_may_come_in_the_message() {
    let fake = Fake::start().await;
    fake.state.token_in_payload.store(true, Ordering::SeqCst);
    assert!(client(&fake).await.execute("select 1").await.is_ok());
}

#[tokio::test]
async fn wrong_credentials_and_none_are_refused() {
    let fake = Fake::start().await;
    let error = connect(&fake.url, &ana("guess"), None).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (Kind::Unauthenticated, "wrong user or password"));
    for login in [Login::Anonymous, Login::Token("stolen".into())] {
        let client = connect(&fake.url, &login, None).await.unwrap();
        assert_eq!(client.execute("select 1").await.map(|_| ()).unwrap_err().kind, Kind::Unauthenticated);
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_one_clear_sentence() {
    // Bound and closed again: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("grpc://127.0.0.1:{port}");
    let error = connect(&url, &Login::Anonymous, None).await.unwrap_err();
    assert_eq!(error.message, format!("cannot reach a gateway at `{url}`: connection refused"));
    assert_eq!(error.hints, ["start one with `meshgate demo`, or name another with `--url`"]);
}

#[tokio::test]
async fn errors_keep_their_kind_and_hints() {
    let fake = Fake::start().await;
    let client = client(&fake).await;
    let error = client.execute("select wrong").await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert_eq!(error.message, "no column `wrong` at line 1, column 8");
    assert_eq!(error.hints, ["did you mean `right`?"]);

    let mut rows = client.execute("select late").await.unwrap();
    assert_eq!(rows.next().await.unwrap().unwrap().num_rows(), 3);
    let error = rows.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (Kind::Exhausted, "the query needs more memory"));
}

#[tokio::test]
async fn dropping_the_rows_stops_the_server() {
    let fake = Fake::start().await;
    let mut rows = client(&fake).await.execute("select forever").await.unwrap();
    rows.next().await.unwrap().unwrap();
    assert_eq!(fake.state.live.load(Ordering::SeqCst), 1);
    drop(rows);
    fake.is_idle().await;
}

#[tokio::test]
async fn names_for_completion() {
    let fake = Fake::start().await;
    let client = client(&fake).await;
    assert_eq!(client.domains().await.unwrap(), ["sales"]);
    let tables = client.tables(None, None).await.unwrap();
    let orders = tables.iter().find(|table| table.name == "orders").unwrap();
    assert_eq!((orders.domain.as_str(), orders.kind.as_str()), ("sales", "TABLE"));
    assert_eq!(orders.remarks.as_deref(), Some("what customers bought"));
    let key = &orders.columns[0];
    assert_eq!((key.name.as_str(), key.nullable, key.remarks.as_deref()), ("order_id", false, Some("the key")));
    // `_` in a name is no pattern: the filter finds this one only.
    let lines = client.tables(Some("sales"), Some("order_lines")).await.unwrap();
    assert_eq!(lines.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["order_lines"]);
}
