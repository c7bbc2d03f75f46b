//! Who may call, with which spelling of credentials, and for how long.

use std::time::Duration;

use arrow_flight::sql::{CommandGetCatalogs, CommandStatementQuery, ProstMessageExt};
use arrow_flight::{Action, Criteria, Empty, FlightData, FlightDescriptor, HandshakeRequest, Ticket};
use futures::stream;
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Status};

use crate::harness::Mesh;
use crate::harness::wire::{SESSION_SECONDS, Served, Setting};

const MESH: &str = include_str!("fixtures/regions.txt");
const PADDED: &str = "Basic YW5hOmFuYQ==";
const UNPADDED: &str = "Basic YW5hOmFuYQ";

fn with<T>(message: T, authorization: &[&str]) -> Request<T> {
    let mut request = Request::new(message);
    for header in authorization {
        request.metadata_mut().append("authorization", header.parse().unwrap());
    }
    request
}

fn select_one() -> FlightDescriptor {
    let command = CommandStatementQuery { query: "SELECT 1 AS one".to_owned(), transaction_id: None };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

async fn code(served: &Served, authorization: &[&str]) -> Code {
    let answer = served.flight().await.get_flight_info(with(select_one(), authorization)).await;
    answer.map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_spelling_of_a_handshake_is_answered() {
    let served = Served::start(MESH).await;
    let mut client = served.flight().await;
    let mut tokens = Vec::new();
    for basic in [PADDED, UNPADDED] {
        // No message and an open stream (Go), no message and a closed one (C++), one empty message (Java).
        let silent = client.handshake(with(stream::pending::<HandshakeRequest>(), &[basic])).await.unwrap();
        let closed = client.handshake(with(stream::empty(), &[basic])).await.unwrap();
        let one = client.handshake(with(stream::iter([HandshakeRequest::default()]), &[basic])).await.unwrap();
        for response in [silent, closed, one] {
            let token = response.metadata().get("authorization").unwrap().to_str().unwrap().to_owned();
            assert!(response.into_inner().message().await.unwrap().is_none(), "the stream is empty");
            tokens.push(token);
        }
    }
    for token in &tokens {
        assert_eq!(code(&served, &[token]).await, Code::Ok);
        // A login by token (JDBC) asks for nothing new.
        let response = client.handshake(with(stream::empty(), &[token])).await.unwrap();
        assert!(response.metadata().get("authorization").is_none());
    }
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 6, "each login has a token of its own");
}

/// Credentials, and the code with and without `auth.anonymous`.
const CREDENTIALS: [(&[&str], Code, Code); 14] = [
    (&[], Code::Unauthenticated, Code::Ok),
    (&["Bearer None"], Code::Unauthenticated, Code::Ok),
    (&[PADDED], Code::Ok, Code::Ok),
    (&[UNPADDED], Code::Ok, Code::Ok),
    (&["basic YW5hOmFuYQ=="], Code::Ok, Code::Ok),
    // Whoever shows credentials is never taken for a caller without.
    (&["Basic YW5hOmJvYg=="], Code::Unauthenticated, Code::Unauthenticated),
    (&["Basic bm9ib2R5OmFuYQ=="], Code::Unauthenticated, Code::Unauthenticated),
    (&["Basic !!!"], Code::Unauthenticated, Code::Unauthenticated),
    (&["Basic"], Code::Unauthenticated, Code::Unauthenticated),
    (&["Bearer"], Code::Unauthenticated, Code::Unauthenticated),
    (&["Bearer of-another-server"], Code::Unauthenticated, Code::Unauthenticated),
    (&["Digest x"], Code::Unauthenticated, Code::Unauthenticated),
    (&[PADDED, PADDED], Code::Unauthenticated, Code::Unauthenticated),
    (&[PADDED, "Bearer None"], Code::Unauthenticated, Code::Unauthenticated),
];

#[tokio::test(flavor = "multi_thread")]
async fn credentials_decide_and_their_absence_is_accepted_only_where_configured() {
    let closed = Served::start(MESH).await;
    let open = Served::start_on(Mesh::new(MESH).await, MESH, Setting { anonymous: true, ..Setting::default() }).await;
    for (credentials, without, with_anonymous) in CREDENTIALS {
        assert_eq!(code(&closed, credentials).await, without, "{credentials:?}");
        assert_eq!(code(&open, credentials).await, with_anonymous, "{credentials:?}, anonymous accepted");
    }
    let mut client = open.flight().await;
    let command = CommandStatementQuery { query: "SELECT * FROM sales.orders".to_owned(), transaction_id: None };
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let refused = client.get_flight_info(descriptor).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "anonymous has no role: {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_accepted_on_every_rpc_and_answered_with_no_token() {
    let served = Served::start(MESH).await;
    let mut client = served.flight().await;
    let catalogs = CommandGetCatalogs {}.as_any().encode_to_vec();
    let put = with(stream::empty::<FlightData>(), &[PADDED]);
    let exchange = with(stream::empty::<FlightData>(), &[PADDED]);
    let answers: Vec<(&str, Result<MetadataMap, Status>)> = vec![
        ("info", client.get_flight_info(with(select_one(), &[PADDED])).await.map(|r| r.metadata().clone())),
        ("schema", client.get_schema(with(select_one(), &[PADDED])).await.map(|r| r.metadata().clone())),
        ("get", client.do_get(with(Ticket::new(catalogs), &[PADDED])).await.map(|r| r.metadata().clone())),
        ("actions", client.list_actions(with(Empty {}, &[PADDED])).await.map(|r| r.metadata().clone())),
        ("act", client.do_action(with(Action::new("X", ""), &[PADDED])).await.map(|r| r.metadata().clone())),
        ("flights", client.list_flights(with(Criteria::default(), &[PADDED])).await.map(|r| r.metadata().clone())),
        ("poll", client.poll_flight_info(with(select_one(), &[PADDED])).await.map(|r| r.metadata().clone())),
        ("put", client.do_put(put).await.map(|r| r.metadata().clone())),
        ("exchange", client.do_exchange(exchange).await.map(|r| r.metadata().clone())),
    ];
    for (rpc, answer) in answers {
        // An authorization header in an answer replaces the client's credentials (ADBC).
        let headers = answer.unwrap_or_else(|status| {
            // The upload is empty: only this call is offered, and misused here.
            let expected = if rpc == "put" { Code::InvalidArgument } else { Code::Unimplemented };
            assert_eq!(status.code(), expected, "{rpc}: {status}");
            status.metadata().clone()
        });
        assert!(headers.get("authorization").is_none(), "{rpc}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_ends_when_it_is_not_used_and_is_of_one_server() {
    let served = Served::start(MESH).await;
    let other = Served::start(MESH).await;
    let response = served.flight().await.handshake(with(stream::empty(), &[PADDED])).await.unwrap();
    let token = response.metadata().get("authorization").unwrap().to_str().unwrap().to_owned();
    assert_eq!(code(&other, &[&token]).await, Code::Unauthenticated);
    for _ in 0..3 {
        served.mesh.clock.advance(Duration::from_secs(SESSION_SECONDS - 1));
        assert_eq!(code(&served, &[&token]).await, Code::Ok, "each use counts");
    }
    served.mesh.clock.advance(Duration::from_secs(SESSION_SECONDS));
    assert_eq!(code(&served, &[&token]).await, Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_headers_are_refused_and_a_large_token_is_not() {
    let served = Served::start(MESH).await;
    let large = format!("Bearer {}", "t".repeat(12 << 10));
    assert_eq!(code(&served, &[&large]).await, Code::Unauthenticated, "it arrives, and is of no login");
    let mut request = with(select_one(), &[PADDED]);
    request.metadata_mut().insert("x-long", "t".repeat(64 << 10).parse().unwrap());
    served.flight().await.get_flight_info(request).await.unwrap_err();
    assert_eq!(code(&served, &[PADDED]).await, Code::Ok);
}
