//! A recorded chat answer as a fixture that people can edit, and that says the recording again, byte for byte.
//!
//! What follows by rule is left out; what chance decided (the id, the characters of `obfuscation`, latencies) is
//! taken from the recording. Settings are tried, the simplest first, by planning them: what is returned was planned
//! for the recorded request, and compared.

use std::fmt;

use serde_json::Value;

use self::draft::Draft;
use self::heard::Heard;
use self::search::Search;
use crate::plan::transcript::{RecordedEnding, Transcript};

mod asked;
mod draft;
mod error;
mod filters;
mod heard;
mod pace;
mod pieces;
mod script;
mod search;

pub use asked::request;

/// A recorded answer as a fixture's reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Regenerated {
    /// The reply, as a fixture file says it.
    pub reply: Value,
    /// Where what it says first differs from the recorded body; `None`: nowhere.
    pub difference: Option<Difference>,
}

/// Where a regenerated body first differs from the recorded one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// The offset of the first byte that differs.
    pub at: usize,
    /// What the fixture says around it.
    pub said: String,
    /// What was recorded around it.
    pub recorded: String,
}

/// The reply that says what was recorded: a stream or a body of chat completions, or an error.
///
/// A stream that no answer says exactly, though most of its chunks have the provider's envelope (those of audio models
/// are such), becomes a `script`: its deltas step by step, and as whole chunks what follows no rule.
///
/// The bytes that it gives are compared for the recorded request; where that was not recorded, for one that asks for
/// what the response shows. Recorded times become `pacing`: that of the first content event, and the median of the
/// gaps between content events.
///
/// ```
/// use bytes::Bytes;
/// use llmirage::import::{RawExchange, RawResponse, answer};
///
/// let id = "chatcmpl-DnW1yCjIpiKF0L6q9Az8UnYq3DniJ";
/// let chunk = |choice: &str| {
///     format!(r#"data: {{"id":"{id}","object":"chat.completion.chunk","created":1780693570,"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_58b2b3ae96","choices":[{{"index":0,{choice}}}]}}"#)
/// };
/// let stream = [
///     chunk(r#""delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null"#),
///     chunk(r#""delta":{"content":"Hi"},"logprobs":null,"finish_reason":null"#),
///     chunk(r#""delta":{},"logprobs":null,"finish_reason":"stop""#),
///     "data: [DONE]".to_owned(),
/// ];
/// let body = Bytes::from(stream.join("\n\n") + "\n\n");
/// let response = RawResponse { status: 200, body, ..RawResponse::default() };
/// let exchange = RawExchange { response, ..RawExchange::default() }.exchange()?;
///
/// let imported = answer::reply(&exchange.transcript)?;
/// assert_eq!(imported.difference, None);
/// assert_eq!(imported.reply["answer"]["text"], "Hi");
/// assert_eq!(imported.reply["wire"]["obfuscation"], false, "which today's streams have");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// In words, where this is nothing that an answer can say, with the way out.
pub fn reply(transcript: &Transcript) -> Result<Regenerated, String> {
    let response = &transcript.response;
    match response.ending {
        RecordedEnding::Complete => {}
        RecordedEnding::Close => return Err(unsaid("the server closed the connection in the middle of it")),
        RecordedEnding::Reset => return Err(unsaid("the server reset the connection in the middle of it")),
        RecordedEnding::ClientLeft => return Err(unsaid("the client left before its end")),
    }
    let body = response.bytes();
    if (400..=599).contains(&response.status) {
        return error::reply(transcript, &body);
    }
    if response.status != 200 {
        return Err(unsaid(&format!("its status is {}", response.status)));
    }
    let heard = Heard::of(transcript, &body).map_err(|reason| unsaid(&reason))?;
    let request = asked::asked(transcript, &heard).map_err(|reason| unsaid(&reason))?;
    let search = Search { request: &request, recorded: &body };
    let found = search.best(&Draft::new(&heard, &request));
    let (mut draft, mut difference) = found.map_err(|reason| unsaid(&reason))?;
    if difference.is_some()
        && let Some(script) = script::of(&search, &draft, response)
    {
        (draft, difference) = (script, None);
    }
    draft.pace(pace::of(response));
    Ok(Regenerated { reply: draft.into_reply(), difference })
}

/// Why a recording is no answer, and what to do.
fn unsaid(reason: &str) -> String {
    format!("{reason}, which an answer does not say: keep it as a transcript")
}

impl Difference {
    /// Where two bodies first differ.
    fn between(said: &[u8], recorded: &[u8]) -> Option<Self> {
        let at = said.iter().zip(recorded).position(|(said, recorded)| said != recorded);
        let at = at.or_else(|| (said.len() != recorded.len()).then_some(said.len().min(recorded.len())))?;
        let around = |body: &[u8]| {
            let (start, end) = (at.saturating_sub(40).min(body.len()), (at + 60).min(body.len()));
            String::from_utf8_lossy(&body[start..end]).into_owned()
        };
        Some(Self { at, said: around(said), recorded: around(recorded) })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, said, recorded } = self;
        write!(out, "differs at byte {at}: says {said:?}, recorded is {recorded:?}")
    }
}

#[cfg(test)]
mod tests;
