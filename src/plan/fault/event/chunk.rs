//! The JSON of pieces: where it stands in an event, its choices, and what they say.

use std::ops::Range;

use bytes::Bytes;

use super::edit;
use crate::plan::dialect::chunk::Order;
use crate::plan::fault::Context;
use crate::plan::fault::response::{Piece, Response};
use crate::plan::timeline::EventKind;

/// The keys of a chunk or a completion, as OpenAI orders them.
pub(super) const CHUNK: &[&str] = &[
    "id",
    "object",
    "created",
    "model",
    "service_tier",
    "system_fingerprint",
    "choices",
    "usage",
    "obfuscation",
];
/// Those of a choice.
pub(super) const CHOICE: &[&str] = &[
    "index",
    "delta",
    "message",
    "logprobs",
    "finish_reason",
    "content_filter_offsets",
    "content_filter_results",
    "content_filter_result",
];
/// Those of a delta.
pub(super) const DELTA: &[&str] =
    &["role", "content", "reasoning_content", "function_call", "tool_calls", "refusal"];
/// Those of a tool call.
pub(super) const CALL: &[&str] = &["index", "id", "type", "function"];

/// The JSON object of a piece: of the one `data:` line of its event, or of the whole body.
pub(super) fn json(piece: &Piece) -> Option<&[u8]> {
    let json = &piece.bytes[span(piece)?];
    edit::members(json).map(|_| json)
}

/// Edits the JSON of a piece; says whether that changed it.
pub(super) fn edit(piece: &mut Piece, edit: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> bool {
    let Some(span) = span(piece) else { return false };
    let Some(new) = edit(&piece.bytes[span.clone()]) else { return false };
    piece.bytes = edit::splice(&piece.bytes, &span, &new).into();
    true
}

/// Edits each choice of a piece; says whether that changed any.
pub(super) fn edit_choices(piece: &mut Piece, mut change: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> bool {
    edit(piece, |json| edit::edit(json, "choices", |choices| edit::edit_items(choices, &mut change)))
}

/// The choices of a piece.
pub(super) fn choices(piece: &Piece) -> Vec<&[u8]> {
    let choices = json(piece).and_then(|json| edit::get(json, "choices"));
    let items = choices.and_then(|choices| Some((choices, edit::items(choices)?)));
    items.map_or_else(Vec::new, |(choices, items)| items.into_iter().map(|item| &choices[item]).collect())
}

/// What a choice says: its delta, or in a completion its message.
pub(super) fn said(choice: &[u8]) -> Option<&[u8]> {
    edit::get(choice, said_key(choice))
}

/// Edits what a choice says.
pub(super) fn edit_said(choice: &[u8], change: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    edit::edit(choice, said_key(choice), change)
}

fn said_key(choice: &[u8]) -> &'static str {
    if edit::get(choice, "delta").is_some() { "delta" } else { "message" }
}

/// The `index` of a choice or of a tool call; where there is none, 0.
pub(super) fn index(value: &[u8]) -> u64 {
    let index = edit::get(value, "index").and_then(|index| std::str::from_utf8(index).ok());
    index.and_then(|index| index.parse().ok()).unwrap_or(0)
}

/// The finish reason of a choice, as JSON.
pub(super) fn finish(choice: &[u8]) -> Option<&[u8]> {
    edit::get(choice, "finish_reason").filter(|reason| *reason != b"null")
}

/// Sets the finish reason of a choice.
pub(super) fn set_finish(choice: &[u8], reason: &str, order: Order) -> Option<Vec<u8>> {
    edit::set(choice, "finish_reason", reason, order, CHOICE)
}

/// The key under which a choice has text; empty text is none.
pub(super) fn text_key(choice: &[u8]) -> Option<&'static str> {
    let said = said(choice)?;
    let is_text =
        |key: &&str| edit::get(said, key).and_then(edit::inside).is_some_and(|text| !text.is_empty());
    ["content", "refusal"].into_iter().find(is_text)
}

/// The first piece from the one that a place is about on that has text.
pub(super) fn text_from(response: &Response, target: Option<usize>) -> Option<usize> {
    let from = target?;
    let mut pieces = response.pieces.iter().enumerate().skip(from);
    let (index, _) =
        pieces.find(|(_, piece)| choices(piece).iter().any(|choice| text_key(choice).is_some()))?;
    Some(index)
}

/// Whether the stream, or else the dialect, sorts its keys.
pub(super) fn order(response: &Response, context: &Context<'_>) -> Order {
    let own = response.pieces.iter().filter_map(json).find(|json| is_own(json));
    let sorted = own.and_then(edit::keys).map(|keys| keys.is_sorted());
    if sorted.unwrap_or_else(|| is_azure(context)) { Order::Sorted } else { Order::Hand }
}

/// Whether the request went to Azure.
pub(super) fn is_azure(context: &Context<'_>) -> bool {
    context.call.route.dialect.name() == "azure"
}

/// The JSON of the first chunk from `from` on, else of the last before it, that has the envelope of the
/// stream: chunks of the filter have none.
pub(super) fn envelope(response: &Response, from: usize) -> Option<&[u8]> {
    let (before, after) = response.pieces.split_at(from.min(response.pieces.len()));
    let mut pieces = after.iter().chain(before.iter().rev());
    pieces.find_map(|piece| json(piece).filter(|json| is_own(json)))
}

fn is_own(json: &[u8]) -> bool {
    edit::get(json, "id").and_then(edit::inside).is_some_and(|id| !id.is_empty())
        && edit::get(json, "choices").is_some()
}

/// How many bytes of its line are before the JSON of a piece.
pub(super) fn lead(piece: &Piece) -> usize {
    let before = span(piece).map_or(0, |span| span.start);
    piece.bytes[..before].iter().rev().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count()
}

/// The text of an event with this data.
pub(super) fn event(data: &[u8]) -> Bytes {
    [b"data: ", data, b"\n\n"].concat().into()
}

/// Where `[DONE]` stands; else the end.
pub(super) fn done(response: &Response) -> usize {
    let done = response.pieces.iter().position(|piece| piece.kind == EventKind::Done);
    done.unwrap_or(response.pieces.len())
}

/// Where the data of a piece stands: after `data:` and a space, if just one line is data.
fn span(piece: &Piece) -> Option<Range<usize>> {
    if piece.kind == EventKind::Body {
        return Some(0..piece.bytes.len());
    }
    let mut found = None;
    let mut start = 0;
    for line in piece.bytes.split(|byte| matches!(byte, b'\n' | b'\r')) {
        if let Some(data) = line.strip_prefix(b"data:") {
            if found.is_some() {
                return None;
            }
            let data = data.strip_prefix(b" ").unwrap_or(data);
            let end = start + line.len();
            found = Some(end - data.len()..end);
        }
        start += line.len() + 1;
    }
    found
}
