//! Content encodings: a recorded body as the client's program saw it.

use bytes::Bytes;

/// A body without its content encodings, which are given as the header gives them.
///
/// # Errors
///
/// In words, where an encoding is not known or the bytes are not of it.
pub(super) fn decode(body: Bytes, encodings: &str) -> Result<Bytes, String> {
    match encodings.trim() {
        "" | "identity" => Ok(body),
        other => Err(format!("the content encoding {other:?} is not known")),
    }
}
