//! What is answered instead: errors in the dialect's words, pages of proxies, redirects.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::super::transport::TransportFault;
use super::super::{Fault, Kind};
use super::{AnswerFault, Category, Quantity, Severity, Vendor, pages, redirect, retry};
use crate::plan::dialect::shape::Shape;
use crate::plan::dialect::{Facts, Form};
use crate::plan::reply::ErrorReply;
use crate::plan::timeline::{Event, EventKind, Head, Timeline};
use crate::plan::wire::{Severity as Found, Verdicts};

/// What is known of a request where it is answered without a reply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    /// What heads depend on.
    pub(crate) facts: Facts<'a>,
    /// The shape of a completion, where one is asked for.
    pub(crate) shape: Option<&'a Shape>,
    /// Whether a stream is asked for.
    pub(crate) stream: bool,
}

impl Scene<'_> {
    /// An error in the dialect's words.
    pub(super) fn error(&self, error: &ErrorReply) -> (Head, Bytes) {
        let (mut head, body) = self.facts.call.route.dialect.error(error, &self.facts);
        head.reason = head.reason.or_else(|| pages::reason(head.status).map(Cow::Borrowed));
        (head, body)
    }
}

/// What the first fault that decides the answer says, at once.
pub(super) fn instead(faults: &[&Fault], scene: &Scene<'_>) -> Option<Timeline> {
    let wait =
        retry::wanted(faults).and_then(|told| told.wait()).map(|wait| format!("{}ms", wait.as_millis()));
    faults.iter().find_map(|fault| match &fault.kind {
        Kind::Answer(fault) => answer(fault, wait.as_deref(), scene),
        Kind::Transport(TransportFault::EarlyResponse { status }) => {
            let status = code(*status);
            Some(whole(scene.error(&ErrorReply { status, ..ErrorReply::default() })))
        }
        Kind::Event(_) | Kind::Stream(_) | Kind::Transport(_) => None,
    })
}

fn answer(fault: &AnswerFault, wait: Option<&str>, scene: &Scene<'_>) -> Option<Timeline> {
    match fault {
        AnswerFault::RateLimit { code, of, retry_after, times: _ } => {
            let error = ErrorReply {
                status: 429,
                code: code.clone().map(Value::from),
                kind: Some(of.kind().to_owned()),
                retry_after: wait.or(retry_after.as_deref()).and_then(given),
                ..ErrorReply::default()
            };
            Some(whole(scene.error(&error)))
        }
        AnswerFault::QuotaExhausted { code, times: _ } => {
            let error = ErrorReply {
                status: 429,
                code: Some(code.as_str().into()),
                kind: Some("insufficient_quota".to_owned()),
                ..ErrorReply::default()
            };
            Some(whole(scene.error(&error)))
        }
        AnswerFault::ServerError { status, code, message, body, retry_after, times: _ } => {
            let error = ErrorReply {
                status: self::code(*status),
                code: code.clone().map(Value::from),
                message: message.clone(),
                body: body.clone().map(Value::from),
                retry_after: retry_after.as_deref().and_then(given),
                ..ErrorReply::default()
            };
            Some(whole(server_error(error, scene)))
        }
        AnswerFault::PromptBlocked { category, severity, in_stream } => {
            let (head, body) = blocked(*category, *severity, scene)?;
            let streamed = *in_stream && scene.stream;
            Some(if streamed { in_stream_of_one(&body, scene) } else { whole((head, body)) })
        }
        AnswerFault::HtmlInstead { status, vendor, times: _ } => {
            Some(whole(pages::page(*vendor, status_of(*status), &scene.facts)))
        }
        AnswerFault::Redirect { status, to, times: _ } => {
            Some(whole(redirect::redirect(status_of(*status), *to, &scene.facts)))
        }
        AnswerFault::JsonInsteadOfStream { .. }
        | AnswerFault::RetryAfter { .. }
        | AnswerFault::ContentTypeWrong { .. } => None,
    }
}

/// An error of the service, or of what is in front of it.
fn server_error(error: ErrorReply, scene: &Scene<'_>) -> (Head, Bytes) {
    let own = error.code.is_some() || error.message.is_some();
    match error.status {
        520..=526 if !own => {
            let (head, page) = pages::page(Vendor::Cloudflare, status_of(error.status.into()), &scene.facts);
            let body = match &error.body {
                Some(Value::String(body)) => Bytes::copy_from_slice(body.as_bytes()),
                _ => page,
            };
            let mut head = super::head::resized(head, body.len());
            if let Some(wait) = &error.retry_after {
                super::head::set(&mut head, "Retry-After", &retry::seconds(wait));
            }
            (head, body)
        }
        // No provider sends these two; relays do. (U)
        499 => scene.error(&ErrorReply {
            message: error.message.or_else(|| Some("Client Closed Request".to_owned())),
            ..error
        }),
        529 => scene.error(&ErrorReply {
            kind: Some("overloaded_error".to_owned()),
            message: error.message.or_else(|| Some("Overloaded".to_owned())),
            ..error
        }),
        _ => scene.error(&error),
    }
}

/// The refusal of a prompt; none where there is no prompt.
fn blocked(category: Category, severity: Severity, scene: &Scene<'_>) -> Option<(Head, Bytes)> {
    let found = Some(match severity {
        Severity::Low => Found::Low,
        Severity::Medium => Found::Medium,
        Severity::High => Found::High,
    });
    let verdicts = match category {
        Category::Hate => Verdicts { hate: found, ..Verdicts::default() },
        Category::SelfHarm => Verdicts { self_harm: found, ..Verdicts::default() },
        Category::Sexual => Verdicts { sexual: found, ..Verdicts::default() },
        Category::Violence => Verdicts { violence: found, ..Verdicts::default() },
    };
    Some(scene.facts.call.route.dialect.blocked(&verdicts, scene.shape?, &scene.facts))
}

/// A stream whose only event is the error, and which then ends: no `[DONE]`. (I argo-proxy#91)
fn in_stream_of_one(error: &[u8], scene: &Scene<'_>) -> Timeline {
    let error: Value = serde_json::from_slice(error).unwrap_or_default();
    let body = Bytes::from(format!("data: {error}\n\n"));
    timeline(scene.facts.call.route.dialect.success(&scene.facts, Form::Stream), body, EventKind::Other)
}

/// An answer that is no stream, at once.
pub(super) fn whole((head, body): (Head, Bytes)) -> Timeline {
    timeline(head, body, EventKind::Body)
}

fn timeline(head: Head, body: Bytes, kind: EventKind) -> Timeline {
    let event = Event { at: head.at, end: body.len(), kind };
    let events = if body.is_empty() { Vec::new() } else { vec![event] };
    Timeline::whole(head, body, events)
}

/// A text that says something.
fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A status as a number; out of range, that of a server's failure.
pub(super) fn code(status: u64) -> u16 {
    u16::try_from(status).ok().filter(|status| (200..600).contains(status)).unwrap_or(500)
}

pub(super) fn status_of(status: u64) -> StatusCode {
    StatusCode::from_u16(code(status)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl Quantity {
    /// The type of the error, and what Azure's limiter is told by.
    fn kind(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
        }
    }
}
