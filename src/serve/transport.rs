//! The transport of a connection: passes bytes, and knows what hyper does not tell.
//!
//! It knows whether hyper has bytes it could not write yet (then the socket cannot be taken over), and
//! it ends connections that stand still: a reader that takes nothing for 30 s, a request head that is
//! not whole within 10 s. hyper's own head timeout also runs while a kept connection is idle; here
//! it is that idle limit, so that clients with a pool do not lose their connection after 10 s.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::clock::Patience;
use super::lines::Line;

/// A byte stream with limits.
#[derive(Debug)]
pub(crate) struct Transport<I> {
    io: I,
    line: Arc<Line>,
    /// Runs while a write is blocked.
    write: Patience,
    /// Runs from the first byte of a request to the end of its head; for the first request from the
    /// moment the connection is open.
    head: Patience,
    /// How many heads were whole when bytes were last read.
    heads: usize,
}

impl<I> Transport<I> {
    pub(crate) fn new(io: I, line: Arc<Line>) -> Self {
        let mut head = Patience::new(HEAD_LIMIT);
        head.start();
        Self { io, line, write: Patience::new(WRITE_LIMIT), head, heads: 0 }
    }

    /// Bounds a write-side poll: progress resets the patience, standing still uses it up.
    fn bound<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.write.reset();
            return poll;
        }
        self.write.start();
        match self.write.poll(cx) {
            Poll::Ready(()) => {
                self.line.give_up();
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Transport<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.heads != this.line.heads() {
            this.heads = this.line.heads();
            this.head.reset();
        }
        let poll = Pin::new(&mut this.io).poll_read(cx, buf);
        if this.line.is_busy() {
            return poll;
        }
        if poll.is_ready() {
            this.head.start();
            return poll;
        }
        match this.head.poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Transport<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.line.set_unflushed(true);
        let poll = Pin::new(&mut self.io).poll_write(cx, buf);
        self.bound(cx, poll)
    }

    /// hyper flushes its transport when it has written all it had.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.io).poll_flush(cx);
        if let Poll::Ready(Ok(())) = poll {
            self.line.set_unflushed(false);
        }
        self.bound(cx, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.io).poll_shutdown(cx);
        self.bound(cx, poll)
    }
}

/// How long a request head may take.
const HEAD_LIMIT: Duration = Duration::from_secs(10);

/// How long a write may make no progress.
const WRITE_LIMIT: Duration = Duration::from_secs(30);
