//! The player: a response body that hands out a timeline's bytes when they are due.
//!
//! It is polled by hyper: no task, no channel. It knows nothing about LLMs, JSON or faults, and it plays
//! healthy responses only; those that break are [`takeover`](super::takeover)'s.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, SizeHint};
use tokio::time::Instant;

use super::clock::{self, Alarm};
use super::journal::Settlement;
use super::lines::Busy;
use crate::plan::Timeline;
use crate::plan::http1::{self, Frame};
use crate::plan::timeline::{Events, Reader};

/// Plays the body of one timeline.
#[derive(Debug)]
pub(crate) struct Player {
    /// Offsets count from here: the moment the request was read.
    start: Instant,
    body: Reader,
    events: Events,
    /// What was handed out.
    sent: Frame,
    /// When the body ends, if that is after its last event, and not yet.
    end: Option<Duration>,
    alarm: Alarm,
    /// Told when the body has ended; dropped before that, it knows that the client left.
    settlement: Option<Settlement>,
    /// The request is being answered until this is gone.
    _busy: Busy,
}

impl Player {
    /// A player of `timeline`, whose request was read at `start`.
    pub(crate) fn new(
        timeline: Timeline,
        start: Instant,
        settlement: Option<Settlement>,
        busy: Busy,
    ) -> Self {
        let Timeline { head, body, events, ends_at, .. } = timeline;
        let last = events.last().map_or(head.at, |event| event.at);
        // A body of a known length has ended with its last byte, and hyper asks no more.
        let end = (http1::is_chunked(&head) && ends_at > last).then_some(ends_at);
        let mut player = Self {
            start,
            body: body.reader(),
            events,
            sent: Frame::default(),
            end,
            alarm: Alarm::on(busy.line().source()),
            settlement,
            _busy: busy,
        };
        player.settle_if_done();
        player
    }

    /// Everything due at `now` that was not handed out, as far as a frame goes.
    fn due(&mut self, now: Instant) -> Bytes {
        let elapsed = now.saturating_duration_since(self.start);
        let next = http1::frame(&self.events, self.sent, elapsed);
        let frame = self.body.until(next.end);
        self.sent = next;
        self.end = self.end.filter(|end| *end > elapsed);
        frame
    }

    fn settle_if_done(&mut self) {
        if let Some(settlement) = &mut self.settlement {
            settlement.progress(self.sent.events);
        }
        if self.is_end_stream()
            && let Some(settlement) = self.settlement.take()
        {
            settlement.complete();
        }
    }
}

impl Body for Player {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        let Some(next) = self.events.get(self.sent.pieces) else {
            if let Some(end) = self.end {
                let deadline = self.start + end;
                ready!(self.alarm.poll(cx, deadline));
                self.end = None;
                self.settle_if_done();
            }
            return Poll::Ready(None);
        };
        let deadline = self.start + next.at;
        ready!(self.alarm.poll(cx, deadline));
        let frame = self.due(clock::now());
        self.settle_if_done();
        Poll::Ready(Some(Ok(http_body::Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent.pieces == self.events.len() && self.end.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.body.len() - self.sent.end) as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::Arc;

    use http::StatusCode;

    use super::*;
    use crate::plan::http1::MAX_FRAME;
    use crate::plan::timeline::{Event, EventKind, Head, Header};
    use crate::serve::lines::Line;

    /// Plays events of these times (in milliseconds) and lengths.
    fn player(events: &[(u64, usize)]) -> Player {
        Player::new(timeline(events), clock::now(), None, Arc::new(Line::default()).begin_request())
    }

    fn timeline(events: &[(u64, usize)]) -> Timeline {
        let mut end = 0;
        let event = |(at, len): &(u64, usize)| {
            end += len;
            Event { at: Duration::from_millis(*at), end, kind: EventKind::Content }
        };
        let events: Vec<_> = events.iter().map(event).collect();
        let head = Head { at: Duration::ZERO, status: StatusCode::OK, reason: None, headers: Vec::new() };
        let body = Bytes::from(vec![b'x'; end]);
        Timeline::whole(head, body, events)
    }

    /// Checks when frames come, how long they are and that only the last ends the stream.
    async fn check(events: &[(u64, usize)], expected: &[(u64, usize)]) {
        let start = clock::now();
        let mut player = pin!(player(events));
        let mut frames = Vec::new();
        while !player.is_end_stream() {
            let left = player.size_hint().exact().unwrap();
            let frame = poll_fn(|cx| player.as_mut().poll_frame(cx)).await.unwrap().unwrap();
            let len = frame.into_data().unwrap().len();
            assert_eq!(player.size_hint().exact().unwrap(), left - len as u64);
            frames.push((u64::try_from((clock::now() - start).as_millis()).unwrap(), len));
        }
        assert_eq!(frames, expected);
        assert_eq!(player.size_hint().exact(), Some(0));
        assert!(poll_fn(|cx| player.as_mut().poll_frame(cx)).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn each_event_goes_out_at_its_offset() {
        check(&[(0, 10), (20, 5), (40, 7)], &[(0, 10), (20, 5), (40, 7)]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_together_goes_out_together() {
        check(&[(5, 10), (5, 5), (6, 7), (6, 1)], &[(5, 15), (6, 8)]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_ends_with_an_event_where_it_can() {
        check(&[(0, 60_000), (0, 6_000), (0, 1)], &[(0, 60_000), (0, 6_001)]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_larger_than_a_frame_goes_out_in_pieces() {
        let expected = [(0, MAX_FRAME), (0, MAX_FRAME), (0, 10), (9, 1)];
        check(&[(0, 2 * MAX_FRAME + 10), (9, 1)], &expected).await;
    }

    /// Plays a timeline that ends at 500 ms: when its last event and its end came.
    async fn end(mut timeline: Timeline) -> (u128, u128) {
        timeline.ends_at = Duration::from_millis(500);
        let start = clock::now();
        let busy = Arc::new(Line::default()).begin_request();
        let mut player = pin!(Player::new(timeline, start, None, busy));
        let mut last = 0;
        while !player.is_end_stream() {
            match poll_fn(|cx| player.as_mut().poll_frame(cx)).await {
                Some(_) => last = (clock::now() - start).as_millis(),
                None => assert!(player.is_end_stream()),
            }
        }
        (last, (clock::now() - start).as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn a_chunked_body_ends_when_it_is_to_end() {
        let mut timeline = timeline(&[(0, 5), (20, 5)]);
        timeline.head.headers.push(Header::new("transfer-encoding", "chunked"));
        assert_eq!(end(timeline.clone()).await, (20, 500));
        timeline.events[1].at = Duration::from_millis(600);
        assert_eq!(end(timeline).await, (600, 600));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_of_known_length_ends_with_its_last_byte() {
        let mut timeline = timeline(&[(0, 5), (20, 5)]);
        timeline.head.headers.push(Header::new("content-length", "10"));
        assert_eq!(end(timeline).await, (20, 20));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_to_play_is_an_ended_stream() {
        check(&[], &[]).await;
    }
}
