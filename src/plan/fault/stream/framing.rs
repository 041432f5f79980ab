//! Framing that a reader has to bear: how lines begin and end, and what stands between events. Of a body
//! that is not a stream nothing is changed.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::split::split;
use super::text::{lines, value};
use super::{Control, LineEnd, MAX_PIECES, MOST_LINES, SHORTEST};
use crate::plan::fault::At;
use crate::plan::fault::response::{Piece, Response};
use crate::plan::timeline::EventKind;

/// Writes the JSON of events over several lines of data: one for each member, as printers do.
pub(super) fn multiply_lines(response: &mut Response, at: At) {
    let range = response.targets(at);
    each_event(&mut response.pieces[range], |bytes| {
        let mut data = lines(bytes).filter_map(|line| Some((value(bytes, &line)?, line)));
        let (value, line) = data.next()?;
        let breaks = members(&bytes[value.clone()]);
        if data.next().is_some() || breaks.is_empty() {
            return None;
        }
        let terminator = match &bytes[line.content.end..line.end] {
            b"" => b"\n",
            terminator => terminator,
        };
        let mut edited = BytesMut::from(&bytes[..value.start]);
        let mut start = value.start;
        for end in breaks.into_iter().map(|place| value.start + place) {
            edited.put_slice(&bytes[start..end]);
            edited.put_slice(terminator);
            edited.put_slice(b"data: ");
            start = end;
        }
        edited.put_slice(&bytes[start..]);
        Some(edited.freeze())
    });
}

/// Where the members of an object begin, and where the object closes; nothing, if it is no object.
fn members(json: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    if json.first() != Some(&b'{') {
        return places;
    }
    for (index, byte) in json.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth == 1 {
                    places.push(index + 1);
                }
            }
            b'}' | b']' => {
                if depth == 1 {
                    places.push(index);
                }
                depth = depth.saturating_sub(1);
            }
            b',' if depth == 1 => places.push(index + 1),
            _ => {}
        }
    }
    places
}

/// Puts an event without data, or with empty data, before the one at a place.
pub(super) fn insert_control(response: &mut Response, at: At, fields: Control) {
    let control: &'static [u8] = match fields {
        Control::Retry => b"retry: 3000\n\n",
        Control::Id => b"id: 7\n\n",
        Control::Event => b"event: ping\n\n",
        Control::EmptyData => b"data:\n\n",
    };
    insert(response, at, Bytes::from_static(control));
}

/// Puts so many lines that mean nothing before the event at a place.
pub(super) fn insert_noise(response: &mut Response, at: At, count: u64) {
    let count = usize::try_from(count.min(MOST_LINES)).unwrap_or_default();
    insert(response, at, Bytes::from(b": noise\n".repeat(count)));
}

fn insert(response: &mut Response, at: At, bytes: Bytes) {
    if response.is_stream() {
        let index = response.target(at).unwrap_or(response.pieces.len());
        response.insert_at(at, index, EventKind::Comment, bytes);
    }
}

