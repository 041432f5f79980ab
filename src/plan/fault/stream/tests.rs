//! Stream faults on a small stream and a small JSON body: bytes, times, and what stays the same.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use crate::plan::Request;
use crate::plan::fault::declare::{Arguments, Given};
use crate::plan::fault::response::Response;
use crate::plan::fault::{At, Context, Fault, Kind, Name};
use crate::plan::seed::Seed;
use crate::plan::timeline::{Event, EventKind, Head, Header, Timeline};

mod packed;
mod parser;
mod pieces;
mod properties;
mod times;
mod written;

/// The events of [`chat`]: a role, two pieces of text, a finish, `[DONE]`.
const EVENTS: [(u64, EventKind, &str); 5] = [
    (100, EventKind::Role, "data: {\"role\":\"assistant\",\"content\":\"\"}\n\n"),
    (100, EventKind::Content, "data: {\"n\":1,\"content\":\"Hé\"}\n\n"),
    (120, EventKind::Content, "data: {\"n\":2,\"content\":\"llo\"}\n\n"),
    (140, EventKind::Finish, "data: {\"finish_reason\":\"stop\"}\n\n"),
    (140, EventKind::Done, "data: [DONE]\n\n"),
];

fn head(at: u64, headers: &[(&'static str, &str)]) -> Head {
    Head {
        at: Duration::from_millis(at),
        status: StatusCode::OK,
        reason: None,
        headers: headers.iter().map(|(name, value)| Header::new(*name, value)).collect(),
    }
}

/// A stream of [`EVENTS`].
fn chat() -> Timeline {
    stream(&EVENTS)
}

/// A stream whose head comes at 50 ms, or with its first event.
fn stream(events: &[(u64, EventKind, &str)]) -> Timeline {
    let first = events.first().map_or(50, |(at, ..)| *at);
    let body: String = events.iter().map(|(_, _, text)| *text).collect();
    let mut end = 0;
    let event = |(at, kind, text): &(u64, EventKind, &str)| {
        end += text.len();
        Event { at: Duration::from_millis(*at), end, kind: *kind }
    };
    let events: Vec<_> = events.iter().map(event).collect();
    let headers =
        [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked"), ("alt-svc", "h3")];
    Timeline::whole(head(first.min(50), &headers), body, events)
}

/// A JSON body that comes at 100 ms.
fn json() -> Timeline {
    const BODY: &str = r#"{"choices":[{"message":{"content":"Héllo"}}]}"#;
    let event = Event { at: Duration::from_millis(100), end: BODY.len(), kind: EventKind::Body };
    let length = BODY.len().to_string();
    let headers = [("Content-Type", "application/json"), ("Content-Length", length.as_str())];
    Timeline::whole(head(50, &headers), Bytes::from_static(BODY.as_bytes()), vec![event])
}

/// The fault called `name` with these parameters.
fn fault(name: &str, parameters: &[(&str, &str)]) -> Fault {
    let given = parameters.iter().map(|(key, value)| ((*key).to_owned(), Given::Text((*value).to_owned())));
    let mut arguments = Arguments::new(given.collect());
    let kind = Kind::build(name, &mut arguments).unwrap();
    assert_eq!(arguments.problems, []);
    assert_eq!(arguments.rest().next(), None);
    Fault::new(kind)
}

/// Applies faults, each in the order given.
fn apply(timeline: Timeline, faults: &[Fault]) -> Timeline {
    let request = Request::post("/v1/chat/completions", Value::Null);
    let context = Context { seed: Seed::new(0), max_hold: Duration::from_secs(60), call: &request.call };
    let mut response = Response::new(timeline);
    faults.iter().for_each(|fault| fault.apply(&mut response, &context));
    let timeline = response.timeline();
    is_sound(&timeline);
    timeline
}

/// Checks what holds for every timeline.
#[track_caller]
fn is_sound(timeline: &Timeline) {
    let mut last = (timeline.head.at, 0);
    for event in &timeline.events {
        assert!(event.at >= last.0 && event.end >= last.1, "{event:?} after {last:?}");
        last = (event.at, event.end);
    }
    assert_eq!(last.1, timeline.body.len());
    assert!(timeline.ends_at >= last.0);
}

/// Bytes as text.
fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\\"", "\"")
}

/// The pieces, one a line: time in milliseconds, kind, bytes.
fn pieces(timeline: &Timeline) -> String {
    let mut text = String::new();
    for (index, event) in timeline.events.iter().enumerate() {
        let bytes = shown(&timeline.event_bytes(index));
        writeln!(text, "{} {:?} {bytes}", event.at.as_secs_f64() * 1e3, event.kind).unwrap();
    }
    text
}

/// When the pieces are due, in milliseconds.
fn times(timeline: &Timeline) -> Vec<u128> {
    timeline.events.iter().map(|event| event.at.as_millis()).collect()
}
