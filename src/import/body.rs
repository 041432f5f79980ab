//! Bodies as recorders keep them: text that was decoded or not, and how to tell.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use super::encoding;

/// Base64 with or without padding, as lenient as the recorders' own readers.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The characters of windows-1252 for the bytes from 0x80, which are others in Latin-1; by the rules of the web, a
/// byte without a character is the control character of Latin-1.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// How gzip and zstd start.
const MAGIC: [&[u8]; 2] = [&[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd]];

/// The values of all headers of this name, as one.
pub(super) fn header(headers: &[(String, String)], name: &str) -> Option<String> {
    let values = headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    let values: Vec<_> = values.map(|(_, value)| value.as_str()).collect();
    if values.is_empty() { None } else { Some(values.join(", ")) }
}

/// Whether a body is still in the content encoding that its headers name. Recorders that decode it mostly keep the
/// header, so the header alone says nothing; but what is compressed is never text.
pub(super) fn is_encoded(body: &Bytes, headers: &[(String, String)]) -> bool {
    let Some(encodings) = header(headers, "content-encoding") else { return false };
    if std::str::from_utf8(body).is_ok() {
        return false;
    }
    let decoded = encoding::decode(body.clone(), &encodings).ok();
    // Of something else, the decoder may take the first bytes for a beginning.
    let is_some = |decoded: encoding::Decoded| decoded.cut.is_none() || !decoded.body.is_empty();
    MAGIC.iter().any(|magic| body.starts_with(magic)) || decoded.is_some_and(is_some)
}

/// The headers of a request whose body recorders keep decoded as often as not: a content encoding that is not
/// there is not named.
pub(super) fn of_request(headers: Vec<(String, String)>, body: &Bytes) -> Vec<(String, String)> {
    if is_encoded(body, &headers) {
        return headers;
    }
    headers.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-encoding")).collect()
}

/// What is odd about the length of a body that is not compressed, if anything is.
pub(super) fn odd_length(body: &Bytes, headers: &[(String, String)]) -> Option<String> {
    if header(headers, "content-encoding").is_some() || body.is_empty() {
        return None;
    }
    let told: usize = header(headers, "content-length")?.trim().parse().ok()?;
    (told != body.len()).then(|| {
        format!(
            "its content-length says {told} bytes, but {} are recorded: the body was cut or edited",
            body.len()
        )
    })
}

/// The bytes of base64, which may be broken into lines.
pub(super) fn base64(text: &str) -> Result<Bytes, String> {
    let text: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64.decode(text).map(Bytes::from).map_err(|error| format!("the body is not base64: {error}"))
}

/// The bytes that are this text in windows-1252, if all of its characters are in there.
pub(super) fn windows_1252(text: &str) -> Option<Bytes> {
    let byte = |char: char| match u8::try_from(char) {
        Ok(byte) => Some(byte),
        Err(_) => (0x80..).zip(WINDOWS_1252).find(|(_, known)| *known == char).map(|(byte, _)| byte),
    };
    text.chars().map(byte).collect::<Option<Vec<u8>>>().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(encoding: &str) -> Vec<(String, String)> {
        vec![("Content-Encoding".to_owned(), encoding.to_owned())]
    }

    #[test]
    fn what_is_text_is_not_compressed_whatever_the_headers_say() {
        let gzip = base64("H4sIAAAAAAAC/6tWSlSyMqwFAK+sG1YHAAAA").unwrap();
        assert!(!is_encoded(&Bytes::from("{}"), &headers("gzip")));
        assert!(!is_encoded(&gzip, &[]));
        assert!(!is_encoded(&Bytes::from_static(&[0xff, 0xd8, 0xff]), &headers("gzip")));
        assert!(is_encoded(&gzip, &headers("gzip")));
    }

    #[test]
    fn base64_may_be_in_lines_and_without_padding() {
        for text in ["aGFsbG8=", "aGFs\n  bG8=\n", "aGFsbG8"] {
            assert_eq!(base64(text).unwrap(), "hallo", "{text}");
        }
        let error = base64("a#b").unwrap_err();
        assert_eq!(error, "the body is not base64: Invalid symbol 35, offset 1.");
    }

    #[test]
    fn every_byte_has_its_character_in_windows_1252() {
        let text: String =
            (0..=0x7f).map(char::from).chain(WINDOWS_1252).chain((0xa0..=0xff).map(char::from)).collect();
        assert_eq!(windows_1252(&text).unwrap(), (0..=0xff).collect::<Vec<u8>>());
        assert_eq!(windows_1252("日"), None);
    }

    #[test]
    fn a_length_is_odd_only_where_nothing_was_compressed() {
        let length = |value: &str| vec![("content-length".to_owned(), value.to_owned())];
        let body = Bytes::from("12345");
        assert_eq!(odd_length(&body, &length("5")), None);
        assert_eq!(odd_length(&body, &[length("4"), headers("br")].concat()), None);
        assert_eq!(
            odd_length(&body, &length("6")).unwrap(),
            "its content-length says 6 bytes, but 5 are recorded: the body was cut or edited"
        );
    }
}
