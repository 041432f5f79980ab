//! Under which head an answer goes: the time to wait, and the content type.

use super::super::{Fault, Kind};
use super::instead::{Scene, code, whole};
use super::retry::{self, Told};
use super::{AnswerFault, ContentTypeForm};
use crate::plan::reply::ErrorReply;
use crate::plan::timeline::{EventKind, Head, Header, Timeline};

/// The answer under the head that its faults want. `replaced`: a fault has decided the answer itself.
pub(super) fn laid(timeline: Timeline, replaced: bool, faults: &[&Fault], scene: &Scene<'_>) -> Timeline {
    let status = timeline.head.status;
    let error = status.is_client_error() || status.is_server_error();
    let told = retry::wanted(faults);
    let mut timeline = match told {
        Some(told) if !error && !replaced => refused(&told, scene),
        _ => timeline,
    };
    if let Some(told) = told {
        told.lay(&mut timeline, scene.facts.wall);
    }
    for fault in faults {
        if let Kind::Answer(fault) = &fault.kind {
            content_type(fault, &mut timeline, scene);
        }
    }
    timeline
}

/// The error that an answer becomes which has a time to wait.
fn refused(told: &Told<'_>, scene: &Scene<'_>) -> Timeline {
    let retry_after = told.wait().map(|wait| format!("{}ms", wait.as_millis()));
    whole(scene.error(&ErrorReply { status: code(told.status), retry_after, ..ErrorReply::default() }))
}

fn content_type(fault: &AnswerFault, timeline: &mut Timeline, scene: &Scene<'_>) {
    let head = &mut timeline.head;
    match fault {
        AnswerFault::JsonInsteadOfStream { content_type } => {
            let is_whole = timeline.events.iter().all(|event| event.kind == EventKind::Body);
            if scene.stream && is_whole && head.status.is_success() {
                set(head, CONTENT_TYPE, content_type);
            }
        }
        AnswerFault::ContentTypeWrong { form } => match form {
            ContentTypeForm::TextPlain => set(head, CONTENT_TYPE, "text/plain"),
            ContentTypeForm::Missing => remove(head, CONTENT_TYPE),
            ContentTypeForm::Charset => {
                if let Some(value) = head.header(CONTENT_TYPE).and_then(|value| value.to_str().ok()) {
                    let essence = value.split(';').next().unwrap_or_default().trim_end();
                    let value = format!("{essence}; charset=iso-8859-1");
                    set(head, CONTENT_TYPE, &value);
                }
            }
        },
        AnswerFault::RateLimit { .. }
        | AnswerFault::QuotaExhausted { .. }
        | AnswerFault::ServerError { .. }
        | AnswerFault::PromptBlocked { .. }
        | AnswerFault::HtmlInstead { .. }
        | AnswerFault::Redirect { .. }
        | AnswerFault::RetryAfter { .. } => {}
    }
}

/// Gives a header this value, where it stands or at the end.
pub(super) fn set(head: &mut Head, name: &'static str, value: &str) {
    match head.headers.iter_mut().find(|header| header.name.eq_ignore_ascii_case(name)) {
        Some(header) => header.value = Header::new("", value).value,
        None => head.headers.push(Header::new(name, value)),
    }
}

/// Leaves a header out.
pub(super) fn remove(head: &mut Head, name: &str) {
    head.headers.retain(|header| !header.name.eq_ignore_ascii_case(name));
}

/// The head of a body of another length; one that names none still names none.
pub(super) fn resized(mut head: Head, length: usize) -> Head {
    if head.header(CONTENT_LENGTH).is_some() {
        set(&mut head, CONTENT_LENGTH, &length.to_string());
    }
    head
}

const CONTENT_TYPE: &str = "content-type";
const CONTENT_LENGTH: &str = "content-length";
