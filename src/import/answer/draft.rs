//! What was heard as a reply: everything said outright. What follows by rule is taken out again by the search.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::heard::{Choice, Heard};
use super::pieces;
use crate::plan::request::Request;
use crate::plan::tokens::Vocabulary;
use crate::plan::wire::Profile;

/// A reply while it is looked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    reply: Value,
    /// What the filter may be said to say: by its verdicts, or as it is on the wire.
    filters: Vec<Value>,
    /// The day of its creation.
    created: Option<jiff::civil::Date>,
    /// The texts of `obfuscation`.
    obfuscation: Vec<String>,
}

impl Draft {
    /// Everything that was heard, said outright.
    pub(super) fn new(heard: &Heard, request: &Request) -> Self {
        let model = text(&heard.envelope, "model");
        let vocabulary = Vocabulary::of(&model);
        let mut answers: Vec<Map<String, Value>> =
            heard.choices.iter().map(|choice| answer(choice, heard.is_stream, vocabulary)).collect();
        let mut answer = match answers.len() {
            1 => answers.remove(0),
            _ => Map::from_iter([("choices".to_owned(), json!(answers))]),
        };
        if let Some(usage) = &heard.usage {
            answer.insert("usage".to_owned(), self::usage(usage));
        }
        let is_azure = request.call.route.dialect.name() == "azure";
        let created = heard.envelope.get("created").and_then(Value::as_i64);
        let created = created.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        Self {
            reply: json!({ "answer": answer, "wire": wire(heard, is_azure) }),
            filters: if is_azure { super::filters::of(heard) } else { Vec::new() },
            created: created.map(|created| created.to_zoned(jiff::tz::TimeZone::UTC).date()),
            obfuscation: heard.obfuscation.clone(),
        }
    }

    /// The reply with each way to say the filter, and each shape, the simplest first.
    pub(super) fn candidates(&self) -> impl Iterator<Item = Self> {
        let none = self.filters.is_empty().then_some(Value::Null);
        let filters: Vec<Value> = self.filters.iter().cloned().chain(none).collect();
        let profiles = self.profiles();
        filters.into_iter().flat_map(move |filters| {
            let with_filters = self.with("filters", &filters);
            profiles.clone().into_iter().map(move |profile| {
                let mut candidate = with_filters.clone();
                if let Some(profile) = profile {
                    candidate.reply["wire"]["profile"] = json!(profile);
                }
                candidate
            })
        })
    }

    /// Today's shape, that of the month and of the day of its creation, then every other, the nearest first.
    fn profiles(&self) -> Vec<Option<String>> {
        let Some(created) = self.created else {
            return vec![None];
        };
        let month = |date: jiff::civil::Date| date.strftime("%Y-%m").to_string();
        let mut profiles = vec![None, Some(month(created)), Some(created.strftime("%Y-%m-%d").to_string())];
        let mut others: Vec<jiff::civil::Date> = TURNS.iter().filter_map(|turn| turn.parse().ok()).collect();
        let distance = |date: &jiff::civil::Date| created.duration_until(*date).abs();
        others.sort_by_key(distance);
        for other in others {
            let day = Some(other.strftime("%Y-%m-%d").to_string());
            if !profiles.contains(&day) {
                profiles.push(day);
            }
        }
        profiles.retain(|profile| profile.as_ref().is_none_or(|profile| profile.parse::<Profile>().is_ok()));
        profiles
    }

    /// The reply without what may follow by rule, one thing at a time.
    pub(super) fn without(&self, pointer: &str) -> Option<Self> {
        let (parent, key) = pointer.rsplit_once('/')?;
        let mut draft = self.clone();
        let parent = draft.reply.pointer_mut(parent)?.as_object_mut()?;
        parent.shift_remove(key)?;
        Some(draft)
    }

    /// Where what may follow by rule stands: large things first, so that their parts need not be tried.
    pub(super) fn dispensable(&self) -> Vec<String> {
        let mut pointers: Vec<String> = DISPENSABLE.iter().map(|pointer| (*pointer).to_owned()).collect();
        // A value that only a seed could give is no rule.
        if self.reply.pointer("/wire/system_fingerprint").is_some_and(Value::is_null) {
            pointers.push("/wire/system_fingerprint".to_owned());
        }
        if self.reply.pointer("/wire/obfuscation").is_some_and(Value::is_boolean) {
            pointers.push("/wire/obfuscation".to_owned());
        }
        let choices = self.reply.pointer("/answer/choices").and_then(Value::as_array).map_or(0, Vec::len);
        pointers.extend((0..choices).map(|choice| format!("/answer/choices/{choice}/finish_reason")));
        pointers
    }

