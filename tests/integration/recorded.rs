//! The proof that the generator knows the wire: recorded answers, said again by fixtures.
//!
//! Each recording is turned into a fixture that says the same text, calls, finish and usage, with the
//! recording's id, time and model; planning it must give the recorded body, byte for byte. What chance
//! decides is made equal on both sides: the characters of `obfuscation` (not their number), latencies,
//! the order in which several choices interleave, where an asynchronous filter speaks.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use llmirage::Timeline;
use regex::Regex;
use serde_json::{Map, Value, json};

use crate::planning::{planned, shared};

#[test]
fn recorded_streams_are_said_again_byte_for_byte() {
    check("chat-sse", &["audio"], 5, |recording| {
        let body = recording.body();
        let timeline = recording.replanned(&reply_of_stream(body));
        let sorted =
            body.contains("content_filter_offsets") || body.contains("\"index\":1,\"delta\":{\"role\"");
        (masked(&text(&timeline), sorted), masked(body, sorted))
    });
}

#[test]
fn recorded_bodies_are_said_again_byte_for_byte() {
    // Azure's filter differs by region in ways that nothing in an exchange tells.
    check("chat-json", &["audio", "annot", "kimi", "grok", "err"], 20, |recording| {
        let body = recording.body();
        // A recorder that was cut off kept half a body: nothing can be said again of it.
        let Ok(json) = serde_json::from_str(body) else {
            return Default::default();
        };
        (text(&recording.replanned(&reply_of_body(&json))), body.to_owned())
    });
}

#[test]
fn tokens_end_where_the_recorded_ones_do() {
    check("chat-sse", &["audio", "search"], 5, |recording| {
        let body = recording.body();
        let mut reply = reply_of_stream(body);
        forget_pieces(&mut reply["answer"]);
        let sorted =
            body.contains("content_filter_offsets") || body.contains("\"index\":1,\"delta\":{\"role\"");
        (masked(&text(&recording.replanned(&reply)), sorted), masked(body, sorted))
    });
}

/// Compares all recordings of a kind, per provider; names every miss and its first differing byte.
fn check(
    kind: &str,
    without: &[&str],
    misses_in_a_hundred: usize,
    compare: impl Fn(&Recording) -> (String, String),
) {
    let Some(folder) = shared("transcripts") else {
        return;
    };
    for provider in ["openai", "azure"] {
        let recordings = Recording::all(&folder.join(provider), kind, without);
        let mut missed = 0;
        for recording in &recordings {
            // A recording of a kind nobody foresaw is a miss with a name, not the end of the test.
            let compared = panic::catch_unwind(AssertUnwindSafe(|| compare(recording)));
            let (ours, theirs) = compared.unwrap_or_else(|_| (String::new(), recording.body().to_owned()));
            let Some(at) = first_difference(&ours, &theirs) else {
                continue;
            };
            missed += 1;
            let around = |body: &str| body.bytes().skip(at.saturating_sub(60)).take(160).collect::<Vec<_>>();
            println!("{provider}/{}: differs at byte {at}", recording.name);
            println!("  said     {}", String::from_utf8_lossy(&around(&ours)).escape_debug());
            println!("  recorded {}", String::from_utf8_lossy(&around(&theirs)).escape_debug());
        }
        println!("{provider} {kind}: {} of {} the same", recordings.len() - missed, recordings.len());
        assert!(!recordings.is_empty(), "no recordings in {}", folder.display());
        assert!(
            missed * 100 <= recordings.len() * misses_in_a_hundred,
            "{missed} of {} differ",
            recordings.len()
        );
    }
}

fn first_difference(ours: &str, theirs: &str) -> Option<usize> {
    let different = ours.bytes().zip(theirs.bytes()).position(|(ours, theirs)| ours != theirs);
    different.or_else(|| (ours.len() != theirs.len()).then_some(ours.len().min(theirs.len())))
}

/// A recorded exchange.
struct Recording {
    name: String,
    file: Value,
}

