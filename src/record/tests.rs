//! Relays over streams in memory and on paused time: bytes and offsets are exact.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};

use super::keeper::{Fate, Relayed};
use super::upstream::{Dial, Link};
use super::{Builder, Recorder};
use crate::plan::transcript::Transcript;
use crate::serve::{Service, clock};

mod endings;
mod http2;
mod modes;
mod requests;
mod round_trip;
mod times;

/// A service in memory: what it does with each connection.
struct Memory<F> {
    serve: F,
    is_http2: bool,
}

impl<F, R> Dial for Memory<F>
where
    F: Fn(Wire) -> R + Send + Sync,
    R: Future<Output = ()> + Send + 'static,
{
    fn dial(&self) -> Pin<Box<dyn Future<Output = Result<Link, String>> + Send + '_>> {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let broken = Arc::default();
        tokio::spawn((self.serve)(Wire { io: theirs, broken: Arc::clone(&broken) }));
        let io = Breakable { io: ours, broken };
        Box::pin(std::future::ready(Ok(Link { io: Box::new(io), is_http2: self.is_http2 })))
    }
}

impl<F> fmt::Debug for Memory<F> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Memory")
    }
}

/// The service's end of a connection.
struct Wire {
    io: DuplexStream,
    broken: Arc<Mutex<Option<io::ErrorKind>>>,
}

impl Wire {
    /// Reads the head of a request and `body` bytes behind it.
    async fn request(&mut self, body: usize) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.push(self.io.read_u8().await.unwrap());
        }
        let mut rest = vec![0; body];
        self.io.read_exact(&mut rest).await.unwrap();
        bytes.extend_from_slice(&rest);
        String::from_utf8(bytes).unwrap()
    }

    /// Writes these bytes, so many milliseconds after `start`.
    async fn say(&mut self, start: tokio::time::Instant, at: u64, bytes: &str) {
        clock::until(start + Duration::from_millis(at)).await;
        self.io.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Breaks the connection, in the way that a read at the other end tells.
    fn break_off(self, kind: io::ErrorKind) {
        *self.broken.lock().unwrap() = Some(kind);
    }
}

/// A stream whose end can be an error.
struct Breakable {
    io: DuplexStream,
    broken: Arc<Mutex<Option<io::ErrorKind>>>,
}

impl AsyncRead for Breakable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        match *self.broken.lock().unwrap() {
            Some(kind) if buf.filled().len() == before => Poll::Ready(Err(kind.into())),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Breakable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A recorder in memory.
struct Taped {
    service: Service,
    keeper: Arc<super::keeper::Keeper>,
    told: Arc<Mutex<Vec<Relayed>>>,
}

/// What is left of it.
struct Tape {
    transcripts: Vec<Transcript>,
    told: Vec<Relayed>,
}

impl Taped {
    /// In front of a service that does this with each connection.
    fn before<R>(serve: impl Fn(Wire) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = ()> + Send + 'static,
    {
        Self::with(Recorder::builder(), Memory { serve, is_http2: false })
    }

    fn with(builder: Builder, dial: impl Dial + 'static) -> Self {
        let told = Arc::<Mutex<Vec<Relayed>>>::default();
        let telling = Arc::clone(&told);
        let builder = builder
            .upstream("https://api.example.test")
            .on_relayed(move |relayed| telling.lock().unwrap().push(relayed.clone()));
        let (service, keeper) = builder.service(Box::new(dial)).unwrap();
        Self { service, keeper, told }
    }

    /// A client's connection to it.
    fn connect(&self) -> DuplexStream {
        let (client, server) = tokio::io::duplex(1 << 20);
        let service = self.service.clone();
        tokio::spawn(async move { service.serve_connection(server).await });
        client
    }

    /// What comes on a connection until it ends.
    async fn ask(&self, request: &str) -> String {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let asking = async move {
            client.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // A reset is not told apart here.
            let _ = client.read_to_end(&mut answer).await;
            String::from_utf8_lossy(&answer).into_owned()
        };
        let (answer, ()) = tokio::join!(asking, self.service.serve_connection(server));
        answer
    }

    /// What was recorded and told, in the order in which exchanges ended.
    async fn tape(self) -> Tape {
        self.keeper.stop().await;
        let told = self.told.lock().unwrap().clone();
        Tape { transcripts: self.keeper.transcripts(), told }
    }
}

/// A request as a client sends it that closes the connection after it.
const ASK: &str = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                   Connection: close\r\nContent-Length: 2\r\n\r\n{}";

/// The same as the service gets it.
const ASKED: &str = "POST /v1/chat/completions HTTP/1.1\r\nHost: api.example.test\r\n\
                     Content-Type: application/json\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";

/// The head of a stream.
const STREAM: &str = "HTTP/1.1 200 OK\r\nDate: today\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
                      Transfer-Encoding: chunked\r\nConnection: close\r\nX-Ratelimit: 1\r\n\r\n";

/// A chunk of HTTP.
fn chunk(data: &str) -> String {
    format!("{:X}\r\n{data}\r\n", data.len())
}

/// The events of a transcript: when each came, in milliseconds, and its bytes.
fn events(transcript: &Transcript) -> Vec<(f64, String)> {
    let events = transcript.response.events.iter().flatten();
    let event = |event: &crate::plan::transcript::RecordedEvent| {
        let raw = crate::plan::transcript::raw_bytes(&event.raw);
        (millis(event.at), String::from_utf8(raw.to_vec()).unwrap())
    };
    events.map(event).collect()
}

fn millis(at: Option<crate::plan::json::Span>) -> f64 {
    at.unwrap().0.as_secs_f64() * 1000.0
}

fn why(relayed: &Relayed) -> &str {
    match &relayed.fate {
        Fate::NotKept { why } => why,
        Fate::Recorded { .. } => panic!("it was recorded: {relayed:?}"),
    }
}
