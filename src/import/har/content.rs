//! The body of a response as an archive has it.

use bytes::Bytes;
use serde_json::Value;

use crate::import::body::{base64, header, is_encoded, windows_1252};

/// A body, and what is doubtful about it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Content {
    pub(super) bytes: Bytes,
    /// Whether it is still in the content encoding of the headers; archives have text without it.
    pub(super) is_encoded: bool,
    pub(super) note: Option<String>,
}

/// Reads `response.content`.
///
/// # Errors
///
/// In words, where there was a body that the archive does not hold.
pub(super) fn read(content: &Value, headers: &[(String, String)]) -> Result<Content, String> {
    let text = content["text"].as_str().unwrap_or_default();
    let size = content["size"].as_u64().filter(|size| *size > 0);
    if text.is_empty() {
        return missing(content, size, headers);
    }
    let bytes = match content["encoding"].as_str() {
        encoding if is_pieces(text, headers) => pieces(text, encoding == Some("base64"))?,
        Some("base64") => base64(text)?,
        _ => Bytes::copy_from_slice(text.as_bytes()),
    };
    let is_encoded = is_encoded(&bytes, headers);
    let told = |size: u64, length: usize| usize::try_from(size) == Ok(length);
    // The length of what is written here is what some take for the size.
    let Some(size) = size.filter(|size| !is_encoded && !told(*size, bytes.len()) && !told(*size, text.len()))
    else {
        return Ok(Content { bytes, is_encoded, note: None });
    };
    let mended =
        windows_1252(text).filter(|bytes| told(size, bytes.len()) && std::str::from_utf8(bytes).is_ok());
    if let Some(bytes) = mended {
        let note =
            "the export has its UTF-8 as windows-1252; that was undone, and the size is right now".to_owned();
        return Ok(Content { bytes, is_encoded, note: Some(note) });
    }
    let length = bytes.len();
    let note =
        format!("the export says that its body has {size} bytes, but holds {length}: it was cut or edited");
    Ok(Content { bytes, is_encoded, note: Some(note) })
}

/// What no text means: an empty body, or one that was not exported.
fn missing(content: &Value, size: Option<u64>, headers: &[(String, String)]) -> Result<Content, String> {
    if content["_file"].is_string() || content["_sha1"].is_string() {
        return Err("its body is in a file of its own; record the HAR with `content: 'embed'` (Playwright)"
            .to_owned());
    }
    let kind = content["mimeType"].as_str().map(str::to_owned).or_else(|| header(headers, "content-type"));
    let is_stream = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
    let length = header(headers, "content-length").and_then(|length| length.trim().parse::<u64>().ok());
    if size.is_none() && length.unwrap_or_default() == 0 && !is_stream {
        return Ok(Content::default());
    }
    let why = match is_stream {
        true => "browsers and proxies keep no body of many streams",
        false => {
            "browsers forget bodies of pages that were left, and export none with \"sanitized\" or without content"
        }
    };
    Err(format!(
        "the export has no body of it ({why}); record the call with `llmirage record` or `curl -i -N`, or export \
         \"with content\""
    ))
}

/// Polly.js writes a body that is compressed as a list of its chunks, in base64 or hex.
fn is_pieces(text: &str, headers: &[(String, String)]) -> bool {
    text.starts_with("[\"") && header(headers, "content-encoding").is_some()
}

fn pieces(text: &str, is_base64: bool) -> Result<Bytes, String> {
    // A body of JSON may be a list, too; then it is no list of bytes.
    let Ok(pieces) = serde_json::from_str::<Vec<String>>(text) else {
        return Ok(Bytes::copy_from_slice(text.as_bytes()));
    };
    let mut bytes = Vec::new();
    for piece in pieces {
        match is_base64 {
            true => bytes.extend(base64(&piece)?),
            false => match hex(&piece) {
                Some(piece) => bytes.extend(piece),
                None => return Ok(Bytes::copy_from_slice(text.as_bytes())),
            },
        }
    }
    Ok(bytes.into())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}
