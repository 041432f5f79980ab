//! What is around the choices: usage, the envelope itself, and how large and how often an event is.
//!
//! `obfuscation` is left as it was, whatever becomes of the rest of the chunk.

use bytes::Bytes;

use super::chunk::{self, CHUNK};
use super::{Choices, edit};
use crate::plan::dialect::chunk::{Order, object, quoted};
use crate::plan::fault::response::{Piece, Response};
use crate::plan::fault::{At, Context};
use crate::plan::timeline::EventKind;

/// The most bytes of an oversize event.
pub(super) const LARGEST: u64 = 16 << 20;
/// The most often that an event comes again.
pub(super) const OFTENEST: u64 = 10_000;
/// The most bytes that events add by coming again.
const HEAVIEST: usize = 64 << 20;

/// Gives the usage chunks of a stream this form of choices; a stream that has none gets one before
/// `[DONE]`, if `unsolicited`. The usage of a completion is no chunk.
pub(super) fn usage(response: &mut Response, context: &Context<'_>, choices: Choices, unsolicited: bool) {
    if !response.is_stream() {
        return;
    }
    let order = chunk::order(response, context);
    if unsolicited
        && !response.pieces.iter().any(is_usage)
        && let Some(usage) = usage_chunk(response, order)
    {
        response.insert(chunk::done(response), EventKind::Usage, usage);
    }
    for piece in response.pieces.iter_mut().filter(|piece| is_usage(piece)) {
        chunk::edit(piece, |json| match choices {
            Choices::Empty => edit::set(json, "choices", "[]", order, CHUNK),
            Choices::Null => edit::set(json, "choices", "null", order, CHUNK),
            Choices::Absent => edit::remove(json, &["choices"]),
        });
    }
}

/// The usage chunk that a stream lacks: its last chunk without choices, with as many tokens as it has
/// content events, to a prompt of nine.
pub(super) fn usage_chunk(response: &Response, order: Order) -> Option<Bytes> {
    let contents = response.pieces.iter().filter(|piece| piece.kind == EventKind::Content);
    let completion = contents.count();
    let prompt = 9;
    let zeros =
        |keys: &[&'static str]| object(order, keys.iter().map(|key| (*key, "0".to_owned())).collect());
    let usage = object(
        order,
        vec![
            ("prompt_tokens", prompt.to_string()),
            ("completion_tokens", completion.to_string()),
            ("total_tokens", (prompt + completion).to_string()),
            ("prompt_tokens_details", zeros(&["cached_tokens", "audio_tokens"])),
            (
                "completion_tokens_details",
                zeros(&[
                    "reasoning_tokens",
                    "audio_tokens",
                    "accepted_prediction_tokens",
                    "rejected_prediction_tokens",
                ]),
            ),
        ],
    );
    let pattern = chunk::envelope(response, response.pieces.len())?;
    let bare = edit::set(pattern, "choices", "[]", order, CHUNK)?;
    // In tool call streams OpenAI writes `usage` before the choices; in its own chunk it comes after.
    let bare = edit::remove(&bare, &["usage"]).unwrap_or(bare);
    Some(chunk::event(&edit::set(&bare, "usage", &usage, order, CHUNK)?))
}

/// Leaves keys of the envelope out, and adds one that nobody knows: in the chunk at a place, or in all.
pub(super) fn lack(at: At, response: &mut Response, drop: &str, add: Option<&str>, context: &Context<'_>) {
    let order = chunk::order(response, context);
    let keys: Vec<&str> = dropped(drop).collect();
    let without = |piece: &mut Piece| {
        chunk::edit(piece, |json| edit::remove(json, &keys));
        if let Some(key) = add {
            let key = quoted(key);
            let key = &key[1..key.len() - 1];
            chunk::edit(piece, |json| edit::set(json, key, r#"{"unknown":[1,null]}"#, order, CHUNK));
        }
    };
    super::at_each(at, response, without);
}

/// The keys that `envelope-missing` can leave out: those of a chunk, and the verdicts of the preamble.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    CHUNK.iter().copied().chain(["prompt_filter_results", "prompt_annotations"])
}

/// The names of a list joined by `+`.
pub(super) fn dropped(drop: &str) -> impl Iterator<Item = &str> {
    drop.split('+').map(str::trim).filter(|key| !key.is_empty())
}

/// Pads the event at a place, so that its line of data has this many bytes: with a key that nobody knows,
/// so that the text stays.
pub(super) fn pad(at: At, response: &mut Response, bytes: u64, context: &Context<'_>) {
    let order = chunk::order(response, context);
    let Some(index) = response.target(at) else { return };
    let piece = &mut response.pieces[index];
    let prefix = chunk::lead(piece);
    chunk::edit(piece, |json| {
        let padded = |padding: &str| edit::set(json, "padding", &format!("\"{padding}\""), order, CHUNK);
        let least = padded("")?.len() + prefix;
        let wanted = usize::try_from(bytes.min(LARGEST)).unwrap_or(usize::MAX);
        let missing = wanted.checked_sub(least)?;
        padded(&"x".repeat(missing))
    });
}

/// Sends the event at a place so many times more.
pub(super) fn repeat(at: At, response: &mut Response, times: u64) {
    let Some(index) = response.target(at).filter(|_| response.is_stream()) else { return };
    let piece = response.pieces[index].clone();
    let most = HEAVIEST / piece.bytes.len().max(1);
    let times = usize::try_from(times.min(OFTENEST)).unwrap_or(usize::MAX).min(most);
    response.pieces.splice(index + 1..index + 1, std::iter::repeat_n(piece, times));
}

fn is_usage(piece: &Piece) -> bool {
    piece.kind == EventKind::Usage
}
