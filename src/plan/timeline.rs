//! The timeline: a complete, finite, immutable response. Which bytes go out, when, and how it ends.
//!
//! It knows nothing about LLMs. It is what [`plan`](crate::plan()) returns, what the player plays,
//! what `llmirage plan` prints and what golden files pin.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

mod body;
mod events;
mod framed;
mod headers;
mod pattern;

pub use body::Body;
pub(crate) use body::Reader;
pub use events::Events;
pub(crate) use framed::Until;
pub(crate) use headers::HeadPattern;
pub use headers::Headers;
pub(crate) use pattern::{Filling, Gap, Pattern, Texts, With};

/// One response, decided to the byte. Offsets count from the moment the request was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// Status line and headers.
    pub head: Head,
    /// The whole body, without transfer encoding.
    pub body: Body,
    /// The pieces of `body` in order. Their ends grow, their times never decrease, and the last
    /// one ends where `body` does.
    pub events: Events,
    /// What HTTP makes of head and body, where that is not what the head says.
    pub framing: Framing,
    /// What happens after the last event.
    pub ending: Ending,
    /// When that happens; never before the last event.
    pub ends_at: Duration,
    /// What was broken on purpose, each fault in its one-word form, in the order in which they were applied.
    pub faults: Vec<String>,
}

/// Status line and headers of a [`Timeline`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// When the head is due. Never later than the first event.
    pub at: Duration,
    /// The status code.
    pub status: StatusCode,
    /// The reason phrase where it is not the code's usual one (Azure says `401 PermissionDenied`).
    pub reason: Option<Cow<'static, str>>,
    /// The headers in the order and case they are sent, framing headers included.
    pub headers: Headers,
}

/// A header line; the name keeps its case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name as sent.
    pub name: Cow<'static, str>,
    /// The value.
    pub value: HeaderValue,
}

/// One piece of the body that becomes due at one time: an SSE event, or a whole JSON body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it is due.
    pub at: Duration,
    /// Where it ends in the body; it starts where the one before it ends.
    pub end: usize,
    /// What it is, for positions by name and for the journal.
    pub kind: EventKind,
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Azure's first chunk, the verdict on the prompt.
    Preamble,
    /// The chunk that opens a choice with its role.
    Role,
    /// A piece of what the model says: text, refusal, tool call. What TTFT and ITL count.
    Content,
    /// Azure's annotation chunk of the asynchronous filter.
    Filter,
    /// The chunk with a choice's `finish_reason`.
    Finish,
    /// The chunk with the token usage.
    Usage,
    /// `[DONE]`.
    Done,
    /// Anything a script puts between: a comment, a raw event.
    Other,
    /// A body that is not a stream.
    Body,
    /// A comment or noise that a fault puts between events; it is not counted.
    Comment,
    /// The first part of an event, on its own; the event itself is counted with its last part.
    Part,
}

/// What goes over the wire beside and instead of the bytes that head and body give. The default is
/// nothing: HTTP as the head says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Framing {
    /// Informational heads before the head, for clients that know them: not those of HTTP/1.0.
    pub before: Bytes,
    /// Only so many bytes of the head go out, and nothing of the body.
    pub head_bytes: Option<usize>,
    /// Bytes after the last event of a chunked body instead of the last chunk: trailers, a chunk that breaks
    /// the rules.
    pub tail: Option<Bytes>,
    /// Bytes after everything that are no HTTP.
    pub after: Bytes,
    /// Whether parts of events are segments of TCP, not chunks of HTTP.
    pub sliced: bool,
}

/// How a response ends, and what becomes of its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// As HTTP wants it: the last chunk, or the announced length reached.
    #[default]
    Complete,
    /// FIN after the last event, without the last chunk.
    Close,
    /// RST after the last event.
    Reset {
        /// Whether the peer's kernel must have acknowledged every byte before.
        drain: bool,
    },
    /// The connection is closed at once, whatever the client still sends: it may see a reset.
    Abandon,
    /// FIN before anything else is done; what the client sends is read until `ends_at`.
    HalfClose,
    /// Nothing is read any more; FIN at `ends_at`.
    Blackhole,
    /// The response is complete; the idle connection ends after this time, unless a request comes first.
    Idle {
        /// How long after the response.
        after: Duration,
        /// Whether with RST, not FIN.
        reset: bool,
    },
    /// The response is complete; the next request on the connection meets this.
    Reuse(Reuse),
    /// FIN after the last event; before that, the server stops listening for this long.
    Refuse {
        /// How long.
        refuse: Duration,
        /// Whether the response is complete before that.
        complete: bool,
    },
}

