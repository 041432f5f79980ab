//! A planned response while faults are applied to it: its events one by one.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::At;
use crate::plan::timeline::{Ending, Event, EventKind, Framing, Head, Timeline};

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

    /// Whether it is a stream; else its body is one piece, or none.
    pub(crate) fn is_stream(&self) -> bool {
        !self.pieces.iter().any(|piece| piece.kind == EventKind::Body)
    }

    /// Where a place is. A place past the end is the end; of a body that is not a stream, a place among
    /// events that it does not have is its middle.
    pub(crate) fn spot(&self, at: At) -> Spot {
        let end = Spot { index: self.pieces.len(), byte: 0 };
        if !self.is_stream() && is_among_events(at) {
            let (index, piece) = self.body_piece();
            return Spot { index, byte: piece.map_or(0, |piece| piece.bytes.len() / 2) };
        }
        match at {
            At::Head => Spot { index: 0, byte: 0 },
            At::Event { index, byte } => {
                let count = self.counted();
                let wanted = usize::try_from(index).unwrap_or_else(|_| {
                    count.saturating_sub(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX))
                });
                let index = self.index_of(wanted);
                let length = self.pieces.get(index).map_or(0, |piece| piece.bytes.len());
                match byte {
                    past if past >= length && past > 0 => Spot { index: (index + 1).min(end.index), byte: 0 },
                    byte => Spot { index, byte },
                }
            }
            At::Named(name) => {
                let found = self.pieces.iter().position(|piece| piece.kind == name.kind());
                found.map_or(end, |index| Spot { index: index + 1, byte: 0 })
            }
            At::Byte(byte) => {
                let mut left = byte;
                for (index, piece) in self.pieces.iter().enumerate() {
                    if left < piece.bytes.len() {
                        return Spot { index, byte: left };
                    }
                    left -= piece.bytes.len();
                }
                end
            }
            At::Elapsed(time) => {
                let index = self.pieces.iter().position(|piece| piece.at >= time);
                Spot { index: index.unwrap_or(end.index), byte: 0 }
            }
            At::End | At::Idle | At::NextRequest => end,
        }
    }

    /// The event that a place is about: the one after it, or the one it names. `None`: there is none.
    pub(crate) fn target(&self, at: At) -> Option<usize> {
        if !self.is_stream() {
            return (!self.pieces.is_empty()).then_some(self.body_piece().0);
        }
        let index = match at {
            At::Named(name) => self.pieces.iter().position(|piece| piece.kind == name.kind())?,
            at => self.spot(at).index,
        };
        (index < self.pieces.len()).then_some(index)
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
        let Spot { index, byte } = self.spot(at);
        if byte > 0 {
            self.pieces[index].bytes.truncate(byte);
        }
        self.pieces.truncate(index + usize::from(byte > 0));
        let last = self.time_before(self.pieces.len());
        self.ends_at = match at {
            At::Elapsed(time) => time.max(last),
            _ => last,
        };
    }

    /// Adds a piece before the piece at `index`, as soon as that which is before it is out.
    pub(crate) fn insert(&mut self, index: usize, kind: EventKind, bytes: impl Into<Bytes>) {
        let at = self.time_before(index);
        self.pieces.insert(index, Piece { at, kind, bytes: bytes.into() });
    }

    /// Moves everything from the piece at `index` on by this much.
    pub(crate) fn delay(&mut self, index: usize, by: Duration) {
        self.pieces[index..].iter_mut().for_each(|piece| piece.at += by);
        self.ends_at += by;
    }

    /// How many events there are: parts and comments of faults are none.
    fn counted(&self) -> usize {
        self.pieces.iter().filter(|piece| piece.kind.is_event()).count()
    }

    /// The first piece of the event with this number; the end, if there is none.
    fn index_of(&self, event: usize) -> usize {
        let mut events = 0;
        for (index, piece) in self.pieces.iter().enumerate() {
            if events == event {
                return index;
            }
            events += usize::from(piece.kind.is_event());
        }
        self.pieces.len()
    }

    fn body_piece(&self) -> (usize, Option<&Piece>) {
        let index = self.pieces.iter().position(|piece| piece.kind == EventKind::Body).unwrap_or(0);
        (index, self.pieces.get(index))
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
