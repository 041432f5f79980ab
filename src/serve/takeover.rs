//! Takeover: plays a timeline that breaks, on the bare socket.
//!
//! hyper writes only whole responses, and a body that fails loses what hyper still buffers. So the
//! connection's task takes the socket back and writes head, chunks and the breakage itself, at the
//! same deadlines as the [player](super::player). What is written is decided in
//! [`plan::http1`](crate::plan::http1).

use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;

use super::clock::{self, Alarm};
use super::drain::{Drained, HURRY};
use super::journal::Settlement;
use super::lines::{Busy, Line, Lines};
use super::transport::Transport;
use crate::plan::http1::Wire;
use crate::plan::timeline::Ending;

/// A response that is to be written without hyper.
#[derive(Debug)]
pub(crate) struct Takeover {
    /// What is written, and when.
    pub(crate) wire: Wire,
    /// Offsets count from here: the moment the request was read.
    pub(crate) start: Instant,
    /// The connection it goes out on.
    pub(crate) line: Arc<Line>,
    /// Told how it ended.
    pub(crate) settlement: Option<Settlement>,
    /// The longest that anything is held.
    pub(crate) max_hold: Duration,
    /// The request is being answered until this is gone.
    pub(crate) _busy: Busy,
}

impl Takeover {
    /// Plays the response, and ends the connection as planned.
    pub(crate) async fn play<I>(mut self, mut io: Transport<I>, lines: &Lines)
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        // An error means that the client left or stalled; the settlement, dropped, says so.
        if self.write(&mut io, lines).await.is_err() || self.hold(&mut io, lines).await.is_err() {
            return;
        }
        let linger = LINGER.min(self.max_hold);
        match self.wire.ending {
            Ending::Complete
            | Ending::Close
            | Ending::Blackhole
            | Ending::Reuse(_)
            | Ending::Refuse { .. } => {
                self.settle();
                close(io, linger, lines).await;
            }
            Ending::HalfClose => {
                self.settle();
                let rest = (self.start + self.wire.ends_at).saturating_duration_since(clock::now());
                close(io, rest, lines).await;
            }
            Ending::Abandon => {
                self.settle();
                drop(io);
            }
            Ending::Reset { drain: false } => {
                self.settle();
                io.reset();
            }
            Ending::Reset { drain: true } => match io.reset_drained(self.max_hold, lines).await {
                Drained::Taken => self.settle(),
                // The settlement, dropped, says that the client left.
                Drained::Gone => {}
                // Some bytes were not taken, and the RST has destroyed them.
                Drained::Stuck => self.line.give_up(),
            },
            Ending::Idle { after, reset } => {
                self.settle();
                // The client may leave first: it has all that it asked for.
                before(clock::now() + after.min(self.max_hold), Duration::ZERO, lines, left(&mut io)).await;
                match reset {
                    true => {
                        io.reset_drained(self.max_hold, lines).await;
                    }
                    false => close(io, linger, lines).await,
                }
            }
        }
    }

    fn settle(&mut self) {
        if let Some(settlement) = self.settlement.take() {
            settlement.complete();
        }
    }

    /// Waits until the response is to end, or until the server stops.
    async fn hold<I: AsyncRead + Unpin>(&self, io: &mut I, lines: &Lines) -> io::Result<()> {
        let deadline = self.start + self.wire.ends_at;
        match self.wire.ending {
            Ending::HalfClose => Ok(()),
            Ending::Blackhole => {
                before(deadline, Duration::ZERO, lines, pending::<()>()).await;
                Ok(())
            }
            Ending::Complete
            | Ending::Close
            | Ending::Reset { .. }
            | Ending::Abandon
            | Ending::Idle { .. }
            | Ending::Reuse(_)
            | Ending::Refuse { .. } => {
                // A client that has left by now has left after the end.
                if deadline <= clock::now() {
                    return Ok(());
                }
                before(deadline, Duration::ZERO, lines, left(io)).await.map_or(Ok(()), Err)
            }
        }
    }

    async fn write<I>(&mut self, io: &mut I, lines: &Lines) -> io::Result<()>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let mut alarm = Alarm::on(self.line.source());
        let (mut sent, mut next) = (0, 0);
        if self.wire.segments.is_empty() {
            self.refuse(lines).await;
        }
        while let Some(segment) = self.wire.segments.get(next) {
            let deadline = self.start + segment.at;
            let over = poll_fn(|cx| match poll_left(io, cx) {
                Poll::Ready(error) => Poll::Ready(Err(error)),
                // What is only to keep a client waiting does not keep a server from stopping.
                Poll::Pending if lines.is_draining() && self.only_holds(next) => Poll::Ready(Ok(true)),
                Poll::Pending => alarm.poll(cx, deadline).map(|()| Ok(false)),
            });
            if over.await? {
                self.wire.ends_at = Duration::ZERO;
                break;
            }
            let now = clock::now();
            // What is due goes out in one write; a large one in several, so that the journal knows
            // how far a client that leaves has come.
            let mut alone = false;
            let due = self.wire.segments[next..].iter().take_while(|segment| {
                let first = alone;
                alone = segment.alone;
                !first && self.start + segment.at <= now && segment.end - sent <= MAX_WRITE
            });
            next += due.count().max(1);
            let last = self.wire.segments[next - 1];
            if next == self.wire.segments.len() {
                self.refuse(lines).await;
            }
            io.write_all(&self.wire.bytes.slice(sent..last.end)).await?;
            io.flush().await?;
            sent = last.end;
            if let Some(settlement) = &mut self.settlement {
                settlement.progress(last.events);
            }
        }
        Ok(())
    }

    /// Whether the segments from this one on have no event, in a response that breaks.
    fn only_holds(&self, next: usize) -> bool {
        let before = next.checked_sub(1).map_or(0, |last| self.wire.segments[last].events);
        let after = self.wire.segments.last().map_or(0, |segment| segment.events);
        next > 0 && before == after && !self.wire.ending.is_complete()
    }

    /// Makes the server stop listening, before the client can know that the response is over.
    async fn refuse(&self, lines: &Lines) {
        if let Ending::Refuse { refuse, .. } = self.wire.ending {
            lines.door.close_for(refuse.min(self.max_hold)).await;
        }
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
    let farewell = async {
        if io.shutdown().await.is_ok() {
            left(&mut io).await;
        }
    };
    before(clock::now() + linger, HURRY, lines, farewell).await;
}

