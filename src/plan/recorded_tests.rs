//! Regenerates recorded streams from answers.
use std::path::PathBuf;
use serde_json::{Map, Value, json};
use super::*;
use super::request::{Call, Endpoint, Route, Scope};

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("LLMIRAGE_TRANSCRIPTS").map(PathBuf::from).unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/transcripts"));
    folder.is_dir().then_some(folder)
}

/// The reply, as a fixture says it, that says what a recorded stream says.
fn reply_of(body: &str) -> Value {
    let chunks: Vec<Value> = body.split("\n\n").filter_map(|event| serde_json::from_str(event.strip_prefix("data: ")?).ok()).collect();
    let mut choices: Vec<Map<String, Value>> = Vec::new();
    let mut wire = Map::new();
    let mut answer = Map::new();
    let mut asynchronous = false;
    let mut blocklists: Vec<Value> = Vec::new();
    for chunk in &chunks {
        if chunk["id"].as_str().is_some_and(|id| !id.is_empty()) {
            for key in ["id", "created", "model"] { wire.insert(key.into(), chunk[key].clone()); }
            if let Some(f) = chunk.get("system_fingerprint") { if f.as_str().is_some_and(|f| !f.is_empty()) { wire.insert("system_fingerprint".into(), f.clone()); } }
            if let Some(t) = chunk.get("service_tier") { if t != "default" { wire.insert("service_tier".into(), t.clone()); } }
        }
        if let Some(usage) = chunk.get("usage").filter(|usage| usage.is_object()) { answer.insert("usage".into(), usage.clone()); }
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            asynchronous |= choice.get("content_filter_offsets").is_some();
            if let Some(list) = choice["content_filter_results"]["custom_blocklists"].as_array().filter(|l| !l.is_empty()) { blocklists = list.iter().map(|l| l["id"].clone()).collect(); }
            let index = choice["index"].as_u64().unwrap() as usize;
            while choices.len() <= index { choices.push(Map::new()); }
            let at = &mut choices[index];
            let push = |at: &mut Map<String, Value>, key: &str, piece: Value| at.entry(key).or_insert(json!([])).as_array_mut().unwrap().push(piece);
            if let Some(text) = choice["delta"]["content"].as_str().filter(|t| !t.is_empty()) { push(at, "text", json!(text)); }
            if let Some(text) = choice["delta"]["refusal"].as_str().filter(|t| !t.is_empty()) { push(at, "refusal", json!(text)); }
            for logprob in choice["logprobs"]["content"].as_array().into_iter().flatten() { push(at, "logprobs", logprob.clone()); }
            for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
                let calls = at.entry("tool_calls").or_insert(json!([])).as_array_mut().unwrap();
                let number = call["index"].as_u64().unwrap() as usize;
                if calls.len() <= number { calls.push(json!({"id": call["id"], "name": call["function"]["name"], "pieces": []})); }
                if let Some(piece) = call["function"]["arguments"].as_str().filter(|p| !p.is_empty()) { calls[number]["pieces"].as_array_mut().unwrap().push(json!(piece)); }
            }
            let function = &choice["delta"]["function_call"];
            if let Some(name) = function["name"].as_str() { at.insert("tool_calls".into(), json!([{"name": name, "pieces": []}])); }
            if let Some(piece) = function["arguments"].as_str().filter(|p| !p.is_empty()) { at["tool_calls"][0]["pieces"].as_array_mut().unwrap().push(json!(piece)); }
            if let Some(reason) = choice["finish_reason"].as_str().filter(|r| !matches!(*r, "stop" | "tool_calls" | "function_call")) { at.insert("finish_reason".into(), json!(reason)); }
        }
    }
    let joined = |pieces: &Value| pieces.as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect::<String>();
    for choice in &mut choices {
        for key in ["text", "refusal"] {
            if let Some(pieces) = choice.get(key).cloned() { choice.insert(key.into(), json!(joined(&pieces))); choice.insert("chunking".into(), json!({"exact": pieces})); }
        }
        for call in choice.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
            let call = call.as_object_mut().unwrap();
            let pieces = call.remove("pieces").unwrap();
            call.insert("arguments".into(), json!(joined(&pieces)));
            call.insert("chunking".into(), json!({"exact": pieces}));
            if call.get("id").is_some_and(Value::is_null) { call.remove("id"); }
        }
    }
    if choices.len() == 1 { for (k, v) in choices.remove(0) { answer.insert(k, v); } } else { answer.insert("choices".into(), json!(choices)); }
    let created = jiff::Timestamp::from_second(wire["created"].as_i64().unwrap()).unwrap();
    wire.insert("profile".into(), json!(created.strftime("%Y-%m-%d").to_string()));
    let mut reply = json!({"answer": answer, "wire": wire});
    if asynchronous { reply["filters"] = json!({"mode": "asynchronous"}); if !blocklists.is_empty() { reply["filters"]["completion"] = json!({"custom_blocklists": blocklists}); } }
    reply
}

