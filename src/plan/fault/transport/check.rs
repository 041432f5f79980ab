//! What the parameters of transport faults may be.

use std::time::Duration;

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use super::TransportFault;
use crate::plan::json::Span;

/// What is wrong with the parameters of a fault: which, and how.
pub(super) fn problems(fault: &TransportFault) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let mut check = |name, wrong: Option<String>| problems.extend(wrong.map(|wrong| (name, wrong)));
    match fault {
        TransportFault::Informational { status, times } => {
            let known = matches!(status, 100 | 102 | 103);
            check("status", (!known).then(|| format!("expected 100, 102 or 103, got {status}")));
            let few = (1..=MOST_TIMES as u64).contains(times);
            check("times", (!few).then(|| format!("expected 1 to {MOST_TIMES}, got {times}")));
        }
        TransportFault::Trailers { name, value, error: _ } => {
            check("name", trailer(name));
            let valid = value.len() <= MOST_TEXT && HeaderValue::from_str(value).is_ok();
            check(
                "value",
                (!valid).then(|| format!("expected up to {MOST_TEXT} visible characters of ASCII")),
            );
        }
        TransportFault::MalformedChunk { form: _, size } => {
            let fits = (1..=MOST_SIZE).contains(&size.len()) && !size.contains(char::is_control);
            check(
                "size",
                (!fits).then(|| format!("expected 1 to {MOST_SIZE} characters of one line, got {size:?}")),
            );
        }
        TransportFault::ContentLengthMismatch { delta_bytes } => {
            let differs = *delta_bytes != 0 && delta_bytes.unsigned_abs() <= MOST_DELTA;
            check(
                "delta_bytes",
                (!differs)
                    .then(|| format!("expected -{MOST_DELTA} to {MOST_DELTA}, but not 0, got {delta_bytes}")),
            );
        }
        TransportFault::Garbage { after_head: _, bytes } => {
            let fits = (1..=MOST_GARBAGE).contains(&bytes.len());
            check(
                "bytes",
                (!fits).then(|| format!("expected 1 to {MOST_GARBAGE} bytes, got {}", bytes.len())),
            );
        }
        TransportFault::StallHeartbeat { every, text, hold, then: _ } => {
            let slow = every.0 >= Duration::from_millis(1);
            check("every", (!slow).then(|| "expected 1ms or more".to_owned()).or_else(|| long(*every)));
            let fits = text.len() <= MOST_TEXT;
            check("text", (!fits).then(|| format!("expected up to {MOST_TEXT} bytes, got {}", text.len())));
            check("hold", hold.and_then(long));
        }
        TransportFault::Stall { hold, then: _ }
        | TransportFault::HalfClose { hold }
        | TransportFault::AcceptBlackhole { hold } => check("hold", hold.and_then(long)),
        TransportFault::EarlyResponse { status } => {
            let error = (400..=599).contains(status);
            check("status", (!error).then(|| format!("expected 400 to 599, got {status}")));
        }
        TransportFault::SlowClose { delay } | TransportFault::KeepaliveClose { delay, how: _ } => {
            check("delay", long(*delay));
        }
        TransportFault::ConnectionRefused { duration } => check("for", long(*duration)),
        TransportFault::CloseDelimited {}
        | TransportFault::PartialHead { byte: _, how: _ }
        | TransportFault::CloseMidStream {}
        | TransportFault::ResetMidStream { drain: _ }
        | TransportFault::ResetUndrained {}
        | TransportFault::EmptyResponse {}
        | TransportFault::ResetBeforeResponse {}
        | TransportFault::KeepaliveResetOnReuse { how: _ } => {}
    }
    problems
}

fn trailer(name: &str) -> Option<String> {
    let forbidden = [CONNECTION, CONTENT_LENGTH, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(name) if forbidden.contains(&name) => Some(format!("HTTP allows no trailer {:?}", name.as_str())),
        Ok(name) if name.as_str().len() <= MOST_TEXT => None,
        Ok(_) | Err(_) => Some(format!("expected the name of a header, got {name:?}")),
    }
}

fn long(span: Span) -> Option<String> {
    (span.0 > DAY).then(|| "expected at most a day, 24h".to_owned())
}

/// The longest span.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The most informational heads.
pub(super) const MOST_TIMES: usize = 100;

/// The longest name or value of a trailer, and the longest heartbeat, in bytes.
const MOST_TEXT: usize = 1024;

/// The longest that stands for the size of a chunk, in bytes.
const MOST_SIZE: usize = 64;

/// The most bytes that are no HTTP.
const MOST_GARBAGE: usize = 64 * 1024;

/// How far a content length may be off.
const MOST_DELTA: u64 = 1 << 40;
