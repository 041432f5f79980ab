//! HTTP by hand: timelines built in code, requests as text, answers as bytes.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use llmirage::plan::timeline::{Ending, Event, EventKind, Head, Header, Headers, Timeline};
use llmirage::serve::Service;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// A stream of these events (milliseconds, data), with a head in mixed case as OpenAI's.
pub(crate) fn stream(events: &[(u64, &str)], ending: Ending) -> Timeline {
    let mut end = 0;
    let event = |(at, data): &(u64, &str)| {
        end += data.len();
        Event { at: Duration::from_millis(*at), end, kind: EventKind::Content }
    };
    let parts: Vec<_> = events.iter().map(event).collect();
    let mut timeline = Timeline::whole(
        Head {
            at: Duration::ZERO,
            status: StatusCode::OK,
            reason: None,
            headers: headers(&[
                ("Date", "Thu, 01 Jan 2026 00:00:00 GMT"),
                ("Content-Type", "text/event-stream; charset=utf-8"),
                ("Transfer-Encoding", "chunked"),
                ("Connection", "keep-alive"),
                ("access-control-expose-headers", "X-Request-ID"),
                ("Server", "cloudflare"),
                ("x-request-id", "req_1"),
                ("set-cookie", "__cf_bm=1"),
                ("set-cookie", "_cfuvid=2"),
                ("CF-Ray", "9e4f9c1c4d1ed88b-LHR"),
            ]),
        },
        Bytes::from(events.iter().map(|(_, data)| *data).collect::<String>()),
        parts,
    );
    timeline.ending = ending;
    timeline
}

/// A body of one piece, announced by its length.
pub(crate) fn json(status: u16, body: &str) -> Timeline {
    let mut timeline = stream(&[(0, body)], Ending::Complete);
    timeline.head.status = StatusCode::from_u16(status).unwrap();
    timeline.head.headers =
        headers(&[("Content-Type", "application/json"), ("Content-Length", &body.len().to_string())]);
    timeline
}

pub(crate) fn headers(lines: &[(&'static str, &str)]) -> Headers {
    lines.iter().map(|(name, value)| Header::new(*name, value)).collect()
}

/// A chat completion request with these further header lines.
pub(crate) fn chat(path: &str, extra: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{extra}Content-Length: {length}\r\n\r\n{body}")
}

/// A request to `/v1/chat/completions` that any fixture without conditions answers.
pub(crate) fn ask() -> String {
    chat("/v1/chat/completions", "", ASK)
}

/// A valid body.
pub(crate) const ASK: &str =
    r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Serves one connection in memory; `buffer` bytes fit between server and client.
pub(crate) fn connect(service: &Service, buffer: usize) -> DuplexStream {
    let (client, server) = tokio::io::duplex(buffer);
    let service = service.clone();
    tokio::spawn(async move { service.serve_connection(server).await });
    client
}

/// Lets the server do what it can do now, on a paused clock that must not move.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// One answer: its head, and its body without chunks.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = self
            .head
            .lines()
            .find(|line| line.split_once(": ").is_some_and(|(other, _)| other.eq_ignore_ascii_case(name)))?;
        line.split_once(": ").map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Sends a request and reads its answer; the connection stays open.
pub(crate) async fn exchange(io: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> Answer {
    io.write_all(request.as_bytes()).await.unwrap();
    answer(io, request.starts_with("HEAD ")).await
}

/// Sends a request on a connection of its own.
pub(crate) async fn once(service: &Service, request: &str) -> Answer {
    exchange(&mut connect(service, 64 * 1024), request).await
}

/// Sends a request over TCP on a connection of its own.
pub(crate) async fn over_tcp(address: std::net::SocketAddr, request: &str) -> Answer {
    exchange(&mut TcpStream::connect(address).await.unwrap(), request).await
}

/// Reads one answer.
pub(crate) async fn answer(io: &mut (impl AsyncRead + Unpin), bodiless: bool) -> Answer {
    let head = until(io, "\r\n\r\n").await;
    let mut answer = Answer { head, body: String::new() };
    if bodiless || answer.status() == 204 {
        return answer;
    }
    if let Some(length) = answer.header("content-length") {
        let mut body = vec![0; length.parse().unwrap()];
        io.read_exact(&mut body).await.unwrap();
        answer.body = String::from_utf8(body).unwrap();
        return answer;
    }
    loop {
        let size = until(io, "\r\n").await;
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        let mut data = vec![0; size + 2];
        io.read_exact(&mut data).await.unwrap();
        if size == 0 {
            return answer;
        }
        answer.body.push_str(std::str::from_utf8(&data[..size]).unwrap());
    }
}

/// Reads byte by byte up to and with `end`.
pub(crate) async fn until(io: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        let byte = io.read_u8().await;
        bytes
            .push(byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&bytes))));
    }
    String::from_utf8(bytes).unwrap()
}

/// Everything until the connection ends, as a client that reads at once sees it: for each read, when
/// (in milliseconds from now) and what.
pub(crate) async fn reads(io: &mut (impl AsyncRead + Unpin)) -> Vec<(u128, String)> {
    let start = Instant::now();
    let mut reads = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let len = io.read(&mut buffer).await.unwrap();
        if len == 0 {
            return reads;
        }
        reads.push((start.elapsed().as_millis(), String::from_utf8_lossy(&buffer[..len]).into_owned()));
    }
}

/// The moment that an HTTP date names.
pub(crate) fn http_date(text: &str) -> Timestamp {
    let zoned = format!("{text} +0000");
    Timestamp::strptime("%a, %d %b %Y %H:%M:%S GMT %z", zoned)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}
