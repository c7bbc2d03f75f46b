//! What clients need of answers. Some needs are those of one client and stand in its file; the rest are kept for all of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Schema, UInt32Type};
use arrow_flight::sql::ActionCreatePreparedStatementResult;
use arrow_flight::{FlightData, FlightDescriptor, FlightInfo, IpcMessage};
use bytes::Bytes;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::command::columns;
use super::script::Step;
use crate::harness::render;

/// C++ clients drop an answer whose headers are larger than about 8 KiB, and encoding may triple a character.
const LONGEST_MESSAGE: usize = 2048;

/// The token that a Handshake answers, and where: the JDBC driver reads the initial headers only.
pub fn token(step: &Step, headers: &MetadataMap) -> Option<String> {
    let token = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    match step.one("token") {
        Some("in the headers") => {
            assert!(token.as_ref().is_some_and(|token| token.starts_with("Bearer ")), "{}: {headers:?}", step.place);
        }
        Some("none") => assert_eq!(token, None, "{}", step.place),
        other => panic!("{}: `token: {other:?}`", step.place),
    }
    token
}

/// ADBC takes an `authorization` in any answer for its new token.
pub fn no_token(step: &Step, headers: &MetadataMap) {
    assert!(headers.get("authorization").is_none(), "{}: {headers:?}", step.place);
}

/// Grafana refuses more endpoints than one, flightsql-dbapi drops them, older drivers fail on a location; airport compares the
/// descriptor; a total would be shown as a row count.
pub fn announced(step: &Step, info: &FlightInfo, sent: &FlightDescriptor) -> Schema {
    let locations = info.endpoint.iter().map(|endpoint| endpoint.location.len()).collect::<Vec<_>>();
    assert_eq!(locations, [0], "{}: one endpoint without a location", step.place);
    assert_eq!(info.flight_descriptor.as_ref(), Some(sent), "{}", step.place);
    assert_eq!((info.total_records, info.total_bytes), (-1, -1), "{}", step.place);
    let schema = info.clone().try_decode_schema().unwrap();
    if let Some(expected) = step.one("columns") {
        assert_eq!(shape(&schema), expected, "{}", step.place);
    }
    schema
}

/// The Java library unpacks nothing without a module that its users must add.
pub fn plain(step: &Step, frames: &[FlightData]) {
    for frame in frames {
        let message = arrow::ipc::root_as_message(&frame.data_header).unwrap();
        let batch = message.header_as_record_batch();
        assert!(batch.is_none_or(|batch| batch.compression().is_none()), "{}: rows are compressed", step.place);
    }
}

/// The Go library compares what was announced with what is sent, NULLs included.
pub fn sent(step: &Step, schema: &Schema, announced: &Schema, batches: &[RecordBatch]) {
    assert_eq!(schema, announced, "{}: the stream has another schema than was announced", step.place);
    let batches: Vec<RecordBatch> = batches.iter().map(readable).collect();
    let text = render(&batches);
    let rows: Vec<&str> = text.lines().skip(1).collect();
    let listed = step.all("row");
    if !listed.is_empty() {
        assert_eq!(rows, listed, "{}", step.place);
    }
    if let Some(text) = step.one("rows") {
        assert_eq!((text, rows.as_slice()), ("none", [].as_slice()), "{}", step.place);
    }
    for row in step.all("has") {
        assert!(rows.contains(&row), "{}: `{row}` is not among\n{}", step.place, rows.join("\n"));
    }
    if let Some(count) = step.one("count") {
        assert_eq!(rows.len().to_string(), count, "{}", step.place);
    }
    if let Some(text) = step.one("codes") {
        let codes: BTreeSet<u32> =
            batches.iter().flat_map(|batch| batch.column(0).as_primitive::<UInt32Type>().values().to_vec()).collect();
        assert_eq!(codes, ranges(text), "{}", step.place);
    }
}

/// What a driver is told of a statement before it runs.
pub fn prepared(step: &Step, result: &ActionCreatePreparedStatementResult) {
    for (name, bytes) in [("dataset", &result.dataset_schema), ("parameters", &result.parameter_schema)] {
        if let Some(expected) = step.one(name) {
            assert_eq!(shape_of(bytes), expected, "{}: {name}", step.place);
        }
    }
}

/// Clients show the message, and some transports cut it.
pub fn refused(step: &Step, status: &Status) {
    let message = status.message();
    assert!(message.len() <= LONGEST_MESSAGE && !message.contains('\n'), "{}: {message:?}", step.place);
    no_token(step, status.metadata());
    if let Some(part) = step.one("message") {
        assert!(message.contains(part), "{}: {message:?}", step.place);
    }
}

fn shape(schema: &Schema) -> String {
    columns(schema).join(", ")
}

fn shape_of(bytes: &Bytes) -> String {
    if bytes.is_empty() { "none".to_owned() } else { shape(&Schema::try_from(IpcMessage(bytes.clone())).unwrap()) }
}

/// `0-9 500-576` as a set.
fn ranges(text: &str) -> BTreeSet<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        first.parse::<u32>().unwrap()..=last.parse().unwrap()
    };
    text.split(' ').flat_map(range).collect()
}

/// With `table_schema` as clients read it: columns, and the name of each type.
fn readable(batch: &RecordBatch) -> RecordBatch {
    let read = |bytes: &[u8]| {
        let schema = Schema::try_from(IpcMessage(Bytes::copy_from_slice(bytes))).unwrap();
        let names = schema.fields().iter().map(|field| &field.metadata()["ARROW:FLIGHT:SQL:TYPE_NAME"]);
        columns(&schema)
            .iter()
            .zip(names)
            .map(|(column, name)| format!("{column} {name}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| -> (&String, ArrayRef) {
        if field.name() == "table_schema" {
            let schemas = column.as_binary::<i32>().iter().flatten().map(read).map(Some);
            (field.name(), Arc::new(schemas.collect::<StringArray>()))
        } else {
            (field.name(), Arc::clone(column))
        }
    });
    RecordBatch::try_from_iter(columns).unwrap()
}
