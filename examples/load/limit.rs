//! The limits: servers that know nothing but one response and when its parts are due.

use std::convert::Infallible;
use std::error::Error;
use std::fs;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::answer::Answer;
use crate::args::Args;

/// Which limit.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Limit {
    /// A task per connection that reads as many bytes as the request has, and writes the response to the socket.
    Raw,
    /// hyper, with a body that hands out what is due.
    Hyper,
}

/// Serves on a free port until the process is ended.
pub(crate) fn run(limit: Limit, args: &Args) -> Result<(), Box<dyn Error>> {
    let (Some(answer), Some(ready)) = (&args.answer, &args.ready) else {
        return Err("a limit needs an answer and a file to say that it is ready".into());
    };
    let playable = Arc::new(Playable::new(&Answer::read(answer)?, limit)?);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let aside = ready.with_extension("aside");
        fs::write(&aside, listener.local_addr()?.to_string())?;
        fs::rename(aside, ready)?;
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let playable = Arc::clone(&playable);
            match limit {
                Limit::Raw => drop(tokio::spawn(raw(socket, playable))),
                Limit::Hyper => drop(tokio::spawn(bare(socket, playable))),
            }
        }
    })
}

/// A response in the pieces that are due together.
struct Playable {
    request_len: usize,
    bytes: Bytes,
    /// When each piece is due, and where it ends.
    pieces: Vec<(Duration, usize)>,
    headers: HeaderMap,
    chunked: bool,
}

impl Playable {
    /// For `raw` head, chunks and the last chunk are part of the bytes; hyper writes them itself.
    fn new(answer: &Answer, limit: Limit) -> Result<Self, Box<dyn Error>> {
        let framed = matches!(limit, Limit::Raw);
        let (mut bytes, mut pieces, mut sent) = (Vec::new(), Vec::new(), 0);
        if framed {
            bytes.extend_from_slice(answer.head.as_bytes());
            pieces.push((Duration::from_micros(answer.head_at), bytes.len()));
        }
        for together in answer.events.chunk_by(|one, next| one.at == next.at) {
            let last = together[together.len() - 1];
            let part = &answer.body[sent..last.end];
            sent = last.end;
            match framed && answer.chunked {
                true => bytes.extend_from_slice(format!("{:X}\r\n{part}\r\n", part.len()).as_bytes()),
                false => bytes.extend_from_slice(part.as_bytes()),
            }
            pieces.push((Duration::from_micros(last.at), bytes.len()));
        }
        if framed && answer.chunked {
            bytes.extend_from_slice(b"0\r\n\r\n");
        }
        if let Some(last) = pieces.last_mut() {
            last.1 = bytes.len();
        }
        let headers = headers(&answer.head)?;
        let (request_len, chunked) = (answer.request.len(), answer.chunked);
        Ok(Self { request_len, bytes: bytes.into(), pieces, headers, chunked })
    }

    /// How many pieces are due, of those after `from`.
    fn due(&self, from: usize, elapsed: Duration) -> usize {
        self.pieces[from..].iter().take_while(|(at, _)| *at <= elapsed).count()
    }

    /// Where a piece ends; they are counted from 1.
    fn end(&self, piece: usize) -> usize {
        piece.checked_sub(1).map_or(0, |index| self.pieces[index].1)
    }
}

/// The headers as they were sent, less those that hyper writes.
fn headers(head: &str) -> Result<HeaderMap, Box<dyn Error>> {
    let mut headers = HeaderMap::new();
    for line in head.trim_end().lines().skip(1) {
        let (name, value) = line.split_once(": ").ok_or("a header without a value")?;
        if !["content-length", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str()) {
            headers.append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
        }
    }
    Ok(headers)
}

/// Answers until the client leaves.
async fn raw(mut socket: TcpStream, playable: Arc<Playable>) {
    let mut request = vec![0; playable.request_len];
    while socket.read_exact(&mut request).await.is_ok() {
        let start = Instant::now();
        let mut sent = 0;
        while let Some((at, _)) = playable.pieces.get(sent) {
            // A timer that is started for a moment already past fires a tick later.
            if *at > start.elapsed() {
                sleep_until(start + *at).await;
            }
            let next = sent + playable.due(sent, start.elapsed());
            if socket.write_all(&playable.bytes[playable.end(sent)..playable.end(next)]).await.is_err() {
                return;
            }
            sent = next;
        }
    }
}

/// Answers until the client leaves.
async fn bare(socket: TcpStream, playable: Arc<Playable>) {
    let service = service_fn(|request: Request<Incoming>| {
        let playable = Arc::clone(&playable);
        async move {
            let mut incoming = request.into_body();
            while let Some(Ok(_)) = incoming.frame().await {}
            let headers = playable.headers.clone();
            let mut response = Response::new(Due { playable, start: Instant::now(), sent: 0, sleep: None });
            *response.headers_mut() = headers;
            Ok::<_, Infallible>(response)
        }
    });
    // Its errors are the client's, who left.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}

/// A body that hands out everything that is due in one frame.
struct Due {
    playable: Arc<Playable>,
    start: Instant,
    sent: usize,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Body for Due {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some((at, _)) = self.playable.pieces.get(self.sent).copied() else { return Poll::Ready(None) };
        let (start, deadline) = (self.start, self.start + at);
        if at > start.elapsed() {
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if sleep.deadline() != deadline {
                sleep.as_mut().reset(deadline);
            }
            ready!(sleep.as_mut().poll(cx));
        }
        let next = self.sent + self.playable.due(self.sent, start.elapsed());
        let frame = self.playable.bytes.slice(self.playable.end(self.sent)..self.playable.end(next));
        self.sent = next;
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent == self.playable.pieces.len()
    }

    fn size_hint(&self) -> SizeHint {
        match self.playable.chunked {
            true => SizeHint::default(),
            false => SizeHint::with_exact((self.playable.bytes.len() - self.playable.end(self.sent)) as u64),
        }
    }
}
