//! Prepared statements.

use std::sync::atomic::Ordering;

use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult,
    Any, CommandPreparedStatementQuery, ProstMessageExt,
};
use arrow_flight::{Action, FlightDescriptor};
use futures::TryStreamExt as _;
use prost::Message as _;
use tonic::{Code, Status};

use super::fake::{Served, serve, with};

const ANA: &str = "Basic YW5hOmFuYQ==";
const BOB: &str = "Basic Ym9iOmJvYg==";

async fn act(served: &Served, who: &str, name: &str, body: &impl ProstMessageExt) -> Result<Option<Any>, Status> {
    let action = Action::new(name, body.as_any().encode_to_vec());
    let mut results = served.flight().await.do_action(with(action, who)).await?.into_inner();
    Ok(results.message().await?.map(|result| Any::decode(result.body).unwrap()))
}

async fn prepare(served: &Served, sql: &str) -> Result<Any, Status> {
    let request = ActionCreatePreparedStatementRequest { query: sql.to_owned(), transaction_id: None };
    act(served, ANA, "CreatePreparedStatement", &request).await.map(Option::unwrap)
}

fn handle(result: &Any) -> bytes::Bytes {
    result.unpack::<ActionCreatePreparedStatementResult>().unwrap().unwrap().prepared_statement_handle
}

async fn info(served: &Served, who: &str, handle: &bytes::Bytes) -> Result<(), Status> {
    let command = CommandPreparedStatementQuery { prepared_statement_handle: handle.clone() };
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    served.flight().await.get_flight_info(with(descriptor, who)).await.map(|_| ())
}

#[tokio::test]
async fn the_bundled_client_prepares_executes_and_closes() {
    let served = serve().await;
    let mut ana = served.login("ana").await;
    let mut prepared = ana.prepare("select n".to_owned(), None).await.unwrap();
    assert_eq!(prepared.dataset_schema().unwrap().field(0).name(), "n");
    assert!(prepared.parameter_schema().unwrap().fields().is_empty());
    for _ in 0..2 {
        let info = prepared.execute().await.unwrap();
        let stream = ana.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
        assert_eq!(stream.try_collect::<Vec<_>>().await.unwrap()[0].num_rows(), 3);
    }
    assert_eq!(served.world.planned.load(Ordering::SeqCst), 1);
    prepared.close().await.unwrap();
}

#[tokio::test]
async fn a_handle_is_nobody_elses_and_may_be_closed_twice() {
    let served = serve().await;
    let handle = handle(&prepare(&served, "select n").await.unwrap());
    let close = ActionClosePreparedStatementRequest { prepared_statement_handle: handle.clone() };
    let foreign = info(&served, BOB, &handle).await.unwrap_err();
    assert_eq!(act(&served, BOB, "ClosePreparedStatement", &close).await.unwrap(), None);
    info(&served, ANA, &handle).await.unwrap();
    act(&served, ANA, "ClosePreparedStatement", &close).await.unwrap();
    act(&served, ANA, "ClosePreparedStatement", &close).await.unwrap();
    let closed = info(&served, ANA, &handle).await.unwrap_err();
    assert_eq!((closed.code(), closed.message()), (Code::NotFound, foreign.message()));
}

#[tokio::test]
async fn policy_of_today_decides_at_each_execution() {
    let served = serve().await;
    let handle = handle(&prepare(&served, "select n").await.unwrap());
    served.world.generation.store(1, Ordering::SeqCst);
    info(&served, ANA, &handle).await.unwrap();
    assert_eq!(served.world.planned.load(Ordering::SeqCst), 2, "planned again");
    served.world.generation.store(100, Ordering::SeqCst);
    assert_eq!(info(&served, ANA, &handle).await.unwrap_err().code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn clients_learn_whether_rows_will_come() {
    let served = serve().await;
    let is_update = |result: &Any| result.value.ends_with(&[0x20, 1]);
    let rows = prepare(&served, "select n").await.unwrap();
    assert!(!is_update(&rows) && rows.value.ends_with(&[0x20, 0]));
    let none = prepare(&served, "set x = 1").await.unwrap();
    assert!(is_update(&none));
    assert!(none.unpack::<ActionCreatePreparedStatementResult>().unwrap().unwrap().dataset_schema.is_empty());
}

#[tokio::test]
async fn what_has_parameters_runs_once_they_are_bound() {
    let served = serve().await;
    let unbound = prepare(&served, "select ?").await.unwrap();
    assert_eq!(info(&served, ANA, &handle(&unbound)).await.unwrap_err().code(), Code::InvalidArgument);
    let mut ana = served.login("ana").await;
    let error = ana.prepare("select * from absent".to_owned(), None).await.err().unwrap();
    assert!(error.to_string().contains("absent"), "{error}");
}
