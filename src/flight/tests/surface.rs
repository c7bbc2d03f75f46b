//! What is there, and what is not.

use arrow::datatypes::Schema;
use arrow_flight::sql::{
    ActionBeginTransactionRequest, Any, CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas,
    CommandGetExportedKeys, CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes,
    CommandGetTables, CommandGetXdbcTypeInfo, CommandStatementIngest, CommandStatementSubstraitPlan,
    ProstMessageExt as _,
};
use arrow_flight::{Action, Criteria, FlightData, FlightDescriptor, FlightInfo, Ticket};
use futures::{TryStreamExt as _, stream};
use prost::Message as _;
use tonic::Code;

use super::fake::{serve, with};

const ANA: &str = "Basic YW5hOmFuYQ==";

fn metadata_commands() -> Vec<Any> {
    vec![
        CommandGetCatalogs {}.as_any(),
        CommandGetDbSchemas::default().as_any(),
        CommandGetTables::default().as_any(),
        CommandGetTables { include_schema: true, ..CommandGetTables::default() }.as_any(),
        CommandGetTableTypes {}.as_any(),
        CommandGetPrimaryKeys::default().as_any(),
        CommandGetExportedKeys::default().as_any(),
        CommandGetImportedKeys::default().as_any(),
        CommandGetCrossReference::default().as_any(),
        CommandGetXdbcTypeInfo::default().as_any(),
        CommandGetSqlInfo { info: Vec::new() }.as_any(),
    ]
}

#[tokio::test]
async fn each_metadata_command_has_one_schema_wherever_it_is_asked() {
    let served = serve().await;
    let mut client = served.flight().await;
    for command in metadata_commands() {
        let name = command.type_url.clone();
        let descriptor = FlightDescriptor::new_cmd(command.encode_to_vec());
        let schema = client.get_schema(with(descriptor.clone(), ANA)).await.unwrap().into_inner();
        let schema = Schema::try_from(schema).unwrap();
        let info: FlightInfo = client.get_flight_info(with(descriptor, ANA)).await.unwrap().into_inner();
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        assert_eq!(info.try_decode_schema().unwrap(), schema, "{name}");
        let frames: Vec<FlightData> =
            client.do_get(with(ticket, ANA)).await.unwrap().into_inner().try_collect().await.unwrap();
        assert_eq!(Schema::try_from(&frames[0]).unwrap(), schema, "{name}");
    }
}

#[tokio::test]
async fn the_rest_of_the_surface_says_that_it_is_not_offered() {
    let served = serve().await;
    let mut client = served.flight().await;
    let substrait = FlightDescriptor::new_cmd(CommandStatementSubstraitPlan::default().as_any().encode_to_vec());
    let ingest = FlightDescriptor::new_cmd(CommandStatementIngest::default().as_any().encode_to_vec());
    let put = stream::iter([FlightData::new().with_descriptor(ingest)]);
    let begin = Action::new("BeginTransaction", ActionBeginTransactionRequest {}.as_any().encode_to_vec());
    let codes = [
        client.list_flights(with(Criteria { expression: "x".into() }, ANA)).await.err(),
        client.get_flight_info(with(substrait, ANA)).await.err(),
        client.do_put(with(put, ANA)).await.err(),
        client.do_exchange(with(stream::empty::<FlightData>(), ANA)).await.err(),
        client.do_action(with(begin, ANA)).await.err(),
    ];
    for (at, status) in codes.into_iter().enumerate() {
        let status = status.unwrap();
        assert_eq!(status.code(), Code::Unimplemented, "call {at}: {status}");
        assert!(status.message().contains("not offered"), "{}", status.message());
    }
}

#[tokio::test]
async fn garbled_messages_are_the_callers_fault() {
    let served = serve().await;
    let mut client = served.flight().await;
    let garbled = || vec![0xff, 0xff, 0xff];
    let info = client.get_flight_info(with(FlightDescriptor::new_cmd(garbled()), ANA)).await.unwrap_err();
    let get = client.do_get(with(Ticket::new(garbled()), ANA)).await.err().unwrap();
    let act = client.do_action(with(Action::new("CreatePreparedStatement", garbled()), ANA)).await.err().unwrap();
    assert_eq!([info.code(), get.code(), act.code()], [Code::InvalidArgument; 3]);
}
