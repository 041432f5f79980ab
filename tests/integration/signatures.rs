//! The key signatures of our chunks against those of all recorded ones.
//!
//! `../shared/signatures` lists every distinct signature (keys in order, nulls and empty values told
//! apart) of thousands of recorded streams. Each chunk of the golden files must have one of them.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::support::{golden, shared};

#[test]
fn generated_chunks_have_recorded_signatures() {
    for (dialect, file) in [("openai", "openai-chat-stream.txt"), ("azure", "azure-chat-stream.txt")] {
        let Some(folder) = shared("signatures") else { return };
        let recorded = fs::read_to_string(folder.join(file)).expect("the signatures are readable");
        let recorded: BTreeSet<String> = recorded.lines().map(str::trim).filter(|line| line.starts_with('{')).map(str::to_owned).collect();
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
        assert!(checked > 100, "only {checked} chunks of {dialect} were checked");
    }
}

/// Cases whose chunks no recording shows: scripts write what they like, overrides mix ages.
const UNRECORDED: &[&str] = &["script", "overrides"];

/// The notation of the lists: `{id,object:chat.completion.chunk,choices[{index,delta{content}}]}`.
fn signature(value: &Value) -> String {
    let Value::Object(fields) = value else { return String::new() };
    let fields = fields.iter().map(|(key, value)| format!("{key}{}", detail(key, value)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

fn detail(key: &str, value: &Value) -> String {
    match value {
        Value::Null => ":null".to_owned(),
        Value::String(text) if text.is_empty() => ":\"\"".to_owned(),
        Value::String(text) if matches!(key, "object" | "role" | "finish_reason" | "type") => format!(":{text}"),
        Value::Array(items) if matches!(key, "choices" | "tool_calls") => {
            let items: Vec<String> = items.iter().map(signature).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(_) if matches!(key, "delta" | "function" | "usage" | "function_call") => signature(value),
        _ => String::new(),
    }
}
