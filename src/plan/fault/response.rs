//! A planned response while faults are applied to it: its events one by one.

use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::At;
use crate::plan::timeline::{Ending, Event, EventKind, Framing, Head, Header, Timeline};

/// A response as a list of pieces that can be edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) head: Head,
    /// In order; their times never decrease.
    pub(crate) pieces: Vec<Piece>,
    pub(crate) framing: Framing,
    pub(crate) ending: Ending,
    /// When it ends, never before the last piece.
    pub(crate) ends_at: Duration,
}

/// An event, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// When it is due.
    pub(crate) at: Duration,
    /// What it is.
    pub(crate) kind: EventKind,
    pub(crate) bytes: Bytes,
}

/// Where something stands among the pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// Before this piece, or in it.
    pub(crate) index: usize,
    /// After so many bytes of that piece.
    pub(crate) byte: usize,
}

impl Response {
    /// The pieces of a timeline.
    pub(crate) fn new(timeline: Timeline) -> Self {
        let Timeline { head, body, events, framing, ending, ends_at, faults: _ } = timeline;
        let mut start = 0;
        let pieces = events.into_iter().map(|Event { at, end, kind }| {
            let bytes = body.slice(start..end);
            start = end;
            Piece { at, kind, bytes }
        });
        Self { pieces: pieces.collect(), head, framing, ending, ends_at }
    }

    /// The timeline of the pieces.
    pub(crate) fn timeline(self) -> Timeline {
        let Self { head, pieces, framing, ending, ends_at } = self;
        let mut body = BytesMut::with_capacity(pieces.iter().map(|piece| piece.bytes.len()).sum());
        let events = pieces.into_iter().map(|Piece { at, kind, bytes }| {
            body.extend_from_slice(&bytes);
            Event { at, end: body.len(), kind }
        });
        let events: Vec<_> = events.collect();
        let last = events.last().map_or(head.at, |event| event.at);
        let ends_at = ends_at.max(last);
        Timeline { head, body: body.freeze(), events, framing, ending, ends_at, faults: Vec::new() }
    }

    /// Whether it is a stream, if perhaps one of no events; else its body is one piece, or none.
    pub(crate) fn is_stream(&self) -> bool {
        match self.pieces.as_slice() {
            [] => {
                let kind = self.head.header(CONTENT_TYPE.as_str());
                kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
            }
            pieces => !pieces.iter().any(|piece| piece.kind == EventKind::Body),
        }
    }

    /// Where a place is. A place past the end is the end; of a body that is not a stream, a place among
    /// events that it does not have is its middle.
    pub(crate) fn spot(&self, at: At) -> Spot {
        if !self.is_stream() && is_among_events(at) {
            return self.after_bytes(0, self.length() / 2);
        }
        match at {
            At::Head => Spot { index: 0, byte: 0 },
            At::Event { index, byte: 0 } => Spot { index: self.event(index), byte: 0 },
            At::Event { index, byte } => {
                let start = self.past_comments(self.event(index));
                let end = (self.last_part(start) + 1).min(self.pieces.len());
                let length: usize = self.pieces[start..end].iter().map(|piece| piece.bytes.len()).sum();
                match byte < length {
                    true => self.after_bytes(start, byte),
                    false => Spot { index: end, byte: 0 },
                }
            }
            At::Named(name) => {
                let found = self.pieces.iter().position(|piece| piece.kind == name.kind());
                found.map_or_else(|| self.end(), |index| Spot { index: index + 1, byte: 0 })
            }
            At::Byte(byte) => self.after_bytes(0, byte),
            At::Elapsed(time) => {
                let index = self.pieces.iter().position(|piece| piece.at >= time);
                Spot { index: index.unwrap_or(self.pieces.len()), byte: 0 }
            }
            At::End | At::Idle | At::NextRequest => self.end(),
        }
    }

    /// The event that a place is about: the one after it, or the one it names; its first piece, if it is in
    /// parts. A body that is not a stream is one event. `None`: there is none.
    pub(crate) fn target(&self, at: At) -> Option<usize> {
        let index = match at {
            _ if !self.is_stream() => 0,
            At::Named(name) => self.pieces.iter().position(|piece| piece.kind == name.kind())?,
            at => self.past_comments(self.spot(at).index),
        };
        (index < self.pieces.len()).then(|| self.first_part(index))
    }

