//! Batches → frames. Every client reads frames below 4 MiB; many read no larger ones.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::IpcWriteOptions;
use arrow::record_batch::RecordBatch;
use arrow_flight::encode::{FlightDataEncoder, FlightDataEncoderBuilder};
use arrow_flight::error::FlightError;
use arrow_flight::{FlightData, IpcMessage, SchemaAsIpc};
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tonic::Status;

use super::status;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::query::{ArrowCompression, Egress};

/// The default receive limit of gRPC clients.
const LARGEST_FRAME: usize = 4 * 1024 * 1024;
/// What a frame aims at: half of the limit, as an estimate may be off.
const TARGET: usize = LARGEST_FRAME / 2;
/// Headers and paddings of a column in a frame.
const OVERHEAD: usize = 256;

/// What `DoGet` answers.
pub(in crate::flight) type Frames = BoxStream<'static, Result<FlightData, Status>>;

/// A batch that describes the mesh or the server to a caller who may know of it; no cell of a dataset is in it.
pub(in crate::flight) struct Described(RecordBatch);

impl Described {
    /// Only `metadata` and `sql_info` have reason to call this.
    pub(in crate::flight) fn new(batch: RecordBatch) -> Self {
        Self(batch)
    }
}

/// Frames of a result. Dropping them drops the query.
pub(in crate::flight) fn stream(
    wire: SchemaRef,
    batches: BoxStream<'static, Result<Egress<RecordBatch>>>,
    compression: ArrowCompression,
) -> Frames {
    frames(wire, batches.map_ok(Egress::into_inner).boxed(), compression)
}

/// Frames of a description.
pub(in crate::flight) fn described(batch: Described) -> Frames {
    frames(batch.0.schema(), stream::once(async move { Ok(batch.0) }).boxed(), ArrowCompression::None)
}

fn frames(wire: SchemaRef, batches: BoxStream<'static, Result<RecordBatch>>, compression: ArrowCompression) -> Frames {
    let pieces = batches
        .flat_map(|batch| {
            let mut pieces = Vec::new();
            match batch {
                Ok(batch) => split(batch, &mut pieces),
                Err(error) => pieces.push(Err(error)),
            }
            stream::iter(pieces)
        })
        .map_err(|error| FlightError::Tonic(Box::new(status::of(&error))));
    encoder(wire, pieces, compression)
        .map(|frame| match frame {
            Ok(frame) if frame.encoded_len() > LARGEST_FRAME => Err(status::of(&too_large(None))),
            Ok(frame) => Ok(frame),
            Err(FlightError::Tonic(status)) => Err(*status),
            Err(error) => {
                // The text may quote a value: it stays here.
                tracing::error!(%error, "a batch could not be encoded");
                Err(status::of(&Diagnostic::error(Kind::Internal, "the result could not be encoded")))
            }
        })
        .boxed()
}

/// The encoder's own splitting is off: it goes by average row size and by whole buffers.
fn encoder(
    wire: SchemaRef,
    batches: impl futures::Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static,
    compression: ArrowCompression,
) -> FlightDataEncoder {
    let method = match compression {
        ArrowCompression::None => None,
        ArrowCompression::Lz4 => Some(CompressionType::LZ4_FRAME),
        ArrowCompression::Zstd => Some(CompressionType::ZSTD),
    };
    // Only the oldest metadata version refuses compression, and the default is the newest.
    let options = IpcWriteOptions::default().try_with_compression(method).unwrap_or_default();
    let encoder = FlightDataEncoderBuilder::new().with_schema(wire).with_options(options);
    encoder.with_max_flight_data_size(usize::MAX).build(batches)
}

/// The schema as the encoder will send it: arrow-flight 59 turns a large list into a list, so what is announced
/// is taken from the encoder and never from its input.
pub(in crate::flight) fn announced(wire: &SchemaRef) -> SchemaRef {
    encoder(SchemaRef::clone(wire), stream::empty(), ArrowCompression::None)
        .known_schema()
        .unwrap_or_else(|| SchemaRef::clone(wire))
}

/// A schema as one encapsulated IPC message.
pub(in crate::flight) fn schema_bytes(schema: &Schema) -> Result<Bytes> {
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &options)
        .try_into()
        .map_err(|_| Diagnostic::error(Kind::Internal, "the schema could not be encoded"))?;
    Ok(bytes)
}

/// Equal for schemas that a client cannot tell apart.
pub(in crate::flight) fn schema_digest(schema: &Schema) -> Result<[u8; 32]> {
    Ok(Sha256::digest(schema_bytes(schema)?).into())
}

fn split(batch: RecordBatch, pieces: &mut Vec<Result<RecordBatch>>) {
    let size: usize = batch.columns().iter().map(size_of).sum();
    let rows = batch.num_rows();
    if size > TARGET && rows > 1 {
        split(batch.slice(0, rows / 2), pieces);
        split(batch.slice(rows / 2, rows - rows / 2), pieces);
    } else if size > LARGEST_FRAME {
        pieces.push(Err(too_large(Some(&batch))));
    } else {
        pieces.push(Ok(batch));
    }
}

