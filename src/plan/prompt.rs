//! How many tokens a prompt has: OpenAI's published count for messages, and its tools as JSON.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::dialect::ROLES;
use super::request::Request;
use super::tokens::Vocabulary;
use super::value::field;

/// Counts prompts, and remembers what their texts counted: system prompts, tools and earlier messages come again
/// with every request.
///
/// A count depends on nothing but text and vocabulary, so that a plan stays a pure function.
#[derive(Debug, Default)]
pub(crate) struct Prompts([Mutex<Counts>; 2]);

/// What texts counted, those lately asked for and those before them.
#[derive(Debug, Default)]
struct Counts {
    recent: BTreeMap<Box<str>, u64>,
    before: BTreeMap<Box<str>, u64>,
    /// About how many bytes the recent ones take.
    weight: usize,
}

impl Prompts {
    /// How many tokens a request has.
    pub(crate) fn tokens(&self, request: &Request, vocabulary: Vocabulary) -> u64 {
        let text = |text: &str| self.count(text, vocabulary);
        let texts = |value: Option<&Value>| match value {
            Some(Value::String(whole)) => text(whole),
            Some(Value::Array(parts)) => {
                parts.iter().filter_map(|part| field(part, "text")?.as_str()).map(text).sum()
            }
            _ => 0,
        };
        let json = |value: Option<&Value>| {
            value.map_or(0, |value| text(&serde_json::to_string(value).expect("every key is a string")))
        };
        let role = |role: Option<&Value>| match role.and_then(Value::as_str) {
            Some(known) if ROLES.contains(&known) => 1,
            _ => texts(role),
        };
        let message = |message: &Value| {
            let part = |key| field(message, key);
            let name = part("name").map_or(0, |name| 1 + texts(Some(name)));
            3 + role(part("role")) + texts(part("content")) + json(part("tool_calls")) + name
        };
        let messages = request.messages().iter().map(message).sum::<u64>();
        3 + messages + json(request.field("tools")) + json(request.field("functions"))
    }

    /// How many tokens a text has. It is counted without the lock: others need not wait for it.
    fn count(&self, text: &str, vocabulary: Vocabulary) -> u64 {
        let [o200k, cl100k] = &self.0;
        let counts = match vocabulary {
            Vocabulary::O200k => o200k,
            Vocabulary::Cl100k => cl100k,
        };
        let counts = || counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts().get(text) {
            return count;
        }
        let count = vocabulary.count(text);
        counts().put(text.into(), count);
        count
    }
}

impl Counts {
    fn get(&mut self, text: &str) -> Option<u64> {
        if let Some(count) = self.recent.get(text) {
            return Some(*count);
        }
        let (text, count) = self.before.remove_entry(text)?;
        self.put(text, count);
        Some(count)
    }

    /// Remembers a count. Once the recent ones are too many, they are those before, which are forgotten if nobody asks
    /// for them until the next are too many.
    fn put(&mut self, text: Box<str>, count: u64) {
        let weight = text.len() + size_of::<(Box<str>, u64)>();
        if weight > MOST {
            return;
        }
        self.weight += weight;
        if self.weight > MOST {
            (self.before, self.weight) = (mem::take(&mut self.recent), weight);
        }
        self.recent.insert(text, count);
    }
}

/// How many bytes the recent ones take at most, and those before as many.
const MOST: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_role_is_one_token() {
        for vocabulary in [Vocabulary::O200k, Vocabulary::Cl100k] {
            for role in ROLES {
                assert_eq!(vocabulary.count(role), 1, "{role}");
            }
        }
    }

    #[test]
    fn a_prompt_counts_the_same_however_often_it_came() {
        let body = json!({
            "messages": [
                { "role": "system", "content": "You are helpful." },
                { "role": "user", "name": "ann", "content": [{ "type": "text", "text": "hi" }, { "type": "file" }] },
                { "role": "assistant", "tool_calls": [{ "id": "call_1" }] },
                { "role": "narrator", "content": "You are helpful." },
                5,
            ],
            "tools": [{ "type": "function", "function": { "name": "f" } }],
        });
        let request = Request::post("/v1/chat/completions", body);
        let prompts = Prompts::default();
        for vocabulary in [Vocabulary::O200k, Vocabulary::Cl100k] {
            let texts =
                ["You are helpful.", "ann", "hi", r#"[{"id":"call_1"}]"#, "narrator", "You are helpful."];
            let tools = r#"[{"type":"function","function":{"name":"f"}}]"#;
            let counts: u64 = texts.iter().chain([&tools]).map(|text| vocabulary.count(text)).sum();
            for _ in 0..3 {
                // Three for each message and for the answer's begin, one for each known role and for the name.
                assert_eq!(prompts.tokens(&request, vocabulary), 3 + 5 * 3 + 3 + 1 + counts);
            }
        }
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten_and_the_rest_is_not() {
        let mut counts = Counts::default();
        let text = |number: usize| format!("{number:0>1000}");
        counts.put("often".into(), 7);
        for number in 0..2 * MOST / 1000 {
            counts.put(text(number).into(), 1);
            assert_eq!(counts.get("often"), Some(7));
            assert!(counts.weight <= MOST);
        }
        assert_eq!(counts.get(&text(0)), None);
        assert_eq!(counts.get(&text(2 * MOST / 1000 - 1)), Some(1));
        let kept = counts.recent.keys().chain(counts.before.keys()).map(|text| text.len()).sum::<usize>();
        assert!(kept <= 2 * MOST);
        counts.put("x".repeat(MOST).into(), 1);
        assert_eq!(counts.get(&"x".repeat(MOST)), None);
    }
}
