//! How recorded pieces were cut: the first kind of chunking that cuts so, else the pieces themselves.

use serde_json::{Value, json};

use crate::plan::reply::Chunking;
use crate::plan::spoken;
use crate::plan::tokens::{self, Vocabulary};

/// The `chunking` that cuts a text into these pieces; `None` is the default, one event per token.
pub(super) fn chunking(pieces: &[String], vocabulary: Vocabulary) -> Option<Value> {
    let text = pieces.concat();
    let cuts = |chunking: &Chunking| tokens::pieces(&text, chunking, vocabulary) == pieces;
    if cuts(&Chunking::Token) {
        return None;
    }
    let first = pieces.first().map_or(1, |piece| piece.chars().count().max(1));
    let known = [Chunking::Word, Chunking::Char, Chunking::Chars(first)];
    let found = known.into_iter().find(cuts).unwrap_or_else(|| Chunking::Exact(pieces.to_vec()));
    serde_json::to_value(found).ok()
}

/// The `arguments` of a call, and its `chunking`, which give these pieces.
pub(super) fn arguments(pieces: &[String], parallel: bool, vocabulary: Vocabulary) -> (Value, Option<Value>) {
    let text = pieces.concat();
    let chunking = match parallel {
        true if tokens::parallel_pieces(&text) == pieces => None,
        true => chunking(pieces, vocabulary).or_else(|| Some(json!({ "exact": pieces }))),
        false => chunking(pieces, vocabulary),
    };
    // Pieces that are given join to the text: it is not to be written anew.
    let is_exact = chunking.as_ref().is_some_and(|chunking| chunking.get("exact").is_some());
    match is_exact {
        true => (Value::String(text), chunking),
        false => (written(&text, parallel), chunking),
    }
}

/// Arguments as JSON, where that is written so; else as they are.
pub(super) fn written(text: &str, parallel: bool) -> Value {
    let json = serde_json::from_str(text).ok().filter(|json: &Value| json.is_object());
    let json = json.filter(|json| spoken::arguments(json, parallel) == text);
    json.unwrap_or_else(|| Value::from(text))
}
