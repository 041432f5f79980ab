//! Faults: what breaks in a response, and where. Data, not behaviour: each is a value that a plan
//! applies, so that nothing about it is left to chance or to the socket.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::timeline::{Ending, EventKind, Timeline};

/// Something that breaks in a response.
///
/// In fixtures `{"fault": "close-mid-stream", "at": {"event": 3}}`; on the command line, in the base
/// URL and in the header `x-llmirage-fault` as `close-mid-stream@event:3`.
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

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, name)| *name)
    }

    fn as_str(self) -> &'static str {
        let (name, _) = Self::ALL.iter().find(|(_, name)| *name == self).expect("ALL lists every name");
        name
    }
}

impl FromStr for Fault {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, at) = text.split_once('@').unwrap_or((text, ""));
        if name != "close-mid-stream" {
            return Err(format!("there is no fault {name:?}"));
        }
        match at.strip_prefix("event:").map(str::parse) {
            Some(Ok(index)) => Ok(Self::close(At::event(index))),
            _ if at.is_empty() => Ok(Self::close(At::End)),
            _ => Err(format!("{at:?} is not a position")),
        }
    }
}
impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self:?}")
    }
}
impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let name = Name::parse(&text).ok_or_else(|| D::Error::custom("no"))?;
        Ok(Self::Named(name))
    }
}
impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Named(name) => serializer.serialize_str(name.as_str()),
            other => serializer.collect_str(&json!(format!("{other:?}"))),
        }
    }
}
impl JsonSchema for At {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "At".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let _: Value = json!(1);
        json_schema!({})
    }
}
