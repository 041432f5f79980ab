//! Checks a reply, and makes a [`Prepared`] of it.

use std::path::Path;
use std::sync::Arc;

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use crate::plan::compose;
use crate::plan::fault::combine::conflicts;
use crate::plan::fault::{At, Fault, Places};
use crate::plan::json::{Map, StringOr};
use crate::plan::load::problems::{Problems, below};
use crate::plan::load::transcripts::Transcripts;
use crate::plan::load::words::{quoted, short};
use crate::plan::pacing::Pacing;
use crate::plan::reply::{Content, ErrorReply, Prepared, Replay, Reply, ReplyObject, Step};
use crate::plan::template::Templates;
use crate::plan::wire::Filters;

use super::{answer, pacing, script, transcript, wire};

/// What a reply stands in.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    /// Whether its fixture serves a path of its own.
    pub(super) has_path: bool,
    /// The file's pacing.
    pub(super) defaults: Pacing,
    /// Its file, if it is of one.
    pub(super) file: Option<&'a Path>,
    /// The transcripts that files name.
    pub(super) transcripts: &'a mut Transcripts,
}

/// Checks a reply that stands at the pointer `at`.
pub(super) fn reply(
    reply: Reply,
    at: &str,
    scope: &mut Scope<'_>,
    problems: &mut Problems,
) -> Option<Prepared> {
    let shorthand = matches!(reply.0, StringOr::Text(_));
    let object = *reply.into_object();
    if scope.has_path && object.answer.is_some() {
        let at = if shorthand { at.to_owned() } else { below(at, "answer") };
        problems.value(
            at,
            "a fixture with a `path` serves a `script`, a `transcript` or an `error`: \
             only chat endpoints have a form for an answer",
        );
    }
    let status = object.status.and_then(|status| check_status(status, at, problems));
    check_bodiless(&object, at, problems);
    let headers = object.headers.clone().unwrap_or_default();
    check_headers(&headers, &below(at, "headers"), problems);
    if let Some(own) = &object.pacing {
        let is_transcript = object.transcript.is_some();
        pacing::of_reply(own, scope.defaults, is_transcript, &below(at, "pacing"), problems);
    }
    let faults = all_faults(&object, at, problems);
    if let Some(filters) = &object.filters {
        check_filters(filters, &below(at, "filters"), problems);
        wire::filters(filters, &below(at, "filters"), problems);
    }
    if let Some(own) = &object.wire {
        wire::wire(own, &below(at, "wire"), problems);
    }
    if object.transcript.is_some() {
        transcript::check_over(&object, at, problems);
    }
    let own = object.pacing.unwrap_or_default();
    let (filters, envelope) =
        (object.filters.clone().unwrap_or_default(), object.wire.clone().unwrap_or_default());
    let (content, templates) = content(object, at, scope, problems)?;
    let pacing = scope.defaults.and(own);
    Some(Prepared {
        status,
        headers: headers.0,
        pacing,
        faults,
        filters,
        wire: envelope,
        templates,
        ..Prepared::new(content)
    })
}

/// Exactly one of the four contents.
fn content(
    object: ReplyObject,
    at: &str,
    scope: &mut Scope<'_>,
    problems: &mut Problems,
) -> Option<(Content, Option<Templates>)> {
    let own = object.pacing.unwrap_or_default();
    let given: Vec<&str> = [
        ("answer", object.answer.is_some()),
        ("script", object.script.is_some()),
        ("transcript", object.transcript.is_some()),
        ("error", object.error.is_some()),
    ]
    .into_iter()
    .filter_map(|(key, given)| given.then_some(key))
    .collect();
    if let Some(second) = given.get(1) {
        let keys: Vec<String> = given.iter().map(|key| format!("`{key}`")).collect();
        problems
            .key(below(at, second), format!("a reply has exactly one content, got {}", keys.join(" and ")));
    }
    if given.is_empty() {
        problems.value(at, "a reply needs `answer`, `script`, `transcript` or `error`");
    }
    let mut contents = Vec::new();
    if let Some(answer) = object.answer {
        let at = below(at, "answer");
        let templates = answer::answer(&answer, &at, problems);
        contents.push((Content::Answer(answer), templates));
    }
    if let Some(steps) = object.script {
        script::script(&steps, &below(at, "script"), problems);
        contents.push((Content::Script(steps), None));
    }
    if let Some(error) = object.error {
        check_error(&error, &below(at, "error"), problems);
        contents.push((Content::Error(error), None));
    }
    if let Some(transcript) = object.transcript {
        let recording = match transcript {
            StringOr::Text(name) => {
                scope.transcripts.named(&name, scope.file, &below(at, "transcript"), problems)
            }
            StringOr::Object(recorded) => {
                transcript::transcript(&recorded, &below(at, "transcript"), problems).map(Arc::new)
            }
        };
        contents.extend(recording.map(|recording| {
            pacing::of_replay(&own, &recording, &below(at, "pacing"), problems);
            (Content::Transcript(Replay { recording, own }), None)
        }));
    }
    contents.into_iter().next()
}

