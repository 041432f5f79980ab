//! Data that is wrong: no JSON, no UTF-8, two values in one event, no `[DONE]`.

use bytes::Bytes;

use super::Malformed;
use super::text::{SPOKEN, data, floor, lines, middle, splice, text};
use crate::plan::fault::At;
use crate::plan::fault::response::Response;
use crate::plan::timeline::EventKind;

/// Makes the data of an event something that is not JSON.
pub(super) fn malform(response: &mut Response, at: At, form: Malformed) {
    edit(response, at, |bytes, kind| {
        let range = data(bytes, kind)?;
        let data = &bytes[range.clone()];
        let malformed = match form {
            Malformed::Cut => data[..floor(data, data.len() / 2)].to_vec(),
            Malformed::Garbage => b"Internal Server Error".to_vec(),
            Malformed::Trailing => [data, b"}"].concat(),
            Malformed::TwoObjects => [data, data].concat(),
        };
        Some(splice(bytes, range, &malformed))
    });
}

/// Writes an error into an event whose blank line has not come yet.
pub(super) fn glue(response: &mut Response, at: At) {
    edit(response, at, |bytes, kind| {
        if kind == EventKind::Body {
            return Some([&bytes[..], ERROR].concat().into());
        }
        let open = match lines(bytes).last() {
            Some(line) if line.content.is_empty() => line.content.start,
            _ => bytes.len(),
        };
        let ended = bytes[..open].last().is_none_or(|byte| matches!(byte, b'\n' | b'\r'));
        let end: &[u8] = if ended { b"" } else { b"\n" };
        Some([&bytes[..open], end, b"data: ", ERROR, b"\n\n"].concat().into())
    });
}

/// The error that a gateway writes.
const ERROR: &[u8] =
    br#"{"error":{"message":"Upstream request failed","type":"upstream_error","param":null,"code":null}}"#;

/// Puts bytes into the middle of an event's text; of its data, if it has no text.
pub(super) fn garble(response: &mut Response, at: At, hexadecimal: &str) {
    let garbage = unhex(hexadecimal).unwrap_or_default();
    edit(response, at, |bytes, kind| {
        let range = data(bytes, kind)?;
        let data = &bytes[range.clone()];
        let middle = match text(data, SPOKEN) {
            Some(text) => text.start + middle(&data[text]),
            None => floor(data, data.len() / 2),
        };
        let place = range.start + middle;
        Some(splice(bytes, place..place, &garbage))
    });
}

/// Leaves `[DONE]` out.
pub(super) fn leave_out_done(response: &mut Response) {
    response.pieces.retain(|piece| piece.kind != EventKind::Done);
}

/// The bytes that hexadecimal digits say.
pub(super) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect()
}

/// Edits the event at a place.
fn edit(response: &mut Response, at: At, edit: impl FnOnce(&Bytes, EventKind) -> Option<Bytes>) {
    let Some(index) = response.target(at) else {
        return;
    };
    let piece = &mut response.pieces[index];
    if let Some(edited) = edit(&piece.bytes, piece.kind) {
        piece.bytes = edited;
    }
}
