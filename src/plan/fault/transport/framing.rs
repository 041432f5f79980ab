//! What HTTP makes of a response: its head, its chunks, its length.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::{CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING};

use super::ChunkForm;
use crate::plan::fault::At;
use crate::plan::fault::response::Response;
use crate::plan::http1;
use crate::plan::timeline::{Ending, Head, Header};

/// Informational heads before the head.
pub(super) fn inform(response: &mut Response, status: u64, times: u64) {
    let head: &[u8] = match status {
        100 => b"HTTP/1.1 100 Continue\r\n\r\n",
        102 => b"HTTP/1.1 102 Processing\r\n\r\n",
        _ => b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n",
    };
    let times = usize::try_from(times).unwrap_or(usize::MAX).min(super::check::MOST_TIMES);
    response.framing.before = [&response.framing.before[..], &head.repeat(times)].concat().into();
}

/// Ends the body at a place, as HTTP wants it, and with trailers.
pub(super) fn trail(at: At, response: &mut Response, name: &str, value: &str, error: bool) {
    if !takes_chunks(&response.head) {
        return;
    }
    response.cut(at);
    be_chunked(&mut response.head);
    let mut trailers = vec![Header::new(name.to_owned(), value)];
    if error {
        trailers.push(Header::new("x-error", ERROR));
    }
    let names: Vec<&str> = trailers.iter().map(|trailer| trailer.name.as_ref()).collect();
    let names = names.join(", ");
    let name = case(&response.head, TRAILER.as_str(), "Trailer");
    response.head.headers.push(Header::new(name, names));
    let mut tail = BytesMut::from(&b"0\r\n"[..]);
    for Header { name, value } in &trailers {
        tail.extend_from_slice(name.as_bytes());
        tail.extend_from_slice(b": ");
        tail.extend_from_slice(value.as_bytes());
        tail.extend_from_slice(b"\r\n");
    }
    tail.extend_from_slice(b"\r\n");
    response.framing.tail = Some(tail.freeze());
    response.ending = Ending::Complete;
}

/// Ends the body at a place, with a chunk of the next event that breaks the rules.
pub(super) fn break_chunk(at: At, response: &mut Response, form: ChunkForm, size: &str) {
    if !takes_chunks(&response.head) {
        return;
    }
    let spot = response.spot(at);
    let mut rest = response.pieces[spot.index..].iter().map(|piece| &piece.bytes[..]);
    let data = rest.next().map_or(&[][..], |data| &data[spot.byte..]);
    let next = rest.next().map_or(0, <[u8]>::len);
    let length = data.len();
    let (before, after) = match form {
        ChunkForm::Size => (format!("{size}\r\n"), "\r\n".to_owned()),
        ChunkForm::Crlf if data.is_empty() => ("0\r\n".to_owned(), String::new()),
        ChunkForm::Crlf if next == 0 => (format!("{length:X}\r\n"), "0\r\n\r\n".to_owned()),
        ChunkForm::Crlf => (format!("{length:X}\r\n"), format!("{next:X}\r\n")),
        ChunkForm::Short => (format!("{:X}\r\n", length + MISSING), String::new()),
    };
    let tail = [before.as_bytes(), data, after.as_bytes()].concat();
    response.cut(at);
    be_chunked(&mut response.head);
    response.framing.tail = Some(Bytes::from(tail));
    response.ending = Ending::Close;
}

/// Announces a length that is not the body's.
pub(super) fn misstate_length(response: &mut Response, delta: i64) {
    let length: usize = response.pieces.iter().map(|piece| piece.bytes.len()).sum();
    let announced = (length as u64).saturating_add_signed(delta);
    let name = case(&response.head, CONTENT_LENGTH.as_str(), "Content-Length");
    frame_by(&mut response.head, Some(Header::new(name, announced.to_string())));
    response.ending = Ending::Close;
}

/// Announces nothing, and ends the body at a place.
pub(super) fn delimit_by_close(at: At, response: &mut Response) {
    frame_by(&mut response.head, None);
    http1::say_close(&mut response.head);
    response.cut(at);
    response.ending = Ending::Close;
}

/// Ends the response after so many bytes of its head, or after half of it.
pub(super) fn cut_head(response: &mut Response, byte: Option<u64>, ending: Ending) {
    let length = http1::head_len(&response.head);
    let kept = byte.map_or(length / 2, |byte| usize::try_from(byte).unwrap_or(usize::MAX));
    response.cut(At::Head);
    response.framing.head_bytes = Some(kept);
    response.ending = ending;
}

/// Sends bytes that are no HTTP: instead of the head, or instead of what follows a place.
pub(super) fn garble(at: At, response: &mut Response, after_head: bool, bytes: &str) {
    if at == At::Byte(0) && !after_head {
        cut_head(response, Some(0), Ending::Close);
    }
    response.cut(at);
    response.framing.after = Bytes::copy_from_slice(bytes.as_bytes());
    response.ending = Ending::Close;
}

/// Whether there is a body that chunks can hold.
fn takes_chunks(head: &Head) -> bool {
    !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn be_chunked(head: &mut Head) {
    if !http1::is_chunked(head) {
        let name = case(head, TRANSFER_ENCODING.as_str(), "Transfer-Encoding");
        frame_by(head, Some(Header::new(name, "chunked")));
    }
}

/// Puts another framing header, or none, in the place of those that are there.
fn frame_by(head: &mut Head, framing: Option<Header>) {
    let old = head.headers.iter().position(is_framing).unwrap_or(head.headers.len());
    head.headers.retain(|header| !is_framing(header));
    if let Some(framing) = framing {
        head.headers.insert(old, framing);
    }
}

fn is_framing(header: &Header) -> bool {
    [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| header.name.eq_ignore_ascii_case(name.as_str()))
}

/// A name in the case that a head writes its framing header in.
fn case(head: &Head, lower: &'static str, title: &'static str) -> &'static str {
    let framing = head.headers.iter().find(|header| is_framing(header));
    match framing.is_some_and(|header| header.name.starts_with(|first: char| first.is_ascii_lowercase())) {
        true => lower,
        false => title,
    }
}

/// What a trailer says of an error.
const ERROR: &str = r#"{"error":{"message":"The server had an error while processing your request.","type":"server_error","param":null,"code":null}}"#;

/// How many bytes a chunk lacks that is shorter than its size.
const MISSING: usize = 16;
