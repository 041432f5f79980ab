//! `chat.completion.chunk`, the parts that OpenAI and Azure share: deltas, logprobs, usage, obfuscation.
//!
//! Azure writes OpenAI's fields sorted by name at every level, so each part is written once, in OpenAI's
//! order, and sorted where the dialect asks for it. What is written for every token is written straight.

use std::borrow::Cow;

use serde_json::Value;

use super::super::reply::TokenLogprob;
use super::super::said::{Counts, Opening, Said};
use super::super::seed::Noise;
use super::super::sse::Draft;
use super::super::wire::Obfuscation;
use super::shape::{Details, Logprobs, OpeningKeys, Shape};

/// The order of an object's keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Order {
    /// As OpenAI writes them.
    Hand,
    /// By name.
    Sorted,
}

/// What surrounds the choice in every chunk of a stream, rendered once.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// To the opening bracket of `choices`.
    head: Vec<u8>,
    /// From the closing bracket to where `obfuscation` goes.
    mid: Vec<u8>,
    /// The rest, with the closing brace.
    tail: Vec<u8>,
    /// Whether non-ASCII characters are escaped in the end. What is hidden is the length before that.
    ascii: bool,
    /// How many characters it has, counted once.
    characters: usize,
}

/// Writes the `obfuscation` field: random characters that hide how long a token is.
#[derive(Debug)]
pub(crate) struct Hiding<'a> {
    /// What chunks carry, if they carry it.
    given: Option<&'a Obfuscation>,
    /// How many of the given characters or texts are used up.
    used: usize,
    /// What comes then.
    noise: Noise,
}

impl<'a> Hiding<'a> {
    pub(crate) fn new(shape: &'a Shape) -> Self {
        let noise = Noise::of(shape.seed);
        Self { given: shape.obfuscation.as_ref(), used: 0, noise }
    }

    /// Writes the text of a chunk that needs so many characters.
    fn write(&mut self, out: &mut Vec<u8>, needed: usize) {
        let mut rest = needed;
        match self.given {
            Some(Obfuscation::Texts(texts)) if let Some(text) = texts.get(self.used) => {
                self.used += 1;
                out.extend_from_slice(text.as_bytes());
                return;
            }
            Some(Obfuscation::Characters(characters)) => {
                let left = characters.as_bytes().get(self.used..).unwrap_or_default();
                let taken = &left[..needed.min(left.len())];
                self.used += taken.len();
                rest -= taken.len();
                out.extend_from_slice(taken);
            }
            _ => {}
        }
        self.noise.write(rest, out);
    }
}

impl Frame {
    /// A frame of these parts, in order.
    pub(crate) fn new(head: Vec<u8>, mid: Vec<u8>, tail: Vec<u8>, ascii: bool) -> Self {
        let characters = characters(&head) + characters(&mid) + characters(&tail);
        Self { head, mid, tail, ascii, characters }
    }

    /// About how many bytes a chunk has whose choice says little.
    pub(crate) fn weight(&self) -> usize {
        self.head.len() + self.mid.len() + self.tail.len() + CHOICE
    }

    /// Writes a chunk around a choice. `choice` returns how many characters of it do not count for the
    /// obfuscation: Azure adds its filter results after OpenAI measured the chunk.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        obfuscation: &mut Hiding<'_>,
        choice: impl FnOnce(&mut Vec<u8>) -> usize,
    ) {
        let start = out.len();
        out.extend_from_slice(&self.head);
        let inside = out.len();
        let uncounted = choice(out);
        let choice = inside..out.len();
        out.extend_from_slice(&self.mid);
        if obfuscation.given.is_some() {
            let opening = b",\"obfuscation\":\"";
            out.extend_from_slice(opening);
            let counted = self.characters + characters(&out[choice]) + opening.len() + 1 - uncounted;
            // The payload's length is made 1 mod 16 (20,294 of 20,307 recorded chunks).
            obfuscation.write(out, (17 - counted % 16) % 16);
            out.push(b'"');
        }
        out.extend_from_slice(&self.tail);
        if self.ascii {
            escape(out, start);
        }
    }
}

/// About how many bytes a choice with a token takes, with what hides it and the frame of its event.
const CHOICE: usize = 160;

