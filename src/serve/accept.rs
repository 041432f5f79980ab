//! The accept loop: from a listener to connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task;

use super::clock::{self, Sources};
use super::connection;
use super::drain::{Queue, Socket};
use super::lines::OpenLine;
use super::service::Service;

/// Makes the byte stream of HTTP from an accepted socket: the socket itself, or TLS on it.
pub(crate) trait Secure: Clone + Send + Sync + 'static {
    /// What HTTP is spoken on.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send;

    /// Shakes hands.
    fn secure(&self, socket: TcpStream) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// The socket below.
    fn socket(stream: &Self::Stream) -> SockRef<'_>;
}

/// No TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain;

impl Secure for Plain {
    type Stream = TcpStream;

    async fn secure(&self, socket: TcpStream) -> io::Result<TcpStream> {
        Ok(socket)
    }

    fn socket(stream: &TcpStream) -> SockRef<'_> {
        SockRef::from(stream)
    }
}

/// Accepts for ever, but while a response makes the server stop listening. Each connection is a task of its
/// own; they are found and ended through the service's lines.
pub(crate) async fn run(
    mut listener: TcpListener,
    address: SocketAddr,
    service: Service,
    secure: impl Secure,
) {
    let lines = Arc::clone(&service.state.lines);
    let porter = lines.door.attend();
    let mut sources = Sources::new();
    loop {
        let accepted = tokio::select! {
            biased;
            orders = porter.asked() => {
                // Who has connected by now is connected, whether it was accepted or not, and however many
                // there are: tokio would let others have a turn.
                let waiting = || task::unconstrained(listener.accept());
                while let Some(Ok(accepted)) = clock::before(clock::now(), waiting()).await {
                    enter(&service, accepted, &secure, &mut sources);
                }
                drop(listener);
                porter.stay_closed(orders).await;
                listener = listen(address).await;
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => enter(&service, accepted, &secure, &mut sources),
            // A client that left meanwhile is nobody's problem; out of file descriptors is one that
            // passes, and that a loop without a pause would only make worse.
            Err(error) if is_clients(&error) => {}
            Err(_) => clock::until(clock::now() + PAUSE).await,
        }
    }
}

/// Serves a connection, unless there are too many.
fn enter(
    service: &Service,
    (socket, peer): (TcpStream, SocketAddr),
    secure: &impl Secure,
    sources: &mut Sources,
) {
    if let Some(open) = service.state.lines.open(service.state.config.max_connections, sources.next()) {
        task::spawn(serve(service.clone(), open, socket, peer, secure.clone()));
    }
}

/// Listens again where the server has listened. Somebody else may have the port, for a while.
async fn listen(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => clock::until(clock::now() + PAUSE).await,
        }
    }
}

async fn serve<S: Secure>(service: Service, open: OpenLine, socket: TcpStream, peer: SocketAddr, secure: S) {
    // Without it, the kernel holds back each event until the one before is acknowledged.
    let _ = socket.set_nodelay(true);
    // A reader that is slow but steady must make room now and then, so that it is told from one that
    // stands still; and it must not fill the kernel's memory.
    let _ = SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER);
    let queue = socket.local_addr().map_or(Queue::Unknown, |local| Queue::Tcp { local, peer });
    let handshake = clock::before(clock::now() + HANDSHAKE_LIMIT, secure.secure(socket));
    if let Some(Some(Ok(stream))) = open.until_draining(handshake).await {
        let socket = Socket { queue, raw: |stream| Some(S::socket(stream)) };
        connection::serve(service, open, stream, socket).await;
    }
}

fn is_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// How long a TLS handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// After a failed accept, or a port that is taken.
const PAUSE: Duration = Duration::from_millis(50);

/// How much the kernel holds for a reader that is slow; Linux doubles it for its own bookkeeping.
const SEND_BUFFER: usize = 128 * 1024;
