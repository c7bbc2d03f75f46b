//! Serving and draining.

use std::future::Future;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::transport::Server;

use super::accept::Incoming;
use super::known::Remembering;
use super::places::Admission;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::flight;
use crate::query::Sessions;

/// Streams that one connection may hold open (tonic's default is no limit).
const STREAMS_PER_CONNECTION: u32 = 128;
/// Room for a large token beside the properties that JDBC sends as headers.
const HEADER_LIST_BYTES: u32 = 32 << 10;
/// Requests that a client may take back before the gateway has looked at them, and after: more of them end the connection.
const RESETS_BEFORE_ACCEPT: usize = 20;
const RESETS_AFTER_ACCEPT: usize = 1_024;
/// A client that does not answer a ping is gone: half-open connections end within both together.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);
const KEEPALIVE_WAIT: Duration = Duration::from_secs(10);

/// Serves as many connections as `admission` says until `shutdown`, then lets running calls finish for at most `drain`.
///
/// # Errors
/// `Unavailable` when the listener fails.
pub async fn serve(
    listener: TcpListener,
    service: FlightServiceServer<flight::Gateway<Sessions>>,
    admission: Admission,
    drain: Duration,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<()> {
    let (stopping, stopped) = oneshot::channel();
    let server = Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .http2_max_header_list_size(HEADER_LIST_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEPALIVE_WAIT))
        .http2_max_pending_accept_reset_streams(Some(RESETS_BEFORE_ACCEPT))
        .http2_max_local_error_reset_streams(Some(RESETS_AFTER_ACCEPT))
        .add_service(Remembering(service))
        .serve_with_incoming_shutdown(Incoming::new(listener, admission), async {
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