/// What chance decides is made equal.
fn masked(body: &str) -> String {
    let mask = regex::Regex::new(r#""obfuscation":"([0-9A-Za-z]*)""#).unwrap();
    let body = mask.replace_all(body, |found: &regex::Captures<'_>| format!("\"obfuscation\":\"{}\"", "x".repeat(found[1].len())));
    let mask = regex::Regex::new(r#"_offset":\d+"#).unwrap();
    let body = mask.replace_all(&body, "_offset\":0");
    let mask = regex::Regex::new(r#""(latency_checkpoint|routing)":\{[^}]*\}"#).unwrap();
    mask.replace_all(&body, "\"$1\":{}").into_owned()
}

#[test]
fn recorded_streams_are_regenerated() {
    let Some(folder) = folder() else { println!("skipped: no transcripts"); return; };
    let (mut good, mut bad) = (0, 0);
    for provider in ["openai", "azure"] {
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join(provider)).unwrap().map(|e| e.unwrap().path()).filter(|p| p.file_name().unwrap().to_string_lossy().starts_with("chat-sse")).collect();
        files.sort();
        for file in files {
            let t: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let body = t["response"]["body"].as_str().unwrap();
            if name.contains("audio") { continue; }
            let reply = reply_of(body);
            let object: reply::ReplyObject = match serde_json::from_value(reply.clone()) { Ok(o) => o, Err(e) => { println!("{name}: {e}"); bad += 1; continue; } };
            let prepared = reply::Prepared { content: reply::Content::Answer(object.answer.unwrap()), status: None, headers: vec![], pacing: Default::default(), fault: None, filters: object.filters.unwrap_or_default(), wire: object.wire.unwrap() };
            let mut asked: Value = match &t["request"]["body"] { Value::String(s) => serde_json::from_str(s).unwrap_or(json!({})), v => v.clone() };
            if asked.as_object().is_none_or(|o| o.is_empty()) { asked = json!({"stream": true}); if body.contains("\"usage\":null") { asked["stream_options"] = json!({"include_usage": true}); } }
            let url = t["request"]["url"].as_str().unwrap();
            let path = url.split(".com").nth(1).unwrap_or("");
            let deployment = path.split("/deployments/").nth(1).map(|p| p.split('/').next().unwrap().to_owned());
            let api_version = path.split("api-version=").nth(1).map(str::to_owned);
            let request = Request { call: Call { method: http::Method::POST, path: path.into(), query: None, headers: Default::default(), scope: Scope::default(),
                route: Route { dialect: dialect::by_name(provider).unwrap(), endpoint: Endpoint::ChatCompletions, deployment, api_version } }, body: asked };
            let pacing = Pacing::default();
            let turn = Turn { fixture: "x", hit: 1, seed: 0, now: 1767225600, pacing: &pacing, time_scale: 1.0, max_hold: std::time::Duration::from_secs(60), fault: None };
            let timeline = plan(&prepared, &request, &turn);
            let ours = masked(std::str::from_utf8(&timeline.body).unwrap());
            let theirs = masked(body);
            let equal = if name.contains("-n2") || name.contains("async") { let sort = |b: &str| { let mut l: Vec<String> = b.split("\n\n").map(str::to_owned).collect(); l.sort(); l }; sort(&ours) == sort(&theirs) } else { ours == theirs };
            if equal { good += 1; } else {
                bad += 1;
                let at = ours.bytes().zip(theirs.bytes()).position(|(a, b)| a != b).unwrap_or(ours.len().min(theirs.len()));
                let from = ours[..at].rfind("data: ").unwrap_or(0);
                let cut = |s: &str| s[from..].chars().take(700).collect::<String>();
                println!("--- {provider}/{name} at {at}\n ours   {}\n theirs {}", cut(&ours).split("\n\n").next().unwrap(), cut(&theirs).split("\n\n").next().unwrap());
            }
        }
    }
    println!("regenerated {good}, not {bad}");
    assert_eq!(bad, 0);
}

fn reply_of_json(body: &Value) -> Value {
    let mut wire = Map::new();
    for key in ["id", "created", "model"] { wire.insert(key.into(), body[key].clone()); }
    if let Some(f) = body.get("system_fingerprint") { wire.insert("system_fingerprint".into(), f.clone()); }
    if let Some(t) = body.get("service_tier") { wire.insert("service_tier".into(), t.clone()); }
    let created = jiff::Timestamp::from_second(wire["created"].as_i64().unwrap()).unwrap();
    wire.insert("profile".into(), json!(created.strftime("%Y-%m-%d").to_string()));
    let choices: Vec<Value> = body["choices"].as_array().unwrap().iter().map(|choice| {
        let m = &choice["message"];
        let mut a = Map::new();
        if let Some(t) = m["content"].as_str() { a.insert("text".into(), json!(t)); }
        if let Some(t) = m["refusal"].as_str() { a.insert("refusal".into(), json!(t)); }
        if let Some(l) = choice["logprobs"]["content"].as_array() { a.insert("logprobs".into(), json!(l)); a.insert("chunking".into(), json!({"exact": l.iter().map(|l| l["token"].clone()).collect::<Vec<_>>()})); }
        if let Some(c) = m["tool_calls"].as_array() { a.insert("tool_calls".into(), c.iter().map(|c| json!({"id": c["id"], "name": c["function"]["name"], "arguments": c["function"]["arguments"]})).collect()); }
        if m["function_call"].is_object() { a.insert("tool_calls".into(), json!([m["function_call"]])); }
        if !matches!(choice["finish_reason"].as_str().unwrap(), "stop" | "tool_calls" | "function_call") { a.insert("finish_reason".into(), choice["finish_reason"].clone()); }
        Value::Object(a)
    }).collect();
    let mut answer = if choices.len() == 1 { choices[0].clone() } else { json!({"choices": choices}) };
    answer["usage"] = body["usage"].clone();
    json!({"answer": answer, "wire": wire})
}

#[test]
fn recorded_bodies_are_regenerated() {
    let Some(folder) = folder() else { println!("skipped: no transcripts"); return; };
    let (mut good, mut bad) = (0, 0);
    for provider in ["openai", "azure"] {
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join(provider)).unwrap().map(|e| e.unwrap().path()).filter(|p| p.file_name().unwrap().to_string_lossy().starts_with("chat-json")).collect();
        files.sort();
        for file in files {
            let t: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            if t["response"]["status"] != 200 || t["meta"]["body_fidelity"] != "exact" { continue; }
            let body = t["response"]["body"].as_str().unwrap();
            let Ok(json) = serde_json::from_str::<Value>(body) else { continue };
            if ["audio", "annot", "kimi", "grok"].iter().any(|skip| name.contains(skip)) { continue; }
            let object: reply::ReplyObject = match serde_json::from_value(reply_of_json(&json)) { Ok(o) => o, Err(e) => { println!("{name}: {e}"); bad += 1; continue; } };
            let prepared = reply::Prepared { content: reply::Content::Answer(object.answer.unwrap()), status: None, headers: vec![], pacing: Default::default(), fault: None, filters: object.filters.unwrap_or_default(), wire: object.wire.unwrap() };
            let asked: Value = match &t["request"]["body"] { Value::String(s) => serde_json::from_str(s).unwrap_or(json!({})), v => v.clone() };
            let url = t["request"]["url"].as_str().unwrap();
            let path = url.split(".com").nth(1).unwrap_or("");
            let deployment = path.split("/deployments/").nth(1).map(|p| p.split('/').next().unwrap().to_owned());
            let api_version = path.split("api-version=").nth(1).map(str::to_owned);
            let request = Request { call: Call { method: http::Method::POST, path: path.into(), query: None, headers: Default::default(), scope: Scope::default(),
                route: Route { dialect: dialect::by_name(provider).unwrap(), endpoint: Endpoint::ChatCompletions, deployment, api_version } }, body: asked };
            let pacing = Pacing::default();
            let turn = Turn { fixture: "x", hit: 1, seed: 0, now: 1767225600, pacing: &pacing, time_scale: 1.0, max_hold: std::time::Duration::from_secs(60), fault: None };
            let timeline = plan(&prepared, &request, &turn);
            let ours = std::str::from_utf8(&timeline.body).unwrap();
            if ours == body { good += 1; } else {
                bad += 1;
                let at = ours.bytes().zip(body.bytes()).position(|(a, b)| a != b).unwrap_or(ours.len().min(body.len()));
                let cut = |s: &str| { let from = (0..=at.saturating_sub(100).min(s.len())).rev().find(|i| s.is_char_boundary(*i)).unwrap(); s[from..].chars().take(300).collect::<String>() };
                println!("--- {provider}/{name} at {at}\n ours   {:?}\n theirs {:?}", cut(ours), cut(body));
            }
        }
    }
    println!("regenerated {good}, not {bad}");
    assert_eq!(bad, 0);
}
