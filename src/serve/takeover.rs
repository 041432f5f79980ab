//! Takeover: plays a timeline that breaks, on the bare socket.
//!
//! hyper writes only whole responses, and a body that fails loses what hyper still buffers. So the
//! connection's task takes the socket back and writes head, chunks and the breakage itself, at the
//! same deadlines as the [player](super::player). What is written is decided in
//! [`plan::http1`](crate::plan::http1).

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;

use super::clock::{self, Alarm};
use super::journal::Settlement;
use super::lines::{Busy, Lines};
use crate::plan::http1::Wire;

/// A response that is to be written without hyper.
#[derive(Debug)]
pub(crate) struct Takeover {
    /// What is written, and when.
    pub(crate) wire: Wire,
    /// Offsets count from here: the moment the request was read.
    pub(crate) start: Instant,
    /// Told how it ended.
    pub(crate) settlement: Option<Settlement>,
    /// The longest that anything is held.
    pub(crate) max_hold: Duration,
    /// The request is being answered until this is gone.
    pub(crate) _busy: Busy,
}

impl Takeover {
    /// Plays the response and ends the connection with a FIN, which follows the last byte.
    pub(crate) async fn play<I>(mut self, mut io: I, lines: &Lines)
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        // An error means that the client left or stalled; the settlement, dropped, says so.
        if self.write(&mut io).await.is_err() {
            return;
        }
        if let Some(settlement) = self.settlement.take() {
            settlement.complete();
        }
        close(io, LINGER.min(self.max_hold), lines).await;
    }

    async fn write<I>(&mut self, io: &mut I) -> io::Result<()>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let mut alarm = Alarm::default();
        let (mut sent, mut next) = (0, 0);
        while let Some(segment) = self.wire.segments.get(next) {
            let deadline = self.start + segment.at;
            poll_fn(|cx| match poll_left(io, cx) {
                Poll::Ready(error) => Poll::Ready(Err(error)),
                Poll::Pending => alarm.poll(cx, deadline).map(Ok),
            })
            .await?;
            let now = clock::now();
            // What is due goes out in one write; a large one in several, so that the journal knows
            // how far a client that leaves has come.
            let due = self.wire.segments[next..]
                .iter()
                .take_while(|segment| self.start + segment.at <= now && segment.end - sent <= MAX_WRITE);
            next += due.count().max(1);
            let last = self.wire.segments[next - 1];
            io.write_all(&self.wire.bytes.slice(sent..last.end)).await?;
            io.flush().await?;
            sent = last.end;
            if let Some(settlement) = &mut self.settlement {
                settlement.progress(last.events);
            }
        }
        Ok(())
    }
}

/// Ends a connection with a FIN, and reads what the client still sends for at most `linger`, or for
/// [`HURRY`] once the server stops.
///
/// A socket that is closed with unread bytes sends a RST instead, which destroys what the client has
/// not read yet.
pub(crate) async fn close<I>(mut io: I, linger: Duration, lines: &Lines)
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let mut deadline = clock::now() + linger;
    let mut alarm = Alarm::default();
    let mut hurries = false;
    let mut farewell = pin!(async {
        if io.shutdown().await.is_ok() {
            poll_fn(|cx| poll_left(&mut io, cx)).await;
        }
    });
    poll_fn(|cx| {
        if !hurries && lines.is_draining() {
            hurries = true;
            deadline = deadline.min(clock::now() + HURRY);
        }
        match farewell.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => alarm.poll(cx, deadline),
        }
    })
    .await;
}

/// Reads and discards; ready once the client has closed its side or the connection is broken.
fn poll_left<I: AsyncRead + Unpin>(io: &mut I, cx: &mut Context<'_>) -> Poll<io::Error> {
    let mut space = [0; 1024];
    // A client that sends without end must not keep the task from its deadlines.
    for _ in 0..16 {
        let mut buf = ReadBuf::new(&mut space);
        match Pin::new(&mut *io).poll_read(cx, &mut buf) {
            Poll::Ready(Ok(())) if buf.filled().is_empty() => {
                return Poll::Ready(io::ErrorKind::UnexpectedEof.into());
            }
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(error),
            Poll::Pending => return Poll::Pending,
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// The most that is written at once, unless one event is larger.
const MAX_WRITE: usize = 64 * 1024;

/// How long a connection stays open for reading after its FIN.
pub(crate) const LINGER: Duration = Duration::from_secs(5);

/// How long it stays open where the server is stopping.
const HURRY: Duration = Duration::from_millis(250);