/// How many characters some UTF-8 has.
pub(crate) fn characters(utf8: &[u8]) -> usize {
    if utf8.is_ascii() {
        return utf8.len();
    }
    utf8.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

/// Writes a JSON string; non-ASCII characters stay as they are.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a string is JSON, and a Vec takes all");
}

/// A JSON string of its own.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}

/// Escapes the non-ASCII characters of the JSON from `start` on.
pub(crate) fn escape(out: &mut Vec<u8>, start: usize) {
    if out[start..].is_ascii() {
        return;
    }
    let raw = String::from_utf8(out.split_off(start)).expect("JSON is UTF-8");
    for character in raw.chars() {
        if character.is_ascii() {
            out.push(character as u8);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        }
    }
}

/// A JSON string, or null.
pub(crate) fn nullable(text: Option<&str>) -> String {
    text.map_or_else(|| "null".to_owned(), quoted)
}

/// A JSON object of fields that are JSON already.
pub(crate) fn object(order: Order, mut fields: Vec<(&str, String)>) -> String {
    if order == Order::Sorted {
        fields.sort_unstable_by_key(|(key, _)| *key);
    }
    let length: usize = fields.iter().map(|(key, value)| key.len() + value.len() + 4).sum();
    let mut out = String::with_capacity(length + 2);
    let mut before = '{';
    for (key, value) in &fields {
        out.push(before);
        out.extend(["\"", key, "\":", value]);
        before = ',';
    }
    out.push_str(if fields.is_empty() { "{}" } else { "}" });
    out
}

/// The choice that an event belongs to, where it is a chunk with one.
pub(crate) fn choice_of(said: &Said<'_>) -> Option<usize> {
    match said {
        Said::Open { choice, .. }
        | Said::Text { choice, .. }
        | Said::Reasoning { choice, .. }
        | Said::Refusal { choice, .. }
        | Said::Call { choice, .. }
        | Said::Function { choice, .. }
        | Said::Delta { choice, .. }
        | Said::Finish { choice, .. }
        | Said::Filtered { choice, .. } => Some(*choice),
        Said::Preamble(_)
        | Said::Annotation { .. }
        | Said::Usage(_)
        | Said::Chunk(_)
        | Said::Event(_)
        | Said::Comment(_)
        | Said::Raw(_)
        | Said::Done => None,
    }
}

/// Writes an event that is the same in every dialect.
pub(crate) fn verbatim(draft: &mut Draft, said: &Said<'_>) {
    match said {
        Said::Chunk(chunk) => draft.data(said.kind(), |out| json(out, chunk)),
        Said::Event(event) => {
            let retry = event.retry.map(|retry| retry.to_string());
            let data = event.data.as_ref().map(|data| match data {
                Value::String(text) => text.clone(),
                json => json.to_string(),
            });
            let fields = [("event", &event.event), ("id", &event.id), ("retry", &retry), ("data", &data)];
            let fields: Vec<_> =
                fields.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
            draft.fields(&fields, said.kind());
        }
        Said::Comment(text) => draft.comment(text),
        Said::Raw(bytes) => draft.raw(bytes),
        Said::Done => draft.data(said.kind(), |out| out.extend_from_slice(b"[DONE]")),
        _ => debug_assert!(false, "a dialect has words of its own for {said:?}"),
    }
}

/// Writes a whole number.
pub(crate) fn whole_number(out: &mut Vec<u8>, value: usize) {
    serde_json::to_writer(out, &value).expect("a number is JSON, and a Vec takes all");
}

fn json(out: &mut Vec<u8>, value: &Value) {
    serde_json::to_writer(out, value).expect("a value is JSON, and a Vec takes all");
}

