//! The transport of a connection: passes bytes, and knows what hyper does not tell.
//!
//! It knows whether hyper has bytes it could not write yet (then the socket cannot be taken over), and
//! it ends connections that stand still: a reader that takes nothing for 30 s (not even from the
//! kernel's send queue), a request head that is not whole 10 s after its first byte, a connection on which
//! nothing is said for 90 s. hyper has one limit for the latter two, so it is not used: clients with a pool
//! would lose their connections, or a head could trickle.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::clock::{self, Alarm, Patience};
use super::drain::{Drained, Socket, Unsent};
use super::forward::Client;
use super::lines::{Line, Lines};

/// A byte stream with limits.
#[derive(Debug)]
pub(crate) struct Transport<I> {
    io: I,
    /// What was read already and is still to be handled.
    early: Bytes,
    line: Arc<Line>,
    socket: Socket<I>,
    /// Runs while a write is blocked.
    write: Patience,
    /// How much the kernel had to send when that was last looked at, since the write is blocked.
    unsent: Unsent,
    /// How many looks there were.
    looks: u32,
    /// By when the next request is to have begun, or its head to be whole.
    next: Next,
    alarm: Alarm,
    /// How many heads were whole when bytes were last read.
    heads: usize,
}

/// What the next request is waited for.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// For nothing yet.
    Unknown,
    /// To begin by then.
    Begun(Instant),
    /// To have a whole head by then.
    Whole(Instant),
}

impl<I> Transport<I> {
    pub(crate) fn new(io: I, line: Arc<Line>, socket: Socket<I>) -> Self {
        let write = Patience::new(WRITE_LIMIT / LOOKS);
        Self {
            io,
            early: Bytes::new(),
            line,
            socket,
            write,
            unsent: Unsent::Unknown,
            looks: 0,
            next: Next::Unknown,
            alarm: Alarm::default(),
            heads: 0,
        }
    }

    /// Takes back what was read too early.
    pub(crate) fn unread(&mut self, early: Bytes) {
        self.early = early;
    }

    /// Ends the connection with a RST, once the peer has acknowledged every byte; it is waited for at most
    /// `most`.
    pub(crate) async fn reset_drained(self, most: Duration, lines: &Lines) -> Drained {
        let drained = self.socket.queue.drained(most, lines).await;
        self.reset();
        drained
    }

    /// Ends the connection with a RST, at once.
    pub(crate) fn reset(self) {
        self.socket.reset(self.io);
    }

    /// Bounds a write-side poll: progress resets the patience, standing still uses it up.
    fn bound<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.write.reset();
            (self.unsent, self.looks) = (Unsent::Unknown, 0);
            return poll;
        }
        loop {
            self.write.start();
            ready!(self.write.poll(cx));
            self.write.reset();
            if !self.look() {
                self.line.give_up();
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
    }

    /// Looks at the kernel's queue; whether to be patient for another while.
    ///
    /// A write is blocked until there is much room. A slow reader may need longer for that, but the
    /// queue tells that it reads.
    fn look(&mut self) -> bool {
        let before = std::mem::replace(&mut self.unsent, self.socket.queue.unsent());
        let moved =
            matches!((before, self.unsent), (Unsent::Bytes(before), Unsent::Bytes(now)) if now < before);
        self.looks = if moved { 0 } else { self.looks + 1 };
        self.looks < LOOKS
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
            this.next = Next::Unknown;
        }
        let before = buf.filled().len();
        let poll = match this.early.is_empty() {
            true => Pin::new(&mut this.io).poll_read(cx, buf),
            false => {
                let count = this.early.len().min(buf.remaining());
                buf.put_slice(&this.early[..count]);
                this.early.advance(count);
                Poll::Ready(Ok(()))
            }
        };
        if this.line.is_busy() {
            return poll;
        }
        if poll.is_ready() {
            // What comes first on a connection that was answered is a request; the connection's task
            // looks for what it meets once hyper has nothing more to do.
            if buf.filled().len() > before && this.line.meet() {
                buf.set_filled(before);
                return Poll::Pending;
            }
            if !matches!(this.next, Next::Whole(_)) {
                this.next = Next::Whole(clock::now() + HEAD_LIMIT);
            }
            return poll;
        }
        if let Next::Unknown = this.next {
            this.next = Next::Begun(clock::now() + IDLE_LIMIT);
        }
        let (Next::Whole(deadline) | Next::Begun(deadline)) = this.next else { return Poll::Pending };
        this.alarm.poll(cx, deadline).map(|()| Err(io::ErrorKind::TimedOut.into()))
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

impl<I: AsyncRead + AsyncWrite + Unpin + Send> Client for Transport<I> {
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [0; 1024];
        while self.early.len() < MAX_EARLY {
            let mut buf = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {
                    let mut early = BytesMut::from(&*self.early);
                    early.extend_from_slice(buf.filled());
                    self.early = early.freeze();
                }
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }
}

/// How much of a next request is taken while one is answered; then it is not noticed that a client leaves.
const MAX_EARLY: usize = 16 * 1024;

/// How long nothing may be said: at first, and between an answer and the next request.
pub(super) const IDLE_LIMIT: Duration = Duration::from_secs(90);

/// How long a request head may take, from its first byte.
const HEAD_LIMIT: Duration = Duration::from_secs(10);

/// How long a write may make no progress.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// How often the kernel's queue is looked at before that.
const LOOKS: u32 = 3;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::serve::drain::Queue;

    /// Writes to a reader that takes nothing, while the kernel's queue gets shorter every 9 s for so many
    /// times; tells after how many seconds it is given up.
    async fn give_up_after(moves: u64) -> u64 {
        let queue: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(1000)));
        let (io, _reader) = tokio::io::duplex(1);
        let line = Arc::new(Line::default());
        let mut transport =
            Transport::new(io, Arc::clone(&line), Socket { queue: Queue::Told(queue), ..Socket::none() });
        let start = clock::now();
        let drain = async {
            for index in 1..=moves {
                clock::until(start + Duration::from_secs(9 * index)).await;
                queue.fetch_sub(1, Ordering::Relaxed);
            }
        };
        let (error, ()) = tokio::join!(transport.write_all(b"two bytes"), drain);
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(line.is_stalled());
        (clock::now() - start).as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_is_slow_but_steady_is_not_given_up() {
        assert_eq!(give_up_after(0).await, 30);
        // The first look only learns how much there is; the last move is seen at 100 s.
        assert_eq!(give_up_after(11).await, 130);
    }

    #[tokio::test(start_paused = true)]
    async fn progress_starts_the_patience_anew() {
        let (io, mut reader) = tokio::io::duplex(1);
        let mut transport = Transport::new(io, Arc::default(), Socket::none());
        let start = clock::now();
        let read = async {
            for index in 1..=3 {
                clock::until(start + Duration::from_secs(29 * index)).await;
                poll_fn(|cx| {
                    let mut space = [0; 1];
                    Pin::new(&mut reader).poll_read(cx, &mut ReadBuf::new(&mut space))
                })
                .await
                .unwrap();
            }
        };
        let (written, ()) = tokio::join!(transport.write_all(b"four"), read);
        written.unwrap();
    }
}
