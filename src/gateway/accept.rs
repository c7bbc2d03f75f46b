//! Who may hold a connection: a bounded number in all and from one address, and only those that begin to speak in time.
//!
//! The transport waits for the first byte of a client without end, and takes as many clients as there are file descriptors.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use futures::Stream;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::config::Listen;

/// What every client of HTTP/2 sends first (RFC 9113, section 3.4).
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long a client may take to send it.
const PREFACE_WAIT: Duration = Duration::from_secs(5);
/// Connections that have begun to speak and wait for the server.
const READY: usize = 16;
/// The pause after a failed accept: without free file descriptors the next one fails too.
const PAUSE: Duration = Duration::from_millis(100);

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Admission {
    /// In all; one more is closed as soon as it is there.
    pub connections: usize,
    /// From one address.
    pub from_one_address: usize,
    /// How long a client may take until it has sent the preface of HTTP/2.
    pub preface: Duration,
}

impl From<&Listen> for Admission {
    fn from(listen: &Listen) -> Self {
        Self {
            connections: listen.connections,
            from_one_address: listen.connections_per_address,
            preface: PREFACE_WAIT,
        }
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self::from(&Listen::default())
    }
}

/// Connections whose clients have begun to speak. Dropping it closes the listener.
pub(super) struct Incoming {
    ready: mpsc::Receiver<Connection>,
    _accepting: AbortOnDropHandle<()>,
}

impl Incoming {
    pub(super) fn new(listener: TcpListener, admission: Admission) -> Self {
        let (sender, ready) = mpsc::channel(READY);
        #[expect(clippy::disallowed_methods, reason = "the handle belongs to the stream and ends with it")]
        let accepting = tokio::spawn(accept(listener, admission, sender));
        Self { ready, _accepting: AbortOnDropHandle::new(accepting) }
    }
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(context).map(|connection| connection.map(Ok))
    }
}

/// What has not begun to speak when this ends is closed with it.
async fn accept(listener: TcpListener, admission: Admission, ready: mpsc::Sender<Connection>) {
    let places = Arc::new(Places { admission, taken: Mutex::default() });
    let mut silent = JoinSet::new();
    let mut refusing = false;
    loop {
        while silent.try_join_next().is_some() {}
        let (io, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // The client went before it was accepted.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => continue,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(place) = places.take(peer.ip()) else {
            // One line for each time that the places run out, not one for each client.
            if !refusing {
                tracing::warn!(address = %peer.ip(), "too many connections: new ones are refused");
            }
            refusing = true;
            continue;
        };
        refusing = false;
        let ready = ready.clone();
        silent.spawn(async move {
            if let Ok(Some((begun, io))) = tokio::time::timeout(admission.preface, begin(io)).await {
                // Nobody waits for it when the server ends.
                let _ = ready.send(Connection { begun, io, _place: place }).await;
            }
        });
    }
}

/// Reads the preface; none for a client that says something else, or goes.
async fn begin(mut io: TcpStream) -> Option<(Bytes, TcpStream)> {
    // Small frames must not wait for each other.
    io.set_nodelay(true).ok()?;
    let mut begun = [0; PREFACE.len()];
    let mut length = 0;
    while length < PREFACE.len() {
        let read = io.read(begun.get_mut(length..)?).await.ok().filter(|read| *read > 0)?;
        length += read;
        if begun.get(..length)? != PREFACE.get(..length)? {
            return None;
        }
    }
    Some((Bytes::from_static(&PREFACE), io))
}

/// The places of one listener.
struct Places {
    admission: Admission,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

impl Places {
    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(&address).copied().unwrap_or(0);
        if own >= self.admission.from_one_address || taken.values().sum::<usize>() >= self.admission.connections {
            return None;
        }
        taken.insert(address, own + 1);
        Some(Place { places: Arc::clone(self), address })
    }
}

/// Held by a connection until it is closed.
struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.address) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.address)),
        }
    }
}

/// A connection whose client has begun to speak, with the bytes that were read to see it.
pub(super) struct Connection {
    begun: Bytes,
    io: TcpStream,
    _place: Place,
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.io.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.begun.has_remaining() {
            let length = self.begun.len().min(into.remaining());
            into.put_slice(&self.begun.split_to(length));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, from)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, from)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// Far beyond what a busy machine needs.
    const PATIENCE: Duration = Duration::from_secs(20);

    async fn incoming(admission: Admission) -> (Incoming, std::net::SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (Incoming::new(listener, admission), address)
    }

    /// True once the server has closed the connection; false if it is still open after `wait`.
    async fn is_closed(client: &mut TcpStream, wait: Duration) -> bool {
        let read = tokio::time::timeout(wait, client.read(&mut [0])).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    }

    async fn next(incoming: &mut Incoming) -> Connection {
        tokio::time::timeout(PATIENCE, incoming.next()).await.unwrap().unwrap().unwrap()
    }

    #[tokio::test]
    async fn only_clients_that_begin_get_through() {
        let (mut incoming, address) =
            incoming(Admission { preface: Duration::from_millis(300), ..Admission::default() }).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut halting = TcpStream::connect(address).await.unwrap();
        halting.write_all(&PREFACE[..1]).await.unwrap();
        let mut stranger = TcpStream::connect(address).await.unwrap();
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        // In pieces, and more than the preface.
        client.write_all(&PREFACE[..10]).await.unwrap();
        client.flush().await.unwrap();
        tokio::task::yield_now().await;
        client.write_all(&PREFACE[10..]).await.unwrap();
        client.write_all(b"and a frame").await.unwrap();
        let mut connection = next(&mut incoming).await;
        let mut read = vec![0; PREFACE.len() + 11];
        connection.read_exact(&mut read).await.unwrap();
        assert_eq!(read, [&PREFACE[..], b"and a frame"].concat());
        for other in [&mut silent, &mut halting, &mut stranger] {
            assert!(is_closed(other, PATIENCE).await);
        }
        assert!(!is_closed(&mut client, Duration::from_millis(50)).await);
    }

    #[tokio::test]
    async fn places_are_bounded_and_come_back() {
        for admission in [
            Admission { connections: 2, ..Admission::default() },
            Admission { from_one_address: 2, ..Admission::default() },
        ] {
            let (mut incoming, address) = incoming(admission).await;
            let mut clients = Vec::new();
            let mut held = Vec::new();
            for _ in 0..2 {
                let mut client = TcpStream::connect(address).await.unwrap();
                client.write_all(&PREFACE).await.unwrap();
                held.push(next(&mut incoming).await);
                clients.push(client);
            }
            let mut refused = TcpStream::connect(address).await.unwrap();
            assert!(is_closed(&mut refused, PATIENCE).await);
            held.pop();
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(&PREFACE).await.unwrap();
            drop(next(&mut incoming).await);
            assert!(!is_closed(&mut clients[0], Duration::from_millis(50)).await, "{admission:?}");
        }
    }

    #[tokio::test]
    async fn the_listener_goes_with_the_stream() {
        let (incoming, address) = incoming(Admission::default()).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        drop(incoming);
        assert!(is_closed(&mut silent, PATIENCE).await);
        assert!(TcpStream::connect(address).await.is_err());
    }
}
