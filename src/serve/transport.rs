//! The transport of a connection: passes bytes, and knows what hyper does not tell.
//!
//! It knows whether hyper has bytes it could not write yet (then the socket cannot be taken over), and
//! it ends connections that stand still: a reader that takes nothing for 30 s (not even from the
//! kernel's send queue), a request head that is not whole 10 s after its first byte, a connection on which
//! nothing is said for 90 s. hyper has one limit for the latter two, so it is not used: clients with a pool
//! would lose their connections, or a head could trickle. And it reads the first bytes of each request itself, since
//! there is no hyper until they come, and none for a request that is known.

use std::io;
use std::mem::{self, MaybeUninit};
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
    /// By when the next request is to have begun, or its head to be whole; not known before it is waited for.
    next: Option<Instant>,
    alarm: Alarm,
    /// Whether more was read than the first bytes of the request.
    more: bool,
}

/// The first bytes of a request.
#[derive(Debug)]
pub(crate) enum First<T> {
    /// They are all there is to read, and what was made of them.
    Taken(T),
    /// They are here, and still to be read.
    Here,
    /// There are none: the client has said its last.
    End,
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
            next: None,
            alarm: Alarm::default(),
            more: false,
        }
    }

    /// Takes back what was read too early: it comes before what was not read yet.
    pub(crate) fn unread(&mut self, early: Bytes) {
        self.early = match self.early.is_empty() {
            true => early,
            false => [early, mem::take(&mut self.early)].concat().into(),
        };
    }

    /// Whether what was read since the first bytes of a request is those alone.
    pub(crate) fn is_read_up(&self) -> bool {
        !self.more && self.early.is_empty()
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
        let before = mem::replace(&mut self.unsent, self.socket.queue.unsent());
        let moved =
            matches!((before, self.unsent), (Unsent::Bytes(before), Unsent::Bytes(now)) if now < before);
        self.looks = if moved { 0 } else { self.looks + 1 };
        self.looks < LOOKS
    }
}

impl<I: AsyncRead + Unpin> Transport<I> {
    /// The next request is waited for from now on.
    pub(crate) fn expect(&mut self) {
        self.next = None;
    }

    /// Ready once the first bytes of a request are here. `take` is shown all that have come at once, but not what came
    /// with the request before.
    pub(crate) fn poll_first<T>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Poll<io::Result<First<T>>> {
        if self.early.is_empty() {
            let mut space = [MaybeUninit::uninit(); MAX_EARLY];
            let mut buf = ReadBuf::uninit(&mut space);
            if Pin::new(&mut self.io).poll_read(cx, &mut buf)?.is_pending() {
                let deadline = *self.next.get_or_insert_with(|| clock::now() + IDLE_LIMIT);
                return self.alarm.poll(cx, deadline).map(|()| Err(io::ErrorKind::TimedOut.into()));
            }
            if buf.filled().is_empty() {
                return Poll::Ready(Ok(First::End));
            }
            // The connection's task looks for what the request meets.
            if self.line.meet() {
                return Poll::Pending;
            }
            if let Some(taken) = take(buf.filled()) {
                return Poll::Ready(Ok(First::Taken(taken)));
            }
            (self.early, self.more) = (Bytes::copy_from_slice(buf.filled()), false);
        } else if self.line.meet() {
            return Poll::Pending;
        }
        self.next = Some(clock::now() + HEAD_LIMIT);
        Poll::Ready(Ok(First::Here))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Transport<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.early.is_empty() {
            let count = this.early.len().min(buf.remaining());
            buf.put_slice(&this.early[..count]);
            this.early.advance(count);
            return Poll::Ready(Ok(()));
        }
        let poll = Pin::new(&mut this.io).poll_read(cx, buf);
        this.more |= poll.is_ready();
        match (poll, this.next) {
            (Poll::Pending, Some(deadline)) if !this.line.is_busy() => {
                this.alarm.poll(cx, deadline).map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
            (poll, _) => poll,
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

/// How much of a request is taken before hyper reads it. While one is answered, it is not noticed that a client
/// leaves once there is as much of the next.
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
