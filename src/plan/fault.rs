//! Faults: what breaks in a response, and where. Data, not behaviour: each is a value that a plan
//! applies, so that nothing about it is left to chance or to the socket.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::timeline::{Ending, EventKind, Timeline};

pub(super) mod place;
mod spec;

/// Something that breaks in a response.
///
/// In fixtures `{"fault": "close-mid-stream", "at": {"event": 3}}`; on the command line, in the base
/// URL and in the header `x-llmirage-fault` as `close-mid-stream@event:3`; see
/// [its `FromStr`](#impl-FromStr-for-Fault).
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What breaks.
    #[serde(rename = "fault")]
    pub(crate) kind: Kind,
    /// Where.
    #[serde(default)]
    pub(crate) at: At,
}

/// What breaks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// FIN without the last chunk: the client sees that the response is cut.
    CloseMidStream,
}

/// A place in a response.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum At {
    /// After the head, before the first event.
    Head,
    /// After `index` events were flushed, and `byte` bytes of the next; a negative index counts
    /// from the end.
    Event {
        /// How many whole events go out.
        index: i64,
        /// How many bytes of the next event go out.
        byte: usize,
    },
    /// After this event.
    Named(Name),
    /// After so many bytes of the body.
    Byte(usize),
    /// After everything, before the last chunk.
    #[default]
    End,
}

/// An event known by what it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Name {
    /// The first chunk with a role.
    Role,
    /// The first content event.
    FirstContent,
    /// The first chunk with a finish reason.
    Finish,
    /// The usage chunk.
    Usage,
    /// `[DONE]`.
    Done,
}

impl Fault {
    /// FIN at a place, without the last chunk.
    pub const fn close(at: At) -> Self {
        Self { kind: Kind::CloseMidStream, at }
    }

    /// Applies the fault to a planned response: nothing after the place is left.
    pub(crate) fn apply(self, timeline: &mut Timeline) {
        match self.kind {
            Kind::CloseMidStream => {
                let end = self.at.offset(timeline);
                timeline.cut(end);
                timeline.ending = Ending::Close;
            }
        }
    }
}

impl At {
    /// After `index` events; a negative index counts from the end.
    pub const fn event(index: i64) -> Self {
        Self::Event { index, byte: 0 }
    }

    /// After `index` events and `byte` bytes of the next.
    pub const fn event_byte(index: i64, byte: usize) -> Self {
        Self::Event { index, byte }
    }

    /// The offset of this place in the body. A place past the end is the end.
    fn offset(self, timeline: &Timeline) -> usize {
        let total = timeline.body.len();
        let end_of = |count: usize| match count {
            0 => 0,
            count => timeline.events.get(count - 1).map_or(total, |event| event.end),
        };
        match self {
            Self::Head => 0,
            Self::Event { index, byte } => {
                let events = timeline.events.len();
                let count = usize::try_from(index).unwrap_or_else(|_| {
                    events.saturating_sub(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX))
                });
                end_of(count).saturating_add(byte).min(end_of(count.saturating_add(1)))
            }
            Self::Named(name) => {
                let found = timeline.events.iter().find(|event| event.kind == name.kind());
                found.map_or(total, |event| event.end)
            }
            Self::Byte(byte) => byte.min(total),
            Self::End => total,
        }
    }
}

impl Name {
    const ALL: [(&str, Self); 5] = [
        ("role", Self::Role),
        ("first-content", Self::FirstContent),
        ("finish", Self::Finish),
        ("usage", Self::Usage),
        ("done", Self::Done),
    ];

    fn kind(self) -> EventKind {
        match self {
            Self::Role => EventKind::Role,
            Self::FirstContent => EventKind::Content,
            Self::Finish => EventKind::Finish,
            Self::Usage => EventKind::Usage,
            Self::Done => EventKind::Done,
        }
    }

    fn as_str(self) -> &'static str {
        let (name, _) = Self::ALL.iter().find(|(_, name)| *name == self).expect("ALL lists every name");
        name
    }
}

