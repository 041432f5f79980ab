//! Whether a client can tell from a head where the response ends, so that another can follow it.

use http::{Method, StatusCode};

use crate::plan::http1;
use crate::plan::timeline::{Ending, Framing, Timeline, Until};

/// Whether the response to a request of this method ends as HTTP wants it, and its head says truly where.
pub(crate) fn is_whole(timeline: &Timeline, method: &Method) -> bool {
    is_ordinary(timeline)
        && timeline.framing == Framing::default()
        && !timeline.head.status.is_informational()
        && is_framed(timeline, method)
}

/// Whether the response ends at once, and what comes after it is the connection's.
fn is_ordinary(timeline: &Timeline) -> bool {
    match timeline.ending {
        Ending::Complete | Ending::Reuse(_) => true,
        // It is not idle if its head says that it is closed.
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
    let until = timeline.head.headers.framed().until;
    match timeline.head.status {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => {
            until == Until::Untold && timeline.body.is_empty()
        }
        _ => match until {
            Until::Length(length) => length == Some(timeline.body.len()) || *method == Method::HEAD,
            Until::Chunks => true,
            Until::Untold | Until::Unclear => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::plan::timeline::{Event, EventKind, Head, Header};

    /// Checks whether a response of this status and these headers, with body `hello`, is whole.
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
        assert_eq!(is_whole(&timeline, &Method::POST), expected, "{status} {headers:?}");
    }

    #[test]
    fn honest_heads_are_whole() {
        check(200, &[("content-length", "5")], true);
        check(529, &[("Transfer-Encoding", "Chunked"), ("set-cookie", "a"), ("Set-Cookie", "b")], true);
        check(204, &[("date", "today")], true);
    }

    #[test]
    fn heads_that_lie_about_the_body_are_not() {
        check(200, &[], false);
        check(200, &[("content-length", "4")], false);
        check(200, &[("content-length", "x")], false);
        check(200, &[("content-length", "5"), ("content-length", "5")], false);
        check(200, &[("content-length", "5"), ("transfer-encoding", "chunked")], false);
        check(200, &[("transfer-encoding", "gzip, chunked")], false);
        check(103, &[("content-length", "5")], false);
        check(204, &[("content-length", "0")], false);
    }
}
