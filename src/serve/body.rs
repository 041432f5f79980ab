//! Reading the body of a request, with limits on its size and its time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::clock;

/// The body of a request, or why there is none.
#[derive(Debug)]
pub(crate) enum Received {
    /// All of it.
    Whole(Bytes),
    /// It is larger than the limit; it was read to its end and thrown away.
    TooLarge,
    /// It is larger than the limit, and was left unread.
    TooLargeUnread,
    /// It did not come in time.
    TooSlow,
    /// The client left, or sent no valid body.
    Broken,
}

/// Reads a body of at most `limit` bytes.
///
/// Clients write the whole body before they look for an answer; one that is over the limit is
/// therefore read to its end, as far as that is reasonable, so that the refusal is seen.
pub(crate) async fn receive(mut body: Incoming, limit: usize, waits_for_continue: bool) -> Received {
    let announced = body.size_hint().lower();
    let most = (limit as u64).saturating_add(MAX_DISCARD);
    if announced > limit as u64 && (waits_for_continue || announced > most) {
        return Received::TooLargeUnread;
    }
    let end = clock::now() + TOTAL_LIMIT;
    let mut bytes = BytesMut::new();
    let mut total = 0;
    loop {
        let idle = clock::now() + IDLE_LIMIT;
        let frame = match clock::before(idle.min(end), body.frame()).await {
            None => return Received::TooSlow,
            Some(None) => break,
            Some(Some(Err(_))) => return Received::Broken,
            Some(Some(Ok(frame))) => frame,
        };
        // Trailers are read and dropped.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        total += data.len() as u64;
        if total > most {
            return Received::TooLargeUnread;
        }
        if total > limit as u64 {
            bytes = BytesMut::new();
        } else if bytes.is_empty() && body.is_end_stream() {
            return Received::Whole(data);
        } else {
            bytes.extend_from_slice(&data);
        }
    }
    match total > limit as u64 {
        true => Received::TooLarge,
        false => Received::Whole(bytes.freeze()),
    }
}

/// How long a body may take between two of its pieces.
const IDLE_LIMIT: Duration = Duration::from_secs(10);

/// How long a body may take.
const TOTAL_LIMIT: Duration = Duration::from_secs(60);

/// How many bytes over the limit are read before the connection is closed instead.
const MAX_DISCARD: u64 = 64 * 1024 * 1024;
