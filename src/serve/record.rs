//! From a request to what the journal keeps of it: without secrets, and never large.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::entry::{Kept, Told};
use super::redact;
use crate::plan::{Request, Timeline};

/// What is kept of a request.
pub(crate) fn kept(request: &Request, body: &Bytes, is_json: bool) -> Kept {
    let call = &request.call;
    let retry = call.headers.get(&RETRY);
    let text = match is_json {
        true => redact::json(body, &request.body),
        false => Cow::Owned(redact::text(&String::from_utf8_lossy(body)).into_owned()),
    };
    Kept {
        session: redact::text(&call.scope.session).into_owned(),
        method: call.method.clone(),
        path: cut(redact::target(&call.path, call.query.as_deref()).into(), MOST),
        dialect: call.route.dialect.name(),
        endpoint: call.route.endpoint.name(),
        model: cut(redact::text(request.model()), MOST),
        headers: headers(&call.headers),
        body: cut(text, MOST_BODY),
        body_bytes: body.len(),
        retry: retry.and_then(|value| value.to_str().ok()?.parse().ok()),
        weight: 0,
    }
    .weighed()
}

/// Keeps what an answer turned out to be.
pub(crate) fn planned(told: &mut Told, timeline: &Timeline) {
    told.status = timeline.head.status;
    told.faults = timeline.faults.iter().map(|fault| cut(redact::text(fault), MOST)).collect();
    told.events_planned = timeline.events_in(timeline.events.len());
}

/// The reason of a refusal, as it is kept.
pub(crate) fn refusal(message: &str) -> String {
    cut(redact::text(message), MOST)
}

/// The headers, each value cut, and together never more than [`MOST_HEADERS`]. They are copies: hyper's are parts of
/// what it read, and would keep all of that.
fn headers(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    let mut size = 0;
    for (name, value) in &mut kept {
        let clean = redact::header(name, value);
        let whole = clean.as_ref().unwrap_or(value).as_bytes();
        *value = HeaderValue::from_bytes(&whole[..whole.len().min(MOST)]).expect("a part of a value is one");
        size += name.as_str().len() + value.len();
    }
    if size <= MOST_HEADERS {
        return kept;
    }
    let mut left = MOST_HEADERS;
    let fits = |(name, value): &(&HeaderName, &HeaderValue)| {
        let rest = left.checked_sub(name.as_str().len() + value.len());
        left = rest.unwrap_or_default();
        rest.is_some()
    };
    kept.iter().take_while(fits).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The first `most` bytes of a text, or one to three fewer: characters stay whole.
fn cut(text: Cow<'_, str>, most: usize) -> String {
    if text.len() <= most {
        return text.into_owned();
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text[..end].to_owned()
}

/// Where SDKs count attempts.
const RETRY: HeaderName = HeaderName::from_static("x-stainless-retry-count");

/// How many bytes are kept of a path, a model, a refusal, a fault, a header.
const MOST: usize = 1024;

/// How many bytes are kept of all headers.
const MOST_HEADERS: usize = 16 * 1024;

/// How many bytes are kept of a body.
const MOST_BODY: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_headers_are_no_part_of_what_was_read() {
        let read = Bytes::from(vec![b'a'; 2 * MOST]);
        let mut given = HeaderMap::new();
        for (name, len) in [("x-short", 3), ("x-long", read.len())] {
            given.insert(name, HeaderValue::from_maybe_shared(read.slice(..len)).unwrap());
        }
        let kept = headers(&given);
        drop(given);
        assert!(read.is_unique());
        assert_eq!((kept["x-short"].len(), kept["x-long"].len()), (3, MOST));
    }
}
