//! What llmirage answered, to the byte, and when its parts are due: what the client checks and the limits serve.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use llmirage::MockServer;
use serde::{Deserialize, Serialize};

/// A response, without the framing of its body.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Answer {
    /// The request that gets it, all of its bytes.
    pub(crate) request: String,
    /// The head as sent, with its empty line.
    pub(crate) head: String,
    /// Microseconds after the request.
    pub(crate) head_at: u64,
    pub(crate) body: String,
    pub(crate) events: Vec<Piece>,
    pub(crate) chunked: bool,
}

/// A part of the body that is due at one time.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Piece {
    /// Microseconds after the request.
    pub(crate) at: u64,
    /// Where it ends in the body.
    pub(crate) end: usize,
}

impl Answer {
    /// Asks once, and looks up in the plan when each event was due.
    pub(crate) fn capture(server: SocketAddr, fixtures: &Path, body: &str) -> Result<Self, Box<dyn Error>> {
        let request = request(server, body);
        let response = exchange(server, request.as_bytes())?;
        let (head, rest) = response.split_once("\r\n\r\n").ok_or("the answer has no head")?;
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(format!("llmirage answers {}", head.lines().next().unwrap_or_default()).into());
        }
        let chunked = head.to_ascii_lowercase().contains("\r\ntransfer-encoding: chunked");
        let service = MockServer::builder().fixtures_from(fixtures)?.service()?;
        let parts =
            http::Request::post(PATH).header("content-type", "application/json").body(())?.into_parts().0;
        let (plan, _) = service.foresee(parts, &Bytes::from(body.to_owned()));
        let body = if chunked { joined(rest)? } else { rest.to_owned() };
        if body.len() != plan.body.len() {
            return Err(format!("{} bytes came, {} are planned", body.len(), plan.body.len()).into());
        }
        let events = plan.events.iter().map(|event| Piece { at: micros(event.at), end: event.end }).collect();
        Ok(Self {
            request,
            head: format!("{head}\r\n\r\n"),
            head_at: micros(plan.head.at),
            body,
            events,
            chunked,
        })
    }

    /// Asks once, and says how what came differs from this. Ids differ from hit to hit, lengths do not.
    pub(crate) fn check(&self, server: SocketAddr, exact: bool) -> Result<(), Box<dyn Error>> {
        let response = exchange(server, self.request.as_bytes())?;
        let (_, rest) = response.split_once("\r\n\r\n").ok_or("the answer has no head")?;
        let body = if self.chunked { joined(rest)? } else { rest.to_owned() };
        match if exact { body == self.body } else { body.len() == self.body.len() } {
            true => Ok(()),
            false => Err("the server answers with other bytes than llmirage did".into()),
        }
    }

    /// When the last event is due.
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_micros(self.events.last().map_or(self.head_at, |event| event.at))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        Ok(std::fs::write(path, serde_json::to_vec(self)?)?)
    }

    pub(crate) fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }
}

const PATH: &str = "/v1/chat/completions";

/// The bytes of a request, the same for every server: they name no port.
fn request(server: SocketAddr, body: &str) -> String {
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer sk-load", server.ip());
    format!("{head}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// One exchange on a connection of its own.
fn exchange(server: SocketAddr, request: &[u8]) -> Result<String, Box<dyn Error>> {
    let mut socket = TcpStream::connect(server)?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    socket.write_all(request)?;
    let mut response = Vec::new();
    let mut buffer = [0; 4096];
    while !is_whole(&response) {
        match socket.read(&mut buffer)? {
            0 => break,
            len => response.extend_from_slice(&buffer[..len]),
        }
    }
    Ok(String::from_utf8(response)?)
}

fn is_whole(response: &[u8]) -> bool {
    let text = String::from_utf8_lossy(response);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().filter_map(|line| line.split_once(": "));
    match length
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value)
        .next()
    {
        Some(length) => length.parse() == Ok(body.len()),
        None => body.ends_with("\r\n0\r\n\r\n"),
    }
}

/// A chunked body without its chunks.
fn joined(mut chunks: &str) -> Result<String, Box<dyn Error>> {
    let mut body = String::new();
    loop {
        let (size, rest) = chunks.split_once("\r\n").ok_or("a chunk without a size")?;
        let size = usize::from_str_radix(size, 16)?;
        if size == 0 {
            return Ok(body);
        }
        body.push_str(rest.get(..size).ok_or("a chunk shorter than its size")?);
        chunks = rest.get(size + 2..).ok_or("a chunk without its end")?;
    }
}

fn micros(at: Duration) -> u64 {
    u64::try_from(at.as_micros()).unwrap_or(u64::MAX)
}
