//! Silence in a response, with heartbeats or without.

use std::time::Duration;

use bytes::Bytes;

use super::AfterStall;
use crate::plan::fault::At;
use crate::plan::fault::response::{Piece, Response, Spot};
use crate::plan::timeline::{Ending, EventKind};

/// Nothing for so long, from a place on.
pub(super) fn silent(at: At, response: &mut Response, hold: Duration, then: AfterStall) {
    stop(at, response, hold, then);
}

/// Nothing but comments for so long, from a place on: one each time that `every` has passed. A body that
/// is not a stream has no comments.
pub(super) fn heartbeat(
    at: At,
    response: &mut Response,
    hold: Duration,
    then: AfterStall,
    (every, text): (Duration, &str),
) {
    let stream = response.is_stream();
    let index = stop(at, response, hold, then);
    if !stream {
        return;
    }
    let start = match at {
        At::Elapsed(time) => time.max(response.time_before(index)),
        _ => response.time_before(index),
    };
    let every = every.max(Duration::from_millis(1));
    let bytes = Bytes::from(format!("{text}\n\n"));
    let beats = (1..MOST_BEATS).map(|beat| every.saturating_mul(beat)).take_while(|after| *after < hold);
    let beats = beats.map(|after| Piece {
        at: start.saturating_add(after),
        kind: EventKind::Comment,
        bytes: bytes.clone(),
    });
    let beats: Vec<Piece> = beats.collect();
    response.pieces.splice(index..index, beats);
}

/// Stops at a place; tells where it is among the pieces.
fn stop(at: At, response: &mut Response, hold: Duration, then: AfterStall) -> usize {
    match then {
        AfterStall::Close => end(at, response, hold, Ending::Close),
        AfterStall::Reset => end(at, response, hold, Ending::Reset { drain: true }),
        AfterStall::Resume => {
            let index = split(at, response);
            response.delay(index, hold);
            index
        }
    }
}

/// Ends the response at a place, late.
fn end(at: At, response: &mut Response, hold: Duration, ending: Ending) -> usize {
    response.cut(at);
    response.ends_at = response.ends_at.saturating_add(hold);
    response.ending = ending;
    response.pieces.len()
}

/// Makes two pieces of the one that a place is in; tells where the second is.
fn split(at: At, response: &mut Response) -> usize {
    let Spot { index, byte } = response.spot(at);
    if byte == 0 {
        return index;
    }
    let piece = &mut response.pieces[index];
    let first = Piece { at: piece.at, kind: EventKind::Part, bytes: piece.bytes.split_to(byte) };
    response.pieces.insert(index, first);
    index + 1
}

/// The most heartbeats that are planned.
const MOST_BEATS: u32 = 1 << 16;
