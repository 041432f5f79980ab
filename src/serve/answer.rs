//! What the server answers in its own name: health, the admin API, and refusals that no provider
//! has words for.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use crate::plan::Timeline;
use crate::plan::timeline::{Event, EventKind, Head, Header};

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Timeline {
    let mut body = serde_json::to_vec(body).expect("our own answers have string keys");
    body.push(b'\n');
    let headers = vec![
        Header::new("content-type", "application/json"),
        Header::new("content-length", body.len().to_string()),
        Header::new("cache-control", "no-store"),
        Header::new("x-content-type-options", "nosniff"),
    ];
    let head = Head { at: Duration::ZERO, status, reason: None, headers: headers.into() };
    let event = Event { at: Duration::ZERO, end: body.len(), kind: EventKind::Body };
    Timeline::whole(head, Bytes::from(body), vec![event])
}

/// A refusal, in the shape that every SDK reads.
pub(crate) fn refusal(status: StatusCode, code: &str, message: &str) -> Timeline {
    let error = json!({ "message": message, "type": "llmirage_error", "param": null, "code": code });
    json(status, &json!({ "error": error }))
}

/// A refusal of a method.
pub(crate) fn not_allowed(allow: &'static str) -> Timeline {
    let mut refusal =
        refusal(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &format!("this path takes {allow}"));
    refusal.head.headers.push(Header::new("allow", allow));
    refusal
}
