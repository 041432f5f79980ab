//! A recorded exchange: what a client asked, and what a real server sent, to the byte and with its times.
//!
//! A transcript is a file beside the fixtures. A reply names it, and it becomes a
//! [`Timeline`](super::Timeline) when the fixtures are loaded: nothing of it is decided at a request but its pace.

use std::time::Duration;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::{Span, StringOr};
use super::reply::Base64;

pub(crate) mod kind;
pub mod split;

mod head;
mod recording;

pub(crate) use recording::{Pace, Recording};

/// A recorded exchange, as its file says it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// What the client asked; absent where the capture does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RecordedRequest>,
    /// What the server sent.
    pub response: RecordedResponse,
    /// Where the recording is from.
    #[serde(default, skip_serializing_if = "Recorded::is_empty")]
    pub recorded: Recorded,
}

/// The request of a [`Transcript`]. Its host is not kept: it may name an Azure resource.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedRequest {
    /// The method.
    pub method: String,
    /// The path with its query, as sent.
    pub path: String,
    /// The headers that are kept, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body: JSON as JSON, any other text as a string, other bytes as `{"base64": …}`; absent where there
    /// is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// The response of a [`Transcript`]: `events` of a stream, or a `body`. Times count from the moment the request
/// was sent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedResponse {
    /// When the head came; absent where the capture has no times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Span>,
    /// The status code.
    pub status: u16,
    /// The reason phrase, where it is not the code's usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The headers that are kept, in the order they came, in their own case.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The events of a stream; joined they are its body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<RecordedEvent>>,
    /// A body that is no stream, without its content encoding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<StringOr<Base64>>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "RecordedEnding::is_complete")]
    pub ending: RecordedEnding,
    /// When it ended, with the last byte of a body; absent where the capture has no times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Span>,
}

/// One event of a recorded stream, up to and with its blank line.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedEvent {
    /// When its last byte came; absent where the capture has no times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Span>,
    /// Its bytes.
    pub raw: StringOr<Base64>,
}

/// How a recorded response ended.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedEnding {
    /// As HTTP wants it.
    #[default]
    Complete,
    /// The server closed the connection before the response was whole.
    Close,
    /// The server reset the connection.
    Reset,
    /// The client left before that; nobody knows what would have come.
    ClientLeft,
}

/// Where a recording is from.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recorded {
    /// What it was made from: the capture's file name and the place in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When, as the capture tells: an RFC 3339 time, or a date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// What made it: `llmirage record 0.1.0`, `curl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}

impl RecordedEnding {
    fn is_complete(&self) -> bool {
        *self == Self::Complete
    }
}

impl Recorded {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl RecordedResponse {
    /// Whether it is a stream.
    pub fn is_stream(&self) -> bool {
        self.events.is_some()
    }

    /// Whether it says when what came: all events do, or, where there are none, the end or the head.
    pub fn is_timed(&self) -> bool {
        match self.events.as_deref() {
            Some(events @ [_, ..]) => events.iter().all(|event| event.at.is_some()),
            Some([]) | None => self.at.is_some() || self.ends_at.is_some(),
        }
    }

    /// The bytes of the whole body.
    pub fn bytes(&self) -> Bytes {
        match (&self.events, &self.body) {
            (Some(events), _) => {
                events.iter().flat_map(|event| raw_bytes(&event.raw).to_vec()).collect::<Vec<u8>>().into()
            }
            (None, Some(body)) => Bytes::copy_from_slice(raw_bytes(body)),
            (None, None) => Bytes::new(),
        }
    }

    /// The value of the first header called `name`, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The bytes that a string, or base64, stands for.
pub(crate) fn raw_bytes(raw: &StringOr<Base64>) -> &[u8] {
    match raw {
        StringOr::Text(text) => text.as_bytes(),
        StringOr::Object(Base64 { base64 }) => base64,
    }
}

/// Bytes as a file says them: a string where they are UTF-8, else base64.
#[cfg_attr(not(feature = "import"), expect(dead_code, reason = "only importers write transcripts"))]
pub(crate) fn raw(bytes: Bytes) -> StringOr<Base64> {
    match String::from_utf8(bytes.to_vec()) {
        Ok(text) => StringOr::Text(text),
        Err(_) => StringOr::Object(Base64 { base64: bytes }),
    }
}

/// A time as transcripts keep it: whole microseconds.
#[cfg_attr(not(feature = "import"), expect(dead_code, reason = "only importers write transcripts"))]
pub(crate) fn moment(at: Duration) -> Span {
    Span(Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(u64::MAX)))
}
