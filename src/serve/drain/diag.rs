//! Asks the kernel about one connection, over netlink (`sock_diag(7)`): it costs about 10 µs, however many
//! connections there are.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use super::Unsent;

/// What is unsent of the connection between these addresses.
pub(super) fn unsent(local: SocketAddr, peer: SocketAddr) -> Unsent {
    ask(&question(local, peer)).map_or(Unsent::Unknown, |answer| read(&answer))
}

/// The kernel has answered when `send` returns; so nothing is waited for.
fn ask(question: &[u8]) -> Option<Vec<u8>> {
    let socket = Socket::new(Domain::from(AF_NETLINK), Type::DGRAM, Some(Protocol::from(SOCK_DIAG))).ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.send(question).ok()?;
    let mut answer = vec![0; MOST];
    let length = (&socket).read(&mut answer).ok()?;
    answer.truncate(length);
    Some(answer)
}

/// `struct nlmsghdr`, then `struct inet_diag_req_v2`.
fn question(local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
    let (family, interface) = match local {
        SocketAddr::V4(_) => (AF_INET, 0),
        SocketAddr::V6(address) => (AF_INET6, address.scope_id()),
    };
    let mut bytes = Vec::with_capacity(QUESTION as usize);
    bytes.extend(QUESTION.to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([family, TCP, 0, 0]);
    // In whatever state.
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(local.port().to_be_bytes());
    bytes.extend(peer.port().to_be_bytes());
    bytes.extend(octets(local.ip()));
    bytes.extend(octets(peer.ip()));
    bytes.extend(interface.to_ne_bytes());
    // No cookie: the addresses are enough.
    bytes.extend([0xff; 8]);
    bytes
}

/// An address in the four words that there are for it.
fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&ip.octets());
            octets
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// `struct nlmsghdr`, then `struct inet_diag_msg` or an error.
fn read(answer: &[u8]) -> Unsent {
    let word = |at: usize| Some(u32::from_ne_bytes(answer.get(at..at + 4)?.try_into().ok()?));
    let kind = answer.get(4..6).and_then(|kind| Some(u16::from_ne_bytes(kind.try_into().ok()?)));
    match kind {
        // Where there is no connection, who listens at its address is told of.
        Some(BY_FAMILY) if answer.get(STATE) == Some(&LISTEN) => Unsent::Gone,
        Some(BY_FAMILY) => word(UNSENT).map_or(Unsent::Unknown, |bytes| Unsent::Bytes(bytes.into())),
        Some(ERROR) if word(CODE) == Some(NO_SUCH) => Unsent::Gone,
        _ => Unsent::Unknown,
    }
}

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const AF_NETLINK: i32 = 16;
/// `NETLINK_SOCK_DIAG`.
const SOCK_DIAG: i32 = 4;
/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// `-ENOENT`.
const NO_SUCH: u32 = 2_u32.wrapping_neg();
/// `IPPROTO_TCP`.
const TCP: u8 = 6;
/// How long a question is.
const QUESTION: u32 = 72;
/// Where `idiag_state` is in an answer.
const STATE: usize = 17;
/// `TCP_LISTEN`.
const LISTEN: u8 = 10;
/// Where `idiag_wqueue` is in an answer.
const UNSENT: usize = 76;
/// Where the code of an error is.
const CODE: usize = 16;
/// How much of an answer is looked at.
const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;

    /// Who listens, and both ends of a connection.
    fn connection(listen: &str, to: &str) -> (TcpListener, TcpStream, TcpStream) {
        let listener = TcpListener::bind((listen, 0)).unwrap();
        let client = TcpStream::connect((to, listener.local_addr().unwrap().port())).unwrap();
        let server = listener.accept().unwrap().0;
        (listener, server, client)
    }

    #[test]
    fn what_nobody_takes_is_unsent_until_the_connection_is_gone() {
        for (listen, to) in [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1")] {
            let (listener, mut server, client) = connection(listen, to);
            let (local, peer) = (server.local_addr().unwrap(), server.peer_addr().unwrap());
            assert_eq!(unsent(local, peer), Unsent::Bytes(0), "{listen}");
            server.set_nonblocking(true).unwrap();
            let mut sent = 0;
            let blocked = loop {
                match server.write(&[0; 64 * 1024]) {
                    Ok(bytes) => sent += bytes as u64,
                    Err(error) => break error.kind(),
                }
            };
            assert_eq!(blocked, ErrorKind::WouldBlock);
            let Unsent::Bytes(bytes) = unsent(local, peer) else { panic!("{listen}: it is open") };
            assert!(bytes > 0 && bytes < sent, "{listen}: {bytes} of {sent}");
            socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
            drop(client);
            assert_eq!(unsent(local, peer), Unsent::Gone, "{listen}");
            drop(listener);
            assert_eq!(unsent(local, peer), Unsent::Gone, "{listen}: and nobody listens");
        }
    }

    #[test]
    fn what_is_no_answer_says_nothing() {
        for answer in [
            &[][..],
            &[0; 8],
            &[0xff; 100],
            &question("1.2.3.4:5".parse().unwrap(), "[::1]:6".parse().unwrap()),
        ] {
            assert_eq!(read(answer), Unsent::Unknown);
        }
    }
}
