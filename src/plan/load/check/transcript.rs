//! Checks a transcript, and makes a [`Recording`] of it.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::reply::BODILESS;
use crate::plan::fault::answer::AnswerFault;
use crate::plan::fault::{Fault, Kind};
use crate::plan::json::Span;
use crate::plan::load::problems::{Problems, below};
use crate::plan::load::words::quoted;
use crate::plan::reply::ReplyObject;
use crate::plan::transcript::{
    RecordedEvent, RecordedRequest, RecordedResponse, Recording, Transcript, raw_bytes,
};

/// Checks a transcript that stands at the pointer `at`, and makes a recording of it.
pub(crate) fn transcript(transcript: &Transcript, at: &str, problems: &mut Problems) -> Option<Recording> {
    let before = problems.0.len();
    let status = check_transcript(transcript, at, problems);
    let status = status.filter(|_| problems.0.len() == before)?;
    Some(Recording::new(status, &transcript.response))
}

/// Checks a transcript that stands at the pointer `at`; its status, if that is one.
pub(in crate::plan::load) fn check_transcript(
    transcript: &Transcript,
    at: &str,
    problems: &mut Problems,
) -> Option<StatusCode> {
    if let Some(request) = &transcript.request {
        check_request(request, &below(at, "request"), problems);
    }
    let response = &transcript.response;
    let at = below(at, "response");
    let status = check_status(response, &at, problems);
    check_headers(&response.headers, &below(&at, "headers"), problems);
    check_body(response, &at, problems);
    check_times(response, &at, problems);
    status
}

/// What shapes what is generated, and so not what was recorded.
pub(super) fn check_over(reply: &ReplyObject, at: &str, problems: &mut Problems) {
    for (key, given) in [("wire", reply.wire.is_some()), ("filters", reply.filters.is_some())] {
        if given {
            problems.key(
                below(at, key),
                format!(
                    "`{key}` shapes what is generated, and a transcript is sent as it was recorded: leave it out, \
                     or make an answer of the recording with `llmirage import --as answer`"
                ),
            );
        }
    }
}

/// A fault that is about what is generated.
pub(super) fn check_fault(fault: &Fault, at: &str, problems: &mut Problems) {
    if matches!(fault.kind, Kind::Answer(AnswerFault::JsonInsteadOfStream { .. })) {
        problems.value(
            at,
            "a transcript is sent as it was recorded, stream or not: name one that is no stream instead of this fault",
        );
    }
}

fn check_request(request: &RecordedRequest, at: &str, problems: &mut Problems) {
    let RecordedRequest { method, path, headers: _, body: _ } = request;
    if Method::from_bytes(method.as_bytes()).is_err() {
        problems
            .value(below(at, "method"), format!("expected a method, like \"POST\", got {}", quoted(method)));
    }
    // Recorders put words of their own in the place of hosts, so not every path starts with a slash.
    if path.is_empty() || path.contains(|char: char| char.is_whitespace() || char.is_control()) {
        problems.value(
            below(at, "path"),
            format!("expected a path with its query, like \"/v1/chat/completions\", got {}", quoted(path)),
        );
    }
}

fn check_status(response: &RecordedResponse, at: &str, problems: &mut Problems) -> Option<StatusCode> {
    if let Some(reason) = &response.reason
        && HeaderValue::from_str(reason).is_err()
    {
        problems.value(below(at, "reason"), format!("a reason is text in one line, got {}", quoted(reason)));
    }
    // After a 1xx another head follows, not a body.
    let status = StatusCode::from_u16(response.status).ok().filter(|status| !status.is_informational());
    if status.is_none() {
        let got = response.status;
        problems.value(below(at, "status"), format!("expected a status from 200 to 999, got {got}"));
    }
    status
}

fn check_headers(headers: &[(String, String)], at: &str, problems: &mut Problems) {
    for (index, (name, value)) in headers.iter().enumerate() {
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            problems.value(format!("{at}/{index}/0"), format!("{} is not a header name", quoted(name)));
        }
        if HeaderValue::from_str(value).is_err() {
            problems.value(
                format!("{at}/{index}/1"),
                format!("a header value is one line, got {}", quoted(value)),
            );
        }
    }
}

fn check_body(response: &RecordedResponse, at: &str, problems: &mut Problems) {
    if response.events.is_some() && response.body.is_some() {
        problems
            .key(below(at, "body"), "a response has `events`, if it is a stream, or a `body`: leave one out");
    }
    for (index, RecordedEvent { at: _, raw }) in response.events.iter().flatten().enumerate() {
        if raw_bytes(raw).is_empty() {
            problems
                .value(format!("{at}/events/{index}/raw"), "an event has at least one byte: leave it out");
        }
    }
    let is_empty = response.body.as_ref().is_none_or(|body| raw_bytes(body).is_empty())
        && response.events.as_ref().is_none_or(Vec::is_empty);
    if BODILESS.contains(&response.status) && !is_empty {
        let key = if response.events.is_some() { "events" } else { "body" };
        let status = response.status;
        problems
            .key(below(at, key), format!("a response with the status {status} has no body: leave it out"));
    }
}

/// Times are of all events or of none, and do not go back.
fn check_times(response: &RecordedResponse, at: &str, problems: &mut Problems) {
    let events = response.events.as_deref().unwrap_or_default();
    let timed = events.iter().filter(|event| event.at.is_some()).count();
    if let Some(without) = events.iter().position(|event| event.at.is_none()).filter(|_| timed > 0) {
        problems.value(
            format!("{at}/events/{without}"),
            "this event has no `at`, and others have: give all events their times, or none",
        );
    }
    let own = |key: &str, name: &str, time| (time, below(at, key), name.to_owned());
    let event = |(index, event): (usize, &RecordedEvent)| {
        (event.at, format!("{at}/events/{index}/at"), format!("event {index}"))
    };
    let head = own("at", "the head", response.at);
    let end = own("ends_at", "the end", response.ends_at);
    let all = std::iter::once(head).chain(events.iter().enumerate().map(event)).chain([end]);
    let mut last = (Duration::ZERO, String::new());
    for (time, at, what) in all {
        let Some(Span(time)) = time else { continue };
        let (before, other) = &last;
        if time < *before {
            problems.value(
                at,
                format!("times do not go back: {what} is at {time:?}, and {other} before it at {before:?}"),
            );
        } else if time > LONGEST {
            problems.value(at, format!("a day is the longest, {what} is at {time:?}"));
            return;
        } else {
            last = (time, what);
        }
    }
}

/// The longest recording: all waiting is cut much shorter.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