    /// The pieces that a fault about events is about: those of the event at the place, or all if it
    /// stands at no event, which is its place by itself.
    pub(crate) fn targets(&self, at: At) -> Range<usize> {
        match at {
            At::End | At::Idle | At::NextRequest => 0..self.pieces.len(),
            at => {
                let after = |index| (self.last_part(index) + 1).min(self.pieces.len());
                self.target(at).map_or(0..0, |index| index..after(index))
            }
        }
    }

    /// When everything before a place is out.
    pub(crate) fn time_before(&self, index: usize) -> Duration {
        match index {
            0 => self.head.at,
            index => self.pieces.get(index - 1).map_or(self.ends_at, |piece| piece.at),
        }
    }

    /// Leaves out everything after a place, and ends there; what is cut of a piece keeps its time.
    pub(crate) fn cut(&mut self, at: At) {
        let spot @ Spot { index, byte } = self.spot(at);
        let is_end = spot == self.end();
        if byte > 0 {
            self.pieces[index].bytes.truncate(byte);
        }
        self.pieces.truncate(index + usize::from(byte > 0));
        let last = self.time_before(self.pieces.len());
        self.ends_at = match at {
            At::Elapsed(time) => time.max(last),
            // Nothing was left out, so what was held at the end still is.
            _ if is_end => self.ends_at,
            _ => last,
        };
    }

    /// Adds a piece before the piece at `index`, as soon as that which is before it is out.
    pub(crate) fn insert(&mut self, index: usize, kind: EventKind, bytes: impl Into<Bytes>) {
        self.insert_at(At::End, index, kind, bytes);
    }

    /// Adds a piece before the piece at `index`, at the time of a place that is one.
    pub(crate) fn insert_at(&mut self, at: At, index: usize, kind: EventKind, bytes: impl Into<Bytes>) {
        let at = self.moment(at, index);
        self.pieces.insert(index, Piece { at, kind, bytes: bytes.into() });
        self.ends_at = self.ends_at.max(at);
    }

    /// When something at a place is due that stands before the piece at `index`: as soon as that which is
    /// before it is out, or at the time that the place is.
    pub(crate) fn moment(&self, at: At, index: usize) -> Duration {
        let before = self.time_before(index);
        match at {
            At::Elapsed(time) => {
                let next = self.pieces.get(index).map_or(Duration::MAX, |piece| piece.at);
                time.min(next).max(before)
            }
            At::Head
            | At::Event { .. }
            | At::Named(_)
            | At::Byte(_)
            | At::End
            | At::Idle
            | At::NextRequest => before,
        }
    }

    /// Moves everything from the piece at `index` on by this much.
    pub(crate) fn delay(&mut self, index: usize, by: Duration) {
        let pieces = self.pieces.iter_mut().skip(index).map(|piece| &mut piece.at);
        pieces.chain([&mut self.ends_at]).for_each(|at| *at = at.saturating_add(by));
    }

    /// How long the body is.
    pub(crate) fn length(&self) -> usize {
        self.pieces.iter().map(|piece| piece.bytes.len()).sum()
    }

    /// Announces the length that the body has, if a length is announced at all: HTTP stays valid
    /// whatever became of the body.
    pub(crate) fn mend_length(&mut self) {
        let length = self.length();
        let is_length = |header: &&mut Header| header.name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str());
        for header in self.head.headers.iter_mut().filter(is_length) {
            header.value = HeaderValue::from(length);
        }
    }

    fn end(&self) -> Spot {
        Spot { index: self.pieces.len(), byte: 0 }
    }

    /// After so many bytes of the pieces from `start` on.
    fn after_bytes(&self, start: usize, bytes: usize) -> Spot {
        let mut left = bytes;
        for (index, piece) in self.pieces.iter().enumerate().skip(start) {
            if left < piece.bytes.len() {
                return Spot { index, byte: left };
            }
            left -= piece.bytes.len();
        }
        self.end()
    }

    /// After so many events, counted from the end if negative; the end, if there are not so many.
    fn event(&self, index: i64) -> usize {
        let wanted = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
        let wanted = match index < 0 {
            true => self.pieces.iter().filter(|piece| piece.kind.is_event()).count().saturating_sub(wanted),
            false => wanted,
        };
        if wanted == 0 {
            return 0;
        }
        let mut events = self.pieces.iter().enumerate().filter(|(_, piece)| piece.kind.is_event());
        events.nth(wanted - 1).map_or(self.pieces.len(), |(index, _)| index + 1)
    }

    /// The first piece from `index` on that is of an event.
    fn past_comments(&self, mut index: usize) -> usize {
        loop {
            let last = self.last_part(index);
            match self.pieces.get(last) {
                Some(piece) if piece.kind == EventKind::Comment => index = last + 1,
                _ => return index,
            }
        }
    }

    /// The first piece of the event that the piece at `index` is of.
    fn first_part(&self, index: usize) -> usize {
        let before = &self.pieces[..index];
        before.iter().rposition(|piece| piece.kind != EventKind::Part).map_or(0, |index| index + 1)
    }

    /// The last piece of the event that the piece at `index` is of.
    fn last_part(&self, index: usize) -> usize {
        let after = self.pieces.iter().skip(index);
        index + after.take_while(|piece| piece.kind == EventKind::Part).count()
    }
}