impl Recording {
    fn all(folder: &Path, kind: &str, without: &[&str]) -> Vec<Self> {
        let mut files: Vec<_> = fs::read_dir(folder)
            .expect("the folder is readable")
            .map(|file| file.expect("it is readable").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        files.sort();
        let recordings = files.into_iter().map(|path| {
            let name = path.file_stem().expect("files have names").to_string_lossy().into_owned();
            let file = serde_json::from_slice(&fs::read(&path).expect("it is readable")).expect("it is JSON");
            Self { name, file }
        });
        recordings
            .filter(|recording| recording.name.starts_with(kind))
            .filter(|recording| without.iter().all(|part| !recording.name.contains(part)))
            .filter(|recording| {
                recording.file["meta"]["body_fidelity"]
                    .as_str()
                    .is_some_and(|fidelity| fidelity.starts_with("exact"))
            })
            .collect()
    }

    fn body(&self) -> &str {
        self.file["response"]["body"].as_str().expect("bodies are text")
    }

    /// The recorded request, or one that asks for such a stream where it was not recorded.
    fn request(&self) -> Value {
        let recorded = match &self.file["request"]["body"] {
            Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            json => json.clone(),
        };
        if recorded.as_object().is_some_and(|body| !body.is_empty()) {
            return recorded;
        }
        match self.body().contains("\"usage\":null") {
            true => json!({ "stream": true, "stream_options": { "include_usage": true } }),
            false => json!({ "stream": true }),
        }
    }

    fn replanned(&self, reply: &Value) -> Timeline {
        let url = self.file["request"]["url"].as_str().expect("urls are text");
        let target = url.splitn(4, '/').nth(3).expect("urls have paths");
        planned(&format!("/{}", target.trim_start_matches('/')), &self.request(), reply)
    }
}

fn text(timeline: &Timeline) -> String {
    String::from_utf8(timeline.body.to_vec()).expect("chat is UTF-8")
}

/// The reply that says what a recorded stream says.
fn reply_of_stream(body: &str) -> Value {
    let chunks = body.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    let chunks: Vec<Value> = chunks.filter_map(|data| serde_json::from_str(data).ok()).collect();
    let mut choices: Vec<Map<String, Value>> = Vec::new();
    let mut wire = Map::new();
    let mut usage = Value::Null;
    let mut filters = Value::Null;
    for chunk in &chunks {
        if chunk["id"] != "" {
            envelope(&mut wire, chunk);
        }
        if chunk["usage"].is_object() {
            usage = chunk["usage"].clone();
        }
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            let index = usize::try_from(choice["index"].as_u64().expect("choices have an index"))
                .expect("it is small");
            if choices.len() <= index {
                choices.resize(index + 1, Map::new());
            }
            collect(&mut choices[index], choice);
            if choice.get("content_filter_offsets").is_some() {
                filters["mode"] = json!("asynchronous");
            }
            let lists = choice["content_filter_results"]["custom_blocklists"].as_array();
            if let Some(lists) = lists.filter(|lists| !lists.is_empty()) {
                let ids: Vec<&Value> = lists.iter().map(|list| &list["id"]).collect();
                filters["completion"] = json!({ "custom_blocklists": ids });
            }
        }
    }
    let choices = choices.into_iter().map(joined).collect();
    reply(choices, usage, wire, filters)
}

/// The reply that says what a recorded body says.
fn reply_of_body(body: &Value) -> Value {
    let mut wire = Map::new();
    envelope(&mut wire, body);
    let choices = body["choices"].as_array().expect("a completion has choices").iter();
    let choices = choices.map(|choice| {
        let mut answer = Map::new();
        let message = &choice["message"];
        for (key, value) in [("text", &message["content"]), ("refusal", &message["refusal"])] {
            if value.is_string() {
                answer.insert(key.to_owned(), value.clone());
            }
        }
        if let Some(tokens) = choice["logprobs"]["content"].as_array() {
            let pieces: Vec<&Value> = tokens.iter().map(|token| &token["token"]).collect();
            answer.insert("chunking".to_owned(), json!({ "exact": pieces }));
            answer.insert("logprobs".to_owned(), json!(tokens));
        }
        if let Some(calls) = message["tool_calls"].as_array() {
            let call = |call: &Value| json!({ "id": call["id"], "name": call["function"]["name"], "arguments": call["function"]["arguments"] });
            answer.insert("tool_calls".to_owned(), calls.iter().map(call).collect());
        }
        if message["function_call"].is_object() {
            answer.insert("tool_calls".to_owned(), json!([message["function_call"]]));
        }
        finish(&mut answer, choice);
        answer
    });
    reply(choices.collect(), body["usage"].clone(), wire, Value::Null)
}

fn reply(
    mut choices: Vec<Map<String, Value>>,
    usage: Value,
    wire: Map<String, Value>,
    filters: Value,
) -> Value {
    let mut answer = match choices.len() {
        1 => Value::Object(choices.remove(0)),
        _ => json!({ "choices": choices }),
    };
    if !usage.is_null() {
        answer["usage"] = usage;
    }
    let mut reply = json!({ "answer": answer, "wire": wire });
    if !filters.is_null() {
        reply["filters"] = filters;
    }
    reply
}

