//! Handshake and who may call.

use std::time::Duration;

use arrow_flight::sql::{CommandGetCatalogs, ProstMessageExt as _};
use arrow_flight::{Action, Criteria, Empty, FlightData, FlightDescriptor, HandshakeRequest, Ticket};
use futures::stream;
use prost::Message as _;
use tonic::{Code, Status};

use super::fake::{serve, status_of, with};

const ANA: &str = "Basic YW5hOmFuYQ==";

#[tokio::test]
async fn handshake_answers_before_the_client_says_a_word() {
    let served = serve().await;
    let request = with(stream::pending::<HandshakeRequest>(), ANA);
    let mut client = served.flight().await;
    let response = tokio::time::timeout(Duration::from_secs(5), client.handshake(request)).await.unwrap().unwrap();
    let bearer = response.metadata().get("authorization").unwrap().to_str().unwrap().to_owned();
    assert!(bearer.starts_with("Bearer "), "{bearer}");
    assert!(response.into_inner().message().await.unwrap().is_none(), "the stream is empty");

    // JDBC with a token shakes hands too, and ODBC sends an empty request.
    let request = with(stream::iter([HandshakeRequest::default()]), &bearer);
    let response = client.handshake(request).await.unwrap();
    assert!(response.metadata().get("authorization").is_none(), "no new token is needed");
    let request = with(stream::iter([HandshakeRequest::default()]), "Bearer dG9rZW4");
    assert_eq!(client.handshake(request).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn wrong_passwords_and_foreign_tokens_are_unauthenticated() {
    let served = serve().await;
    let mut client = served.flight().await;
    let mut refusal =
        async |authorization: &str| -> Status { client.list_actions(with(Empty {}, authorization)).await.unwrap_err() };
    // ana:bob, nobody:ana
    let wrong = refusal("Basic YW5hOmJvYg==").await;
    let unknown = refusal("Basic bm9ib2R5OmFuYQ==").await;
    assert_eq!((wrong.code(), wrong.message()), (Code::Unauthenticated, unknown.message()));
    let foreign = refusal("Bearer dG9rZW4").await;
    assert_eq!(foreign.code(), Code::Unauthenticated);
    assert!(foreign.message().contains("another server issued it"), "{}", foreign.message());
    assert_eq!(refusal("Bearer None").await.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_login_ends_when_it_is_not_used() {
    let served = serve().await;
    let mut ana = served.login("ana").await;
    served.clock.advance(Duration::from_secs(3599));
    ana.get_catalogs().await.unwrap();
    served.clock.advance(Duration::from_hours(1));
    assert_eq!(status_of(ana.get_catalogs().await.unwrap_err()).code(), Code::Unauthenticated);
}

#[tokio::test]
async fn no_rpc_answers_a_caller_without_credentials() {
    let served = serve().await;
    let mut client = served.flight().await;
    let command = CommandGetCatalogs {}.as_any().encode_to_vec();
    let descriptor = || FlightDescriptor::new_cmd(command.clone());
    let codes = [
        client.handshake(stream::empty::<HandshakeRequest>()).await.err(),
        client.list_flights(Criteria::default()).await.err(),
        client.get_flight_info(descriptor()).await.err(),
        client.poll_flight_info(descriptor()).await.err(),
        client.get_schema(descriptor()).await.err(),
        client.do_get(Ticket::new(command.clone())).await.err(),
        client.do_put(stream::empty::<FlightData>()).await.err(),
        client.do_exchange(stream::empty::<FlightData>()).await.err(),
        client.do_action(Action::new("CreatePreparedStatement", Vec::new())).await.err(),
        client.list_actions(Empty {}).await.err(),
    ];
    for (at, status) in codes.into_iter().enumerate() {
        assert_eq!(status.unwrap().code(), Code::Unauthenticated, "call {at}");
    }
}

#[tokio::test]
async fn only_handshake_answers_with_a_token() {
    let served = serve().await;
    let mut client = served.flight().await;
    let command = CommandGetCatalogs {}.as_any().encode_to_vec();
    let info = client.get_flight_info(with(FlightDescriptor::new_cmd(command.clone()), ANA)).await.unwrap();
    assert!(info.metadata().get("authorization").is_none());
    let rows = client.do_get(with(Ticket::new(command), ANA)).await.unwrap();
    assert!(rows.metadata().get("authorization").is_none());
}