fn check_status(status: u16, at: &str, problems: &mut Problems) -> Option<StatusCode> {
    // 1xx is refused, though it is a code: what follows it is another head, not a body.
    match StatusCode::from_u16(status) {
        Ok(code) if status >= 200 => Some(code),
        _ => {
            problems.value(below(at, "status"), format!("expected a status from 200 to 999, got {status}"));
            None
        }
    }
}

/// What `status` does not go with.
fn check_bodiless(object: &ReplyObject, at: &str, problems: &mut Problems) {
    let Some(status) = object.status else { return };
    if object.error.is_some() {
        problems.key(below(at, "status"), "an error has a `status` of its own: leave this one out");
        return;
    }
    let steps = object.script.iter().flatten();
    let recorded = object.transcript.is_some() && BODILESS.contains(&status);
    if recorded {
        problems.value(
            below(at, "status"),
            format!(
                "a response with the status {status} has no body: send an empty `script` instead of a transcript"
            ),
        );
        return;
    }
    let sends =
        object.answer.is_some() || steps.clone().any(|step| !matches!(step, Step::Wait(_) | Step::Fault(_)));
    if sends && BODILESS.contains(&status) {
        problems.value(
            below(at, "status"),
            format!(
                "a response with the status {status} has no body: send another one, or an empty `script`"
            ),
        );
    }
}

fn check_headers(Map(headers): &Map<Option<String>>, at: &str, problems: &mut Problems) {
    let mut seen: Vec<HeaderName> = Vec::new();
    for (name, value) in headers {
        let at = below(at, name);
        let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
            problems.key(at, format!("{name:?} is not a header name"));
            continue;
        };
        if [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(&parsed) {
            problems.key(at.clone(), format!("{parsed} frames the body: the server sets it"));
        }
        if seen.contains(&parsed) {
            problems.key(at.clone(), format!("the header {parsed} is there twice; case makes no difference"));
        }
        seen.push(parsed);
        if let Some(value) = value
            && !is_header_value(value)
        {
            problems.value(at, format!("a header value is visible ASCII in one line, got {}", quoted(value)));
        }
    }
}

/// Everything that breaks: the reply's list, then what its script has.
fn all_faults(object: &ReplyObject, at: &str, problems: &mut Problems) -> Vec<Fault> {
    let (mut faults, mut places) = (Vec::new(), Vec::new());
    for (index, written) in object.faults.iter().flatten().enumerate() {
        let at = format!("{at}/faults/{index}");
        if let Some(fault) = written.read(&at, problems) {
            if object.transcript.is_some() {
                transcript::check_fault(&fault, &at, problems);
            }
            faults.push(fault);
            places.push(at);
        }
    }
    for (index, said, written) in compose::script::faults(object.script.as_deref().unwrap_or_default()) {
        let at = format!("{at}/script/{index}/fault");
        let Some(mut fault) = written.read(&at, problems) else { continue };
        fault.at = match fault.kind.entry().places {
            Places::Anywhere | Places::Event | Places::Events => Some(At::event(said)),
            Places::Whole | Places::Idle | Places::NextRequest => None,
        };
        faults.push(fault);
        places.push(at);
    }
    for (index, reason) in conflicts(&faults) {
        problems.value(places[index].clone(), reason);
    }
    faults
}

fn check_filters(filters: &Filters, at: &str, problems: &mut Problems) {
    if filters.after.is_some() && !filters.completion.filtered() {
        problems.value(
            below(at, "after"),
            "`after` says where a filtered completion ends: filter it, \
             like {\"completion\": {\"violence\": \"medium\"}}",
        );
    }
}

fn check_error(error: &ErrorReply, at: &str, problems: &mut Problems) {
    if !(400..=599).contains(&error.status) {
        problems.value(below(at, "status"), format!("an error's status is 400 to 599, got {}", error.status));
    }
    if let Some(code @ (Value::Bool(_) | Value::Array(_) | Value::Object(_))) = &error.code {
        problems
            .value(below(at, "code"), format!("expected a string, a number or null, got {}", short(code)));
    }
    if let Some(wait) = &error.retry_after {
        let at = below(at, "retry_after");
        if wait.trim().is_empty() {
            problems
                .value(at, "`retry_after` is empty: give a duration or a header's value, or leave it out");
        } else if !is_header_value(wait) {
            problems.value(at, format!("a header value is visible ASCII in one line, got {}", quoted(wait)));
        }
    }
}

/// Whether a header can have this value. The http crate also takes bytes above ASCII, which clients
/// read in one encoding or another.
fn is_header_value(value: &str) -> bool {
    value.is_ascii() && HeaderValue::from_str(value).is_ok()
}

/// Statuses whose responses end with their head.
pub(super) const BODILESS: [u16; 3] = [204, 205, 304];