/// What is not said by rule: id, time, model, fingerprint, an unusual tier. The time decides the shape.
fn envelope(wire: &mut Map<String, Value>, body: &Value) {
    for key in ["id", "created", "model"] {
        wire.insert(key.to_owned(), body[key].clone());
    }
    if let Some(fingerprint) = body.get("system_fingerprint").filter(|fingerprint| *fingerprint != "") {
        wire.insert("system_fingerprint".to_owned(), fingerprint.clone());
    }
    if let Some(tier) = body.get("service_tier").filter(|tier| *tier != "default") {
        wire.insert("service_tier".to_owned(), tier.clone());
    }
    let created = body["created"].as_i64().expect("completions have a time");
    let created = jiff::Timestamp::from_second(created).expect("it is a time");
    wire.insert("profile".to_owned(), json!(created.strftime("%Y-%m-%d").to_string()));
}

/// Adds what one chunk says to a choice, in pieces.
fn collect(answer: &mut Map<String, Value>, choice: &Value) {
    let delta = &choice["delta"];
    for (key, piece) in [("text", &delta["content"]), ("refusal", &delta["refusal"])] {
        push(answer, key, piece);
    }
    for token in choice["logprobs"]["content"].as_array().into_iter().flatten() {
        list(answer, "logprobs").push(token.clone());
    }
    for call in delta["tool_calls"].as_array().into_iter().flatten() {
        let calls = list(answer, "tool_calls");
        let index =
            usize::try_from(call["index"].as_u64().expect("calls have an index")).expect("it is small");
        if calls.len() <= index {
            calls.push(json!({ "id": call["id"], "name": call["function"]["name"] }));
        }
        push(calls[index].as_object_mut().expect("made above"), "arguments", &call["function"]["arguments"]);
    }
    let function = &delta["function_call"];
    if function["name"].is_string() {
        list(answer, "tool_calls").push(json!({ "name": function["name"] }));
    }
    if function["arguments"].is_string() {
        let call = list(answer, "tool_calls").last_mut().expect("the name comes first");
        push(call.as_object_mut().expect("made above"), "arguments", &function["arguments"]);
    }
    finish(answer, choice);
}

/// The finish reasons that follow from nothing else.
fn finish(answer: &mut Map<String, Value>, choice: &Value) {
    let reason = &choice["finish_reason"];
    if reason.is_string() && !["stop", "tool_calls", "function_call"].iter().any(|usual| reason == usual) {
        answer.insert("finish_reason".to_owned(), reason.clone());
    }
}

fn push(to: &mut Map<String, Value>, key: &str, piece: &Value) {
    if piece.as_str().is_some_and(|piece| !piece.is_empty()) {
        list(to, key).push(piece.clone());
    }
}

fn list<'a>(of: &'a mut Map<String, Value>, key: &str) -> &'a mut Vec<Value> {
    of.entry(key).or_insert_with(|| json!([])).as_array_mut().expect("only lists are made")
}

/// Joins the pieces of a choice and of its calls, and keeps them as `chunking`.
fn joined(mut answer: Map<String, Value>) -> Map<String, Value> {
    join(&mut answer, "text");
    join(&mut answer, "refusal");
    for call in answer.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
        join(call.as_object_mut().expect("calls are objects"), "arguments");
    }
    answer
}

fn join(of: &mut Map<String, Value>, key: &str) {
    if let Some(pieces) = of.remove(key) {
        let text: String = pieces.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        of.insert(key.to_owned(), json!(text));
        of.insert("chunking".to_owned(), json!({ "exact": pieces }));
    }
}

fn forget_pieces(answer: &mut Value) {
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("chunking");
    }
    for key in ["choices", "tool_calls"] {
        answer[key].as_array_mut().into_iter().flatten().for_each(forget_pieces);
        if answer[key].is_null() {
            answer.as_object_mut().expect("answers are objects").remove(key);
        }
    }
}

/// What chance decides, made equal.
fn masked(body: &str, sorted: bool) -> String {
    let replace = |pattern: &str, body: &str, with: &str| {
        Regex::new(pattern).expect("it is a pattern").replace_all(body, with).into_owned()
    };
    let obfuscation = Regex::new(r#""obfuscation":"([0-9A-Za-z]*)""#).expect("it is a pattern");
    let body = obfuscation.replace_all(body, |found: &regex::Captures<'_>| {
        format!("\"obfuscation\":\"{}\"", "x".repeat(found[1].len()))
    });
    let body = replace(r#"_offset":\d+"#, &body, "_offset\":0");
    let body = replace(r#""(latency_checkpoint|routing)":\{[^}]*\}"#, &body, "\"$1\":{}");
    // The latencies' digits decide how much obfuscation fills their chunk up.
    let body = replace(r#"("latency_checkpoint":\{\}[^\n]*"obfuscation":")x*"#, &body, "$1");
    if !sorted {
        return body;
    }
    let mut events: Vec<&str> = body.split("\n\n").collect();
    // The asynchronous filter says "nothing found" as often as it likes.
    events.retain(|event| !event.contains("\"custom_blocklists\":[]"));
    events.sort_unstable();
    events.join("\n\n")
}