/// Writes the delta of an event; nothing for an event without one.
pub(crate) fn delta(out: &mut Vec<u8>, order: Order, shape: &Shape, said: &Said<'_>) {
    let mut field = |open: &str, text: &str, close: &str| {
        out.extend_from_slice(open.as_bytes());
        string(out, text);
        out.extend_from_slice(close.as_bytes());
    };
    match said {
        Said::Text { text, .. } => field("{\"content\":", text, "}"),
        Said::Reasoning { text, .. } => field("{\"reasoning_content\":", text, "}"),
        Said::Refusal { text, .. } => field("{\"refusal\":", text, "}"),
        Said::Function { name: None, arguments, .. } => {
            field("{\"function_call\":{\"arguments\":", arguments, "}}");
        }
        Said::Function { name: Some(name), arguments, .. } => {
            let call = object(order, vec![("name", quoted(name)), ("arguments", quoted(arguments))]);
            out.extend_from_slice(format!("{{\"function_call\":{call}}}").as_bytes());
        }
        Said::Call { call, id: None, name: None, arguments: Some(arguments), .. } => match order {
            Order::Hand => field(
                &format!("{{\"tool_calls\":[{{\"index\":{call},\"function\":{{\"arguments\":"),
                arguments,
                "}}]}",
            ),
            Order::Sorted => field(
                "{\"tool_calls\":[{\"function\":{\"arguments\":",
                arguments,
                &format!("}},\"index\":{call}}}]}}"),
            ),
        },
        Said::Call { call, id, name, arguments, .. } => {
            let call = tool_call(order, *call, id.as_deref(), *name, *arguments);
            out.extend_from_slice(format!("{{\"tool_calls\":[{call}]}}").as_bytes());
        }
        Said::Open { opening, .. } => out.extend_from_slice(open(order, shape, opening).as_bytes()),
        Said::Delta { delta, .. } => json(out, delta),
        _ => out.extend_from_slice(b"{}"),
    }
}

/// The first delta of a choice.
fn open(order: Order, shape: &Shape, opening: &Opening<'_>) -> String {
    let keys = shape.opening;
    let null = || "null".to_owned();
    let role = match opening {
        Opening::Role(role) => role,
        _ => "assistant",
    };
    let mut fields = vec![("role", quoted(role))];
    match opening {
        Opening::Text | Opening::Role(_) if keys > OpeningKeys::Role => {
            fields.push(("content", quoted("")));
        }
        Opening::Text | Opening::Role(_) => {}
        _ if keys > OpeningKeys::Role => fields.push(("content", null())),
        _ => {}
    }
    match opening {
        Opening::Call { id, name } => {
            let call = tool_call(order, 0, Some(id), Some(name), Some(""));
            fields.push(("tool_calls", format!("[{call}]")));
        }
        Opening::Function { name } if shape.filtered && order == Order::Hand => {
            // Azure in 2023 sent the arguments only from the second chunk on.
            fields.push(("function_call", object(order, vec![("name", quoted(name))])));
        }
        Opening::Function { name } => {
            fields.push((
                "function_call",
                object(order, vec![("name", quoted(name)), ("arguments", quoted(""))]),
            ));
        }
        _ => {}
    }
    if keys == OpeningKeys::Refusal {
        match opening {
            Opening::Refusal => fields.push(("refusal", quoted(""))),
            Opening::Calls => {}
            _ => fields.push(("refusal", null())),
        }
    }
    object(order, fields)
}

fn tool_call(
    order: Order,
    index: u64,
    id: Option<&str>,
    name: Option<&str>,
    arguments: Option<&str>,
) -> String {
    let mut function = Vec::new();
    function.extend(name.map(|name| ("name", quoted(name))));
    function.extend(arguments.map(|arguments| ("arguments", quoted(arguments))));
    let mut fields = vec![("index", index.to_string())];
    if let Some(id) = id {
        fields.extend([("id", quoted(id)), ("type", quoted("function"))]);
    }
    fields.push(("function", object(order, function)));
    object(order, fields)
}

/// Writes the `logprobs` field of a choice, with the comma before it, where the shape has one.
pub(crate) fn logprobs_field(out: &mut Vec<u8>, order: Order, shape: &Shape, said: &Said<'_>) {
    let asked = match shape.logprobs {
        Logprobs::Absent => return,
        Logprobs::Null => None,
        Logprobs::Asked(_) => logprobs(order, shape, said),
    };
    out.extend_from_slice(b",\"logprobs\":");
    out.extend_from_slice(asked.as_deref().unwrap_or("null").as_bytes());
}

