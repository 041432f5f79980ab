//! Pieces: the right bytes, cut where no reader may rely on.

use std::time::Duration;

use super::text::{data, floor, splice, text};
use super::{MAX_PIECES, Via};
use crate::plan::fault::response::{Piece, Response};
use crate::plan::fault::{At, Name};
use crate::plan::timeline::EventKind;

/// Cuts pieces after the bytes that `cuts` says, in ascending order. The parts of a piece follow each
/// other after `gap`; what comes later waits for them, and no longer.
pub(super) fn split(
    response: &mut Response,
    gap: Duration,
    mut cuts: impl FnMut(usize, &Piece) -> Vec<usize>,
) {
    let mut room = MAX_PIECES.saturating_sub(response.pieces.len());
    let mut pieces = Vec::with_capacity(2 * response.pieces.len());
    let mut free = Duration::ZERO;
    for (index, mut piece) in std::mem::take(&mut response.pieces).into_iter().enumerate() {
        piece.at = piece.at.max(free);
        let mut start = 0;
        for cut in cuts(index, &piece) {
            if cut <= start || cut >= start + piece.bytes.len() || room == 0 {
                continue;
            }
            let bytes = piece.bytes.split_to(cut - start);
            pieces.push(Piece { at: piece.at, kind: EventKind::Part, bytes });
            piece.at = piece.at.saturating_add(gap);
            start = cut;
            room -= 1;
        }
        free = piece.at;
        pieces.push(piece);
    }
    response.pieces = pieces;
    response.ends_at = response.ends_at.max(free);
}

/// Where an event is cut.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cuts {
    /// After every so many bytes.
    Every(u64),
    /// After this byte.
    Byte(u64),
    /// In the middle.
    Middle,
}

/// Cuts events into pieces: all of them, or the one at a place.
pub(super) fn split_events(response: &mut Response, at: At, cuts: Cuts, gap: Duration, via: Via) {
    let targets = response.targets(at);
    let spans = spans(&response.pieces);
    split(response, gap, |index, piece| {
        let Span { before, length, comment } = spans[index];
        if comment || !targets.contains(&index) {
            return Vec::new();
        }
        let inside = |cut: usize| cut.checked_sub(before).filter(|cut| (1..piece.bytes.len()).contains(cut));
        match cuts {
            Cuts::Every(bytes) => {
                let step = usize::try_from(bytes.max(1)).unwrap_or(usize::MAX);
                let first = step - before % step;
                (first..piece.bytes.len()).step_by(step).take(MAX_PIECES).collect()
            }
            Cuts::Byte(byte) => usize::try_from(byte).ok().and_then(inside).into_iter().collect(),
            Cuts::Middle => {
                let middle = inside(length / 2).map(|middle| floor(&piece.bytes, middle));
                middle.into_iter().collect()
            }
        }
    });
    slice(response, via);
}

/// A piece as part of an event.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// How many bytes of the event are before it.
    before: usize,
    /// How long the event is.
    length: usize,
    /// Whether the event is none, but a comment.
    comment: bool,
}

fn spans(pieces: &[Piece]) -> Vec<Span> {
    let mut spans = Vec::with_capacity(pieces.len());
    let mut rest = pieces;
    while !rest.is_empty() {
        let parts = rest.iter().take_while(|piece| piece.kind == EventKind::Part).count();
        let (event, after) = rest.split_at((parts + 1).min(rest.len()));
        let length = event.iter().map(|piece| piece.bytes.len()).sum();
        let comment = event.last().is_some_and(|piece| piece.kind == EventKind::Comment);
        let mut before = 0;
        for piece in event {
            spans.push(Span { before, length, comment });
            before += piece.bytes.len();
        }
        rest = after;
    }
    spans
}

/// What `char-split` is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chars<'a> {
    /// The character that goes over the text.
    pub(super) char: Option<&'a str>,
    /// How many of its bytes are in the first piece.
    pub(super) offset: u64,
    /// How much time is between the pieces.
    pub(super) gap: Duration,
    /// Whether pieces are chunks or segments.
    pub(super) via: Via,
}

/// Cuts characters of several bytes. A body that is compressed has none.
pub(super) fn split_chars(response: &mut Response, at: At, chars: Chars<'_>) {
    if response.pieces.first().is_some_and(|piece| piece.bytes.starts_with(b"\x1F\x8B")) {
        return;
    }
    let mut targets = response.targets(at);
    let has_some = response.pieces[targets.clone()].iter().any(|piece| !piece.bytes.is_ascii());
    if let Some(char) = chars.char.or_else(|| (!has_some).then_some(EARTH)) {
        let place = match at {
            At::End | At::Idle | At::NextRequest => At::Named(Name::FirstContent),
            at => at,
        };
        targets = response.targets(place);
        let Some(piece) = response.pieces[targets.clone()].first_mut() else {
            return;
        };
        let found = data(&piece.bytes, piece.kind).and_then(|data| {
            let text = text(&piece.bytes[data.clone()], TEXT)?;
            Some(data.start + text.start..data.start + text.end)
        });
        if let Some(found) = found {
            let char = serde_json::Value::from(char).to_string();
            piece.bytes = splice(&piece.bytes, found, &char.as_bytes()[1..char.len() - 1]);
        }
    }
    let offset = usize::try_from(chars.offset).unwrap_or(usize::MAX).max(1);
    split(response, chars.gap, |index, piece| {
        if !targets.contains(&index) || piece.kind == EventKind::Comment {
            return Vec::new();
        }
        let mut at = 0;
        let mut cuts = Vec::new();
        for chunk in piece.bytes.utf8_chunks() {
            let long = chunk.valid().char_indices().filter(|(_, char)| char.len_utf8() > 1);
            cuts.extend(
                long.map(|(start, char)| at + start + offset.min(char.len_utf8() - 1)).take(MAX_PIECES),
            );
            at += chunk.valid().len() + chunk.invalid().len();
        }
        cuts
    });
    slice(response, chars.via);
}

/// The keys of text that any character can go over.
const TEXT: &[&str] = &["content", "text", "delta", "refusal", "reasoning_content", "message"];

/// What goes over a text without characters to cut.
const EARTH: &str = "🌍";

/// Makes the parts segments of TCP, if they are to be.
fn slice(response: &mut Response, via: Via) {
    let is_part = |piece: &Piece| piece.kind == EventKind::Part;
    response.framing.sliced |= via == Via::Tcp && response.pieces.iter().any(is_part);
}
