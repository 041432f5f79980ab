//! From a reply to a timeline: what the model says, in the dialect's words, at the reply's pace.

use std::time::Duration;

use super::fault::Fault;
use super::pacing::Pacing;
use super::reject::Reject;
use super::reply::Prepared;
use super::request::{Call, Request};
use super::timeline::Timeline;

/// What a plan depends on beside reply and request.
#[derive(Clone, Debug)]
pub struct Turn<'a> {
    /// The fixture's name.
    pub fixture: &'a str,
    /// Which hit of the fixture this is, from 1.
    pub hit: u64,
    /// The server's seed.
    pub seed: u64,
    /// The time, in Unix seconds.
    pub now: u64,
    /// Pacing that goes over the reply's own, key by key.
    pub pacing: &'a Pacing,
    /// Multiplies every offset; 0 is no waiting.
    pub time_scale: f64,
    /// The longest gap between two things sent.
    pub max_hold: Duration,
    /// A fault over the reply's own.
    pub fault: Option<Fault>,
}

/// Plans the response to a request that a fixture answers.
pub fn plan(reply: &Prepared, request: &Request, turn: &Turn<'_>) -> Timeline {
    let super::reply::Content::Answer(answer) = &reply.content else { unreachable!("stub") };
    let text = answer.text.clone().unwrap_or_default();
    let mut timeline = if request.stream() {
        let pieces: Vec<String> = text.split_inclusive(' ').map(|word| format!("data: {word}\n\n")).collect();
        stub(200, "text/event-stream", &pieces)
    } else {
        stub(200, "application/json", &[format!("{{\"text\":\"{text}\",\"hit\":{}}}", turn.hit)])
    };
    if let Some(fault) = turn.fault.or(reply.fault) {
        fault.apply(&mut timeline);
    }
    timeline
}

/// Plans the response to a request that is refused.
pub fn plan_reject(reject: &Reject, call: &Call, turn: &Turn<'_>) -> Timeline {
    let _ = (call, turn);
    let status = match reject {
        Reject::Unmatched(_) | Reject::UnknownUrl => 404,
        Reject::MissingKey | Reject::WrongKey(_) => 401,
        Reject::MethodNotAllowed { .. } => 405,
        Reject::BodyTooLarge { .. } => 413,
        Reject::CompressedBody(_) => 415,
        Reject::InvalidJson => 400,
        Reject::Timeout => 408,
    };
    stub(status, "application/json", &[serde_json::json!({ "error": { "message": format!("{reject:?}") } }).to_string()])
}

/// Plans the response to a request for the models or one of them.
pub fn plan_models(names: &[&str], call: &Call, turn: &Turn<'_>) -> Timeline {
    let _ = (call, turn);
    stub(200, "application/json", &[serde_json::json!({ "data": names }).to_string()])
}

fn stub(status: u16, kind: &str, pieces: &[String]) -> Timeline {
    use super::timeline::{Ending, Event, EventKind, Head, Header};
    let body = bytes::Bytes::from(pieces.concat());
    let mut end = 0;
    let events = pieces
        .iter()
        .map(|piece| {
            end += piece.len();
            Event { at: Duration::ZERO, end, kind: EventKind::Content }
        })
        .collect();
    let framing = match kind {
        "text/event-stream" => Header::new("Transfer-Encoding", "chunked"),
        _ => Header::new("Content-Length", body.len().to_string()),
    };
    let headers = vec![
        Header::new("Date", "Thu, 01 Jan 2026 00:00:00 GMT"),
        Header::new("Content-Type", kind),
        framing,
        Header::new("Connection", "keep-alive"),
        Header::new("access-control-expose-headers", "X-Request-ID"),
        Header::new("x-request-id", "req_1"),
    ];
    let status = http::StatusCode::from_u16(status).expect("a status code");
    Timeline { head: Head { at: Duration::ZERO, status, reason: None, headers }, body, events, ending: Ending::Complete }
}
