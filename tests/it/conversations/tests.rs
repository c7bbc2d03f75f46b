//! Every golden conversation, and one that a client of today had.

use std::path::Path;

use arrow::array::{Int64Array, RecordBatch};
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandGetTables, SqlInfo};
use futures::TryStreamExt;
use tonic::transport::Endpoint;

use super::recorder::Recorder;
use super::replay::Replay;
use super::script::Script;
use crate::harness::wire::Served;

const MESH: &str = include_str!("mesh.txt");

fn scripts() -> Vec<Script> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/conversations/golden");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: &std::path::PathBuf| {
        Script::parse(&file.file_name().unwrap().to_string_lossy(), &std::fs::read_to_string(file).unwrap())
    };
    files.iter().map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_cannot_be_run_here_are_answered_as_they_need() {
    let served = Served::start(MESH).await;
    let scripts = scripts();
    assert!(!scripts.is_empty());
    for script in &scripts {
        let recorder = Recorder::start(served.address).await;
        Replay::connect(script, recorder.address).await.all().await;
        assert_eq!(recorder.lines(), script.lines(), "{}: the file is not what went over the wire", script.file);
    }
}

/// The page says of each of them how to connect, and from which version its conversation was written.
#[test]
fn the_page_names_who_is_replayed() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CLIENTS.md")).unwrap();
    for Script { client, version, file, .. } in scripts() {
        let row = page.lines().find(|line| line.starts_with(&format!("| {client} |")));
        assert!(row.is_some_and(|row| row.contains(&version)), "{file}: {client}, {version}: {row:?}");
    }
}

/// The Rust client of arrow-flight, recorded: each RPC a line, and in no line a statement, a value, a password or a token.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_recorded_without_a_value() {
    let served = Served::start(MESH).await;
    let recorder = Recorder::start(served.address).await;
    let channel = Endpoint::from_shared(format!("http://{}", recorder.address)).unwrap().connect().await.unwrap();
    let mut client = FlightSqlServiceClient::new(channel);
    client.handshake("ana", "ana").await.unwrap();
    client.set_header("x-tool", "secret-header");

    let mut infos = vec![client.execute("SELECT 'secret-text' AS t".to_owned(), None).await.unwrap()];
    let mut prepared =
        client.prepare("SELECT region FROM sales.orders WHERE order_id = ?".to_owned(), None).await.unwrap();
    let row: RecordBatch =
        RecordBatch::try_from_iter([("order", std::sync::Arc::new(Int64Array::from(vec![4711])) as _)]).unwrap();
    prepared.set_parameters(row).unwrap();
    infos.push(prepared.execute().await.unwrap());
    prepared.close().await.unwrap();
    infos.push(client.get_sql_info(vec![SqlInfo::FlightSqlServerName]).await.unwrap());
    let command = CommandGetTables {
        db_schema_filter_pattern: Some("sal%".to_owned()),
        table_name_filter_pattern: Some("SELECT 'secret-pattern'".to_owned()),
        table_types: vec!["BASE TABLE".to_owned()],
        include_schema: true,
        ..CommandGetTables::default()
    };
    infos.push(client.get_tables(command).await.unwrap());
    for info in infos {
        let stream = client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
        stream.try_collect::<Vec<_>>().await.unwrap();
    }
    client.execute("SELECT secret FROM nowhere".to_owned(), None).await.unwrap_err();

    insta::assert_snapshot!(recorder.lines().join("\n"), @r#"
    Handshake messages=1 +authorization -> Ok
    GetFlightInfo CommandStatementQuery +authorization +x-tool -> Ok
    DoAction CreatePreparedStatement +authorization +x-tool -> Ok
    DoPut CommandPreparedStatementQuery parameters=["order:Int64"] rows=1 +authorization +x-tool -> Ok
    GetFlightInfo CommandPreparedStatementQuery +authorization +x-tool -> Ok
    DoAction ClosePreparedStatement +authorization +x-tool -> Ok
    GetFlightInfo CommandGetSqlInfo info=[0] +authorization +x-tool -> Ok
    GetFlightInfo CommandGetTables db_schema="sal%" table="…" table_types=["BASE TABLE"] include_schema=true +authorization +x-tool -> Ok
    DoGet +authorization +x-tool -> Ok
    DoGet +authorization +x-tool -> Ok
    DoGet +authorization +x-tool -> Ok
    DoGet +authorization +x-tool -> Ok
    GetFlightInfo CommandStatementQuery +authorization +x-tool -> NotFound
    "#);
}