    /// The same with the texts of `obfuscation` as they were, for lengths that no rule gives.
    pub(super) fn with_texts(&self) -> Option<Self> {
        let mut draft = self.clone();
        draft.reply["wire"]["obfuscation"] = json!(self.obfuscation);
        (!self.obfuscation.is_empty()).then_some(draft)
    }

    /// The same envelope around a script, whose chunks have these texts as `obfuscation`, or the characters of
    /// them all.
    pub(super) fn scripted(&self, steps: Vec<Value>, obfuscation: Value) -> Self {
        let mut draft = self.clone();
        if let Some(reply) = draft.reply.as_object_mut() {
            reply.shift_remove("answer");
            reply.shift_insert(0, "script".to_owned(), Value::Array(steps));
        }
        draft.reply["wire"]["obfuscation"] = obfuscation;
        draft
    }

    /// Gives it a pace.
    pub(super) fn pace(&mut self, pacing: Option<Value>) {
        if let Some(pacing) = pacing {
            self.reply["pacing"] = pacing;
        }
    }

    /// The reply.
    pub(super) fn reply(&self) -> &Value {
        &self.reply
    }

    /// The reply, without what is empty.
    pub(super) fn into_reply(mut self) -> Value {
        for key in ["wire", "filters"] {
            let is_empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
            if let Some(reply) = self.reply.as_object_mut()
                && reply.get(key).is_some_and(is_empty)
            {
                reply.shift_remove(key);
            }
        }
        self.reply
    }

    fn with(&self, key: &str, value: &Value) -> Self {
        let mut draft = self.clone();
        if !value.is_null() {
            draft.reply[key] = value.clone();
        }
        draft
    }
}

/// Days at which shapes turned, and the days before them.
const TURNS: &[&str] = &[
    "2023-03-31",
    "2023-06-12",
    "2023-06-30",
    "2023-09-30",
    "2023-10-31",
    "2024-01-31",
    "2024-02-29",
    "2024-03-31",
    "2024-05-31",
    "2024-06-30",
    "2024-08-31",
    "2024-09-30",
    "2024-10-31",
    "2024-11-30",
    "2024-12-18",
    "2024-12-31",
    "2025-02-28",
    "2025-03-31",
    "2025-07-31",
    "2025-08-31",
    "2025-12-31",
    "2026-02-28",
    "2026-03-31",
    "2026-08-31",
    "2026-09-30",
];

/// What may follow by rule.
const DISPENSABLE: &[&str] = &[
    "/filters",
    "/filters/mode",
    "/filters/prompt",
    "/filters/completion",
    "/filters/annotations",
    "/filters/prompt_results",
    "/filters/chunks",
    "/filters/results",
    "/wire/model",
    "/wire/service_tier",
    "/wire/logprobs_null",
    "/wire/latency_checkpoint",
    "/wire/routing",
    "/wire/interleave",
    "/answer/usage",
    "/answer/usage/prompt_tokens",
    "/answer/usage/completion_tokens",
    "/answer/finish_reason",
];

/// What one choice says.
fn answer(choice: &Choice, is_stream: bool, vocabulary: Vocabulary) -> Map<String, Value> {
    let mut answer = Map::new();
    let mut set = |key: &str, value: Value| answer.insert(key.to_owned(), value);
    if !choice.reasoning.is_empty() {
        set("reasoning", json!(choice.reasoning));
    }
    let said = if choice.text.is_empty() { &choice.refusal } else { &choice.text };
    // A body tells how it was cut only by its log probabilities.
    let tokens: Vec<String> = choice.logprobs.iter().map(|entry| text(entry, "token")).collect();
    let pieces = match is_stream {
        true => said.clone(),
        false if tokens.concat() == said.concat() => tokens,
        false => Vec::new(),
    };
    match (choice.text.is_empty(), choice.refusal.is_empty()) {
        (false, _) => set("text", json!(choice.text.concat())),
        (true, false) => set("refusal", json!(choice.refusal.concat())),
        (true, true) if choice.calls.is_empty() => set("text", json!("")),
        (true, true) => None,
    };
    if let Some(chunking) = pieces::chunking(&pieces, vocabulary) {
        set("chunking", chunking);
    }
    let parallel = choice.calls.len() > 1;
    let calls = choice.calls.iter().map(|call| {
        let mut said = json!({ "name": call.name });
        let text = call.arguments.concat();
        let (arguments, chunking) = match is_stream {
            true => pieces::arguments(&call.arguments, parallel, vocabulary),
            false => (pieces::written(&text, parallel), None),
        };
        said["arguments"] = arguments;
        if let Some(id) = &call.id {
            said["id"] = json!(id);
        }
        if let Some(chunking) = chunking {
            said["chunking"] = chunking;
        }
        said
    });
    let calls: Vec<Value> = calls.collect();
    if !calls.is_empty() {
        set("tool_calls", json!(calls));
    }
    if let Some(finish) = &choice.finish {
        set("finish_reason", json!(finish));
    }
    if !choice.logprobs.is_empty() {
        set("logprobs", choice.logprobs.iter().map(logprob).collect());
    }
    answer
}

