//! The player: writes a timeline to the bare socket, each part when it is due.
//!
//! hyper reads requests; then the connection's task takes the socket back from it, and what is written to it is decided
//! in [`plan::http1`](crate::plan::http1), to the byte, for whole responses and broken ones alike. It knows nothing about LLMs, JSON
//! or faults.

use std::future::{pending, poll_fn};
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use super::clock::{self, Alarm};
use super::drain::Drained;
use super::farewell::{LINGER, before, close, left, poll_left};
use super::forward::Client;
use super::journal::Settlement;
use super::lines::{Aftermath, Busy, Line, Lines};
use super::transport::Transport;
use crate::plan::http1::{Segment, Writer};
use crate::plan::timeline::Ending;

/// A response that is to be written.
#[derive(Debug)]
pub(crate) struct Player {
    /// What is written, and when.
    pub(crate) writer: Writer,
    pub(crate) then: Then,
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

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Then {
    /// Another request may come.
    Keep,
    /// It is closed, since either side wants it so.
    Close,
    /// It ends as the response does.
    End,
}

impl Player {
    /// Plays the response, and ends the connection as planned. If it can be used again, it is given back.
    pub(crate) async fn play<I>(
        mut self: Box<Self>,
        mut io: Transport<I>,
        lines: &Lines,
    ) -> Option<Transport<I>>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send,
    {
        // An error means that the client left or stalled; the settlement, dropped, says so.
        self.write(&mut io, lines).await.ok()?;
        if self.then == Then::Keep {
            self.line.set_aftermath(Aftermath::of(self.writer.ending));
            self.settle();
            return Some(io);
        }
        // Rare, and longer than what most connections need: it takes room only where it happens.
        Box::pin(self.leave(io, lines)).await;
        None
    }

    async fn leave<I>(mut self: Box<Self>, mut io: Transport<I>, lines: &Lines)
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        if self.then == Then::End {
            if self.hold(&mut io, lines).await.is_ok() {
                self.end(io, lines).await;
            }
            return;
        }
        self.settle();
        match self.line.is_unread() {
            true => close(io, LINGER, lines).await,
            // Who does not take a FIN has left.
            false => drop(io.shutdown().await),
        }
    }

    /// Ends the connection as the response ends.
    async fn end<I>(mut self: Box<Self>, mut io: Transport<I>, lines: &Lines)
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let linger = LINGER.min(self.max_hold);
        match self.writer.ending {
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
                let rest = (self.start + self.writer.ends_at).saturating_duration_since(clock::now());
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
        let deadline = self.start + self.writer.ends_at;
        match self.writer.ending {
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

    /// Writes segment by segment. What is due goes out in one write; much of it in several, so that the journal
    /// knows how far a client that leaves has come.
    async fn write<I>(&mut self, io: &mut Transport<I>, lines: &Lines) -> io::Result<()>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let mut alarm = Alarm::on(self.line.source());
        let mut bytes = Vec::new();
        if self.writer.next_at().is_none() {
            self.refuse(lines).await;
        }
        while let Some(at) = self.writer.next_at() {
            let deadline = self.start + at;
            if self.is_over(io, &mut alarm, deadline, lines).await? {
                self.writer.ends_at = Duration::ZERO;
                break;
            }
            // A server that is stopping closes each connection after the answer it is at, and says so.
            if self.then == Then::Keep && lines.is_draining() && self.writer.say_close() {
                self.then = Then::Close;
            }
            let now = clock::now();
            let mut segment = self.writer.write(&mut bytes);
            while !segment.alone && self.writer.next_at().is_some_and(|at| self.start + at <= now) {
                let next = self.writer.write(&mut bytes);
                if bytes.len() > MAX_WRITE {
                    self.send(io, &bytes[..segment.end], segment.events).await?;
                    bytes.drain(..segment.end);
                }
                segment = Segment { end: bytes.len(), ..next };
            }
            if self.writer.next_at().is_none() {
                self.refuse(lines).await;
            }
            self.send(io, &bytes, segment.events).await?;
            // Who waits holds nothing.
            bytes = Vec::new();
        }
        Ok(())
    }

    /// Waits for a deadline. Whether nothing more is to be written; an error, if the client has left.
    async fn is_over<I>(
        &self,
        io: &mut Transport<I>,
        alarm: &mut Alarm,
        deadline: Instant,
        lines: &Lines,
    ) -> io::Result<bool>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send,
    {
        poll_fn(|cx| {
            let left = match self.then {
                // Who has closed one side may still read what is there at once.
                Then::Keep | Then::Close if deadline <= clock::now() => Poll::Pending,
                // What it sends is its next request.
                Then::Keep => io.poll_left(cx).map(|()| io::ErrorKind::UnexpectedEof.into()),
                Then::Close | Then::End => poll_left(io, cx),
            };
            match left {
                Poll::Ready(error) => Poll::Ready(Err(error)),
                // What is only to keep a client waiting does not keep a server from stopping.
                Poll::Pending if lines.is_draining() && self.only_holds() => Poll::Ready(Ok(true)),
                Poll::Pending => alarm.poll(cx, deadline).map(|()| Ok(false)),
            }
        })
        .await
    }

    async fn send<I>(&mut self, io: &mut Transport<I>, bytes: &[u8], events: usize) -> io::Result<()>
    where
        I: AsyncWrite + Unpin,
    {
        io.write_all(bytes).await?;
        io.flush().await?;
        if let Some(settlement) = &mut self.settlement {
            settlement.progress(events);
        }
        Ok(())
    }

    /// Whether what is left has no event, in a response that breaks.
    fn only_holds(&self) -> bool {
        !self.writer.ending.is_complete() && self.writer.is_past_events()
    }

    /// Makes the server stop listening, before the client can know that the response is over.
    async fn refuse(&self, lines: &Lines) {
        if let Ending::Refuse { refuse, .. } = self.writer.ending {
            lines.door.close_for(refuse.min(self.max_hold)).await;
        }
    }
}

/// The most that is written at once, unless one event is larger.
const MAX_WRITE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::Context;

