//! The accept loop: from a listener to connections.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use super::clock;
use super::connection;
use super::drain::Queue;
use super::lines::OpenLine;
use super::service::Service;

/// Makes the byte stream of HTTP from an accepted socket: the socket itself, or TLS on it.
pub(crate) trait Secure: Clone + Send + Sync + 'static {
    /// What HTTP is spoken on.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send;

    /// Shakes hands.
    fn secure(&self, socket: TcpStream) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// No TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain;

impl Secure for Plain {
    type Stream = TcpStream;

    async fn secure(&self, socket: TcpStream) -> io::Result<TcpStream> {
        Ok(socket)
    }
}

/// Accepts for ever. Each connection is a task of its own; they are found and ended through the
/// service's lines.
pub(crate) async fn run(listener: TcpListener, service: Service, secure: impl Secure) {
    loop {
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // A client that left meanwhile is nobody's problem; out of file descriptors is one that
            // passes, and that a loop without a pause would only make worse.
            Err(error) if is_clients(&error) => continue,
            Err(_) => {
                clock::until(clock::now() + PAUSE).await;
                continue;
            }
        };
        let Some(open) = service.state.lines.open(service.state.config.max_connections) else {
            continue;
        };
        tokio::spawn(serve(service.clone(), open, socket, peer, secure.clone()));
    }
}

async fn serve(service: Service, open: OpenLine, socket: TcpStream, peer: SocketAddr, secure: impl Secure) {
    // Without it, the kernel holds back each event until the one before is acknowledged.
    let _ = socket.set_nodelay(true);
    // A reader that is slow but steady must make room now and then, so that it is told from one that
    // stands still; and it must not fill the kernel's memory.
    let _ = SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER);
    let queue = socket.local_addr().map_or(Queue::Unknown, |local| Queue::Tcp { local, peer });
    let handshake = clock::before(clock::now() + HANDSHAKE_LIMIT, secure.secure(socket));
    if let Some(Some(Ok(stream))) = open.until_draining(handshake).await {
        connection::serve(service, open, stream, queue).await;
    }
}

fn is_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// How long a TLS handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// After a failed accept.
const PAUSE: Duration = Duration::from_millis(50);

/// How much the kernel holds for a reader that is slow; Linux doubles it for its own bookkeeping.
const SEND_BUFFER: usize = 128 * 1024;
