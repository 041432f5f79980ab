//! A tap on the bytes of one connection to the real service: the head as it was sent, and when the request was out.
//!
//! hyper gives headers as a map, in lower case and with repeated names together. What is relayed and recorded is
//! what was sent, so the bytes of a head of HTTP/1.1 are kept here on their way to hyper, and parsed once more.
//! Heads of HTTP/2 are in lower case anyway.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::head::Head;
use crate::serve::clock;

/// A byte stream that is listened to.
#[derive(Debug)]
pub(super) struct Tap<I> {
    io: I,
    notes: Arc<Notes>,
}

/// What was heard.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    /// hyper has taken the whole body of the request.
    is_taken: bool,
    /// Something was written since the last flush.
    is_written: bool,
    /// When the request was out.
    sent: Option<Instant>,
    /// The bytes of a head that is not whole.
    bytes: Vec<u8>,
    head: Option<(Head, Instant)>,
}

impl<I> Tap<I> {
    pub(super) fn new(io: I, notes: Arc<Notes>) -> Self {
        Self { io, notes }
    }
}

impl Notes {
    /// The request is about to be sent; it has a body, or not.
    pub(super) fn begin(&self, has_body: bool) {
        let mut heard = self.lock();
        (heard.is_taken, heard.is_written) = (!has_body, false);
    }

    /// When the last byte of the request was out; at the latest now, when its answer is there.
    pub(super) fn sent(&self) -> Instant {
        *self.lock().sent.get_or_insert_with(clock::now)
    }

    /// The head of HTTP/1.1 that came, and when.
    pub(super) fn head(&self) -> Option<(Head, Instant)> {
        self.lock().head.take()
    }

    fn take(&self) {
        self.lock().is_taken = true;
    }

    fn write(&self) {
        self.lock().is_written = true;
    }

    fn flush(&self) {
        let mut heard = self.lock();
        if heard.is_taken && heard.is_written {
            heard.sent.get_or_insert_with(clock::now);
        }
    }

    fn read(&self, bytes: &[u8]) {
        let mut heard = self.lock();
        if heard.head.is_some() || heard.bytes.len() > MAX_HEAD {
            return;
        }
        let new = heard.bytes.len().saturating_sub(END.len() - 1);
        heard.bytes.extend_from_slice(bytes);
        // A head that comes byte by byte is not to be parsed as often. Lines may end with LF alone.
        let ends = |end: &[u8]| heard.bytes[new..].windows(end.len()).any(|window| window == end);
        if !ends(END) && !ends(b"\n\n") {
            return;
        }
        if let Some(head) = Head::parse(&mut heard.bytes) {
            heard.head = Some((head, clock::now()));
            heard.bytes = Vec::new();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Tap<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.notes.read(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Tap<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.io).poll_write(cx, buf))?;
        self.notes.write();
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.notes.flush();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// The body of a request, which notes when all of it was taken.
#[derive(Debug)]
pub(super) struct Pieces {
    rest: Bytes,
    /// How long a piece is. HTTP/2 takes one as soon as there is any room for it, so that only small ones tell how
    /// far the body is out.
    piece: usize,
    notes: Arc<Notes>,
}

impl Pieces {
    pub(super) fn new(body: Bytes, piece: usize, notes: Arc<Notes>) -> Self {
        Self { rest: body, piece, notes }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let count = self.piece.min(self.rest.len());
        let piece = self.rest.split_to(count);
        if self.rest.is_empty() {
            self.notes.take();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// What every head ends with, but for one whose lines end with LF alone.
const END: &[u8] = b"\n\r\n";

/// How much of a head is kept; hyper takes no longer ones.
const MAX_HEAD: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Parsed from its start with each byte, a head of this length takes minutes.
    #[test]
    fn a_head_that_comes_byte_by_byte_is_whole_with_its_last() {
        for end in ["\r\n\r\n", "\n\n"] {
            let notes = Notes::default();
            let value = "x".repeat(MAX_HEAD / 2);
            for byte in format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\na: {value}{end}").bytes() {
                assert_eq!(notes.head(), None);
                notes.read(&[byte]);
            }
            let head = notes.head().map(|(head, _)| head.headers);
            assert_eq!(head, Some(vec![("a".to_owned(), value.into())]));
        }
    }
}