    use http::{StatusCode, Version};
    use tokio::io::ReadBuf;

    use super::*;
    use crate::plan::Timeline;
    use crate::plan::http1::MAX_FRAME;
    use crate::plan::timeline::EventKind::{Content, Part};
    use crate::plan::timeline::{Event, EventKind, Head, Header, Headers};
    use crate::serve::drain::Socket;

    /// Takes everything, and remembers how much came when, in milliseconds.
    struct Writes {
        start: Instant,
        seen: Vec<(u128, usize)>,
    }

    impl AsyncRead for &mut Writes {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for &mut Writes {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            let after = (clock::now() - self.start).as_millis();
            self.seen.push((after, buf.len()));
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A response with events of these times (in milliseconds), lengths and kinds.
    fn timeline(events: &[(u64, usize, EventKind)]) -> Timeline {
        let mut end = 0;
        let event = |(at, len, kind): &(u64, usize, EventKind)| {
            end += len;
            Event { at: Duration::from_millis(*at), end, kind: *kind }
        };
        let events: Vec<_> = events.iter().map(event).collect();
        let head =
            Head { at: Duration::ZERO, status: StatusCode::OK, reason: None, headers: Headers::default() };
        Timeline::whole(head, vec![b'x'; end], events)
    }

    /// Plays a response: when how much was written, and when it was over.
    async fn play(timeline: Timeline) -> (Vec<(u128, usize)>, u128) {
        let (start, line) = (clock::now(), Arc::<Line>::default());
        let player = Box::new(Player {
            writer: Writer::new(timeline, Version::HTTP_11),
            then: Then::Keep,
            start,
            line: Arc::clone(&line),
            settlement: None,
            max_hold: Duration::ZERO,
            _busy: line.begin_request(),
        });
        let mut writes = Writes { start, seen: Vec::new() };
        let kept = player.play(Transport::new(&mut writes, line, Socket::none()), &Lines::default()).await;
        assert!(kept.is_some());
        (writes.seen, (clock::now() - start).as_millis())
    }

    async fn check(events: &[(u64, usize, EventKind)], expected: &[(u128, usize)]) {
        assert_eq!(play(timeline(events)).await.0, expected);
    }

    /// `HTTP/1.1 200 OK` and two line ends.
    const HEAD: usize = 19;

    #[tokio::test(start_paused = true)]
    async fn each_event_goes_out_at_its_offset() {
        let expected = [(0, HEAD + 10), (20, 5), (40, 7)];
        check(&[(0, 10, Content), (20, 5, Content), (40, 7, Content)], &expected).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_together_is_one_write_unless_it_is_to_go_alone() {
        let events = [(5, 10, Content), (5, 5, Content), (6, 7, Content), (6, 1, Content)];
        check(&events, &[(0, HEAD), (5, 15), (6, 8)]).await;
        let mut sliced = timeline(&[(0, 5, Part), (0, 3, Part), (0, 11, Content), (0, 1, Content)]);
        sliced.framing.sliced = true;
        assert_eq!(play(sliced).await.0, [(0, HEAD + 5), (0, 3), (0, 12)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_ends_with_an_event_where_it_can() {
        let events = [(0, 60_000, Content), (0, 6_000, Content), (0, 1, Content)];
        check(&events, &[(0, HEAD + 60_000), (0, 6_001)]).await;
        let expected = [(0, HEAD), (0, MAX_FRAME), (0, MAX_FRAME), (0, 10), (9, 1)];
        check(&[(0, 2 * MAX_FRAME + 10, Content), (9, 1, Content)], &expected).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_in_chunks_ends_when_it_is_to_end_and_any_other_with_its_last_byte() {
        let mut chunked = timeline(&[(0, 5, Content), (20, 5, Content)]);
        chunked.ends_at = Duration::from_millis(500);
        let mut sized = chunked.clone();
        chunked.head.headers.push(Header::new("transfer-encoding", "chunked"));
        let (writes, end) = play(chunked.clone()).await;
        assert_eq!((writes.last(), end), (Some(&(500, 5)), 500));
        chunked.events[1].at = Duration::from_millis(600);
        assert_eq!(play(chunked).await.1, 600);
        sized.head.headers.push(Header::new("content-length", "10"));
        assert_eq!(play(sized).await.1, 20);
    }
}
