//! What a session sets for its statements: the time zone, and how results travel.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use arrow::ipc::{CompressionType, MessageHeader, root_as_message};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt as _};
use arrow_flight::{FlightData, FlightDescriptor, IpcMessage};
use futures::{TryStreamExt as _, stream};
use prost::Message as _;

use crate::harness::render;
use crate::harness::wire::{Recorded, Served};

const MESH: &str = include_str!("fixtures/regions.txt");

/// The schema that was announced, and the frames.
async fn frames(who: &mut Recorded, sql: &str, headers: &[(&'static str, &str)]) -> (Schema, Vec<FlightData>) {
    let command = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
    let mut asked = who.asks(FlightDescriptor::new_cmd(command.as_any().encode_to_vec()));
    for (name, value) in headers {
        asked.metadata_mut().insert(*name, value.parse().unwrap());
    }
    let mut info = who.client.inner_mut().get_flight_info(asked).await.unwrap().into_inner();
    let mut get = who.asks(info.endpoint.remove(0).ticket.unwrap());
    for (name, value) in headers {
        get.metadata_mut().insert(*name, value.parse().unwrap());
    }
    let frames = who.client.inner_mut().do_get(get).await.unwrap().into_inner();
    (Schema::try_from(IpcMessage(info.schema)).unwrap(), frames.try_collect().await.unwrap())
}

async fn decoded(frames: Vec<FlightData>) -> Vec<RecordBatch> {
    let frames = stream::iter(frames.into_iter().map(Ok::<_, FlightError>));
    FlightRecordBatchStream::new_from_flight_data(frames).try_collect().await.unwrap()
}

fn compression(frames: &[FlightData]) -> Option<CompressionType> {
    let batches = frames.iter().map(|frame| root_as_message(&frame.data_header).unwrap());
    let batch = batches.filter(|message| message.header_type() == MessageHeader::RecordBatch).last().unwrap();
    batch.header_as_record_batch().unwrap().compression().map(|compression| compression.codec())
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_those_of_the_sessions_zone() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let sql = "SELECT arrow_typeof(now()) AS now, arrow_typeof(CAST('2026-07-01 12:00:00' AS TIMESTAMPTZ)) AS read, \
               CAST(CAST('2026-07-01 12:00:00' AS TIMESTAMPTZ) AS TIMESTAMP) AS utc";
    let plain = ana.fetch(sql).await.unwrap();
    assert!(plain.ends_with("Timestamp(µs) | Timestamp(µs, \"UTC\") | 2026-07-01T12:00:00"), "{plain}");
    for set in ["SET TIME ZONE 'Europe/Berlin'", "SET timezone = 'Europe/Berlin'"] {
        ana.fetch(set).await.unwrap();
        let there = ana.fetch(sql).await.unwrap();
        let zone = "Timestamp(µs, \"Europe/Berlin\")";
        assert!(there.contains(&format!("{zone} | {zone} | 2026-07-01T1")), "{set}: {there}");
        assert_eq!(ana.fetch("SHOW TIME ZONE").await.unwrap(), "name Utf8 | value Utf8\ntimezone | Europe/Berlin");
        // The zone is the session's, not the mesh's.
        assert_eq!(served.connect("bob").await.fetch(sql).await.unwrap(), plain);
        let mut prepared = ana.client.prepare(sql.to_owned(), None).await.unwrap();
        ana.fetch("RESET timezone").await.unwrap();
        assert_eq!(ana.fetch(sql).await.unwrap(), plain);
        let info = prepared.execute().await.unwrap();
        let rows = ana.client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
        let kept = render(&rows.try_collect::<Vec<_>>().await.unwrap());
        assert_eq!(kept, there, "what was prepared keeps the zone of its time");
    }
    for wrong in ["SET TIME ZONE 'Mars/Olympus'", "SET timezone = 'Europe/Berlin; DROP'", "SET TIME ZONE 2"] {
        let refused = ana.fetch(wrong).await.unwrap_err();
        assert!(refused.contains("time zone") || refused.contains("one text"), "{wrong}: {refused}");
    }
    assert_eq!(ana.fetch(sql).await.unwrap(), plain);
}

/// The engine's own types, for clients that read all of Arrow; the rows are the same.
#[tokio::test(flavor = "multi_thread")]
async fn types_stay_native_where_the_caller_asks_for_them() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let sql = "SELECT order_id, arrow_cast(region, 'Utf8View') AS region, arrow_cast(1.5, 'Float16') AS half, \
               arrow_cast(region, 'Dictionary(Int8, Utf8)') AS entry FROM sales.orders ORDER BY order_id";
    let types = |schema: &Schema| schema.fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
    let lowered = [DataType::Int64, DataType::Utf8, DataType::Float32, DataType::Utf8];
    let native = [DataType::Int64, DataType::Utf8View, DataType::Float16, DataType::Utf8];
    let (announced, sent) = frames(&mut ana, sql, &[]).await;
    assert_eq!(types(&announced), lowered);
    let plain = render(&decoded(sent).await);

    let by_header = frames(&mut ana, sql, &[("arrow-types", "native")]).await;
    ana.fetch("SET \"arrow-types\" = 'native'").await.unwrap();
    let by_session = frames(&mut ana, sql, &[]).await;
    for (announced, sent) in [by_header, by_session] {
        assert_eq!(types(&announced), native);
        let batches = decoded(sent).await;
        assert_eq!(batches[0].schema().as_ref(), &announced);
        let rows = render(&batches);
        assert_eq!(rows.lines().skip(1).collect::<Vec<_>>(), plain.lines().skip(1).collect::<Vec<_>>());
    }
    let (announced, _) = frames(&mut ana, sql, &[("arrow-types", "plain")]).await;
    assert_eq!(types(&announced), lowered, "what a call says itself wins");
    let refused = ana.fetch("SET \"arrow-types\" = 'fancy'").await.unwrap_err();
    assert!(refused.contains("`plain`, `native`"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_are_compressed_where_the_caller_asks_for_it() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let sql = "SELECT repeat('abc', 10000) AS text, unnest(range(0, 1000)) AS n";
    let (_, plain) = frames(&mut ana, sql, &[]).await;
    assert_eq!(compression(&plain), None);
    let bytes = |frames: &[FlightData]| frames.iter().map(|frame| frame.data_body.len()).sum::<usize>();
    for (name, method) in [("lz4", CompressionType::LZ4_FRAME), ("zstd", CompressionType::ZSTD)] {
        let (_, sent) = frames(&mut ana, sql, &[("arrow-compression", name)]).await;
        assert_eq!(compression(&sent), Some(method));
        assert!(bytes(&sent) * 20 < bytes(&plain), "{name}: {} of {} bytes", bytes(&sent), bytes(&plain));
        assert_eq!(render(&decoded(sent).await), render(&decoded(plain.clone()).await));
    }
    // The call that fetches decides, whatever the one that planned said.
    let waiting = ana.ticket(sql).await;
    let mut get = ana.asks(waiting);
    get.metadata_mut().insert("arrow-compression", "zstd".parse().unwrap());
    let sent: Vec<FlightData> =
        ana.client.inner_mut().do_get(get).await.unwrap().into_inner().try_collect().await.unwrap();
    assert_eq!(compression(&sent), Some(CompressionType::ZSTD));

    let mut asked = ana.asks(FlightDescriptor::new_path(vec!["sales".to_owned(), "orders".to_owned()]));
    asked.metadata_mut().insert("arrow-compression", "rar".parse().unwrap());
    let refused = ana.client.inner_mut().get_flight_info(asked).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    assert!(refused.message().contains("`none`, `lz4`, `zstd`"), "{}", refused.message());
}