/// Puts a comment before each event it is about; or, if `every` is given, one between the events each
/// time that so much time has passed since the head.
pub(super) fn insert_comments(response: &mut Response, at: At, text: &str, every: Option<Duration>) {
    if !response.is_stream() {
        return;
    }
    let targets = response.targets(at);
    let colon = if text.starts_with(':') { "" } else { ": " };
    let comment = Bytes::from(format!("{colon}{}\n\n", text.replace(['\r', '\n'], " ")));
    let mut room = MAX_PIECES.saturating_sub(response.pieces.len());
    let mut before = response.head.at;
    let every = every.map(|every| every.max(SHORTEST));
    let mut due = every.map(|every| before.saturating_add(every));
    let mut is_between = true;
    let mut pieces = Vec::with_capacity(2 * response.pieces.len());
    for (index, piece) in std::mem::take(&mut response.pieces).into_iter().enumerate() {
        let mut comment = |at| {
            if room > 0 {
                room -= 1;
                pieces.push(Piece { at, kind: EventKind::Comment, bytes: comment.clone() });
            }
            room > 0
        };
        match (&mut due, every) {
            (Some(due), Some(every)) => {
                let is_place = is_between && targets.contains(&index);
                while *due < piece.at && is_place && comment(*due) {
                    *due = due.saturating_add(every);
                }
                if let Some(passed) = piece.at.checked_sub(*due) {
                    let periods = passed.as_nanos().div_ceil(every.as_nanos());
                    *due =
                        due.saturating_add(every.saturating_mul(u32::try_from(periods).unwrap_or(u32::MAX)));
                }
            }
            _ if is_between && targets.contains(&index) && piece.kind != EventKind::Comment => {
                comment(before);
            }
            _ => {}
        }
        before = piece.at;
        // In an event that is not whole yet, the comment's blank line would end it.
        if !piece.bytes.is_empty() {
            is_between = [&b"\n\n"[..], b"\r\r", b"\n\r\n"].iter().any(|end| piece.bytes.ends_with(end));
        }
        pieces.push(piece);
    }
    response.pieces = pieces;
}

/// Leaves out the space after `data:`, unless another follows, which would then be left out in its place.
pub(super) fn leave_out_spaces(response: &mut Response) {
    each_event(&mut response.pieces, |bytes| {
        let mut edited = BytesMut::with_capacity(bytes.len());
        for line in lines(bytes) {
            match bytes[line.content.start..line.end].strip_prefix(b"data: ") {
                Some(value) if value.first() != Some(&b' ') => {
                    edited.put_slice(b"data:");
                    edited.put_slice(value);
                }
                _ => edited.put_slice(&bytes[line.content.start..line.end]),
            }
        }
        Some(edited.freeze())
    });
}

/// Ends lines otherwise; with `split`, a piece ends between each CR and its LF.
pub(super) fn end_lines(response: &mut Response, form: LineEnd, split_crlf: bool) {
    let mut turn = [&b"\n"[..], b"\r\n", b"\r"].into_iter().cycle();
    let mut last = 0;
    each_event(&mut response.pieces, |bytes| {
        let mut edited = BytesMut::with_capacity(bytes.len() + 8);
        for line in lines(bytes) {
            edited.put_slice(&bytes[line.content.clone()]);
            last = edited.last().copied().unwrap_or(last);
            if line.content.end == line.end {
                continue;
            }
            let terminator: &[u8] = match form {
                LineEnd::Crlf => b"\r\n",
                LineEnd::Cr => b"\r",
                LineEnd::Mixed => {
                    // LF right after CR would belong to it.
                    let next = turn.next().filter(|next| !(last == b'\r' && **next == b"\n"[..]));
                    next.or_else(|| turn.next()).unwrap_or(b"\n")
                }
            };
            edited.put_slice(terminator);
            last = terminator[terminator.len() - 1];
        }
        Some(edited.freeze())
    });
    if split_crlf && response.is_stream() {
        split(response, Duration::ZERO, |_, piece| {
            let pairs = piece.bytes.windows(2).enumerate().filter(|(_, pair)| *pair == b"\r\n");
            pairs.map(|(index, _)| index + 1).take(MAX_PIECES).collect()
        });
    }
}

/// Puts a byte order mark before everything.
pub(super) fn mark(response: &mut Response) {
    if response.is_stream()
        && let Some(first) = response.pieces.first_mut()
    {
        first.bytes = [b"\xEF\xBB\xBF", &first.bytes[..]].concat().into();
    }
}

/// Edits what is of a stream.
fn each_event(pieces: &mut [Piece], mut edit: impl FnMut(&Bytes) -> Option<Bytes>) {
    for piece in pieces.iter_mut().filter(|piece| piece.kind != EventKind::Body) {
        if let Some(edited) = edit(&piece.bytes) {
            piece.bytes = edited;
        }
    }
}
