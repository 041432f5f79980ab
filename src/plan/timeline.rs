//! The timeline: a complete, finite, immutable response. Which bytes go out, when, and how it ends.
//!
//! It knows nothing about LLMs. It is what [`plan`](crate::plan()) returns, what the player plays,
//! what `llmirage plan` prints and what golden files pin.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

/// One response, decided to the byte. Offsets count from the moment the request was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// Status line and headers.
    pub head: Head,
    /// The whole body, without transfer encoding.
    pub body: Bytes,
    /// The pieces of `body` in order. Their ends grow, their times never decrease, and the last
    /// one ends where `body` does.
    pub events: Vec<Event>,
    /// What happens after the last event.
    pub ending: Ending,
}

/// Status line and headers of a [`Timeline`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// When the head is due. Never later than the first event.
    pub at: Duration,
    /// The status code.
    pub status: StatusCode,
    /// The reason phrase where it is not the code's usual one (Azure says `401 PermissionDenied`).
    pub reason: Option<&'static str>,
    /// The headers in the order and case they are sent, framing headers included.
    pub headers: Vec<Header>,
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
}

/// How a response ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// As HTTP wants it: the last chunk, or the announced length reached.
    #[default]
    Complete,
    /// FIN after the last event, without the last chunk.
    Close,
}

impl Timeline {
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

    /// Leaves out everything after `end` bytes of the body; an event that is cut keeps its time.
    pub(crate) fn cut(&mut self, end: usize) {
        let end = end.min(self.body.len());
        self.body.truncate(end);
        let mut start = 0;
        self.events.retain_mut(|event| {
            let kept = start < end;
            start = event.end;
            event.end = event.end.min(end);
            kept
        });
    }

    /// When the last byte is due.
    pub fn duration(&self) -> Duration {
        self.events.last().map_or(self.head.at, |event| event.at)
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
}
