//! The key signatures of our chunks against those of all recorded ones.
//!
//! `../shared/signatures` lists every distinct signature (keys in order, nulls and empty values told
//! apart) of thousands of recorded streams. Each chunk of the golden files must have one of them.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::planning::{golden, shared};

#[test]
fn generated_chunks_have_recorded_signatures() {
    for (dialect, file) in [("openai", "openai-chat-stream.txt"), ("azure", "azure-chat-stream.txt")] {
        let Some(folder) = shared("signatures") else {
            return;
        };
        let recorded = fs::read_to_string(folder.join(file)).expect("the signatures are readable");
        let recorded: BTreeSet<String> = recorded
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with('{'))
            .map(|line| line.replace("obfuscation:\"\"", "obfuscation"))
            .collect();
        let mut checked = 0;
        for (case, text) in golden::all(&format!("{dialect}-")) {
            if UNRECORDED.iter().any(|unrecorded| case.contains(unrecorded)) {
                continue;
            }
            for line in text.lines().filter_map(|line| line.strip_prefix("data: {")) {
                let chunk: Value = serde_json::from_str(&format!("{{{line}")).expect("goldens hold JSON");
                let signature = signature(&chunk);
                assert!(recorded.contains(&signature), "{case}: no recording has {signature}");
                checked += 1;
            }
        }
        assert!(checked > 80, "only {checked} chunks of {dialect} were checked");
    }
}

/// Cases whose chunks no list shows: scripts write what they like, overrides mix ages, functions were
/// gone from streams before today's envelope came, and of Azure nobody recorded refusals, logprobs,
/// filtered streams or, in the lists, anything after August 2026.
const UNRECORDED: &[&str] = &[
    "function",
    "overrides",
    "script",
    "azure-filter",
    "azure-logprobs",
    "azure-profile-2026-10",
    "azure-refusal",
];

/// The notation of the lists: `{id,object:chat.completion.chunk,choices[{index,delta{content}}]}`.
fn signature(value: &Value) -> String {
    let Value::Object(fields) = value else {
        return String::new();
    };
    let fields = fields.iter().map(|(key, value)| format!("{key}{}", detail(key, value)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

fn detail(key: &str, value: &Value) -> String {
    match value {
        Value::Null => ":null".to_owned(),
        // How long it is depends on lengths all around, not on the kind of chunk.
        Value::String(_) if key == "obfuscation" => String::new(),
        Value::String(text) if text.is_empty() => ":\"\"".to_owned(),
        Value::String(text) if matches!(key, "object" | "role" | "finish_reason" | "type") => {
            format!(":{text}")
        }
        Value::Array(items) if matches!(key, "choices" | "tool_calls") => {
            let items: Vec<String> = items.iter().map(signature).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(_) if matches!(key, "delta" | "function" | "usage" | "function_call") => {
            signature(value)
        }
        _ => String::new(),
    }
}
