//! What clients do over the wire: log in, browse, fetch, go away, lie.

use arrow_flight::sql::{CommandGetDbSchemas, CommandGetTables, SqlInfo};
use arrow_flight::{FlightDescriptor, Ticket};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tonic::Code;

use crate::harness::wire::Served;

const MESH: &str = include_str!("fixtures/regions.txt");

async fn metadata(client: &mut crate::harness::wire::Recorded, info: arrow_flight::FlightInfo) -> String {
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let batches: Vec<_> = client.client.do_get(ticket).await.unwrap().try_collect().await.unwrap();
    crate::harness::render(&batches)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_principals_get_different_answers_to_one_question() {
    let served = Served::start(MESH).await;
    let sql = "SELECT region, sum(amount) AS total FROM sales.orders GROUP BY region ORDER BY region";
    assert_eq!(served.connect("ana").await.fetch(sql).await.unwrap(), "region Utf8 | total Int64\nEU | 30");
    assert_eq!(served.connect("bob").await.fetch(sql).await.unwrap(), "region Utf8 | total Int64\nUS | 70");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_shows_what_may_be_read_and_no_more() {
    let served = Served::start(MESH).await;
    for (who, expected) in [("ana", "orders"), ("eve", "")] {
        let mut client = served.connect(who).await;
        let command = CommandGetTables { include_schema: false, ..CommandGetTables::default() };
        let info = client.client.get_tables(command).await.unwrap();
        let tables = metadata(&mut client, info).await;
        assert_eq!(tables.contains("orders"), !expected.is_empty(), "{who}: {tables}");
        assert!(!tables.contains("secrets"), "{who}: {tables}");
        let info = client.client.get_catalogs().await.unwrap();
        assert_eq!(metadata(&mut client, info).await, "catalog_name Utf8\nmesh", "{who}");
        let info = client.client.get_db_schemas(CommandGetDbSchemas::default()).await.unwrap();
        let schemas = metadata(&mut client, info).await;
        assert_eq!(schemas.contains("sales"), !expected.is_empty(), "{who}: {schemas}");
    }
    let mut client = served.connect("ana").await;
    let info = client.client.get_sql_info(vec![SqlInfo::FlightSqlServerName]).await.unwrap();
    assert!(metadata(&mut client, info).await.contains("meshgate"));
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_statements_run_again() {
    let served = Served::start(MESH).await;
    let mut client = served.connect("ana").await;
    let mut prepared = client.client.prepare("SELECT count(*) AS n FROM sales.orders".to_owned(), None).await.unwrap();
    assert_eq!(prepared.dataset_schema().unwrap().field(0).name(), "n");
    for _ in 0..2 {
        let info = prepared.execute().await.unwrap();
        assert_eq!(metadata(&mut client, info).await, "n Int64\n2");
    }
    prepared.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_bound_to_its_principal_and_to_every_byte() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let mut bob = served.connect("bob").await;
    let info = ana.client.execute("SELECT * FROM sales.orders".to_owned(), None).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    assert!(!ticket.ticket.windows(6).any(|bytes| bytes == b"orders"), "the ticket shows its statement");
    let stolen = bob.client.do_get(ticket.clone()).await.err().map(|error| error.to_string()).unwrap();
    assert!(!stolen.contains("orders"), "{stolen}");
    for place in (0..ticket.ticket.len()).step_by(7) {
        let mut bytes = ticket.ticket.to_vec();
        bytes[place] ^= 1;
        let refused = ana.client.do_get(Ticket { ticket: Bytes::from(bytes) }).await;
        assert!(refused.is_err(), "a ticket with a flipped byte {place} was accepted");
    }
    assert!(ana.client.do_get(ticket.clone()).await.is_ok());
    served.mesh.clock.advance(std::time::Duration::from_secs(10_000));
    assert!(ana.client.do_get(ticket).await.is_err(), "an expired ticket was accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_everywhere() {
    let served = Served::start(MESH).await;
    let other = Served::start(MESH).await;
    let token = served.connect("ana").await.client.token().cloned().expect("a bearer");
    let mut client = other.connect("ana").await;
    client.client.set_token(token);
    let error = client.fetch("SELECT 1").await.unwrap_err();
    assert!(error.contains("Unauthenticated") || error.contains("authentic"), "{error}");
    let channel =
        tonic::transport::Endpoint::from_shared(format!("http://{}", served.address)).unwrap().connect().await.unwrap();
    let mut stranger = arrow_flight::flight_service_client::FlightServiceClient::new(channel);
    let descriptor = FlightDescriptor::new_cmd(vec![]);
    assert_eq!(stranger.get_flight_info(descriptor.clone()).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(stranger.get_schema(descriptor.clone()).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(stranger.poll_flight_info(descriptor).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(stranger.do_get(Ticket::default()).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(
        stranger.list_flights(arrow_flight::Criteria::default()).await.unwrap_err().code(),
        Code::Unauthenticated
    );
    assert_eq!(stranger.list_actions(arrow_flight::Empty {}).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(stranger.do_action(arrow_flight::Action::default()).await.unwrap_err().code(), Code::Unauthenticated);
    let nothing = futures::stream::empty::<arrow_flight::FlightData>();
    assert_eq!(stranger.do_put(nothing).await.unwrap_err().code(), Code::Unauthenticated);
    let nothing = futures::stream::empty::<arrow_flight::FlightData>();
    assert_eq!(stranger.do_exchange(nothing).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_change_reaches_a_ticket_that_waits() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let sql = "SELECT order_id FROM sales.orders ORDER BY order_id";
    let info = ana.client.execute(sql.to_owned(), None).await.unwrap();
    // Same columns, fewer rows: the ticket runs under today's policy.
    served.mesh.reload(
        &MESH.replace(
            "resource.region == principal.region",
            "resource.region == principal.region && resource.amount > 15",
        ),
    );
    assert_eq!(metadata(&mut ana, info).await, "order_id Int64\n2");
    let info = ana.client.execute("SELECT * FROM sales.orders".to_owned(), None).await.unwrap();
    // Other columns: the ticket is stale.
    served.mesh.reload(&MESH.replace(
        "resource.region == principal.region }",
        "resource.region == principal.region } unless { context.column.name == \"amount\" }",
    ));
    let error = ana.client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.err().unwrap().to_string();
    assert!(error.contains("changed since"), "{error}");
    let info = ana.client.execute(sql.to_owned(), None).await.unwrap();
    served.mesh.reload(&MESH.replace("Role::\"analyst\"", "Role::\"owner\""));
    let error = ana.client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.err().unwrap().to_string();
    assert!(error.contains("there is no table"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn going_away_ends_the_work() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    // Far more rows than are read: a cross join of the table with itself many times.
    let sql = "SELECT a.order_id FROM sales.orders a, sales.orders b, sales.orders c, sales.orders d, sales.orders e, sales.orders f, \
               sales.orders g, sales.orders h, sales.orders i, sales.orders j, sales.orders k, sales.orders l, sales.orders m, \
               sales.orders n, sales.orders o, sales.orders p, sales.orders q, sales.orders r, sales.orders s, sales.orders t, \
               sales.orders u, sales.orders v, sales.orders w, sales.orders x";
    let info = ana.client.execute(sql.to_owned(), None).await.unwrap();
    let mut stream = ana.client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    assert!(stream.next().await.unwrap().unwrap().num_rows() > 0);
    drop(stream);
    let sessions = std::sync::Arc::clone(&served.mesh.sessions);
    for _ in 0..200 {
        if sessions.engine().reserved_bytes() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("memory is still reserved after the client went: {}", sessions.engine().reserved_bytes());
}