fn too_large(row: Option<&RecordBatch>) -> Diagnostic {
    let widest = row.and_then(|row| {
        let schema = row.schema();
        let sizes = row.columns().iter().map(size_of);
        sizes.zip(schema.fields()).max_by_key(|(size, _)| *size).map(|(size, field)| (size, field.name().clone()))
    });
    let message = match widest {
        Some((size, name)) => {
            format!("a row is larger than a message of 4 MiB: its column `{name}` alone takes {} KiB", size / 1024)
        }
        None => "a row is larger than a message of 4 MiB".to_owned(),
    };
    Diagnostic::error(Kind::Exhausted, message)
        .hint("select a part of the value, for example with `substr`, or leave the column out")
}

/// Bytes that the rows of this array take in a frame: of a slice only the rows it shows, unlike `get_buffer_memory_size`.
fn size_of(array: &ArrayRef) -> usize {
    let rows = array.len();
    let nulls = rows / 8 + OVERHEAD;
    let own = match array.data_type() {
        DataType::List(_) => {
            let array = array.as_list::<i32>();
            rows * 4 + size_of(&shown(array.value_offsets(), array.values()))
        }
        DataType::LargeList(_) => {
            let array = array.as_list::<i64>();
            rows * 8 + size_of(&shown(array.value_offsets(), array.values()))
        }
        DataType::Map(_, _) => {
            let array = array.as_map();
            let entries: ArrayRef = Arc::new(array.entries().clone());
            rows * 4 + size_of(&shown(array.value_offsets(), &entries))
        }
        DataType::FixedSizeList(_, _) => size_of(array.as_fixed_size_list().values()),
        DataType::Struct(_) => array.as_struct().columns().iter().map(size_of).sum(),
        _ => array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_buffer_memory_size()),
    };
    own + nulls
}

/// The part of a list's values that its rows point at.
fn shown<O: Copy + TryInto<usize>>(offsets: &[O], values: &ArrayRef) -> ArrayRef {
    let at = |offset: Option<&O>| offset.and_then(|offset| (*offset).try_into().ok()).unwrap_or(0);
    let (start, end) = (at(offsets.first()), at(offsets.last()));
    values.slice(start, end.saturating_sub(start))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, LargeListArray, ListArray, StringArray};
    use arrow::datatypes::{Field, Int64Type};
    use arrow_flight::decode::FlightRecordBatchStream;

    use super::*;

    async fn encode(batch: RecordBatch) -> Vec<Result<FlightData, Status>> {
        let wire = batch.schema();
        stream(wire, stream::iter([Ok(Egress::for_test(batch))]).boxed(), ArrowCompression::None).collect().await
    }

    async fn rows(frames: Vec<Result<FlightData, Status>>) -> usize {
        let frames = stream::iter(frames).map_err(FlightError::from);
        let batches: Vec<RecordBatch> =
            FlightRecordBatchStream::new_from_flight_data(frames).try_collect().await.unwrap();
        batches.iter().map(RecordBatch::num_rows).sum()
    }

    #[tokio::test]
    async fn no_frame_reaches_the_limit_of_a_default_client() {
        // One row of 3 MiB among many small ones: the average says nothing.
        let mut texts = vec!["x".repeat(500); 20_000];
        texts[777] = "y".repeat(3 * 1024 * 1024);
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>((0..20_000).map(|n| Some(vec![Some(n); 30])));
        let batch = RecordBatch::try_from_iter([
            ("text", Arc::new(StringArray::from(texts)) as ArrayRef),
            ("list", Arc::new(lists) as ArrayRef),
        ])
        .unwrap();
        let frames = encode(batch).await;
        assert!(frames.iter().all(|frame| frame.as_ref().unwrap().encoded_len() < LARGEST_FRAME));
        assert!(frames.len() < 30, "{} frames for 18 MB", frames.len());
        assert_eq!(rows(frames).await, 20_000);
    }

    #[tokio::test]
    async fn a_huge_row_is_refused_with_the_name_of_its_column() {
        let batch = RecordBatch::try_from_iter([
            ("id", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
            ("body", Arc::new(StringArray::from(vec!["small".to_owned(), "x".repeat(5 * 1024 * 1024)])) as ArrayRef),
        ])
        .unwrap();
        let error = encode(batch).await.into_iter().find_map(Result::err).unwrap();
        assert_eq!(error.code(), tonic::Code::ResourceExhausted);
        assert!(error.message().contains("`body`"), "{}", error.message());
    }

    #[tokio::test]
    async fn what_is_announced_is_what_is_sent() {
        let lists = LargeListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1)])]);
        let batch = RecordBatch::try_from_iter([("list", Arc::new(lists) as ArrayRef)]).unwrap();
        let announced = announced(&batch.schema());
        let frames = encode(batch).await;
        let sent = Schema::try_from(frames[0].as_ref().unwrap()).unwrap();
        assert_eq!(sent, *announced);
        assert_eq!(rows(frames).await, 1);
    }

    #[tokio::test]
    async fn an_empty_result_still_has_a_schema() {
        let wire: SchemaRef = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        let frames: Vec<_> =
            stream(SchemaRef::clone(&wire), stream::empty().boxed(), ArrowCompression::None).collect().await;
        assert_eq!(frames.len(), 1);
        assert_eq!(Schema::try_from(frames[0].as_ref().unwrap()).unwrap(), *wire);
    }
}
