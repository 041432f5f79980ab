//! Checks a script.

use serde_json::Value;

use crate::plan::json::StringOr;
use crate::plan::load::problems::{Problems, below};
use crate::plan::load::words::{quoted, short};
use crate::plan::reply::{Base64, EventStep, Step, ToolCallStep};

use super::usage;

/// Checks a script that stands at the pointer `at`.
pub(super) fn script(steps: &[Step], at: &str, problems: &mut Problems) {
    for (index, step) in steps.iter().enumerate() {
        check_step(step, &format!("{at}/{index}"), problems);
    }
}

fn check_step(step: &Step, at: &str, problems: &mut Problems) {
    match step {
        Step::ToolCall(ToolCallStep { index: _, id: None, name: None, arguments: None }) => {
            problems.value(
                below(at, "tool_call"),
                "a piece of a tool call has `id` and `name`, `arguments`, or all of them",
            );
        }
        Step::Delta(delta) => check_object(delta, &below(at, "delta"), problems),
        Step::Chunk(chunk) => check_object(chunk, &below(at, "chunk"), problems),
        Step::Event(event) => check_event(event, &below(at, "event"), problems),
        Step::Comment(text) => check_line(Some(text), "a comment", &below(at, "comment"), problems),
        Step::Usage(counts) => usage::usage(counts, &below(at, "usage"), problems),
        Step::Raw(raw) => check_raw(raw, &below(at, "raw"), problems),
        Step::Wait(span) if span.0.as_secs() > 24 * 60 * 60 => {
            problems.value(below(at, "wait"), "a day is the longest wait");
        }
        Step::Fault(fault) if fault.has_place() => problems
            .key(format!("{at}/fault/at"), "a fault in a script happens where it stands: leave `at` out"),
        Step::Role(_)
        | Step::Text(_)
        | Step::Reasoning(_)
        | Step::Refusal(_)
        | Step::ToolCall(_)
        | Step::Finish(_)
        | Step::PromptFilter(_)
        | Step::ContentFilter(_)
        | Step::Wait(_)
        | Step::Fault(_)
        | Step::Done => {}
    }
}

fn check_object(value: &Value, at: &str, problems: &mut Problems) {
    if !value.is_object() {
        problems
            .value(at, format!("expected an object, got {}; `event` and `raw` send anything", short(value)));
    }
}

fn check_event(event: &EventStep, at: &str, problems: &mut Problems) {
    if let EventStep { event: None, id: None, retry: None, data: None } = event {
        problems.value(at, "an event needs `event`, `id`, `retry` or `data`");
    }
    check_line(event.event.as_deref(), "an event's name", &below(at, "event"), problems);
    check_line(event.id.as_deref(), "an event's id", &below(at, "id"), problems);
    // A line feed makes another `data:` line; clients take a carriage return for the end of one, too.
    if let Some(text) = event.data.as_ref().and_then(Value::as_str).filter(|text| text.contains('\r')) {
        let at = below(at, "data");
        problems.value(
            at,
            format!("lines of data end in \"\\n\" alone, got {}; `raw` sends anything", quoted(text)),
        );
    }
}

fn check_raw(raw: &StringOr<Base64>, at: &str, problems: &mut Problems) {
    let is_empty = match raw {
        StringOr::Text(text) => text.is_empty(),
        StringOr::Object(Base64 { base64 }) => base64.is_empty(),
    };
    if is_empty {
        problems.value(at, "`raw` sends at least one byte: leave the step out");
    }
}

/// A line feed would end the field and start another one; `raw` is for that.
fn check_line(text: Option<&str>, what: &str, at: &str, problems: &mut Problems) {
    if let Some(text) = text.filter(|text| text.contains(['\n', '\r'])) {
        problems.value(at, format!("{what} is one line, got {}; `raw` sends anything", quoted(text)));
    }
}
