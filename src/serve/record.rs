//! From a request to the entry that the journal keeps of it: without secrets, and never large.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue};

use super::entry::{Entry, Outcome};
use super::redact;
use crate::plan::Request;

/// The entry of a request that was read `at` this time from the start of the server; what is known
/// only once it is answered is empty.
pub(crate) fn entry(request: &Request, body: &Bytes, is_json: bool, at: Duration) -> Entry {
    let call = &request.call;
    let retry = call.headers.get("x-stainless-retry-count");
    let kept = match is_json {
        true => redact::json(body, &request.body),
        false => Cow::Owned(redact::text(&String::from_utf8_lossy(body)).into_owned()),
    };
    Entry {
        id: 0,
        session: redact::text(&call.scope.session).into_owned(),
        method: call.method.clone(),
        path: cut(redact::target(&call.path, call.query.as_deref()).into(), MOST),
        dialect: call.route.dialect.name(),
        endpoint: call.route.endpoint.name(),
        model: cut(redact::text(request.model()), MOST),
        headers: headers(&call.headers),
        body: cut(kept, MOST_BODY),
        body_bytes: body.len(),
        retry: retry.and_then(|value| value.to_str().ok()?.parse().ok()),
        status: StatusCode::INTERNAL_SERVER_ERROR,
        fixture: None,
        hit: None,
        unmatched: false,
        refusal: None,
        faults: Vec::new(),
        events_planned: 0,
        events_sent: 0,
        outcome: Outcome::Running,
        at,
        duration: None,
    }
}

/// The reason of a refusal, as it is kept.
pub(crate) fn refusal(message: &str) -> String {
    cut(redact::text(message), MOST)
}

/// The faults of a timeline, as they are kept.
pub(crate) fn faults(faults: &[String]) -> Vec<String> {
    faults.iter().map(|fault| cut(redact::text(fault), MOST)).collect()
}

/// The headers, each value cut, and together never more than [`MOST_HEADERS`].
fn headers(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(headers.keys_len());
    let mut left = MOST_HEADERS;
    for (name, value) in headers {
        let value = redact::header(name, value);
        let short = match value.len() > MOST {
            true => HeaderValue::from_bytes(&value.as_bytes()[..MOST]).expect("a part of a value is one"),
            false => value,
        };
        let size = name.as_str().len() + short.len();
        if size > left {
            break;
        }
        left -= size;
        kept.append(name, short);
    }
    kept
}

/// The first `most` bytes of a text, or one to three fewer: characters stay whole.
fn cut(text: Cow<'_, str>, most: usize) -> String {
    if text.len() <= most {
        return text.into_owned();
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text[..end].to_owned()
}

/// How many bytes are kept of a path, a model, a refusal, a fault, a header.
const MOST: usize = 1024;

/// How many bytes are kept of all headers.
const MOST_HEADERS: usize = 16 * 1024;

/// How many bytes are kept of a body.
const MOST_BODY: usize = 64 * 1024;
