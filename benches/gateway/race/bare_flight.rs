//! A Flight server that encodes batches which lie ready in memory, or that the engine reads from files, and does nothing else: what
//! sending costs, and what reading and sending cost.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse,
    PollInfo, PutResult, SchemaResult, Ticket,
};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use crate::queries::alone;

/// As many rows as the engine puts into a batch.
const ROWS: usize = 8_192;

/// The columns that a ticket stands for.
pub fn is_of(ticket: &str, data_type: &DataType) -> bool {
    match ticket {
        "numbers" => data_type.is_numeric() || data_type.is_temporal(),
        "texts" => matches!(data_type, DataType::Utf8),
        _ => true,
    }
}

pub const TICKETS: [&str; 2] = ["numbers", "texts"];

/// Before the name of a ticket whose columns are to be read anew.
pub const FROM_FILES: &str = "files ";

/// Serves the columns of a table's folder until it is killed.
pub async fn serve(folder: &Path) {
    let held = TICKETS.iter().map(|ticket| ((*ticket).to_owned(), Arc::new(read(folder, ticket)))).collect();
    let context = alone();
    context.register_parquet("held", folder.display().to_string(), ParquetReadOptions::default()).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("ready on grpc://{}", listener.local_addr().unwrap());
    tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .add_service(FlightServiceServer::new(Bare { held, context }))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)))
        .await
        .unwrap();
}

fn read(folder: &Path, ticket: &str) -> Vec<RecordBatch> {
    let file = File::open(folder.join("part-0.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().with_batch_size(ROWS);
    let fields = reader.schema().fields().clone();
    let columns = (0..fields.len()).filter(|at| is_of(ticket, fields[*at].data_type()));
    let mask = ProjectionMask::roots(reader.parquet_schema(), columns);
    reader.with_projection(mask).build().unwrap().map(Result::unwrap).collect()
}

struct Bare {
    held: HashMap<String, Arc<Vec<RecordBatch>>>,
    context: SessionContext,
}

impl Bare {
    async fn read_anew(&self, ticket: &str) -> datafusion::error::Result<SendableRecordBatchStream> {
        let table = self.context.table("held").await?;
        let fields = table.schema().fields().clone();
        let columns: Vec<&str> =
            fields.iter().filter(|field| is_of(ticket, field.data_type())).map(|field| field.name().as_str()).collect();
        table.select_columns(&columns)?.execute_stream().await
    }
}

fn absent<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("this server only sends batches"))
}

#[tonic::async_trait]
impl FlightService for Bare {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let name = String::from_utf8_lossy(&request.get_ref().ticket).into_owned();
        if let Some(name) = name.strip_prefix(FROM_FILES) {
            let read = self.read_anew(name).await.map_err(|error| Status::internal(error.to_string()))?;
            let frames =
                FlightDataEncoderBuilder::new().build(read.map_err(|e| FlightError::ExternalError(Box::new(e))));
            return Ok(Response::new(frames.map_err(|error| Status::internal(error.to_string())).boxed()));
        }
        let held = Arc::clone(self.held.get(&name).ok_or_else(|| Status::not_found("no such ticket"))?);
        let batches = stream::iter(0..held.len()).map(move |at| Ok::<_, FlightError>(held[at].clone()));
        let frames =
            FlightDataEncoderBuilder::new().build(batches).map_err(|error| Status::internal(error.to_string()));
        Ok(Response::new(frames.boxed()))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        absent()
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        absent()
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        absent()
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        absent()
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        absent()
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        absent()
    }

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        absent()
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        absent()
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoExchangeStream>, Status> {
        absent()
    }
}
