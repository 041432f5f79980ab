//! Our own transcripts, read as strictly as where a reply names them.

use serde_json::{Map, Value};

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
    let response = &transcript.response;
    if !(200..=599).contains(&response.status) {
        return Err(format!("response.status is {}, and those of answers are 200 to 599", response.status));
    }
    if response.events.is_some() && response.body.is_some() {
        return Err("has events and a body: a response has one of them".to_owned());
    }
    let events = response.events.iter().flatten().map(|event| event.at);
    let times = [response.at].into_iter().chain(events).chain([response.ends_at]).flatten();
    if !times.map(|time| time.0).is_sorted() {
        return Err(
            "its times go back: at, the events' at and ends_at are counted from the request".to_owned()
        );
    }
    Ok(transcript)
}
