//! Statements and their tickets.

use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::array::AsArray as _;
use arrow::datatypes::{Int64Type, Schema};
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt as _};
use arrow_flight::{FlightDescriptor, FlightInfo, Ticket};
use futures::{StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::fake::{Served, serve, serve_with_key, status_of, with};

type Client = FlightSqlServiceClient<Channel>;

fn ticket(info: &FlightInfo) -> Ticket {
    info.endpoint[0].ticket.clone().unwrap()
}

async fn rows(client: &mut Client, ticket: Ticket) -> Result<Vec<i64>, Status> {
    let batches: Vec<_> = client.do_get(ticket).await.map_err(status_of)?.try_collect().await.map_err(status_of)?;
    Ok(batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect())
}

async fn until_idle(served: &Served) {
    for _ in 0..500 {
        if served.world.running.load(Ordering::SeqCst) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a query still runs after its client went away");
}

#[tokio::test]
async fn a_statement_is_planned_once_and_its_rows_arrive() {
    let served = serve().await;
    let mut ana = served.login("ana").await;
    let info = ana.execute("select n".to_owned(), None).await.unwrap();
    assert_eq!(rows(&mut ana, ticket(&info)).await.unwrap(), [1, 2, 3]);
    assert_eq!(served.world.planned.load(Ordering::SeqCst), 1);
    until_idle(&served).await;
}

#[tokio::test]
async fn the_flight_info_promises_nothing_that_tells_of_hidden_rows() {
    let served = serve().await;
    let command = CommandStatementQuery { query: "select n".to_owned(), transaction_id: None };
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let mut client = served.flight().await;
    let request = with(descriptor.clone(), "Basic YW5hOmFuYQ");
    let info = client.get_flight_info(request).await.unwrap().into_inner();
    assert_eq!((info.total_records, info.total_bytes), (-1, -1));
    assert_eq!(info.flight_descriptor.as_ref(), Some(&descriptor));
    assert_eq!(info.endpoint.len(), 1);
    assert!(info.endpoint[0].location.is_empty());
    let schema = client.get_schema(with(descriptor, "Basic YW5hOmFuYQ")).await.unwrap().into_inner();
    assert_eq!(Schema::try_from(schema).unwrap(), info.try_decode_schema().unwrap());
}

#[tokio::test]
async fn an_altered_ticket_is_refused_with_one_text_whichever_byte_it_is() {
    let served = serve().await;
    let mut ana = served.login("ana").await;
    let good = ticket(&ana.execute("select n".to_owned(), None).await.unwrap()).ticket.to_vec();
    let mut texts = std::collections::BTreeSet::new();
    for at in 0..good.len() {
        let mut altered = good.clone();
        altered[at] ^= 1;
        let refusal = rows(&mut ana, Ticket::new(altered)).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "byte {at}: {refusal}");
        texts.insert(refusal.message().to_owned());
    }
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[tokio::test]
async fn a_ticket_is_of_its_principal_and_ends() {
    let served = serve().await;
    let (mut ana, mut bob) = (served.login("ana").await, served.login("bob").await);
    let anas = ticket(&ana.execute("select n".to_owned(), None).await.unwrap());
    assert_eq!(rows(&mut bob, anas.clone()).await.unwrap_err().code(), Code::PermissionDenied);
    served.clock.advance(Duration::from_secs(299));
    assert_eq!(rows(&mut ana, anas.clone()).await.unwrap(), [1, 2, 3]);
    served.clock.advance(Duration::from_secs(1));
    assert_eq!(rows(&mut ana, anas).await.unwrap_err().code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_gateway_with_the_same_key_redeems_it_and_another_does_not() {
    let (one, other) = (serve().await, serve().await);
    let anas = ticket(&one.login("ana").await.execute("select n".to_owned(), None).await.unwrap());
    assert_eq!(rows(&mut other.login("ana").await, anas.clone()).await.unwrap(), [1, 2, 3]);
    assert_eq!(rows(&mut other.login("bob").await, anas.clone()).await.unwrap_err().code(), Code::PermissionDenied);
    let stranger = serve_with_key([1; 32]).await;
    assert_eq!(rows(&mut stranger.login("ana").await, anas).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_ticket_outlives_a_new_generation_unless_its_columns_changed() {
    let served = serve().await;
    let mut ana = served.login("ana").await;
    let anas = ticket(&ana.execute("select n".to_owned(), None).await.unwrap());
    served.world.generation.store(1, Ordering::SeqCst);
    assert_eq!(rows(&mut ana, anas.clone()).await.unwrap(), [1, 2, 3]);
    assert_eq!(served.world.planned.load(Ordering::SeqCst), 2, "planned again under the policy of today");
    served.world.generation.store(100, Ordering::SeqCst);
    assert_eq!(rows(&mut ana, anas).await.unwrap_err().code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_ticket_for_one_purpose_is_not_redeemed_for_another() {
    let served = serve().await;
    let mut ana = served.login("ana").await;
    let anas = ticket(&ana.execute("select n".to_owned(), None).await.unwrap());
    served.world.purpose.store(1, Ordering::SeqCst);
    let refusal = rows(&mut ana, anas).await.unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    assert!(refusal.message().contains("another purpose"), "{refusal}");
}

#[tokio::test]
async fn errors_keep_their_code_before_and_inside_a_stream() {
    let served = serve().await;
    let mut ana = served.login("ana").await;
    let absent = status_of(ana.execute("select * from absent".to_owned(), None).await.unwrap_err());
    assert_eq!((absent.code(), absent.message()), (Code::NotFound, "table `absent` not found"));
    let parameters = status_of(ana.execute("select ?".to_owned(), None).await.unwrap_err());
    assert_eq!(parameters.code(), Code::InvalidArgument);
    let transaction = ana.execute("select n".to_owned(), Some("t".into())).await.unwrap_err();
    assert_eq!(status_of(transaction).code(), Code::Unimplemented);

    let broken = ana.execute("select broken".to_owned(), None).await.unwrap();
    let failure = rows(&mut ana, ticket(&broken)).await.unwrap_err();
    assert_eq!((failure.code(), failure.message()), (Code::Unavailable, "product read failed"));
    until_idle(&served).await;
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_query() {
    let served = serve().await;
    let mut ana = served.login("ana").await;
    let info = ana.execute("select endless".to_owned(), None).await.unwrap();
    let mut stream = ana.do_get(ticket(&info)).await.unwrap();
    stream.next().await.unwrap().unwrap();
    assert_eq!(served.world.running.load(Ordering::SeqCst), 1);
    drop(stream);
    until_idle(&served).await;
}
