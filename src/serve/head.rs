//! From a planned head to a response that hyper writes exactly so, or the finding that it would not.

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, TRAILER, TRANSFER_ENCODING};
use http::{Method, Response, StatusCode};
use hyper::ext::ReasonPhrase;

use super::casing::Casings;
use crate::plan::http1;
use crate::plan::timeline::{Ending, Framing, Head, Header, Timeline};

/// Whether hyper, given this response to a request of this method, writes what is planned.
///
/// It does not write responses that break, and of those that do not it mends a head that lies about
/// its body. What hyper would mend is written by [`takeover`](super::takeover).
pub(crate) fn is_plain(timeline: &Timeline, method: &Method) -> bool {
    is_ordinary(timeline)
        && timeline.framing == Framing::default()
        && !timeline.head.status.is_informational()
        && is_framed(timeline, method)
        && is_ordered(&timeline.head)
}

/// The planned head as hyper's.
pub(crate) fn response<B>(head: &Head, casings: &Casings, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = map(head).unwrap_or_default();
    *response.extensions_mut() = casings.extensions(&head.headers);
    let reason = http1::reason(head);
    if head.status.canonical_reason() != Some(reason)
        && let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes())
    {
        response.extensions_mut().insert(reason);
    }
    response
}

/// Whether the response ends as hyper ends it: at once, and what comes after it is the connection's.
fn is_ordinary(timeline: &Timeline) -> bool {
    match timeline.ending {
        Ending::Complete | Ending::Reuse(_) => true,
        // hyper would close what the head says is closed.
        Ending::Idle { .. } => !http1::says_close(&timeline.head),
        Ending::Close
        | Ending::Reset { .. }
        | Ending::Abandon
        | Ending::HalfClose
        | Ending::Blackhole
        | Ending::Refuse { .. } => false,
    }
}

/// Whether the head says truly, and once, how long the body is.
pub(crate) fn is_framed(timeline: &Timeline, method: &Method) -> bool {
    let mut lengths = 0;
    let mut chunked = 0;
    for header in &timeline.head.headers {
        if header.name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str()) {
            let length = header.value.to_str().ok().and_then(|text| text.parse::<usize>().ok());
            if length != Some(timeline.body.len()) && *method != Method::HEAD {
                return false;
            }
            lengths += 1;
        } else if header.name.eq_ignore_ascii_case(TRANSFER_ENCODING.as_str()) {
            if !header.value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return false;
            }
            chunked += 1;
        }
    }
    match timeline.head.status {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => {
            lengths + chunked == 0 && timeline.body.is_empty()
        }
        _ => lengths + chunked == 1,
    }
}

/// Whether a header map keeps the headers as they are: names valid, repeated ones side by side. No map is
/// made for it: that takes as long as all the rest of a head.
fn is_ordered(head: &Head) -> bool {
    let same = |one: &Header, other: &Header| one.name.eq_ignore_ascii_case(&other.name);
    let mut before: &[Header] = &[];
    for (at, header) in head.headers.iter().enumerate() {
        let repeated = before.last().is_some_and(|last| same(last, header));
        let apart = !repeated && before.iter().any(|other| same(other, header));
        let is = |name: &HeaderName| header.name.eq_ignore_ascii_case(name.as_str());
        if apart || !is_name(&header.name) || is(&TRAILER) || (repeated && is(&CONNECTION)) {
            return false;
        }
        before = &head.headers[..=at];
    }
    true
}

/// Whether this is a name as HTTP has it.
fn is_name(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.len() < LONGEST_NAME && name.bytes().all(token)
}

/// The crate http has no longer ones.
const LONGEST_NAME: usize = 1 << 16;

fn map(head: &Head) -> Option<HeaderMap> {
    let mut map = HeaderMap::with_capacity(head.headers.len());
    for header in &head.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        map.append(name, header.value.clone());
    }
    Some(map)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::plan::timeline::{Event, EventKind};

    /// Checks whether hyper would write a response of this status and these headers with body `hello`.
    #[track_caller]
    fn check(status: u16, headers: &[(&'static str, &str)], expected: bool) {
        let head = Head {
            at: Duration::ZERO,
            status: StatusCode::from_u16(status).unwrap(),
            reason: None,
            headers: headers.iter().map(|(name, value)| Header::new(*name, value)).collect(),
        };
        let body = Bytes::from(if status == 204 { "" } else { "hello" });
        let events = vec![Event { at: Duration::ZERO, end: body.len(), kind: EventKind::Body }];
        let timeline = Timeline::whole(head, body, events);
        assert_eq!(is_plain(&timeline, &Method::POST), expected, "{status} {headers:?}");
    }

    #[test]
    fn names_are_those_that_a_header_map_takes() {
        for byte in 0..=u8::MAX {
            let name = char::from(byte).to_string();
            assert_eq!(is_name(&name), HeaderName::from_bytes(name.as_bytes()).is_ok(), "{name:?}");
        }
        for length in [LONGEST_NAME - 1, LONGEST_NAME] {
            let name = "x".repeat(length);
            assert_eq!(is_name(&name), HeaderName::from_bytes(name.as_bytes()).is_ok(), "{length}");
        }
    }

    #[test]
    fn honest_heads_are_hypers() {
        check(200, &[("content-length", "5")], true);
        check(529, &[("Transfer-Encoding", "Chunked"), ("set-cookie", "a"), ("Set-Cookie", "b")], true);
        check(204, &[("date", "today")], true);
    }

    #[test]
    fn heads_that_hyper_would_mend_are_not() {
        check(200, &[], false);
        check(200, &[("content-length", "4")], false);
        check(200, &[("content-length", "x")], false);
        check(200, &[("content-length", "5"), ("content-length", "5")], false);
        check(200, &[("content-length", "5"), ("transfer-encoding", "chunked")], false);
        check(200, &[("transfer-encoding", "gzip, chunked")], false);
        check(103, &[("content-length", "5")], false);
        check(204, &[("content-length", "0")], false);
        check(200, &[("content-length", "5"), ("connection", "a"), ("connection", "b")], false);
        check(200, &[("content-length", "5"), ("trailer", "x")], false);
        check(200, &[("content-length", "5"), ("a", "1"), ("b", "2"), ("a", "3")], false);
        check(200, &[("content-length", "5"), ("not a name", "1")], false);
        check(200, &[("content-length", "5"), ("", "1")], false);
    }
}
