//! Who may hold a connection: a bounded number in all and from one address, and only those that begin to speak in time.
//!
//! The transport waits for the first byte of a client without end, and takes as many clients as there are file descriptors.

use std::future::Future as _;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use futures::Stream;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::server::Connected;

use super::places::{Admission, Guest, Place, Places};

/// What every client of HTTP/2 sends first (RFC 9113, section 3.4).
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Connections that have begun to speak and wait for the server.
const READY: usize = 16;
/// The pause after a failed accept: without free file descriptors the next one fails too.
const PAUSE: Duration = Duration::from_millis(100);

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
    let places = Places::new(admission);
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
        let place = match places.take(peer.ip()) {
            Ok(place) => place,
            Err(limit) => {
                // One line for each time that the places run out, not one for each client.
                if !refusing {
                    tracing::warn!(address = %peer.ip(), "connections are refused: `listen.{limit}` is reached");
                }
                refusing = true;
                continue;
            }
        };
        refusing = false;
        let ready = ready.clone();
        silent.spawn(async move {
            let evicted = place.guest().evicted();
            let begun = tokio::time::timeout(admission.preface, evicted.run_until_cancelled(begin(io)));
            if let Ok(Some(Some((begun, io)))) = begun.await {
                let evicted = Box::pin(evicted.cancelled_owned());
                // Nobody waits for it when the server ends.
                let _ = ready.send(Connection { begun, io, evicted, place }).await;
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

/// A connection whose client has begun to speak, with the bytes that were read to see it.
pub(super) struct Connection {
    begun: Bytes,
    io: TcpStream,
    evicted: Pin<Box<WaitForCancellationFutureOwned>>,
    place: Place,
}

impl Connected for Connection {
    type ConnectInfo = Arc<Guest>;

    fn connect_info(&self) -> Arc<Guest> {
        Arc::clone(self.place.guest())
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.begun.has_remaining() {
            let length = self.begun.len().min(into.remaining());
            into.put_slice(&self.begun.split_to(length));
            return Poll::Ready(Ok(()));
        }
        // It ends as if the client had closed it.
        if self.evicted.as_mut().poll(context).is_ready() {
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
                held.last().unwrap().connect_info().note_login();
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
    async fn strangers_make_room() {
        for admission in [
            Admission { connections: 3, ..Admission::default() },
            Admission { from_one_address: 3, ..Admission::default() },
        ] {
            let (mut incoming, address) = incoming(admission).await;
            let mut clients = Vec::new();
            let mut held = Vec::new();
            // The first has logged in, the second has not, the third has not even begun to speak.
            for place in 0..3 {
                let mut client = TcpStream::connect(address).await.unwrap();
                if place < 2 {
                    client.write_all(&PREFACE).await.unwrap();
                    held.push(next(&mut incoming).await);
                }
                clients.push(client);
            }
            held[0].connect_info().note_login();
            for stranger in [1, 2] {
                let mut client = TcpStream::connect(address).await.unwrap();
                client.write_all(&PREFACE).await.unwrap();
                let connection = next(&mut incoming).await;
                connection.connect_info().note_login();
                if stranger == 1 {
                    let mut read = Vec::new();
                    tokio::time::timeout(PATIENCE, held.remove(1).read_to_end(&mut read)).await.unwrap().unwrap();
                    assert_eq!(read, PREFACE, "its end");
                }
                assert!(is_closed(&mut clients[stranger], PATIENCE).await, "{stranger}, {admission:?}");
                held.push(connection);
                clients.push(client);
            }
            assert!(!is_closed(&mut clients[0], Duration::from_millis(50)).await, "{admission:?}");
            let mut refused = TcpStream::connect(address).await.unwrap();
            assert!(is_closed(&mut refused, PATIENCE).await, "all are known");
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