/// What meets a request on a connection that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// RST.
    Reset,
    /// FIN.
    Close,
    /// Silence, as long as anything is held.
    Blackhole,
}

impl Ending {
    /// The name in the journal and in plans.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Close => "close",
            Self::Reset { .. } => "reset",
            Self::Abandon => "abandon",
            Self::HalfClose => "half_close",
            Self::Blackhole => "blackhole",
            Self::Idle { .. } => "idle",
            Self::Reuse(_) => "reuse",
            Self::Refuse { .. } => "refuse",
        }
    }

    /// Whether the response is as HTTP wants it, whatever becomes of the connection.
    pub fn is_complete(self) -> bool {
        match self {
            Self::Complete | Self::Idle { .. } | Self::Reuse(_) | Self::Abandon => true,
            Self::Refuse { complete, .. } => complete,
            Self::Close | Self::Reset { .. } | Self::HalfClose | Self::Blackhole => false,
        }
    }
}

impl EventKind {
    /// Whether positions and the journal count it.
    pub fn is_event(self) -> bool {
        match self {
            Self::Comment | Self::Part => false,
            Self::Preamble
            | Self::Role
            | Self::Content
            | Self::Filter
            | Self::Finish
            | Self::Usage
            | Self::Done
            | Self::Other
            | Self::Body => true,
        }
    }
}

impl Timeline {
    /// A response that ends as HTTP wants it, with its last event.
    pub fn whole(head: Head, body: impl Into<Body>, events: impl Into<Events>) -> Self {
        let (body, events) = (body.into(), events.into());
        let ends_at = events.last().map_or(head.at, |event| event.at);
        Self {
            head,
            body,
            events,
            framing: Framing::default(),
            ending: Ending::Complete,
            ends_at,
            faults: Vec::new(),
        }
    }

    /// The bytes of event `index`, or nothing past the last.
    pub fn event_bytes(&self, index: usize) -> Bytes {
        let Some(event) = self.events.get(index) else {
            return Bytes::new();
        };
        let start = match index {
            0 => 0,
            after => self.events[after - 1].end,
        };
        self.body.slice(start..event.end)
    }

    /// How many of the first `pieces` of `events` are events: all but comments and parts of faults.
    pub fn events_in(&self, pieces: usize) -> usize {
        self.events.iter().take(pieces).filter(|event| event.kind.is_event()).count()
    }

    /// Changes every time, in order: the head's, those of the events, and that of the end.
    pub(crate) fn each_time(&mut self, mut change: impl FnMut(Duration) -> Duration) {
        let times = std::iter::once(&mut self.head.at)
            .chain(self.events.iter_mut().map(|event| &mut event.at))
            .chain(std::iter::once(&mut self.ends_at));
        times.for_each(|at| *at = change(*at));
    }

    /// When the response ends.
    pub fn duration(&self) -> Duration {
        self.ends_at
    }
}

impl Head {
    /// The value of the first header called `name`, in any case.
    pub fn header(&self, name: &str) -> Option<&HeaderValue> {
        let mut headers = self.headers.iter();
        headers.find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| &header.value)
    }
}

impl Header {
    /// A header line. A value that HTTP does not allow is cleaned of its control characters.
    pub fn new(name: impl Into<Cow<'static, str>>, value: impl AsRef<str>) -> Self {
        let value = value.as_ref();
        let value = HeaderValue::from_str(value).unwrap_or_else(|_| {
            let visible: Vec<u8> = value.bytes().filter(|byte| (32..127).contains(byte)).collect();
            HeaderValue::from_bytes(&visible).expect("visible ASCII is a header value")
        });
        Self { name: name.into(), value }
    }

    /// The same, without a copy of the value.
    pub(crate) fn of(name: &'static str, value: String) -> Self {
        match value.bytes().all(|byte| (32..127).contains(&byte)) {
            true => {
                let value = HeaderValue::from_maybe_shared(Bytes::from(value));
                Self { name: name.into(), value: value.expect("visible ASCII is a header value") }
            }
            false => Self::new(name, value),
        }
    }
}
