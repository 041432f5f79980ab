//! A client that takes whatever comes.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// How a connection ended, as the peer of the server sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// The server closed it: a read gives nothing.
    Fin,
    /// The server reset it: a read fails.
    Rst,
    /// There was none.
    Refused,
    /// It was still open after [`PATIENCE`].
    Held,
}

/// One connection to a server.
#[derive(Debug)]
pub(crate) struct Peer {
    socket: TcpStream,
    /// How much it reads at once.
    piece: usize,
    /// Everything that came, in order.
    pub(crate) bytes: Vec<u8>,
}

impl Peer {
    /// Connects; `Err` is a connection refused.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, End> {
        Self::with(address, 64 * 1024, None).await
    }

    /// Connects as a reader whose kernel keeps little, and who takes little at once.
    pub(crate) async fn slow(address: SocketAddr) -> Result<Self, End> {
        Self::with(address, 700, Some(2048)).await
    }

    async fn with(address: SocketAddr, piece: usize, buffer: Option<u32>) -> Result<Self, End> {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        match socket.connect(address).await {
            Ok(socket) => Ok(Self { socket, piece, bytes: Vec::new() }),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Err(End::Refused),
            Err(error) => panic!("no connection, and not refused: {error}"),
        }
    }

    /// Sends a request. Whether it went out is told by what comes back: a server may end the connection
    /// before it has read everything.
    pub(crate) async fn send(&mut self, request: &str) {
        let _ = self.socket.write_all(request.as_bytes()).await;
    }

    /// Reads until a response is whole by its own framing, from byte `start`; `Some` if the connection
    /// ended before.
    pub(crate) async fn answer(&mut self, start: usize) -> Option<End> {
        while whole(&self.bytes[start..]).is_none() {
            if let Some(end) = self.read().await {
                return Some(end);
            }
        }
        None
    }

    /// Reads until the connection ends.
    pub(crate) async fn end(&mut self) -> End {
        loop {
            if let Some(end) = self.read().await {
                return end;
            }
        }
    }

    async fn read(&mut self) -> Option<End> {
        let mut buffer = vec![0; self.piece];
        match tokio::time::timeout(PATIENCE, self.socket.read(&mut buffer)).await {
            Err(_) => Some(End::Held),
            Ok(Ok(0)) => Some(End::Fin),
            Ok(Ok(len)) => {
                self.bytes.extend_from_slice(&buffer[..len]);
                None
            }
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionReset => Some(End::Rst),
            Ok(Err(error)) => panic!("neither bytes nor an end: {error}"),
        }
    }
}

impl End {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::Rst => "rst",
            Self::Refused => "refused",
            Self::Held => "held",
        }
    }
}

/// How many bytes the first response has, informational ones before it included; `None` while it is not
/// whole, and for ever where only the end of the connection ends it.
pub(crate) fn whole(bytes: &[u8]) -> Option<usize> {
    let head = find(bytes, b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let status: u16 = text.get(9..12)?.parse().ok()?;
    if (100..200).contains(&status) {
        return Some(head + whole(&bytes[head..])?);
    }
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    if value("transfer-encoding") == Some("chunked") {
        return Some(head + chunks(&bytes[head..])?);
    }
    let length: usize = value("content-length")?.parse().ok()?;
    (bytes.len() >= head + length).then_some(head + length)
}

/// How many bytes a chunked body has, trailers included.
fn chunks(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = find(&bytes[at..], b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[at..at + line]).ok()?, 16).ok()?;
        at += line + 2;
        if size == 0 {
            break;
        }
        if bytes.get(at + size..at + size + 2)? != b"\r\n" {
            return None;
        }
        at += size + 2;
    }
    loop {
        let line = find(&bytes[at..], b"\r\n")?;
        at += line + 2;
        if line == 0 {
            return Some(at);
        }
    }
}

/// A response whose chunks are one chunk.
pub(crate) fn joined(bytes: &[u8]) -> Vec<u8> {
    let head = find(bytes, b"\r\n\r\n").map_or(bytes.len(), |end| end + 4);
    let (head, mut rest) = bytes.split_at(head);
    if !head.to_ascii_lowercase().windows(8).any(|part| part == b" chunked") {
        return bytes.to_vec();
    }
    let mut body = Vec::new();
    while let Some(line) = find(rest, b"\r\n") {
        let size =
            std::str::from_utf8(&rest[..line]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size) = size.filter(|size| *size > 0 && line + 2 + size <= rest.len()) else { break };
        body.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = rest.get(line + 4 + size..).unwrap_or_default();
    }
    let size = format!("{:X}\r\n", body.len());
    [head, size.as_bytes(), &body, b"\r\n", rest].concat()
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// A server that is silent for so long holds the connection: every bound of the tests is far below.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &str, length: Option<usize>) {
        assert_eq!(whole(bytes.as_bytes()), length, "{bytes:?}");
    }

    #[test]
    fn a_response_is_whole_when_its_own_framing_says_so() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        check(&format!("{head}{{"), None);
        check(&format!("{head}{{}}"), Some(head.len() + 2));
        check(&format!("{head}{{}}more"), Some(head.len() + 2));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n";
        check(chunked, None);
        check(&format!("{chunked}0\r\n"), None);
        check(&format!("{chunked}0\r\n\r\n"), Some(chunked.len() + 5));
        check(&format!("{chunked}0\r\nx: y\r\n\r\nmore"), Some(chunked.len() + 11));
        check(&format!("{chunked}zz\r\n\r\n"), None);
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        check(early, None);
        check(&format!("{early}{head}{{}}"), Some(early.len() + head.len() + 2));
        check("HTTP/1.1 200 OK\r\n\r\nuntil the end", None);
        check("garbage\r\n\r\n", None);
        check("", None);
    }

    #[test]
    fn chunks_are_joined_and_what_follows_is_kept() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunked = format!("{head}2\r\nab\r\nA\r\n0123456789\r\n0\r\n\r\n");
        assert_eq!(joined(chunked.as_bytes()), format!("{head}C\r\nab0123456789\r\n0\r\n\r\n").as_bytes());
        let plain = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
        assert_eq!(joined(plain.as_bytes()), plain.as_bytes());
    }
}
