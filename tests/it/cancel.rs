//! Statements that are called off by their FlightInfo, endpoints that are kept longer, and polls.

use std::time::Duration;

use arrow_flight::error::FlightError;
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, Any, CommandGetCatalogs, CommandStatementQuery,
    ProstMessageExt as _,
};
use arrow_flight::{
    CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightDescriptor, FlightEndpoint, FlightInfo,
    RenewFlightEndpointRequest, Ticket,
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use tonic::{Code, Status};

use crate::ending::{endless, last, released};
use crate::harness::render;
use crate::harness::wire::{Recorded, Served};

const MESH: &str = include_str!("fixtures/regions.txt");
const COUNT: &str = "SELECT count(*) AS n FROM sales.orders";

async fn info(who: &mut Recorded, sql: &str) -> FlightInfo {
    who.client.execute(sql.to_owned(), None).await.unwrap()
}

fn ticket(info: &FlightInfo) -> Ticket {
    info.endpoint[0].ticket.clone().unwrap()
}

async fn cancel(who: &mut Recorded, info: &FlightInfo) -> Result<CancelStatus, Status> {
    let answer = who.act("CancelFlightInfo", CancelFlightInfoRequest::new(info.clone()).encode_to_vec()).await?;
    Ok(CancelFlightInfoResult::decode(answer).unwrap().status())
}

async fn cancel_as_before(who: &mut Recorded, info: &FlightInfo) -> Result<CancelStatus, Status> {
    let request = ActionCancelQueryRequest { info: info.encode_to_vec().into() };
    let answer = who.act("CancelQuery", request.as_any().encode_to_vec()).await?;
    let result: ActionCancelQueryResult = Any::decode(answer).unwrap().unpack().unwrap().unwrap();
    Ok(CancelStatus::try_from(result.result).unwrap())
}

async fn rows(who: &mut Recorded, ticket: Ticket) -> Result<String, Code> {
    let code = |error| match error {
        FlightError::Tonic(status) => status.code(),
        other => panic!("{other}"),
    };
    let stream = who.client.do_get(ticket).await.map_err(code)?;
    Ok(render(&stream.try_collect::<Vec<_>>().await.map_err(code)?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_is_called_off_ends_and_gives_its_memory_back() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let mut second = served.connect("ana").await;
    for older in [false, true] {
        let endless = info(&mut ana, &endless()).await;
        let mut stream = ana.client.do_get(ticket(&endless)).await.unwrap();
        stream.next().await.unwrap().unwrap();
        // Another connection of the same principal, as a tool with a stop button has. The ticket may have expired.
        served.mesh.clock.advance(Duration::from_secs(400));
        let status =
            if older { cancel_as_before(&mut second, &endless).await } else { cancel(&mut second, &endless).await };
        assert_eq!(status.unwrap(), CancelStatus::Cancelled);
        // Not a frame was read since: a client that stalls need not wake up for it.
        released(&served).await;
        assert_eq!(last(stream).await, Code::Cancelled);
    }
    // One that was not fetched yet is not begun.
    let waiting = info(&mut ana, COUNT).await;
    assert_eq!(cancel(&mut ana, &waiting).await.unwrap(), CancelStatus::Cancelled);
    assert_eq!(rows(&mut ana, ticket(&waiting)).await, Err(Code::Cancelled));
    let again = info(&mut ana, COUNT).await;
    assert_eq!(rows(&mut ana, ticket(&again)).await.unwrap(), "n Int64\n2", "the same statement under another ticket");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_called_off_and_kept_by_its_owner_only() {
    let served = Served::start(MESH).await;
    let (mut ana, mut bob) = (served.connect("ana").await, served.connect("bob").await);
    let anas = info(&mut ana, COUNT).await;
    assert_eq!(cancel(&mut bob, &anas).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(cancel_as_before(&mut bob, &anas).await.unwrap_err().code(), Code::PermissionDenied);
    let renew = RenewFlightEndpointRequest::new(anas.endpoint[0].clone()).encode_to_vec();
    assert_eq!(bob.act("RenewFlightEndpoint", renew).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(rows(&mut ana, ticket(&anas)).await.unwrap(), "n Int64\n2", "and nothing happened to it");

    let nothing = FlightInfo::new();
    let garbled = FlightInfo::new().with_endpoint(FlightEndpoint::new().with_ticket(Ticket::new(vec![0xff; 80])));
    for wrong in [nothing, garbled] {
        assert_eq!(cancel(&mut ana, &wrong).await.unwrap_err().code(), Code::InvalidArgument);
    }
    for action in ["CancelFlightInfo", "CancelQuery", "RenewFlightEndpoint"] {
        let refused = ana.act(action, vec![0xff; 3]).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains(action), "{}", refused.message());
    }
    let catalogs = FlightDescriptor::new_cmd(CommandGetCatalogs {}.as_any().encode_to_vec());
    let asked = ana.asks(catalogs);
    let described = ana.client.inner_mut().get_flight_info(asked).await.unwrap().into_inner();
    assert_eq!(cancel(&mut ana, &described).await.unwrap(), CancelStatus::NotCancellable);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_lives_until_the_time_it_says_and_longer_if_renewed() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let first = info(&mut ana, COUNT).await;
    let ends = |endpoint: &FlightEndpoint| endpoint.expiration_time.unwrap().seconds;
    let now = || served.mesh.clock.unix_millis() / 1_000;
    let life = ends(&first.endpoint[0]) - now();
    assert_eq!(life, 300, "`limits.ticket_seconds`");
    served.mesh.clock.advance(Duration::from_secs(299));
    let renew = |endpoint: &FlightEndpoint| RenewFlightEndpointRequest::new(endpoint.clone()).encode_to_vec();
    let answer = ana.act("RenewFlightEndpoint", renew(&first.endpoint[0])).await.unwrap();
    let renewed = FlightEndpoint::decode(answer).unwrap();
    assert_eq!(ends(&renewed) - now(), life);
    served.mesh.clock.advance(Duration::from_secs(299));
    assert_eq!(rows(&mut ana, ticket(&first)).await, Err(Code::FailedPrecondition), "the first has expired");
    let plannings = served.mesh.sessions.plannings();
    for _ in 0..2 {
        assert_eq!(rows(&mut ana, renewed.ticket.clone().unwrap()).await.unwrap(), "n Int64\n2");
    }
    assert_eq!(served.mesh.sessions.plannings(), plannings, "it was not planned again");
    // An expired one is not brought back, and one that was called off neither.
    let late = ana.act("RenewFlightEndpoint", renew(&first.endpoint[0])).await.unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition);
    assert_eq!(
        cancel(&mut ana, &FlightInfo::new().with_endpoint(renewed.clone())).await.unwrap(),
        CancelStatus::Cancelled
    );
    let off = ana.act("RenewFlightEndpoint", renew(&renewed)).await.unwrap_err();
    assert_eq!(off.code(), Code::Cancelled);
}

/// Rows are made when they are fetched, so that the first answer of a poll is complete.
#[tokio::test(flavor = "multi_thread")]
async fn a_poll_answers_what_get_flight_info_does() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let command = CommandStatementQuery { query: COUNT.to_owned(), transaction_id: None };
    let asked = ana.asks(FlightDescriptor::new_cmd(command.as_any().encode_to_vec()));
    let polled = ana.client.inner_mut().poll_flight_info(asked).await.unwrap().into_inner();
    assert_eq!(polled.flight_descriptor, None, "there is nothing left to wait for");
    assert_eq!(polled.progress, Some(1.0));
    let polled = polled.info.unwrap();
    let expected = info(&mut ana, COUNT).await;
    assert_eq!((&polled.schema, &polled.flight_descriptor), (&expected.schema, &expected.flight_descriptor));
    assert_eq!(rows(&mut ana, ticket(&polled)).await.unwrap(), "n Int64\n2");
    for (sql, code) in [("SELEC 1", Code::InvalidArgument), ("SELECT * FROM sales.nosuch", Code::NotFound)] {
        let command = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
        let asked = ana.asks(FlightDescriptor::new_cmd(command.as_any().encode_to_vec()));
        assert_eq!(ana.client.inner_mut().poll_flight_info(asked).await.unwrap_err().code(), code, "{sql}");
    }
    let garbled = ana.asks(FlightDescriptor::new_cmd(Bytes::from_static(&[0xff; 3])));
    assert_eq!(ana.client.inner_mut().poll_flight_info(garbled).await.unwrap_err().code(), Code::InvalidArgument);
}