/// Writes the value of `finish_reason`.
pub(crate) fn finish_reason(out: &mut Vec<u8>, said: &Said<'_>) {
    match said {
        Said::Finish { reason, .. } => string(out, reason),
        Said::Filtered { .. } => out.extend_from_slice(b"\"content_filter\""),
        _ => out.extend_from_slice(b"null"),
    }
}

/// The log probabilities of an event, where they were asked for.
fn logprobs(order: Order, shape: &Shape, said: &Said<'_>) -> Option<String> {
    let list = |logprob: &Option<Cow<'_, TokenLogprob>>| {
        let entry = logprob.as_ref().map(|logprob| token_logprob(order, logprob, true));
        format!("[{}]", entry.unwrap_or_default())
    };
    let null = || "null".to_owned();
    let (content, refusal) = match said {
        Said::Open { opening: Opening::Text | Opening::Role(_), .. } => ("[]".to_owned(), null()),
        Said::Text { logprob, .. } => (list(logprob), null()),
        Said::Refusal { logprob, .. } => (null(), list(logprob)),
        _ => return None,
    };
    let mut fields = vec![("content", content)];
    if shape.opening == OpeningKeys::Refusal {
        fields.push(("refusal", refusal));
    }
    Some(object(order, fields))
}

/// One token's log probability; the alternatives below it have none of their own.
pub(crate) fn token_logprob(order: Order, entry: &TokenLogprob, top: bool) -> String {
    let bytes = entry.bytes.as_deref().unwrap_or(entry.token.as_bytes());
    let bytes: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let mut fields = vec![
        ("token", quoted(&entry.token)),
        ("logprob", number(entry.logprob)),
        ("bytes", format!("[{}]", bytes.join(","))),
    ];
    if top {
        let entries: Vec<String> =
            entry.top_logprobs.iter().map(|entry| token_logprob(order, entry, false)).collect();
        fields.push(("top_logprobs", format!("[{}]", entries.join(","))));
    }
    object(order, fields)
}

/// A number as OpenAI prints it: decimal down to `0.00001`, below that `-7.89631e-7`.
pub(crate) fn number(value: f64) -> String {
    serde_json::to_string(&value).expect("a number is JSON")
}

/// The usage object.
pub(crate) fn usage(order: Order, details: Details, counts: &Counts) -> String {
    let number = |count: u64| count.to_string();
    let (prompt, completion) = match details {
        Details::None => (vec![], vec![]),
        Details::Brief => {
            (vec![("cached_tokens", counts.cached)], vec![("reasoning_tokens", counts.reasoning)])
        }
        Details::Full | Details::CacheWrite => (
            vec![("cached_tokens", counts.cached), ("audio_tokens", counts.prompt_audio)],
            vec![
                ("reasoning_tokens", counts.reasoning),
                ("audio_tokens", counts.audio),
                ("accepted_prediction_tokens", counts.accepted),
                ("rejected_prediction_tokens", counts.rejected),
            ],
        ),
    };
    let nested = |mut counts: Vec<(&'static str, u64)>, more: Option<(&'static str, u64)>| {
        counts.extend(more);
        object(order, counts.into_iter().map(|(key, count)| (key, number(count))).collect())
    };
    let mut fields = vec![
        ("prompt_tokens", number(counts.prompt)),
        ("completion_tokens", number(counts.completion)),
        ("total_tokens", number(counts.total)),
    ];
    if details != Details::None {
        let cache_write =
            (details == Details::CacheWrite).then_some(("cache_write_tokens", counts.cache_write));
        fields.push(("prompt_tokens_details", nested(prompt, cache_write)));
        fields.push(("completion_tokens_details", nested(completion, None)));
    }
    object(order, fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_have_an_exponent() {
        let table = [
            (-0.000_010_445_127, "-0.000010445127"),
            (-6.153_795_8e-6, "-6.1537958e-6"),
            (0.0, "0.0"),
            (-1.792_991_2, "-1.7929912"),
            (-9999.0, "-9999.0"),
        ];
        for (value, expected) in table {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn escapes_are_utf_16() {
        let mut json = quoted("’t 👩 \"").into_bytes();
        assert_eq!(json, "\"’t 👩 \\\"\"".as_bytes());
        escape(&mut json, 0);
        assert_eq!(json, br#""\u2019t \ud83d\udc69 \"""#);
    }
}
