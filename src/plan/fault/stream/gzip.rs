//! Compression, right and wrong.

use std::io::Write;

use bytes::Bytes;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use http::header::CONTENT_ENCODING;

use super::GzipForm;
use crate::plan::fault::response::Response;
use crate::plan::timeline::Header;

/// Compresses the body, whether or not the client asked for that, or says so only.
pub(super) fn compress(response: &mut Response, form: GzipForm) {
    if response.pieces.is_empty() {
        return;
    }
    match form {
        GzipForm::Lie => {}
        GzipForm::Ok => flush_each(response),
        GzipForm::Truncated => {
            flush_each(response);
            truncate(response);
        }
        GzipForm::Buffered => buffer(response),
    }
    announce(response);
    response.mend_length();
}

/// One stream of gzip, flushed after each piece.
fn flush_each(response: &mut Response) {
    let mut encoder = encoder();
    let last = response.pieces.len() - 1;
    for (index, piece) in response.pieces.iter_mut().enumerate() {
        put(&mut encoder, &piece.bytes, index < last);
        if index == last {
            finish(&mut encoder);
        }
        piece.bytes = Bytes::from(std::mem::take(encoder.get_mut()));
    }
}

/// One stream of gzip that comes with the last piece; what the pieces get of it says nothing.
fn buffer(response: &mut Response) {
    let mut encoder = encoder();
    response.pieces.iter().for_each(|piece| put(&mut encoder, &piece.bytes, false));
    finish(&mut encoder);
    let packed = Bytes::from(std::mem::take(encoder.get_mut()));
    let at = response.pieces.last().map_or(response.head.at, |piece| piece.at);
    let count = response.pieces.len();
    for (index, piece) in response.pieces.iter_mut().enumerate() {
        piece.at = at;
        piece.bytes = packed.slice(packed.len() * index / count..packed.len() * (index + 1) / count);
    }
}

/// Leaves out the last quarter.
fn truncate(response: &mut Response) {
    let length = response.length();
    let mut left = length - length.div_ceil(4);
    response.pieces.retain_mut(|piece| {
        piece.bytes.truncate(left);
        left -= piece.bytes.len();
        !piece.bytes.is_empty()
    });
}

/// The head's line stands where Cloudflare puts it, before the last.
fn announce(response: &mut Response) {
    let is = |header: &Header, name: &str| header.name.eq_ignore_ascii_case(name);
    let headers = &mut response.head.headers;
    headers.retain(|header| !is(header, CONTENT_ENCODING.as_str()));
    let index = headers.iter().position(|header| is(header, "alt-svc")).unwrap_or(headers.len());
    headers.insert(index, Header::new("Content-Encoding", "gzip"));
}

/// An encoder whose bytes depend on nothing but the input: no time, no name, and Unix as the system, as
/// nginx and Cloudflare say.
fn encoder() -> GzEncoder<Vec<u8>> {
    GzBuilder::new().operating_system(3).write(Vec::new(), Compression::default())
}

fn put(encoder: &mut GzEncoder<Vec<u8>>, bytes: &[u8], flush: bool) {
    let put = encoder.write_all(bytes).and_then(|()| if flush { encoder.flush() } else { Ok(()) });
    put.expect("writing to memory does not fail");
}

fn finish(encoder: &mut GzEncoder<Vec<u8>>) {
    encoder.try_finish().expect("writing to memory does not fail");
}
