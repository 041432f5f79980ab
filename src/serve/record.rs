//! From a request to the entry that the journal keeps of it: without secrets, and never large.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::entry::{Entry, Outcome};
use super::redact;
use crate::plan::Request;

/// The entry of a request that was read `at` this time from the start of the server; what is known
/// only once it is answered is empty.
pub(crate) fn entry(request: &Request, body: &Bytes, is_json: bool, at: Duration) -> Entry {
    let call = &request.call;
    let retry = call.headers.get(&RETRY);
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
