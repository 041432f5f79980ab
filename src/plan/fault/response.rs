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
    /// Whether it was recorded breaking off before the length that it announces.
    pub(crate) breaks_off: bool,
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
        let announced = head.header(CONTENT_LENGTH.as_str()).and_then(parsed);
        let breaks_off = !ending.is_complete() && announced.is_some_and(|announced| announced > body.len());
        let mut start = 0;
        let pieces = events.iter().map(|&Event { at, end, kind }| {
            let bytes = body.slice(start..end);
            start = end;
            Piece { at, kind, bytes }
        });
        Self { pieces: pieces.collect(), head, framing, ending, ends_at, breaks_off }
    }

    /// The timeline of the pieces.
    pub(crate) fn timeline(self) -> Timeline {
        let Self { head, pieces, framing, ending, ends_at, breaks_off: _ } = self;
        let mut body = BytesMut::with_capacity(pieces.iter().map(|piece| piece.bytes.len()).sum());
        let events = pieces.into_iter().map(|Piece { at, kind, bytes }| {
            body.extend_from_slice(&bytes);
            Event { at, end: body.len(), kind }
        });
        let events: Vec<_> = events.collect();
        let last = events.last().map_or(head.at, |event| event.at);
        let ends_at = ends_at.max(last);
        let (body, events) = (body.freeze().into(), events.into());
        Timeline { head, body, events, framing, ending, ends_at, faults: Vec::new() }
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
    /// whatever became of the body. Of a response that broke off the announced length stays out of reach.
    pub(crate) fn mend_length(&mut self) {
        let length = self.length();
        let broken = self.breaks_off && !self.ending.is_complete();
        let is_length = |header: &&mut Header| header.name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str());
        for header in self.head.headers.iter_mut().filter(is_length) {
            let announced = match broken {
                true => parsed(&header.value).unwrap_or_default().max(length + 1),
                false => length,
            };
            header.value = HeaderValue::from(announced);
        }
    }

    /// Ends so. What was recorded breaking off may be whole then, and says so.
    pub(crate) fn end_as(&mut self, ending: Ending) {
        self.ending = ending;
        if self.breaks_off {
            self.mend_length();
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

/// A length as a header says it.
fn parsed(value: &HeaderValue) -> Option<usize> {
    value.to_str().ok()?.parse().ok()
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
mod tests;
