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
        let mut unrecorded = BTreeSet::new();
        for (case, text) in golden::all(&format!("{dialect}-")) {
            let chunks = text.lines().filter_map(|line| line.strip_prefix("data: {"));
            for chunk in chunks {
                let chunk = serde_json::from_str(&format!("{{{chunk}")).expect("goldens hold JSON");
                let signature = signature(&chunk);
                if !recorded.contains(&signature) {
                    println!("{case}: no recording has {signature}");
                    unrecorded.insert(case.clone());
                }
            }
        }
        let expected = UNRECORDED.iter().filter(|case| case.starts_with(dialect));
        let expected: BTreeSet<String> = expected.map(|case| (*case).to_owned()).collect();
        assert_eq!(unrecorded, expected);
    }
}

/// Exactly the cases with a chunk that no list shows: scripts write what they like, overrides mix ages,
/// functions were gone from streams before today's envelope came, OpenAI was never seen to call a tool
/// after text; and of Azure nobody recorded refusals, logprobs, filtered streams or, in the lists,
/// anything after August 2026.
const UNRECORDED: &[&str] = &[
    "azure-filter-asynchronous",
    "azure-filter-asynchronous-after-stop",
    "azure-filter-asynchronous-hit",
    "azure-filter-asynchronous-long",
    "azure-filter-completion",
    "azure-filter-completion-after",
    "azure-filter-off",
    "azure-function",
    "azure-function-after-text",
    "azure-logprobs",
    "azure-overrides",
    "azure-profile-2026-10",
    "azure-refusal",
    "azure-script",
    "openai-function",
    "openai-function-after-text",
    "openai-overrides",
    "openai-script",
    "openai-script-chunks",
    "openai-tool-call-after-text",
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
