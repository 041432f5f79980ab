//! Secrets that a stream says in pieces, a few characters in each event.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::places::Rule;
use super::view::View;
use super::{Smell, smell, suspects};
use crate::plan::transcript::{self, RecordedResponse};

/// What events say together at one place of their JSON, as the deltas of a message do.
#[derive(Debug, Default)]
struct Said {
    text: Vec<u8>,
    /// The events that said it, each with where its piece starts.
    pieces: Vec<(usize, usize)>,
}

impl Said {
    /// The event that said the character at `at`.
    fn event(&self, at: usize) -> usize {
        let next = self.pieces.partition_point(|(_, start)| *start <= at);
        self.pieces.get(next.saturating_sub(1)).map_or(0, |(event, _)| *event)
    }
}

/// What smells in a stream only when its events are taken together.
pub(super) fn smells(response: &RecordedResponse) -> Vec<Smell> {
    let mut all: BTreeMap<u64, Said> = BTreeMap::new();
    for (index, event) in response.events.iter().flatten().enumerate() {
        if let Some(value) = json(transcript::raw_bytes(&event.raw)) {
            hear(&value, 0, index, &mut all);
        }
    }
    let mut smells = Vec::new();
    for said in all.values().filter(|said| said.pieces.len() > 1) {
        let view = View::of(Rule::Text, &said.text);
        let plain = view.plain();
        for find in suspects(Rule::Text, &view) {
            let (first, last) = (said.event(view.start(find.start)), said.event(view.start(find.end - 1)));
            if first < last {
                let looks_like = format!("{} in pieces, up to /response/events/{last}", find.looks_like);
                smells.push(smell(format!("/response/events/{first}/raw"), &find, looks_like, plain));
            }
        }
    }
    smells.sort_by(|one, other| (&one.pointer, &one.looks_like).cmp(&(&other.pointer, &other.looks_like)));
    smells.dedup();
    smells
}

/// What an event says, if that is JSON.
fn json(event: &[u8]) -> Option<Value> {
    let lines = event.split(|byte| matches!(byte, b'\n' | b'\r'));
    let data: Vec<&[u8]> = lines.filter_map(|line| line.strip_prefix(b"data:")).collect();
    serde_json::from_slice(&data.join(&b'\n')).ok()
}

/// Adds the strings of an event to what was said at their places.
///
/// A place is the hash of the way to it: written out, a long key would be in the place of each value below it.
fn hear(value: &Value, place: u64, event: usize, all: &mut BTreeMap<u64, Said>) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => {
            let said = all.entry(place).or_default();
            said.pieces.push((event, said.text.len()));
            said.text.extend_from_slice(text.as_bytes());
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                hear(value, below(place, index), event, all);
            }
        }
        Value::Object(object) => {
            // Events of several answers, or of several parts of one, come in any order.
            let parts = PARTS.iter().filter_map(|part| Some((part, object.get(*part)?.to_string())));
            let place = parts.fold(place, below);
            for (key, value) in object {
                hear(value, below(place, key), event, all);
            }
        }
    }
}

fn below(place: u64, step: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    (place, step).hash(&mut hasher);
    hasher.finish()
}

/// What tells the parts of an answer from each other.
const PARTS: [&str; 5] = ["index", "item_id", "output_index", "content_index", "summary_index"];
