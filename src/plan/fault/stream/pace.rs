//! Time: what comes late, at once, or slowly.

use std::time::Duration;

use super::MAX_PIECES;
use super::split::split;
use crate::plan::fault::At;
use crate::plan::fault::response::{Piece, Response};
use crate::plan::http1::is_chunked;

/// Everything comes later.
pub(super) fn delay_all(response: &mut Response, by: Duration) {
    response.head.at = response.head.at.saturating_add(by);
    response.delay(0, by);
}

/// The event at a place comes after a silence, and `events` events come with it; the rest follows them at
/// its own pace.
pub(super) fn burst(response: &mut Response, at: At, hold: Duration, events: Option<u64>) {
    let Some(start) = response.target(at) else {
        return;
    };
    let release = response.time_before(start).saturating_add(hold).max(response.pieces[start].at);
    let mut left = events.unwrap_or(u64::MAX).max(1);
    let mut original = Duration::ZERO;
    for piece in &mut response.pieces[start..] {
        if left > 0 {
            original = piece.at;
            piece.at = release;
            left -= u64::from(piece.kind.is_event());
        } else {
            piece.at = release.saturating_add(piece.at.saturating_sub(original));
        }
    }
    response.ends_at = release.saturating_add(response.ends_at.saturating_sub(original));
}

/// So many bytes at a time, and so much time between.
///
/// A body that would be more than [`MAX_PIECES`] comes in larger pieces, as much less often.
pub(super) fn dribble(response: &mut Response, bytes: u64, every: Duration) {
    let bytes = usize::try_from(bytes.max(1)).unwrap_or(usize::MAX);
    let coarser = coarser(response, bytes);
    let bytes = bytes.saturating_mul(coarser);
    let every = every.saturating_mul(u32::try_from(coarser).unwrap_or(u32::MAX));
    split(response, Duration::ZERO, |_, piece| steps(piece, bytes));
    let mut free = Duration::ZERO;
    for piece in response.pieces.iter_mut().filter(|piece| !piece.bytes.is_empty()) {
        piece.at = piece.at.max(free);
        free = piece.at.saturating_add(every);
    }
    settle(response);
}

/// Each byte once there was time for it and for all before it.
///
/// A piece is what passes in 20 ms; of a body that would be more than [`MAX_PIECES`], more.
pub(super) fn limit(response: &mut Response, bytes_per_s: u64) {
    let rate = bytes_per_s.max(1);
    let bytes = usize::try_from((rate / 50).max(1)).unwrap_or(usize::MAX);
    let bytes = bytes.saturating_mul(coarser(response, bytes));
    split(response, Duration::ZERO, |_, piece| steps(piece, bytes));
    // Times count from when the line was last idle, so that they do not drift.
    let (mut idle, mut passed) = (response.head.at, 0);
    for piece in &mut response.pieces {
        if piece.at > after(idle, passed, rate) {
            (idle, passed) = (piece.at, 0);
        }
        passed += piece.bytes.len() as u64;
        piece.at = after(idle, passed, rate);
    }
    settle(response);
}

/// When so many bytes have passed since `start`, to the next microsecond.
fn after(start: Duration, bytes: u64, rate: u64) -> Duration {
    let micros = (u128::from(bytes) * 1_000_000).div_ceil(u128::from(rate));
    start.saturating_add(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)))
}

/// How many times larger pieces have to be for there not to be too many.
fn coarser(response: &Response, bytes: usize) -> usize {
    let room = MAX_PIECES.saturating_sub(response.pieces.len()).max(1);
    (response.length() / bytes).div_ceil(room).max(1)
}

fn steps(piece: &Piece, bytes: usize) -> Vec<usize> {
    (bytes..piece.bytes.len()).step_by(bytes).collect()
}

/// Times never decrease, whatever was changed of them.
fn settle(response: &mut Response) {
    let mut last = response.head.at;
    for piece in &mut response.pieces {
        piece.at = piece.at.max(last);
        last = piece.at;
    }
    response.ends_at = response.ends_at.max(last);
}

/// The end of the body comes later than its last byte; that of a body whose length the head says, and of
/// one that only the end of the connection ends, cannot.
pub(super) fn hold_end(response: &mut Response, by: Duration) {
    if is_chunked(&response.head) {
        response.ends_at = response.ends_at.saturating_add(by);
    }
}
