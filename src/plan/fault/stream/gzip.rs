//! Compression, right and wrong.

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
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
}

/// One stream of gzip, flushed after each piece.
fn flush_each(response: &mut Response) {
    let mut packer = Packer::new();
    let last = response.pieces.len() - 1;
    for (index, piece) in response.pieces.iter_mut().enumerate() {
        packer.put(&piece.bytes, FlushCompress::Sync);
        if index == last {
            packer.finish();
        }
        piece.bytes = packer.take();
    }
}

/// One stream of gzip that comes with the last piece; what the pieces get of it says nothing.
fn buffer(response: &mut Response) {
    let mut packer = Packer::new();
    response.pieces.iter().for_each(|piece| packer.put(&piece.bytes, FlushCompress::None));
    packer.finish();
    let packed = packer.take();
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

/// A stream of gzip whose bytes depend on nothing but what is put in.
#[derive(Debug)]
struct Packer {
    deflate: Compress,
    crc: Crc,
    packed: Vec<u8>,
}

impl Packer {
    fn new() -> Self {
        // No time, no name, and Unix as the system, as nginx and Cloudflare say.
        let head = b"\x1F\x8B\x08\0\0\0\0\0\0\x03".to_vec();
        Self { deflate: Compress::new(Compression::default(), false), crc: Crc::new(), packed: head }
    }

    fn put(&mut self, bytes: &[u8], flush: FlushCompress) {
        self.crc.update(bytes);
        self.deflate(bytes, flush);
    }

    fn finish(&mut self) {
        self.deflate(&[], FlushCompress::Finish);
        self.packed.extend_from_slice(&self.crc.sum().to_le_bytes());
        self.packed.extend_from_slice(&self.crc.amount().to_le_bytes());
    }

    fn take(&mut self) -> Bytes {
        // A copy, since the buffer is far larger than what most events come to.
        let packed = Bytes::copy_from_slice(&self.packed);
        self.packed.clear();
        packed
    }

    fn deflate(&mut self, mut bytes: &[u8], flush: FlushCompress) {
        loop {
            self.packed.reserve(4096 + bytes.len() / 2);
            let before = self.deflate.total_in();
            let status = self.deflate.compress_vec(bytes, &mut self.packed, flush);
            let status = status.expect("deflate takes all bytes");
            let taken = self.deflate.total_in() - before;
            bytes = &bytes[usize::try_from(taken).unwrap_or(bytes.len())..];
            // As long as there is no space left, there may be more to write.
            let is_full = self.packed.len() == self.packed.capacity();
            if status == Status::StreamEnd || bytes.is_empty() && !is_full {
                return;
            }
        }
    }
}