impl Kind {
    pub(super) const ALL: [(&str, Self); 1] = [("close-mid-stream", Self::CloseMidStream)];

    fn as_str(self) -> &'static str {
        let (name, _) = Self::ALL.iter().find(|(_, kind)| *kind == self).expect("ALL lists every kind");
        name
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::StatusCode;

    use super::*;
    use crate::plan::timeline::{Event, Head};

    /// Five events of four bytes: role, two pieces, finish, done.
    fn timeline() -> Timeline {
        let kinds =
            [EventKind::Role, EventKind::Content, EventKind::Content, EventKind::Finish, EventKind::Done];
        let event = |(index, kind)| Event {
            at: Duration::from_millis(10 * index as u64),
            end: 4 * (index + 1),
            kind,
        };
        Timeline {
            head: Head { at: Duration::ZERO, status: StatusCode::OK, reason: None, headers: Vec::new() },
            body: Bytes::from_static(b"aaaabbbbccccddddeeee"),
            events: kinds.into_iter().enumerate().map(event).collect(),
            ending: Ending::Complete,
        }
    }

    #[track_caller]
    fn check(at: At, body: &str, ends: &[usize]) {
        let mut timeline = timeline();
        Fault::close(at).apply(&mut timeline);
        assert_eq!(std::str::from_utf8(&timeline.body).unwrap(), body);
        assert_eq!(timeline.events.iter().map(|event| event.end).collect::<Vec<_>>(), ends);
        assert_eq!(timeline.ending, Ending::Close);
    }

    #[test]
    fn nothing_after_the_place_is_left() {
        check(At::Head, "", &[]);
        check(At::event(0), "", &[]);
        check(At::event(2), "aaaabbbb", &[4, 8]);
        check(At::event(5), "aaaabbbbccccddddeeee", &[4, 8, 12, 16, 20]);
        check(At::End, "aaaabbbbccccddddeeee", &[4, 8, 12, 16, 20]);
    }

    #[test]
    fn a_negative_event_counts_from_the_end() {
        check(At::event(-1), "aaaabbbbccccdddd", &[4, 8, 12, 16]);
        check(At::event(-5), "", &[]);
    }

    #[test]
    fn a_byte_cuts_inside_the_next_event() {
        check(At::event_byte(1, 3), "aaaabbb", &[4, 7]);
        check(At::event_byte(-1, 1), "aaaabbbbccccdddde", &[4, 8, 12, 16, 17]);
        check(At::Byte(9), "aaaabbbbc", &[4, 8, 9]);
    }

    #[test]
    fn a_named_place_is_after_the_first_event_of_that_name() {
        check(At::Named(Name::Role), "aaaa", &[4]);
        check(At::Named(Name::FirstContent), "aaaabbbb", &[4, 8]);
        check(At::Named(Name::Finish), "aaaabbbbccccdddd", &[4, 8, 12, 16]);
        check(At::Named(Name::Done), "aaaabbbbccccddddeeee", &[4, 8, 12, 16, 20]);
    }

    #[test]
    fn a_place_out_of_range_is_the_nearest_place_in_range() {
        let whole = &[4, 8, 12, 16, 20];
        check(At::event(6), "aaaabbbbccccddddeeee", whole);
        check(At::event(i64::MAX), "aaaabbbbccccddddeeee", whole);
        check(At::event(i64::MIN), "", &[]);
        check(At::event_byte(1, usize::MAX), "aaaabbbb", &[4, 8]);
        check(At::event_byte(5, 7), "aaaabbbbccccddddeeee", whole);
        check(At::Byte(usize::MAX), "aaaabbbbccccddddeeee", whole);
        check(At::Named(Name::Usage), "aaaabbbbccccddddeeee", whole);
    }

    #[test]
    fn the_names_are_those_of_serde() {
        for (name, kind) in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
    }
}