/// Says nothing for at most `most`, or until the client leaves or the server stops; then closes.
pub(crate) async fn hold<I>(mut io: I, most: Duration, lines: &Lines)
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    before(clock::now() + most, Duration::ZERO, lines, left(&mut io)).await;
    close(io, LINGER.min(most), lines).await;
}

/// What `future` yields, or `None` once the deadline passes, or `hurry` after the server began to stop.
async fn before<F: Future>(
    mut deadline: Instant,
    hurry: Duration,
    lines: &Lines,
    future: F,
) -> Option<F::Output> {
    let mut alarm = Alarm::default();
    let mut hurries = false;
    let mut future = pin!(future);
    poll_fn(|cx| {
        if !hurries && lines.is_draining() {
            hurries = true;
            deadline = deadline.min(clock::now() + hurry);
        }
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => alarm.poll(cx, deadline).map(|()| None),
        }
    })
    .await
}

/// Reads and discards until the client has closed its side or the connection is broken.
async fn left<I: AsyncRead + Unpin>(io: &mut I) -> io::Error {
    poll_fn(|cx| poll_left(io, cx)).await
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::plan::http1::Segment;
    use crate::serve::drain::Socket;

    /// Takes everything, and remembers what came at once.
    #[derive(Default)]
    struct Writes(Vec<usize>);

    impl AsyncRead for &mut Writes {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for &mut Writes {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.0.push(buf.len());
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Plays segments that end there, some of them alone, all due at once.
    async fn check(segments: &[(usize, bool)], expected: &[usize]) {
        let segment = |(end, alone): &(usize, bool)| Segment {
            at: Duration::ZERO,
            end: *end,
            events: 0,
            alone: *alone,
        };
        let segments: Vec<_> = segments.iter().map(segment).collect();
        let bytes = Bytes::from(vec![b'x'; segments.last().map_or(0, |last| last.end)]);
        let line = Arc::<Line>::default();
        let takeover = Takeover {
            wire: Wire { bytes, segments, ending: Ending::Abandon, ends_at: Duration::ZERO },
            start: clock::now(),
            line: Arc::clone(&line),
            settlement: None,
            max_hold: Duration::ZERO,
            _busy: line.begin_request(),
        };
        let mut writes = Writes::default();
        takeover.play(Transport::new(&mut writes, line, Socket::none()), &Lines::default()).await;
        assert_eq!(writes.0, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_together_is_one_write_unless_it_is_to_go_alone() {
        check(&[(10, false), (15, false), (16, false)], &[16]).await;
        check(&[(10, false), (15, true), (18, true), (19, false), (30, false)], &[15, 3, 12]).await;
        check(&[(MAX_WRITE, false), (MAX_WRITE + 1, false)], &[MAX_WRITE, 1]).await;
    }
}