/// Whether a place is told by events other than the first.
fn is_among_events(at: At) -> bool {
    match at {
        At::Event { index, byte: 0 } => index != 0,
        At::Event { index, byte: _ } => index > 0,
        At::Named(_) => true,
        At::Head | At::Byte(_) | At::Elapsed(_) | At::End | At::Idle | At::NextRequest => false,
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::plan::fault::Name;

    /// A response of these pieces, 10 ms apart, whose head comes at 0.
    fn response(pieces: &[(EventKind, &'static str)]) -> Response {
        let piece = |(index, (kind, bytes)): (usize, &(EventKind, &'static str))| Piece {
            at: Duration::from_millis(10 * index as u64),
            kind: *kind,
            bytes: Bytes::from_static(bytes.as_bytes()),
        };
        let headers = vec![Header::new("content-length", "9")];
        let head = Head { at: Duration::ZERO, status: StatusCode::OK, reason: None, headers };
        let pieces: Vec<_> = pieces.iter().enumerate().map(piece).collect();
        let ends_at = pieces.last().map_or(Duration::ZERO, |piece| piece.at);
        Response { head, pieces, framing: Framing::default(), ending: Ending::Complete, ends_at }
    }

    /// A role, a comment, an event in three parts, a comment in two, `[DONE]`.
    fn parted() -> Response {
        response(&[
            (EventKind::Role, "role"),
            (EventKind::Comment, "::"),
            (EventKind::Part, "ab"),
            (EventKind::Part, "cd"),
            (EventKind::Content, "ef"),
            (EventKind::Part, ":"),
            (EventKind::Comment, ":"),
            (EventKind::Done, "done"),
        ])
    }

    #[track_caller]
    fn check(response: &Response, at: At, spot: (usize, usize), target: Option<usize>) {
        let Spot { index, byte } = response.spot(at);
        assert_eq!(((index, byte), response.target(at)), (spot, target), "{at:?}");
    }

    #[test]
    fn comments_are_no_events_and_parts_are_one() {
        let parted = parted();
        check(&parted, At::Head, (0, 0), Some(0));
        check(&parted, At::event(0), (0, 0), Some(0));
        check(&parted, At::event(1), (1, 0), Some(2));
        check(&parted, At::event(2), (5, 0), Some(7));
        check(&parted, At::event(3), (8, 0), None);
        check(&parted, At::event(-1), (5, 0), Some(7));
        check(&parted, At::event(-2), (1, 0), Some(2));
        check(&parted, At::event(-9), (0, 0), Some(0));
        check(&parted, At::Named(Name::Role), (1, 0), Some(0));
        check(&parted, At::Named(Name::FirstContent), (5, 0), Some(2));
        check(&parted, At::Named(Name::Finish), (8, 0), None);
        check(&parted, At::End, (8, 0), None);
    }

    #[test]
    fn a_byte_of_an_event_is_in_one_of_its_parts() {
        let parted = parted();
        check(&parted, At::event_byte(1, 1), (2, 1), Some(2));
        check(&parted, At::event_byte(1, 2), (3, 0), Some(2));
        check(&parted, At::event_byte(1, 5), (4, 1), Some(2));
        check(&parted, At::event_byte(1, 6), (5, 0), Some(7));
        check(&parted, At::event_byte(1, usize::MAX), (5, 0), Some(7));
        check(&parted, At::event_byte(2, 3), (7, 3), Some(7));
        check(&parted, At::event_byte(7, 3), (8, 0), None);
    }

    #[test]
    fn bytes_and_times_are_those_of_everything() {
        let parted = parted();
        check(&parted, At::Byte(5), (1, 1), Some(2));
        check(&parted, At::Byte(6), (2, 0), Some(2));
        check(&parted, At::Byte(usize::MAX), (8, 0), None);
        check(&parted, At::Elapsed(Duration::from_millis(40)), (4, 0), Some(2));
        check(&parted, At::Elapsed(Duration::from_millis(41)), (5, 0), Some(7));
        check(&parted, At::Elapsed(Duration::MAX), (8, 0), None);
    }

    #[test]
    fn a_body_that_is_no_stream_is_one_event_and_has_a_middle() {
        for body in [
            response(&[(EventKind::Body, "012345678")]),
            response(&[(EventKind::Part, "012"), (EventKind::Body, "345678")]),
        ] {
            let middle = body.after_bytes(0, 4);
            let end = (body.pieces.len(), 0);
            check(&body, At::event(0), (0, 0), Some(0));
            check(&body, At::event(3), (middle.index, middle.byte), Some(0));
            check(&body, At::event(-1), (middle.index, middle.byte), Some(0));
            check(&body, At::Named(Name::Done), (middle.index, middle.byte), Some(0));
            check(&body, At::event_byte(0, 2), (0, 2), Some(0));
            check(&body, At::Byte(9), end, Some(0));
            check(&body, At::End, end, Some(0));
        }
    }

    #[test]
    fn nothing_has_no_target() {
        let empty = response(&[]);
        for at in [At::Head, At::event(0), At::event_byte(2, 3), At::Named(Name::Role), At::Byte(1), At::End]
        {
            check(&empty, at, (0, 0), None);
        }
        assert_eq!(empty.targets(At::event(0)), 0..0);
    }

    #[test]
    fn nothing_is_a_stream_if_its_head_says_so() {
        let mut empty = response(&[]);
        assert!(!empty.is_stream());
        empty.head.headers.push(Header::new("Content-Type", "text/event-stream; charset=utf-8"));
        assert!(empty.is_stream());
        empty.pieces = response(&[(EventKind::Body, "{}")]).pieces;
        assert!(!empty.is_stream());
    }

    #[test]
    fn targets_are_all_pieces_or_those_of_one_event() {
        let parted = parted();
        assert_eq!(parted.targets(At::End), 0..8);
        assert_eq!(parted.targets(At::event(1)), 2..5);
        assert_eq!(parted.targets(At::event(9)), 0..0);
        // An event that was cut has parts and no last one.
        assert_eq!(response(&[(EventKind::Part, "a")]).targets(At::event(0)), 0..1);
    }

    #[test]
    fn a_cut_that_leaves_nothing_out_leaves_the_end_as_late_as_it_was() {
        let ends_at = |at| {
            let mut response = parted();
            response.ends_at = Duration::from_secs(9);
            response.cut(at);
            (response.pieces.len(), response.ends_at.as_millis())
        };
        assert_eq!(ends_at(At::End), (8, 9000));
        assert_eq!(ends_at(At::event(3)), (8, 9000));
        assert_eq!(ends_at(At::event(2)), (5, 40));
        assert_eq!(ends_at(At::event_byte(1, 3)), (4, 30));
        assert_eq!(ends_at(At::Elapsed(Duration::from_millis(25))), (3, 25));
    }

    #[test]
    fn what_is_inserted_comes_with_what_is_before_it() {
        let mut response = parted();
        response.insert(0, EventKind::Comment, Bytes::from_static(b":"));
        response.insert(5, EventKind::Comment, Bytes::from_static(b":"));
        let times: Vec<_> = response.pieces.iter().map(|piece| piece.at.as_millis()).collect();
        assert_eq!(times, [0, 0, 10, 20, 30, 30, 40, 50, 60, 70]);
    }

    #[test]
    fn a_delay_is_for_what_follows_and_for_the_end() {
        let mut response = parted();
        response.delay(6, Duration::from_secs(1));
        let times: Vec<_> = response.pieces.iter().map(|piece| piece.at.as_millis()).collect();
        assert_eq!(times, [0, 10, 20, 30, 40, 50, 1060, 1070]);
        assert_eq!(response.ends_at.as_millis(), 1070);
        response.delay(99, Duration::MAX);
        assert_eq!(response.ends_at, Duration::MAX);
    }

    #[test]
    fn a_length_is_mended_where_one_is_announced() {
        let mut response = parted();
        response.mend_length();
        assert_eq!(response.head.header("Content-Length").unwrap(), "18");
        response.head.headers.clear();
        response.mend_length();
        assert_eq!(response.head.headers, []);
    }

    #[test]
    fn pieces_become_the_timeline_they_were() {
        let timeline = parted().timeline();
        assert_eq!(timeline.body, "role::abcdef::done");
        assert_eq!(Response::new(timeline.clone()).timeline(), timeline);
    }
}
