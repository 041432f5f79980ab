//! Raw SSE: the body of a response alone, as `curl -N` prints it.

use super::{Damage, Exchange, RawExchange, RawResponse};

/// Whether this is the body of a stream.
pub(super) fn is(capture: &[u8]) -> bool {
    let start = capture.strip_prefix(b"\xef\xbb\xbf").unwrap_or(capture).trim_ascii_start();
    [&b"data:"[..], b"event:", b"id:", b"retry:", b":"].iter().any(|field| start.starts_with(field))
}

/// The stream.
pub(super) fn read(capture: &[u8]) -> Result<Vec<Result<Exchange, Damage>>, String> {
    let response = RawResponse {
        status: 200,
        headers: vec![("content-type".to_owned(), "text/event-stream".to_owned())],
        body: capture.to_vec().into(),
        ..RawResponse::default()
    };
    let raw = RawExchange { place: "line 1".to_owned(), response, ..RawExchange::default() };
    Ok(vec![raw.exchange()])
}
