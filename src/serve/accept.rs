//! The accept loop: from a listener to connections.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task;

use super::clock::{self, Sources};
use super::drain::{Queue, Socket};
use super::lines::OpenLine;
use super::service::Service;
use super::{connection, transport};

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

/// Listens, for connections that have what every connection is to have.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A server that is started again has its port again. On Windows it would be somebody else's, too.
    if cfg!(not(windows)) {
        socket.set_reuseaddr(true)?;
    }
    tune(&SockRef::from(&socket));
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Sets what every connection is to have.
fn tune(socket: &SockRef<'_>) {
    // Without it, the kernel holds back each event until the one before is acknowledged.
    let _ = socket.set_tcp_nodelay(true);
    // A reader that is slow but steady must make room now and then, so that it is told from one that
    // stands still; and it must not fill the kernel's memory.
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
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
    let mut entrance = Entrance { service, address, secure, sources: Sources::new() };
    let mut in_a_row = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            orders = porter.asked() => {
                // Who has connected by now is connected, whether it was accepted or not, and however many
                // there are: tokio would let others have a turn.
                let waiting = || task::unconstrained(listener.accept());
                while let Some(Ok(accepted)) = clock::before(clock::now(), waiting()).await {
                    entrance.admit(accepted);
                }
                drop(listener);
                porter.stay_closed(orders).await;
                listener = listen_again(address).await;
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => entrance.admit(accepted),
            // A client that left meanwhile is nobody's problem; out of file descriptors is one that
            // passes, and that a loop without a pause would only make worse.
            Err(error) if is_clients(&error) => {}
            Err(_) => clock::until(clock::now() + PAUSE).await,
        }
        in_a_row += 1;
        if in_a_row == IN_A_ROW {
            in_a_row = 0;
            task::yield_now().await;
        }
    }
}

/// What becomes of accepted sockets.
struct Entrance<S> {
    service: Service,
    address: SocketAddr,
    secure: S,
    sources: Sources,
}

impl<S: Secure> Entrance<S> {
    /// Serves a connection, unless there are too many.
    fn admit(&mut self, (socket, peer): (TcpStream, SocketAddr)) {
        let (service, source) = (&self.service, self.sources.next());
        let Some(open) = service.state.lines.open(service.state.config.max_connections, source) else {
            return;
        };
        if !INHERITED {
            tune(&SockRef::from(&socket));
        }
        let local = match self.address.ip().is_unspecified() {
            true => socket.local_addr().ok(),
            false => Some(self.address),
        };
        let queue = local.map_or(Queue::Unknown, |local| Queue::Tcp { local, peer });
        task::spawn(serve(service.clone(), open, socket, queue, self.secure.clone()));
    }
}

/// Listens again where the server has listened. Somebody else may have the port, for a while.
async fn listen_again(address: SocketAddr) -> TcpListener {
    loop {
        match listen(address) {
            Ok(listener) => return listener,
            Err(_) => clock::until(clock::now() + PAUSE).await,
        }
    }
}

/// Serves a connection once its client says something. Until then there is next to nothing of it, so that a
/// crowd that connects is let in faster than it comes.
async fn serve<S: Secure>(service: Service, open: OpenLine, socket: TcpStream, queue: Queue, secure: S) {
    let said = {
        let mut byte = [0];
        let first = pin!(clock::before(clock::now() + transport::IDLE_LIMIT, socket.peek(&mut byte)));
        open.until_draining(first).await
    };
    if let Some(Some(Ok(_))) = said {
        Box::pin(speak(service, open, socket, queue, secure)).await;
    }
}

async fn speak<S: Secure>(service: Service, open: OpenLine, socket: TcpStream, queue: Queue, secure: S) {
    // Gone before the connection takes its room.
    let shaken = {
        let handshake = pin!(clock::before(clock::now() + HANDSHAKE_LIMIT, secure.secure(socket)));
        open.until_draining(handshake).await
    };
    if let Some(Some(Ok(stream))) = shaken {
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

/// How many connections may wait to be accepted. The kernel drops the packets of those that come when the
/// queue is full, and their clients wait for whole seconds; it caps this (`net.core.somaxconn`).
const BACKLOG: u32 = 4096;

/// How many connections are accepted before others have a turn: a fraction of a millisecond.
const IN_A_ROW: u32 = 32;

/// Whether accepted sockets have what was set for the listener.
const INHERITED: bool = cfg!(target_os = "linux");

/// How much the kernel holds for a reader that is slow; Linux doubles it for its own bookkeeping.
const SEND_BUFFER: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use std::mem::size_of_val;

    use super::*;
    use crate::MockServer;

    /// An accepted socket, and its client.
    async fn accepted() -> (TcpStream, TcpStream) {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let (client, accepted) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (accepted.unwrap().0, client.unwrap())
    }

    #[tokio::test]
    async fn an_accepted_socket_has_what_was_set_for_its_listener() {
        let (socket, _client) = accepted().await;
        let socket = SockRef::from(&socket);
        if !INHERITED {
            tune(&socket);
        }
        assert!(socket.tcp_nodelay().unwrap());
        // Linux doubles it.
        assert!([SEND_BUFFER, 2 * SEND_BUFFER].contains(&socket.send_buffer_size().unwrap()));
    }

    #[tokio::test]
    async fn a_connection_takes_little_room_and_almost_none_before_anything_is_said() {
        let (socket, _client) = accepted().await;
        let service = MockServer::builder().service().unwrap();
        let open = || service.state.lines.open(10, None).unwrap();
        let silent = serve(service.clone(), open(), socket, Queue::Unknown, Plain);
        let (socket, _client) = accepted().await;
        let speaking = speak(service.clone(), open(), socket, Queue::Unknown, Plain);
        assert!(size_of_val(&silent) <= 1024, "{}", size_of_val(&silent));
        assert!(size_of_val(&speaking) <= 3072, "{}", size_of_val(&speaking));
    }
}
