//! Content encodings: a recorded body as the client's program saw it.
//!
//! A recording may be cut in the middle of a compressed stream, and what came until then is what it is for: so what
//! decodes is kept, and told to be cut. What is corrupt is refused.

use std::io::{self, Read};

use brotli_decompressor::Decompressor;
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How many bytes a body may have without its content encodings.
pub const MAX_BODY: usize = 64 << 20;

/// How many times larger than its encoded form a body of more than 1 MiB may be.
///
/// Streams of equal chunks shrink to a three-hundredth at best.
pub const MAX_RATIO: usize = 1000;

/// How many content encodings may be stacked.
pub const MAX_ENCODINGS: usize = 4;

/// What a small body may have whatever its ratio.
const UNSUSPICIOUS: usize = 1 << 20;

/// The largest window of zstd in HTTP (RFC 9659).
const MAX_WINDOW: u64 = 8 << 20;

/// A body without its content encodings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Decoded {
    /// The body.
    pub(super) body: Bytes,
    /// The encoding in which it ends too early, if it does.
    pub(super) cut: Option<&'static str>,
}

/// A body without its content encodings, which are given as the header gives them.
///
/// # Errors
///
/// In words, where an encoding is not known, the bytes are not of it, or there would be too many of them.
pub(super) fn decode(body: Bytes, encodings: &str) -> Result<Decoded, String> {
    let encodings: Vec<_> = encodings.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if encodings.len() > MAX_ENCODINGS {
        return Err(format!(
            "the body has {} content encodings; at most {MAX_ENCODINGS} are undone",
            encodings.len()
        ));
    }
    let mut decoded = Decoded { body, cut: None };
    // The last one was applied last.
    for name in encodings.into_iter().rev() {
        let Some(encoding) = Encoding::named(name) else {
            return Err(format!(
                "the content encoding {name:?} is not known (known: gzip, deflate, br, zstd, identity)"
            ));
        };
        // A response without a body may name its encoding nonetheless (304, HEAD).
        if encoding == Encoding::Identity || decoded.body.is_empty() {
            continue;
        }
        let mut output = Output::of(&decoded.body);
        let is_whole = encoding.decode(&decoded.body, &mut output).map_err(|trouble| match trouble {
            Trouble::Corrupt => {
                format!("the body is not {}, which its content-encoding says it is", encoding.name())
            }
            Trouble::TooLarge => format!(
                "the body has more than {} MiB without its content encoding; the limit is there for your memory",
                MAX_BODY >> 20
            ),
            Trouble::TooDense => format!(
                "the body grows more than {MAX_RATIO} times without its content encoding, as no real answer does"
            ),
        })?;
        decoded.body = output.bytes.into();
        if !is_whole {
            decoded.cut.get_or_insert_with(|| encoding.name());
        }
    }
    Ok(decoded)
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Encoding {
    Identity,
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Trouble {
    Corrupt,
    TooLarge,
    TooDense,
}

/// What was decoded until now.
struct Output {
    bytes: Vec<u8>,
    limit: usize,
    trouble: Trouble,
}

impl Output {
    fn of(encoded: &[u8]) -> Self {
        let dense = encoded.len().saturating_mul(MAX_RATIO).max(UNSUSPICIOUS);
        let trouble = if dense < MAX_BODY { Trouble::TooDense } else { Trouble::TooLarge };
        Self { bytes: Vec::new(), limit: dense.min(MAX_BODY), trouble }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(self.trouble);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Reads to the end; whether that was the encoding's end.
    fn drain(&mut self, mut decoder: impl Read) -> Result<bool, Trouble> {
        let mut buffer = vec![0; 32 << 10];
        loop {
            match decoder.read(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(read) => self.push(&buffer[..read])?,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                Err(_) => return Err(Trouble::Corrupt),
            }
        }
    }
}

impl Encoding {
    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// Decodes all of it; whether it ends as the encoding wants it.
    fn decode(self, encoded: &[u8], output: &mut Output) -> Result<bool, Trouble> {
        // A decoder waits for the whole head before it looks at it; what is cut may be shorter.
        let magic: &[u8] = match self {
            Self::Gzip => &[0x1f, 0x8b, 8],
            Self::Identity | Self::Deflate | Self::Brotli | Self::Zstd => &[],
        };
        if magic.iter().zip(encoded).any(|(magic, byte)| magic != byte) {
            return Err(Trouble::Corrupt);
        }
        match self {
            Self::Identity => output.push(encoded).map(|()| true),
            Self::Gzip => output.drain(MultiGzDecoder::new(encoded)),
            Self::Deflate => inflate(encoded, output),
            Self::Brotli => output.drain(Decompressor::new(encoded.chain(Cut), 4 << 10)),
            Self::Zstd => zstd(encoded, output),
        }
    }
}

/// The end of what is there, as an error: the decoder of brotli calls a body that is cut corrupt, too.
struct Cut;

impl Read for Cut {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Deflate is zlib's format by the standard, and the bare one by the habit of some servers.
///
/// flate2's readers do not tell an end from a cut.
fn inflate(encoded: &[u8], output: &mut Output) -> Result<bool, Trouble> {
    let is_zlib = matches!(encoded, [cmf, flags, ..] if cmf & 15 == 8 && (u16::from(*cmf) << 8 | u16::from(*flags)) % 31 == 0);
    let mut decoder = Decompress::new(is_zlib);
    let mut buffer = vec![0; 32 << 10];
    let mut rest = encoded;
    loop {
        let (read, written) = (decoder.total_in(), decoder.total_out());
        let status =
            decoder.decompress(rest, &mut buffer, FlushDecompress::None).map_err(|_| Trouble::Corrupt)?;
        let taken = usize::try_from(decoder.total_in() - read).unwrap_or(rest.len());
        let made = usize::try_from(decoder.total_out() - written).unwrap_or(buffer.len());
        rest = &rest[taken..];
        output.push(&buffer[..made])?;
        match status {
            Status::StreamEnd if rest.is_empty() => return Ok(true),
            Status::StreamEnd => return Err(Trouble::Corrupt),
            Status::Ok | Status::BufError if taken == 0 && made == 0 => return Ok(false),
            Status::Ok | Status::BufError => {}
        }
    }
}

/// The frames of zstd, one after another.
fn zstd(encoded: &[u8], output: &mut Output) -> Result<bool, Trouble> {
    let mut rest = encoded;
    while !rest.is_empty() {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        match decoder.init(&mut rest) {
            Ok(()) => {}
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                let Some((_, after)) =
                    usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length))
                else {
                    return Ok(false);
                };
                rest = after;
                continue;
            }
            // Where a header is cut, nothing is left to read.
            Err(FrameDecoderError::ReadFrameHeaderError(_)) if rest.is_empty() => return Ok(false),
            Err(_) => return Err(Trouble::Corrupt),
        }
        if !frame(&mut decoder, &mut rest, output)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The blocks of one frame; whether its last one was there.
fn frame(decoder: &mut FrameDecoder, rest: &mut &[u8], output: &mut Output) -> Result<bool, Trouble> {
    while !decoder.is_finished() {
        let block = *rest;
        if decoder.decode_blocks(&mut *rest, BlockDecodingStrategy::UptoBlocks(1)).is_err() {
            if !is_cut(block) {
                return Err(Trouble::Corrupt);
            }
            // The decoder keeps a window back until its frame ends: so let it end, with an empty block and any checksum.
            let end = [1, 0, 0, 0, 0, 0, 0];
            let ended = decoder.decode_blocks(&end[..], BlockDecodingStrategy::UptoBlocks(1));
            ended.map_err(|_| Trouble::Corrupt)?;
            output.push(&decoder.collect().unwrap_or_default())?;
            return Ok(false);
        }
        output.push(&decoder.collect().unwrap_or_default())?;
    }
    Ok(true)
}

/// Whether a block of zstd, or the checksum after it, is not all there (RFC 8878, 3.1.1.2).
fn is_cut(block: &[u8]) -> bool {
    let [first, second, third, content @ ..] = block else { return true };
    let header = u32::from_le_bytes([*first, *second, *third, 0]);
    let (is_last, kind, size) = (header & 1 == 1, (header >> 1) & 3, header >> 3);
    let size = if kind == 1 { 1 } else { size as usize };
    content.len() < size || (is_last && content.len() < size + 4)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    const STREAM: &str = "data: {\"a\":1}\n\ndata: {\"a\":2}\n\ndata: [DONE]\n\n";
    /// As node's zlib writes it, flushed after each event.
    const BROTLI: &str = "0b0780646174613a207b2261223a317d0a0a 7000805f5241a6af44012604586300 \
        d100805f5261ab2b09504493504939f801";
    /// As the zstd tool writes it, with a checksum.
    const ZSTD: &str =
        "28b52ffd0458050100c0646174613a207b2261223a317d0a0a325b444f4e455d0a0a0200a00862cc3a25372abe";
    /// 128 MiB of zeros.
    const BROTLI_BOMB: &str = "cbffff3ff82700e2b14020f7fe8fffff7ff04f00c4611180eefd1fffffffe09f0088c30200ddfb3ffeff\
        ffc13f0110870500baf77ffcffff837f02200e0b0074effff8ffff07ff04401c1600e8defff1ffff0ffe0980382c00d0bdffe3ffff1f\
        fc1300715800a07bffc7ffff3ff82700e2b00040f7fe8fffff7ff04f00c4610180eefd1fffffffe09f0088c30200ddfb3ffeffffc13f\
        0110870500baf77ffcffff837f02200e0b0074effff8ffff07ff04401c1600e8defff1ffff0ffe0980382c00d0bdffcbffff3ffc1300\
        715800a07bff07";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(plain: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(plain: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn zstandard(plain: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[track_caller]
    fn check(encoded: Vec<u8>, encodings: &str, plain: &str, cut: Option<&'static str>) {
        let decoded = decode(encoded.into(), encodings).unwrap();
        assert_eq!((std::str::from_utf8(&decoded.body).unwrap(), decoded.cut), (plain, cut), "{encodings}");
    }

    #[track_caller]
    fn fails(encoded: Vec<u8>, encodings: &str, problem: &str) {
        assert_eq!(decode(encoded.into(), encodings), Err(problem.to_owned()));
    }

    #[test]
    fn each_encoding_is_undone() {
        check(STREAM.into(), "", STREAM, None);
        check(STREAM.into(), "identity", STREAM, None);
        check(gzip(STREAM.as_bytes()), "gzip", STREAM, None);
        check(gzip(STREAM.as_bytes()), "X-GZIP", STREAM, None);
        check(zlib(STREAM.as_bytes()), "deflate", STREAM, None);
        check(deflate(STREAM.as_bytes()), "deflate", STREAM, None);
        check(bytes(BROTLI), "br", STREAM, None);
        check(bytes(ZSTD), "zstd", STREAM, None);
        check(zstandard(STREAM.as_bytes()), " Zstd ", STREAM, None);
    }

    #[test]
    fn several_members_and_frames_are_one_body() {
        check([gzip(b"data: 1\n\n"), gzip(b"data: 2\n\n")].concat(), "gzip", "data: 1\n\ndata: 2\n\n", None);
        // Between the frames is one to be skipped.
        let skipped = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        let frames = [bytes(ZSTD), skipped.to_vec(), zstandard(b"data: 2\n\n")].concat();
        check(frames, "zstd", &format!("{STREAM}data: 2\n\n"), None);
    }

    #[test]
    fn stacked_encodings_are_undone_from_the_last() {
        check(gzip(&zlib(STREAM.as_bytes())), "deflate, gzip", STREAM, None);
        check(gzip(STREAM.as_bytes()), "gzip,identity", STREAM, None);
        fails(
            gzip(b"a"),
            "gzip, gzip, gzip, gzip, gzip",
            "the body has 5 content encodings; at most 4 are undone",
        );
    }

    #[test]
    fn what_decodes_of_a_body_that_is_cut_is_kept() {
        let cut = |mut encoded: Vec<u8>, left: usize| {
            encoded.truncate(left);
            encoded
        };
        // Stored, not compressed: so that one sees how far it comes.
        let mut stored = GzEncoder::new(Vec::new(), Compression::none());
        stored.write_all(STREAM.as_bytes()).unwrap();
        let stored = stored.finish().unwrap();
        check(cut(stored.clone(), stored.len() - 8 - 15), "gzip", &STREAM[..STREAM.len() - 15], Some("gzip"));
        check(cut(stored.clone(), stored.len() - 1), "gzip", STREAM, Some("gzip"));
        check(cut(stored, 5), "gzip", "", Some("gzip"));
        check(cut(zlib(STREAM.as_bytes()), 1), "deflate", "", Some("deflate"));
        let whole = zlib(STREAM.as_bytes());
        check(cut(whole.clone(), whole.len() - 1), "deflate", STREAM, Some("deflate"));
        let first = BROTLI.split(' ').next().unwrap();
        check(bytes(first), "br", "data: {\"a\":1}\n\n", Some("br"));
        let whole = bytes(ZSTD);
        check(cut(whole.clone(), whole.len() - 4), "zstd", STREAM, Some("zstd"));
        check(cut(whole, 2), "zstd", "", Some("zstd"));
        let long = "data: {\"text\":\"on and on\"}\n\n".repeat(9000);
        let encoded = zstandard(long.as_bytes());
        let decoded = decode(cut(encoded.clone(), encoded.len() - 1).into(), "zstd").unwrap();
        assert_eq!(decoded.cut, Some("zstd"));
        // All blocks of 128 KiB but the last.
        assert_eq!(decoded.body, long.as_bytes()[..131_072]);
    }

    #[test]
    fn what_is_not_of_the_encoding_is_refused() {
        let problem = |name| format!("the body is not {name}, which its content-encoding says it is");
        for (header, name) in [("gzip", "gzip"), ("deflate", "deflate"), ("br", "br"), ("zstd", "zstd")] {
            fails(b"<html>Bad Gateway</html>".to_vec(), header, &problem(name));
        }
        let mut corrupt = gzip(STREAM.as_bytes());
        let checksum = corrupt.len() - 8;
        corrupt[checksum] ^= 1;
        fails(corrupt, "gzip", &problem("gzip"));
        let mut corrupt = bytes(ZSTD);
        // The kind of block that is reserved.
        corrupt[6] |= 6;
        fails(corrupt, "zstd", &problem("zstd"));
        fails(
            b"x".to_vec(),
            "compress",
            "the content encoding \"compress\" is not known (known: gzip, deflate, br, zstd, identity)",
        );
    }

    #[test]
    fn a_body_that_explodes_is_refused() {
        let dense =
            "the body grows more than 1000 times without its content encoding, as no real answer does";
        fails(bytes(BROTLI_BOMB), "br", dense);
        fails(gzip(&vec![0; 2 << 20]), "gzip", dense);
        fails(zstandard(&vec![0; 4 << 20]), "zstd", dense);
        // A frame of zstd: a block of junk, then 512 that repeat a byte 128 Ki times.
        let head = [0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3];
        let junk = [&[0, 0, 8][..], &[7; 64 << 10]].concat();
        let repeated = [2, 0, 16, b'a'].repeat(512);
        fails(
            [&head[..], &junk, &junk, &repeated].concat(),
            "zstd",
            "the body has more than 64 MiB without its content encoding; the limit is there for your memory",
        );
        // A small one may be dense.
        check(gzip(&[b' '; 1 << 20]), "gzip", &" ".repeat(1 << 20), None);
    }

    #[test]
    fn a_head_without_a_body_may_name_an_encoding() {
        check(Vec::new(), "gzip", "", None);
    }

    proptest! {
        #[test]
        fn encoded_bytes_come_back(plain in proptest::collection::vec(any::<u8>(), 0..2000)) {
            for (encoded, name) in [
                (gzip(&plain), "gzip"), (zlib(&plain), "deflate"), (zstandard(&plain), "zstd"),
            ] {
                prop_assert_eq!(
                    decode(encoded.into(), name),
                    Ok(Decoded { body: plain.clone().into(), cut: None })
                );
            }
        }

        #[test]
        fn a_cut_body_is_a_prefix(plain in proptest::collection::vec(any::<u8>(), 1..2000), cut in any::<prop::sample::Index>()) {
            for (encoded, name) in [
                (gzip(&plain), "gzip"), (zlib(&plain), "deflate"), (zstandard(&plain), "zstd"),
            ] {
                let left = 1 + cut.index(encoded.len() - 1);
                let decoded = decode(encoded[..left].to_vec().into(), name).unwrap();
                prop_assert!(plain.starts_with(&decoded.body));
                prop_assert_eq!(decoded.cut, Some(name));
            }
        }

        #[test]
        fn junk_never_panics(junk in proptest::collection::vec(any::<u8>(), 0..200), of in 0..4usize) {
            let magic = [&b"\x1f\x8b\x08\0"[..], b"\x28\xb5\x2f\xfd", b"\x78\x9c", b""][of];
            for name in ["gzip", "deflate", "br", "zstd"] {
                let _ = decode([magic, &junk].concat().into(), name);
            }
        }
    }
}
