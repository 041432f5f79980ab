//! `curl -i`: the head of each response, then its body.
//!
//! Nothing tells where a body ends but its length, its chunks (with `--raw`), the next head or the end of the
//! file. Heads that are only about what comes next are left out: `100 Continue`, the answers of proxies, and redirects
//! that curl followed.

use super::{Found, Lines, complaint, response};
use crate::import::http::{Head, unchunk};
use crate::import::{MAX_EXCHANGES, RawExchange};
use crate::plan::transcript::RecordedEnding;

pub(super) fn read(capture: &[u8]) -> Vec<Found> {
    let (capture, last) = complaint(capture);
    let mut lines = Lines::of(capture);
    let mut found: Vec<Found> = Vec::new();
    let mut notes = Vec::new();
    let mut at = next_head(capture, 0, true).unwrap_or(capture.len());
    while let Some((head, length)) = Head::of(&capture[at..]) {
        if found.len() > MAX_EXCHANGES {
            break;
        }
        let place = format!("line {}", lines.at(at));
        let body = &capture[at + length..];
        // The body of what curl follows is not printed, whatever its head says.
        let is_next = Head::of(body).is_some();
        if is_next && (head.is_interim() || head.is_followed()) {
            if !head.is_interim() {
                notes.push(format!(
                    "curl followed an answer with the status {}, which is left out",
                    head.status
                ));
            }
            at += length;
            continue;
        }
        let mut notes = std::mem::take(&mut notes);
        let (body, taken, ending) = self::body(&head, body, &mut notes);
        notes.push("the capture does not tell the request".to_owned());
        let mut response = response(head, body, false, &mut notes);
        if ending != RecordedEnding::Complete {
            response.ending = ending;
        }
        let recorded = super::recorded(&response);
        let raw = RawExchange { place, request: None, response, recorded };
        found.push(Ok((raw, notes)));
        at += length + taken;
        // A blank line may be between what people put into one file.
        at = next_head(capture, at, true).unwrap_or(capture.len());
    }
    if let (Some(Ok((raw, _))), Some(ending)) = (found.last_mut(), last) {
        raw.response.ending = ending;
    }
    found
}

/// The body that a text begins with, how much of the text it takes, and how it ended.
fn body(head: &Head, text: &[u8], notes: &mut Vec<String>) -> (Vec<u8>, usize, RecordedEnding) {
    if matches!(head.status, 204 | 304) {
        return (Vec::new(), 0, RecordedEnding::Complete);
    }
    if head.is_chunked()
        && let Some(chunks) = unchunk(text)
    {
        if chunks.is_whole {
            return (chunks.body, chunks.taken, RecordedEnding::Complete);
        }
        notes.push(
            "the last chunk is missing: the stream was cut there, and is replayed like that".to_owned(),
        );
        return (chunks.body, chunks.taken, RecordedEnding::Close);
    }
    // A length holds if what comes after it is nothing or a head: curl may have undone an encoding.
    if let Some(length) = head.content_length().filter(|length| *length <= text.len()) {
        let after = text[length..].trim_ascii_start();
        if after.is_empty() || Head::of(after).is_some() {
            return (text[..length].to_vec(), length, RecordedEnding::Complete);
        }
    }
    let is_stream = head.header("content-type").is_some_and(|kind| kind.contains("event-stream"));
    let end = next_head(text, 0, is_stream).unwrap_or(text.len());
    (text[..end].to_vec(), end, RecordedEnding::Complete)
}

/// Where the next head begins: in a new line, or right after a body that no line end ends.
///
/// No JSON has a line end in a string, so a whole head in it is none of its text.
fn next_head(text: &[u8], from: usize, only_lines: bool) -> Option<usize> {
    let mut at = from;
    while let Some(found) = text[at..].windows(5).position(|part| part == b"HTTP/") {
        at += found;
        let is_begin = match at.checked_sub(1).map(|before| text[before]) {
            None | Some(b'\n') => true,
            Some(b'}' | b']' | b'>') => at == from || !only_lines,
            Some(_) => at == from,
        };
        if is_begin && Head::of(&text[at..]).is_some() {
            return Some(at);
        }
        at += 5;
    }
    None
}
