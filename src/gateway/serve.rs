//! Serving and draining.

use std::future::Future;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::flight;
use crate::query::Sessions;

/// Streams that one connection may hold open (tonic's default is no limit).
const STREAMS_PER_CONNECTION: u32 = 128;
/// Room for a large token beside the properties that JDBC sends as headers.
const HEADER_LIST_BYTES: u32 = 32 << 10;
const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);
const KEEPALIVE_WAIT: Duration = Duration::from_secs(10);

/// Serves until `shutdown`, then lets running calls finish for at most `drain`.
///
/// # Errors
/// `Unavailable` when the listener fails.
pub async fn serve(
    listener: TcpListener,
    service: FlightServiceServer<flight::Gateway<Sessions>>,
    drain: Duration,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<()> {
    let (stopping, stopped) = oneshot::channel();
    let server = Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .http2_max_header_list_size(HEADER_LIST_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEPALIVE_WAIT))
        .tcp_nodelay(true)
        .add_service(service)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), async {
            shutdown.await;
            // Nobody listens when the server ended by itself.
            let _ = stopping.send(());
        });
    let past_drain = async {
        if stopped.await.is_ok() {
            tokio::time::sleep(drain).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = server => ended.map_err(|error| {
            Diagnostic::error(Kind::Unavailable, format!("the listener failed: {error}"))
        }),
        () = past_drain => {
            tracing::warn!(seconds = drain.as_secs(), "calls were still running after the drain time and are ended");
            Ok(())
        }
    }
}
