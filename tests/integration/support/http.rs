//! An HTTP/1.1 client that hides nothing: bytes out, bytes in.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Connection(TcpStream);

/// What came back until the server closed the connection.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// Status line and headers, as sent.
    pub(crate) head: String,
    /// The body without its transfer encoding.
    pub(crate) body: String,
    /// Whether the body ended as HTTP wants it.
    pub(crate) complete: bool,
}

impl Connection {
    /// Connects to `host:port`.
    pub(crate) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self(stream)
    }

    /// Sends bytes.
    pub(crate) fn send(mut self, bytes: &str) -> Self {
        self.0.write_all(bytes.as_bytes()).unwrap();
        self
    }

    /// Reads until `part` has come; gives everything so far.
    pub(crate) fn until(&mut self, part: &str) -> String {
        let mut read = Vec::new();
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&read).contains(part) {
            let count = self.0.read(&mut buffer).unwrap();
            assert!(count > 0, "the end came before {part:?}: {:?}", String::from_utf8_lossy(&read));
            read.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8(read).unwrap()
    }

    /// Reads to the end of the connection.
    pub(crate) fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Reads an answer, to the end of the connection.
    pub(crate) fn answer(self) -> Answer {
        Answer::parse(&self.rest())
    }
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        let (head, chunked) =
            (head.to_owned(), head.to_ascii_lowercase().contains("transfer-encoding: chunked"));
        let (body, complete) = if chunked { join_chunks(body) } else { (body.to_owned(), true) };
        Self { status, head, body, complete }
    }

    /// The events of a stream, without `data: `.
    pub(crate) fn events(&self) -> Vec<&str> {
        let events = self.body.split_terminator("\n\n");
        events.map(|event| event.strip_prefix("data: ").unwrap_or(event)).collect()
    }
}

/// The chunks of a body, and whether the last one came.
fn join_chunks(mut rest: &str) -> (String, bool) {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk size");
        if size == 0 {
            return (body, true);
        }
        body.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    (body, false)
}
