//! Our own transcripts, read as strictly as where a reply names them.

use serde_json::{Map, Value};

use crate::import::exchange::playable;
use crate::plan::transcript::Transcript;

/// Whether an exchange is in our form, by the keys that no other has.
pub(super) fn is(exchange: &Map<String, Value>) -> bool {
    let has = |part: &str, key: &str| exchange.get(part).is_some_and(|part| part.get(key).is_some());
    exchange.contains_key("recorded")
        || ["events", "ending", "ends_at", "at"].iter().any(|key| has("response", key))
        || (has("request", "path") && !has("request", "url"))
        || (exchange.keys().all(|key| key == "response")
            && has("response", "status")
            && !has("response", "reason"))
}

/// The transcript.
pub(super) fn read(exchange: &Value) -> Result<Transcript, String> {
    let transcript: Transcript = serde_path_to_error::deserialize(exchange)
        .map_err(|problem| format!("is no transcript: {problem}"))?;
    playable(&transcript)?;
    Ok(transcript)
}
