//! One exchange as a capture has it, and the transcript that is made of it.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::encoding;
use crate::plan::transcript::{
    self, Recorded, RecordedEnding, RecordedEvent, RecordedRequest, RecordedResponse, Transcript, split,
};

/// An exchange as a capture has it: nothing decoded, nothing left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawExchange {
    /// Where it stands in the capture: `interaction 3`, `entry 5`, `line 120`.
    pub place: String,
    /// What the client asked; `None` where the capture does not tell.
    pub request: Option<RawRequest>,
    /// What the server sent.
    pub response: RawResponse,
    /// Where it is from.
    pub recorded: Recorded,
}

/// The request of a [`RawExchange`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawRequest {
    /// The method.
    pub method: String,
    /// The URL as captured: absolute, or a path.
    pub url: String,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body, content encoding included.
    pub body: Bytes,
}

/// The response of a [`RawExchange`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawResponse {
    /// The status code.
    pub status: u16,
    /// The reason phrase, if there is one.
    pub reason: Option<String>,
    /// The headers, in the order in which they came, all of them.
    pub headers: Vec<(String, String)>,
    /// The body without transfer encoding.
    pub body: Bytes,
    /// Whether `body` is still in the content encoding that the headers name; many recorders decode and keep the
    /// header.
    pub is_encoded: bool,
    /// When the head came, counted from the moment the request was sent.
    pub head_at: Option<Duration>,
    /// What was read when: (how much of `body` had come, when), both growing. Empty: nobody knows.
    pub reads: Vec<(usize, Duration)>,
    /// How it ended.
    pub ending: RecordedEnding,
    /// When it ended; `None`: with the last read.
    pub ends_at: Option<Duration>,
}

/// An exchange that can be written: its transcript, secrets still in it, and what is to be told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// Where it stands in the capture.
    pub place: String,
    /// The host that was asked, for names and messages only.
    pub host: Option<String>,
    /// The exchange.
    pub transcript: Transcript,
    /// What is doubtful about it, in sentences without a full stop.
    pub notes: Vec<String>,
}

/// An exchange of a capture that cannot be used, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct Damage {
    /// Where it stands in the capture.
    pub place: String,
    /// What is wrong with it, and what to do.
    pub reason: String,
}

impl RawExchange {
    /// The exchange as a transcript: the body without content encoding and cut into its events, each with the time
    /// of the read that brought its last byte. All headers are still there, and all secrets.
    ///
    /// # Errors
    ///
    /// Where the response is none, or its body cannot be decoded.
    pub fn exchange(self) -> Result<Exchange, Damage> {
        let Self { place, request, response, recorded } = self;
        let host = request.as_ref().and_then(|request| host(&request.url)).map(str::to_owned);
        let damage = |reason| Damage { place: place.clone(), reason };
        let mut notes = Vec::new();
        let request = request.map(|request| request.recorded(&mut notes)).transpose().map_err(damage)?;
        let response = response.recorded(&mut notes).map_err(damage)?;
        let transcript = Transcript { request, response, recorded };
        Ok(Exchange { place, host, transcript, notes })
    }
}

impl RawRequest {
    fn recorded(self, notes: &mut Vec<String>) -> Result<RecordedRequest, String> {
        let Self { method, url, headers, body } = self;
        let body = encoding::decode(body, &values(&headers, "content-encoding"))
            .map_err(|problem| format!("request: {problem}"))?;
        if let Some(encoding) = body.cut {
            notes.push(format!(
                "the request's body is cut off in its {encoding} encoding; what came before is kept"
            ));
        }
        let body = body.body;
        let json =
            serde_json::from_slice(&body).ok().filter(|json: &Value| json.is_object() || json.is_array());
        let body = match json {
            _ if body.is_empty() => None,
            Some(json) => Some(json),
            None => serde_json::to_value(transcript::raw(body)).ok(),
        };
        Ok(RecordedRequest { method, path: path(&url).to_owned(), headers, body })
    }
}

impl RawResponse {
    fn recorded(self, notes: &mut Vec<String>) -> Result<RecordedResponse, String> {
        let Self { status, reason, headers, body, is_encoded, head_at, reads, ending, ends_at } = self;
        let encodings = values(&headers, "content-encoding");
        let kind = values(&headers, "content-type");
        let is_stream = match kind.is_empty() {
            true => body.starts_with(b"data:") || body.starts_with(b"event:") || body.starts_with(b":"),
            false => kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream"),
        };
        let plain = match is_encoded {
            true => {
                let decoded = encoding::decode(body, &encodings)?;
                if let Some(encoding) = decoded.cut {
                    notes.push(format!(
                        "the body is cut off in its {encoding} encoding; what came before is kept"
                    ));
                }
                decoded.body
            }
            false => body,
        };
        // In an encoding nobody can tell which read brought which event.
        let at = |end: usize| match is_encoded && !encodings.is_empty() {
            true => None,
            false => reads.iter().find(|(read, _)| *read >= end).map(|(_, at)| transcript::moment(*at)),
        };
        let ends_at = ends_at.or_else(|| reads.last().map(|(_, at)| *at));
        let mut response = RecordedResponse {
            at: head_at.map(transcript::moment),
            status,
            reason: reason.filter(|reason| is_unusual(status, reason)),
            headers,
            events: None,
            body: None,
            ending,
            ends_at: ends_at.map(transcript::moment),
        };
        if is_stream {
            let mut start = 0;
            let event = |end| {
                let raw = transcript::raw(plain.slice(start..end));
                start = end;
                RecordedEvent { at: at(end), raw }
            };
            response.events = Some(split::ends(&plain).into_iter().map(event).collect());
        } else if !plain.is_empty() {
            response.body = Some(transcript::raw(plain));
        }
        Ok(response)
    }
}

fn is_unusual(status: u16, reason: &str) -> bool {
    let usual = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    !reason.is_empty() && usual != Some(reason)
}

/// The values of all headers of this name, as one.
fn values(headers: &[(String, String)], name: &str) -> String {
    let values = headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ")
}

/// The host of an absolute URL.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    Some(host).filter(|host| !host.is_empty())
}

/// The path of a URL, with its query.
fn path(url: &str) -> &str {
    let url = url.split('#').next().unwrap_or_default();
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find(['/', '?']).map_or("", |start| &rest[start..]),
        None => url,
    };
    if path.is_empty() { "/" } else { path }
}
