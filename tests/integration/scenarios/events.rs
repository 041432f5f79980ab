//! A stream as a client that bears everything reads it.

use serde_json::Value;

use super::Seen;

/// The data of each event, `[DONE]` included; comments and fields of other kinds are left out.
pub(super) fn data(seen: &Seen) -> Vec<String> {
    let body = seen.body().replace("\r\n", "\n").replace('\r', "\n");
    let blocks = body.split("\n\n").map(|block| {
        let lines = block.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    });
    blocks.filter(|data| !data.is_empty()).collect()
}

/// The chunks: what of the data is JSON.
pub(super) fn chunks(seen: &Seen) -> Vec<Value> {
    data(seen).iter().filter_map(|data| serde_json::from_str(data).ok()).collect()
}

/// The text of the first choice.
pub(super) fn text(seen: &Seen) -> String {
    let chunks = chunks(seen);
    let texts = chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta/content"));
    texts.filter_map(Value::as_str).collect()
}

/// The finish reasons that say something.
pub(super) fn finishes(seen: &Seen) -> Vec<String> {
    let chunks = chunks(seen);
    let finishes = chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/finish_reason")?.as_str());
    finishes.filter(|finish| !finish.is_empty()).map(str::to_owned).collect()
}

/// Whether `[DONE]` came.
pub(super) fn is_done(seen: &Seen) -> bool {
    data(seen).last().is_some_and(|data| data == "[DONE]")
}

/// Every delta of a tool call.
pub(super) fn calls(seen: &Seen) -> Vec<Value> {
    let chunks = chunks(seen);
    let calls = chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls")?.as_array());
    calls.flatten().cloned().collect()
}

/// A whole answer: 200, finished, done, and this text.
#[track_caller]
pub(super) fn is_whole(seen: &Seen, expected: &str) {
    assert_eq!((seen.status, seen.is_stream(), seen.complete), (200, true, true), "{}", seen.head);
    assert_eq!(text(seen), expected);
    assert_eq!((finishes(seen), is_done(seen)), (vec!["stop".to_owned()], true));
}

/// A part of an answer: some of this text, and nothing that says it is finished.
#[track_caller]
pub(super) fn is_part(seen: &Seen, whole: &str) {
    assert_eq!((seen.status, seen.is_stream()), (200, true), "{}", seen.head);
    let text = text(seen);
    assert!(whole.starts_with(&text) && !text.is_empty() && text != whole, "{text:?}");
    assert_eq!((finishes(seen), is_done(seen)), (Vec::new(), false));
}
