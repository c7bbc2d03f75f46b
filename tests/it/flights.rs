//! Datasets as flights, for clients that speak Flight without SQL.

use arrow::datatypes::Schema;
use arrow_flight::{Criteria, FlightDescriptor, FlightInfo, IpcMessage};
use futures::TryStreamExt as _;
use tonic::Status;

use crate::harness::render;
use crate::harness::wire::{Recorded, Served};

const MESH: &str = include_str!("fixtures/regions.txt");

async fn listed(who: &mut Recorded) -> Vec<FlightInfo> {
    let request = who.asks(Criteria::default());
    who.client.inner_mut().list_flights(request).await.unwrap().into_inner().try_collect().await.unwrap()
}

async fn info(who: &mut Recorded, path: &[&str]) -> Result<FlightInfo, Status> {
    let descriptor = FlightDescriptor::new_path(path.iter().map(|part| (*part).to_owned()).collect());
    let request = who.asks(descriptor);
    who.client.inner_mut().get_flight_info(request).await.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_is_listed_and_fetched_by_its_path() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let flights = listed(&mut ana).await;
    let paths: Vec<&[String]> =
        flights.iter().map(|flight| flight.flight_descriptor.as_ref().unwrap().path.as_slice()).collect();
    assert_eq!(paths, [["sales".to_owned(), "orders".to_owned()]]);
    let found = info(&mut ana, &["sales", "orders"]).await.unwrap();
    assert_eq!(found.flight_descriptor, flights[0].flight_descriptor, "some clients compare");
    assert_eq!(found.schema, flights[0].schema);
    let schema = Schema::try_from(IpcMessage(found.schema.clone())).unwrap();
    assert_eq!(
        schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(),
        ["order_id", "region", "amount"]
    );
    let rows = ana.client.do_get(found.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    let rows = render(&rows.try_collect::<Vec<_>>().await.unwrap());
    assert_eq!(rows, "order_id Int64 | region Utf8 | amount Int64\n1 | EU | 10\n2 | EU | 20");
}

/// By a path nothing is told that a name in a statement would not tell.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_read_is_not_listed_and_not_found() {
    let served = Served::start(MESH).await;
    let mut eve = served.connect("eve").await;
    assert!(listed(&mut eve).await.is_empty());
    let (hidden, none) = (info(&mut eve, &["sales", "orders"]).await, info(&mut eve, &["sales", "nosuch"]).await);
    let (hidden, none) = (hidden.unwrap_err(), none.unwrap_err());
    assert_eq!((hidden.code(), hidden.message().replace("orders", "nosuch")), (none.code(), none.message().to_owned()));
    for path in
        [&["sales"][..], &["mesh", "sales", "orders"], &["sales", "orders\" WHERE true --"], &["sales\".\"orders", "x"]]
    {
        let mut ana = served.connect("ana").await;
        assert!(info(&mut ana, path).await.is_err(), "{path:?}");
    }
    assert!(!String::from_utf8_lossy(&eve.received()).contains("order_id"));
}
