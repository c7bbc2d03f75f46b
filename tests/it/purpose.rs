//! What a session is for: said in SQL, in a header, in a session option or at the login, it reaches policy, and what was
//! decided for another purpose is not used.

use std::collections::{BTreeMap, HashMap};

use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::{Action, FlightData, FlightDescriptor};
use futures::{TryStreamExt, stream};
use meshgate::proto::v1::session_option_value::OptionValue;
use meshgate::proto::v1::{
    CloseSessionResult, GetSessionOptionsResult, SessionOptionValue, SetSessionOptionsRequest, SetSessionOptionsResult,
};
use prost::Message;
use tonic::{Code, Request, Status};

use crate::harness::wire::{Door, Recorded, Served};
use crate::harness::{Mesh, check};

const MESH: &str = "
//- mesh.yaml
name: mesh
roles: [analyst]
tags: []
classifications: [internal, restricted]
purposes: [fraud-detection, support]
//- users.toml
[users.ana]
password = \"x\"
roles = [\"analyst\"]
//- sales/domain.yaml
name: sales
owner: {team: sales-team}
//- sales/orders.odcs.yaml
apiVersion: v3.1.0
kind: DataContract
id: sales-orders
name: orders
version: 1.0.0
status: active
domain: sales
customProperties: [{property: meshgateClassification, value: internal}]
servers: [{server: local, type: local, path: '{model}.parquet', format: parquet}]
schema:
  - name: orders
    properties:
      - {name: order_id, logicalType: integer, required: true}
      - {name: region, logicalType: string, required: true}
  - name: cards
    properties:
      - {name: card_no, logicalType: string, required: true}
//- sales/policies/orders.cedar
@id(\"everyday\") permit (principal in Role::\"analyst\", action == Action::\"read\", resource is sales::orders)
when { resource.region == \"EU\" };
@id(\"fraud\") permit (principal in Role::\"analyst\", action == Action::\"read\", resource in Domain::\"sales\")
when { context.purpose == \"fraud-detection\" };
//- data/sales/orders.parquet
order_id:i64,region:utf8
1,EU
2,EU
3,US
4,US
//- data/sales/cards.parquet
card_no:utf8
4111
";

const COUNT: &str = "SELECT count(*) AS n FROM sales.orders";
const EVERYDAY: &str = "n Int64\n2";
const FRAUD: &str = "n Int64\n4";
const SET: &str = "SET meshgate.purpose = 'fraud-detection'";
const RESET: &str = "RESET meshgate.purpose";
const HEADER: &str = "x-meshgate-purpose";

fn status(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        other => panic!("{other}"),
    }
}

async fn count(client: &mut Recorded) -> String {
    client.fetch(COUNT).await.unwrap()
}

async fn set(client: &mut Recorded, value: Option<OptionValue>) -> Result<HashMap<String, i32>, Status> {
    let options = HashMap::from([("meshgate.purpose".to_owned(), SessionOptionValue { option_value: value })]);
    set_options(client, options).await
}

async fn set_options(
    client: &mut Recorded,
    session_options: HashMap<String, SessionOptionValue>,
) -> Result<HashMap<String, i32>, Status> {
    let body = SetSessionOptionsRequest { session_options }.encode_to_vec();
    let answer = act(client, "SetSessionOptions", body).await?;
    let errors = SetSessionOptionsResult::decode(answer.as_slice()).unwrap().errors;
    Ok(errors.into_iter().map(|(name, error)| (name, error.value)).collect())
}

fn text(text: &str) -> OptionValue {
    OptionValue::StringValue(text.to_owned())
}

async fn options(client: &mut Recorded) -> Vec<(String, Option<OptionValue>)> {
    let answer = act(client, "GetSessionOptions", Vec::new()).await.unwrap();
    let options = GetSessionOptionsResult::decode(answer.as_slice()).unwrap().session_options;
    let options: BTreeMap<String, SessionOptionValue> = options.into_iter().collect();
    options.into_iter().map(|(name, value)| (name, value.option_value)).collect()
}

async fn act(client: &mut Recorded, action: &str, body: Vec<u8>) -> Result<Vec<u8>, Status> {
    let mut request = Request::new(Action::new(action, body));
    let bearer = format!("Bearer {}", client.client.token().unwrap());
    request.metadata_mut().insert("authorization", bearer.parse().unwrap());
    let answers = client.client.inner_mut().do_action(request).await?.into_inner();
    Ok(answers.map_ok(|answer| answer.body.to_vec()).try_collect::<Vec<_>>().await?.concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_say_a_purpose_reaches_policy_and_goes_back() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    assert_eq!(count(&mut ana).await, EVERYDAY);
    for door in [Door::Statement, Door::Prepared] {
        assert_eq!(ana.fetch_by(door, SET).await.unwrap().trim(), "", "a change answers no rows and no columns");
        assert_eq!(count(&mut ana).await, FRAUD, "{door:?}");
        assert_eq!(ana.fetch_by(door, "RESET meshgate.purpose").await.unwrap().trim(), "");
        assert_eq!(count(&mut ana).await, EVERYDAY, "{door:?}");
    }
    // JDBC and some calls of ADBC: an update.
    assert_eq!(ana.client.execute_update(SET.to_owned(), None).await.unwrap(), 0);
    assert_eq!(count(&mut ana).await, FRAUD);
    let mut prepared = ana.client.prepare("SET meshgate.purpose TO 'support'".to_owned(), None).await.unwrap();
    assert!(prepared.dataset_schema().unwrap().fields().is_empty());
    assert_eq!(prepared.execute_update().await.unwrap(), 0);
    assert_eq!(count(&mut ana).await, EVERYDAY);

    assert_eq!(set(&mut ana, Some(text("fraud-detection"))).await.unwrap(), HashMap::new());
    assert_eq!(count(&mut ana).await, FRAUD);
    let mesh = ("catalog".to_owned(), Some(text("mesh")));
    assert_eq!(options(&mut ana).await, [mesh.clone(), ("meshgate.purpose".to_owned(), Some(text("fraud-detection")))]);
    let shown = "name Utf8 | value Utf8\nmeshgate.purpose | fraud-detection";
    assert_eq!(ana.fetch("SHOW meshgate.purpose").await.unwrap(), shown);
    assert_eq!(set(&mut ana, None).await.unwrap(), HashMap::new());
    assert_eq!(count(&mut ana).await, EVERYDAY);
    assert_eq!(options(&mut ana).await, [mesh]);
    assert_eq!(ana.fetch("SHOW meshgate.purpose").await.unwrap(), "name Utf8 | value Utf8\nmeshgate.purpose | NULL");

    // At the login, for all of it, also when another statement sets something else.
    let mut login = FlightSqlServiceClient::new_from_inner(served.flight().await);
    login.set_header(HEADER, "fraud-detection");
    login.handshake("ana", "ana").await.unwrap();
    let token = login.token().unwrap().clone();
    let mut later = served.connect("ana").await;
    later.client.set_token(token);
    assert_eq!(count(&mut later).await, FRAUD);
    later.fetch(RESET).await.unwrap();
    assert_eq!(count(&mut later).await, EVERYDAY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_holds_for_its_request_and_wins() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let token = ana.client.token().unwrap().clone();
    let mut hurried = served.connect("ana").await;
    hurried.client.set_token(token);
    hurried.client.set_header(HEADER, "fraud-detection");
    assert_eq!(count(&mut hurried).await, FRAUD);
    assert_eq!(count(&mut ana).await, EVERYDAY, "the same login without the header");
    ana.fetch("SET meshgate.purpose = 'support'").await.unwrap();
    assert_eq!(count(&mut hurried).await, FRAUD);
    // It could not be seen to have any effect there.
    let refused = hurried.fetch(RESET).await.unwrap_err();
    assert!(refused.contains("says its value itself"), "{refused}");
    hurried.client.set_header(HEADER, "fraud-detektion");
    let refused = status(hurried.client.execute(COUNT.to_owned(), None).await.unwrap_err());
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    assert!(refused.message().contains("did you mean `fraud-detection`?"), "{refused}");
    // An empty one is no purpose.
    hurried.client.set_header(HEADER, "");
    assert_eq!(count(&mut hurried).await, EVERYDAY);

    let mut twice = Request::new(FlightDescriptor::new_cmd(Vec::new()));
    twice.metadata_mut().insert("authorization", "Basic YW5hOmFuYQ".parse().unwrap());
    twice.metadata_mut().append(HEADER, "support".parse().unwrap());
    twice.metadata_mut().append(HEADER, "fraud-detection".parse().unwrap());
    let refused = served.flight().await.get_flight_info(twice).await.unwrap_err();
    assert!(refused.message().contains("more than once"), "{refused}");
    // Who may not connect is told so first.
    let mut stranger = Request::new(FlightDescriptor::new_cmd(Vec::new()));
    stranger.metadata_mut().insert(HEADER, "fraud-detektion".parse().unwrap());
    let refused = served.flight().await.get_flight_info(stranger).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_planned_for_another_purpose_is_not_used() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let mut handle = ana.client.prepare(COUNT.to_owned(), None).await.unwrap();
    let read = async |ana: &mut Recorded, info: arrow_flight::FlightInfo| {
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let batches: Vec<_> = ana.client.do_get(ticket).await.map_err(status)?.try_collect().await.map_err(status)?;
        Ok::<_, Status>(crate::harness::render(&batches))
    };
    let info = handle.execute().await.unwrap();
    assert_eq!(read(&mut ana, info).await.unwrap(), EVERYDAY);
    let everyday = ana.client.execute(COUNT.to_owned(), None).await.unwrap();

    ana.fetch(SET).await.unwrap();
    let info = handle.execute().await.unwrap();
    assert_eq!(read(&mut ana, info).await.unwrap(), FRAUD, "the handle shows what the new purpose shows");
    let refused = read(&mut ana, everyday.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert!(refused.message().contains("another purpose"), "{refused}");
    let fraud = ana.client.execute(COUNT.to_owned(), None).await.unwrap();

    ana.fetch(RESET).await.unwrap();
    assert_eq!(read(&mut ana, fraud).await.unwrap_err().code(), Code::FailedPrecondition, "no rights outlive it");
    let info = handle.execute().await.unwrap();
    assert_eq!(read(&mut ana, info).await.unwrap(), EVERYDAY);
    assert_eq!(read(&mut ana, everyday).await.unwrap(), EVERYDAY, "it is the same view again");

    // Names follow as well, and a handle whose columns went away says so.
    assert!(ana.fetch("SELECT * FROM sales.cards").await.unwrap_err().contains("no policy lets you read"));
    ana.fetch(SET).await.unwrap();
    let mut cards = ana.client.prepare("SELECT * FROM sales.cards".to_owned(), None).await.unwrap();
    assert_eq!(ana.fetch("SELECT * FROM sales.cards").await.unwrap(), "card_no Utf8\n4111");
    ana.fetch(RESET).await.unwrap();
    let refused = status(cards.execute().await.unwrap_err());
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    assert_eq!(ana.fetch("SHOW TABLES FROM sales").await.unwrap().lines().count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_login_does_not_reach_another_and_a_call_without_one_is_told() {
    let served = Served::start(MESH).await;
    let (mut one, mut other) = (served.connect("ana").await, served.connect("ana").await);
    one.fetch(SET).await.unwrap();
    assert_eq!((count(&mut one).await.as_str(), count(&mut other).await.as_str()), (FRAUD, EVERYDAY));

    let mut flight = served.flight().await;
    let basic = |purpose: Option<&'static str>, sql: &'static str| {
        let command = arrow_flight::sql::CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
        let command = arrow_flight::sql::ProstMessageExt::as_any(&command).encode_to_vec();
        let mut request = Request::new(FlightDescriptor::new_cmd(command));
        request.metadata_mut().insert("authorization", "Basic YW5hOmFuYQ".parse().unwrap());
        if let Some(purpose) = purpose {
            request.metadata_mut().insert(HEADER, purpose.parse().unwrap());
        }
        let mut flight = flight.clone();
        async move { flight.get_flight_info(request).await }
    };
    let refused = basic(None, SET).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert!(refused.message().contains("belongs to no session"), "{refused}");
    let denied = basic(None, "SELECT * FROM sales.cards").await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied, "{denied}");
    basic(Some("fraud-detection"), "SELECT * FROM sales.cards").await.unwrap();
    let mut close = Request::new(Action::new("CloseSession", Vec::new()));
    close.metadata_mut().insert("authorization", "Basic YW5hOmFuYQ".parse().unwrap());
    let answer = flight.do_action(close).await.unwrap().into_inner().message().await.unwrap().unwrap();
    assert_eq!(CloseSessionResult::decode(answer.body).unwrap().status, 3, "not closeable");

    let answer = act(&mut one, "CloseSession", Vec::new()).await.unwrap();
    assert_eq!(CloseSessionResult::decode(answer.as_slice()).unwrap().status, 1, "closed");
    let refused = act(&mut one, "GetSessionOptions", Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "a session that is gone is not made anew: {refused}");
    assert_eq!(count(&mut other).await, EVERYDAY);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_set_is_told_in_each_dialect() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    for (sql, code, says) in [
        ("SET meshgate.purpose = 'suport'", Code::InvalidArgument, "did you mean `support`?"),
        ("SET meshgate.purpose = 'else'", Code::InvalidArgument, "its purposes are `fraud-detection`, `support`"),
        ("SET meshgate.purpose = ' support'", Code::InvalidArgument, "starts or ends with white space"),
        ("SET meshgate.purpose = 'sup\u{200b}port'", Code::InvalidArgument, "a character that is not seen"),
        ("SET datafusion.explain.show_statistics = true", Code::Unimplemented, "settings of a session are: `meshgate"),
        ("SHOW datafusion.execution.batch_size", Code::Unimplemented, "settings of a session are: `meshgate.purpose`"),
        ("SHOW ALL", Code::Unimplemented, "settings of a session are: `meshgate.purpose`"),
    ] {
        let refused = status(ana.client.execute(sql.to_owned(), None).await.unwrap_err());
        assert_eq!(refused.code(), code, "{sql}: {refused}");
        assert!(refused.message().contains(says), "{sql}: {refused}");
    }
    let long = format!("SET meshgate.purpose = '{}'", "x".repeat(100_000));
    let refused = status(ana.client.execute(long, None).await.unwrap_err());
    assert!(refused.message().contains("longer than 128") && refused.message().len() < 400, "{refused}");

    let wrong = |value| SessionOptionValue { option_value: value };
    let answer = set_options(
        &mut ana,
        HashMap::from([
            ("meshgate.purpose".to_owned(), wrong(Some(text("suport")))),
            ("catalog".to_owned(), wrong(Some(text("other")))),
            ("schema".to_owned(), wrong(Some(text("nosuch")))),
            ("datafusion.execution.batch_size".to_owned(), wrong(Some(OptionValue::Int64Value(1)))),
        ]),
    );
    let expected = [("catalog", 2), ("schema", 2), ("datafusion.execution.batch_size", 1), ("meshgate.purpose", 2)];
    let expected: HashMap<_, _> = expected.map(|(name, reason)| (name.to_owned(), reason)).into();
    assert_eq!(answer.await.unwrap(), expected);
    assert_eq!(set(&mut ana, Some(OptionValue::BoolValue(true))).await.unwrap().values().collect::<Vec<_>>(), [&2]);
    assert_eq!(act(&mut ana, "SetSessionOptions", vec![0xff]).await.unwrap_err().code(), Code::InvalidArgument);

    for (sql, code) in [
        ("DELETE FROM sales.orders", Code::Unimplemented),
        ("SELECT 1", Code::InvalidArgument),
        ("SET meshgate.purpose = 'suport'", Code::InvalidArgument),
    ] {
        let refused = status(ana.client.execute_update(sql.to_owned(), None).await.unwrap_err());
        assert_eq!(refused.code(), code, "{sql}: {refused}");
    }
    // A client that says nothing at all is not waited for.
    let mut silent = Request::new(stream::pending::<FlightData>());
    silent.metadata_mut().insert("authorization", "Basic YW5hOmFuYQ".parse().unwrap());
    assert_eq!(served.flight().await.do_put(silent).await.unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(count(&mut ana).await, EVERYDAY);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_login_at_once_are_each_of_one_purpose() {
    let served = Served::start(MESH).await;
    let ana = served.connect("ana").await;
    let token = ana.client.token().unwrap().clone();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..4 {
        let mut client = served.connect("ana").await;
        client.client.set_token(token.clone());
        tasks.spawn(async move {
            let mut seen = Vec::new();
            for round in 0..25 {
                if task == 0 {
                    client.fetch(if round % 2 == 0 { SET } else { RESET }).await.ok();
                } else {
                    seen.push(client.fetch(COUNT).await);
                }
            }
            seen
        });
    }
    let seen: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    for answer in &seen {
        match answer {
            Ok(rows) => assert!(rows == EVERYDAY || rows == FRAUD, "{rows}"),
            // Announced for one, fetched under the other.
            Err(error) => assert!(error.contains("another purpose"), "{error}"),
        }
    }
    assert!(seen.iter().any(Result::is_ok));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purpose_that_the_mesh_no_longer_lists_shows_nothing_until_it_is_reset() {
    let mesh = Mesh::new(MESH).await;
    let session = mesh.session("ana");
    let answer = async |sql: &str| match crate::harness::run(&session, sql).await {
        Ok(batches) => crate::harness::render(&batches),
        Err(error) => error.message,
    };
    answer(SET).await;
    assert_eq!(answer(COUNT).await, FRAUD);
    mesh.reload(
        &MESH
            .replace("purposes: [fraud-detection, support]", "purposes: [support]")
            .replace("context.purpose == \"fraud-detection\"", "context.purpose == \"support\""),
    );
    assert_eq!(answer(COUNT).await, "there is no purpose `fraud-detection` in this mesh");
    answer(RESET).await;
    assert_eq!(answer(COUNT).await, EVERYDAY);
    // Without a list, any text goes; it is what the policy compares.
    mesh.reload(&MESH.replace("purposes: [fraud-detection, support]\n", ""));
    answer("SET meshgate.purpose = 'curiosity'").await;
    assert_eq!(answer(COUNT).await, EVERYDAY);
    answer(SET).await;
    assert_eq!(answer(COUNT).await, FRAUD);
    check(&mesh, "ana", COUNT, EVERYDAY).await;
}

/// The bytes that the field numbers of the standard give.
#[test]
fn session_messages_have_the_bytes_of_the_standard() {
    let option = SessionOptionValue { option_value: Some(text("x")) };
    let request = SetSessionOptionsRequest { session_options: HashMap::from([("k".to_owned(), option)]) };
    assert_eq!(request.encode_to_vec(), b"\x0a\x08\x0a\x01k\x12\x03\x0a\x01x");
    let option = SessionOptionValue { option_value: Some(OptionValue::Int64Value(1)) };
    assert_eq!(option.encode_to_vec(), b"\x19\x01\0\0\0\0\0\0\0", "sfixed64");
    let error = meshgate::proto::v1::set_session_options_result::Error { value: 2 };
    let result = SetSessionOptionsResult { errors: HashMap::from([("k".to_owned(), error)]) };
    assert_eq!(result.encode_to_vec(), b"\x0a\x07\x0a\x01k\x12\x02\x08\x02");
    assert_eq!(CloseSessionResult { status: 1 }.encode_to_vec(), b"\x08\x01");
}