/// A log probability without what follows from it.
fn logprob(entry: &Value) -> Value {
    let mut said = json!({ "token": text(entry, "token"), "logprob": entry.get("logprob") });
    let bytes = entry.get("bytes").filter(|bytes| bytes.is_array());
    if let Some(bytes) = bytes.filter(|bytes| **bytes != json!(text(entry, "token").as_bytes())) {
        said["bytes"] = bytes.clone();
    }
    let top = entry.get("top_logprobs").and_then(Value::as_array).filter(|top| !top.is_empty());
    if let Some(top) = top {
        said["top_logprobs"] = top.iter().map(logprob).collect();
    }
    said
}

/// The counts, without zeros, and without a sum that is right.
fn usage(usage: &Map<String, Value>) -> Value {
    let count = |key: &str| usage.get(key).and_then(Value::as_u64);
    let mut said = Map::new();
    for key in ["prompt_tokens", "completion_tokens"] {
        said.extend(count(key).map(|count| (key.to_owned(), json!(count))));
    }
    let sum = count("prompt_tokens")
        .unwrap_or_default()
        .saturating_add(count("completion_tokens").unwrap_or_default());
    if let Some(total) = count("total_tokens").filter(|total| *total != sum) {
        said.insert("total_tokens".to_owned(), json!(total));
    }
    for (key, details) in [
        ("prompt_tokens_details", &["audio_tokens", "cached_tokens", "cache_write_tokens"][..]),
        (
            "completion_tokens_details",
            &["reasoning_tokens", "audio_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens"],
        ),
    ] {
        let given = |detail: &&str| usage.get(key)?.get(*detail)?.as_u64().filter(|count| *count > 0);
        let given: BTreeMap<&str, u64> =
            details.iter().filter_map(|detail| Some((*detail, given(detail)?))).collect();
        if !given.is_empty() {
            said.insert(key.to_owned(), json!(given));
        }
    }
    Value::Object(said)
}

/// The envelope.
fn wire(heard: &Heard, is_azure: bool) -> Value {
    let envelope = &heard.envelope;
    let mut wire = Map::new();
    let mut set = |key: &str, value: Option<Value>| wire.extend(value.map(|value| (key.to_owned(), value)));
    set("id", envelope.get("id").filter(|id| id.is_string()).cloned());
    set("created", envelope.get("created").filter(|created| created.is_u64()).cloned());
    set("model", envelope.get("model").filter(|model| model.is_string()).cloned());
    let fingerprint = envelope.get("system_fingerprint");
    set("system_fingerprint", fingerprint.filter(|value| value.is_string() || value.is_null()).cloned());
    set("service_tier", Some(envelope.get("service_tier").filter(|tier| tier.is_string()).cloned().into()));
    let choice = envelope.pointer("/choices/0");
    if heard.choices.iter().all(|choice| choice.logprobs.is_empty()) {
        set("logprobs_null", choice.map(|choice| json!(choice.get("logprobs").is_some())));
    }
    if heard.is_stream {
        let sent = heard.obfuscation.concat();
        let sent = if heard.obfuscation.is_empty() { json!(false) } else { json!(sent) };
        set("obfuscation", Some(sent));
    }
    for key in ["latency_checkpoint", "routing"] {
        let told = heard.telemetry.get(key).filter(|value| value.is_object());
        if is_azure && heard.usage.is_some() && heard.is_stream {
            set(key, Some(told.cloned().into()));
        }
    }
    if heard.is_stream && heard.choices.len() > 1 {
        set("interleave", Some(json!(heard.order)));
    }
    Value::Object(wire)
}

fn text(object: &Value, key: &str) -> String {
    object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}
