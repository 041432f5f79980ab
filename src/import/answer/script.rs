//! A recorded stream as a script, where no answer says it: envelope and obfuscation by rule, deltas one by one.

use serde_json::{Value, json};

use super::draft::Draft;
use super::search::{Search, planned};
use crate::plan::transcript::{RecordedResponse, raw_bytes};

/// The script that says a stream again; `None` where rules say less than half of its deltas, so that it would be
/// a transcript in disguise.
pub(super) fn of(search: &Search<'_>, draft: &Draft, response: &RecordedResponse) -> Option<Draft> {
    let events = response.events.as_ref()?.iter().map(|event| Event::of(raw_bytes(&event.raw)));
    let events: Vec<Event<'_>> = events.collect();
    let shapes = draft.candidates().filter_map(|shape| {
        let by_rule = by_rule(search, &shape, &events)?;
        let count = by_rule.iter().filter(|by_rule| **by_rule).count();
        Some((count, by_rule, shape))
    });
    // The first of the best: the simplest.
    let best = shapes.reduce(|best, other| if other.0 > best.0 { other } else { best });
    let (_, by_rule, shape) = best?;
    let is_delta = |event: &Event<'_>| event.chunk.pointer("/choices/0/delta").is_some();
    let deltas = events.iter().filter(|event| is_delta(event)).count();
    let said = events.iter().zip(&by_rule).filter(|(event, by_rule)| is_delta(event) && **by_rule).count();
    if said * 2 < deltas {
        return None;
    }
    let steps =
        || events.iter().zip(&by_rule).map(|(event, by_rule)| event.step(*by_rule)).collect::<Vec<Value>>();
    let texts: Vec<&str> = events
        .iter()
        .zip(&by_rule)
        .filter(|(_, by_rule)| **by_rule)
        .filter_map(|(event, _)| event.hidden())
        .collect();
    let sent = |given: Value| if texts.is_empty() { json!(false) } else { given };
    let scripts = [json!(texts.concat()), json!(texts)].map(|given| shape.scripted(steps(), sent(given)));
    let script = scripts.into_iter().find(|script| search.difference(script.reply()) == Ok(None))?;
    Some(search.simplest(script, None))
}

/// Which events are said by rule: those that come out as they were recorded.
fn by_rule(search: &Search<'_>, shape: &Draft, events: &[Event<'_>]) -> Option<Vec<bool>> {
    let steps = events.iter().map(|event| event.step(true)).collect();
    // Every step by rule takes a text, so that one that errs does not shift those after it.
    let texts: Vec<&str> = events
        .iter()
        .filter(|event| event.rule.is_some())
        .map(|event| event.hidden().unwrap_or_default())
        .collect();
    let hidden =
        if events.iter().any(|event| event.hidden().is_some()) { json!(texts) } else { json!(false) };
    let script = shape.scripted(steps, hidden);
    let timeline = planned(search.request, script.reply()).ok()?;
    let is_said = |(index, event): (usize, &Event<'_>)| {
        event.rule.is_some() && index < timeline.events.len() && timeline.event_bytes(index) == event.raw
    };
    Some(events.iter().enumerate().map(is_said).collect())
}

/// A recorded event.
struct Event<'a> {
    raw: &'a [u8],
    /// Its chunk; null where it has none.
    chunk: Value,
    /// The step that would say its chunk by rule.
    rule: Option<Value>,
    /// The step that says it as it is.
    verbatim: Value,
}

impl<'a> Event<'a> {
    fn of(raw: &'a [u8]) -> Self {
        let text = String::from_utf8_lossy(raw);
        let data = text.strip_prefix("data: ").and_then(|data| data.strip_suffix("\n\n")).unwrap_or_default();
        let chunk: Value = serde_json::from_str(data).unwrap_or_default();
        let printed = chunk.to_string();
        let verbatim = match () {
            () if data == "[DONE]" => json!("done"),
            () if chunk.is_object() && printed == data => json!({ "chunk": chunk }),
            () if let Some(comment) = comment(&text) => json!({ "comment": comment }),
            () => json!({ "raw": text }),
        };
        Self { raw, rule: step(&chunk), chunk, verbatim }
    }

    fn step(&self, by_rule: bool) -> Value {
        self.rule.as_ref().filter(|_| by_rule).unwrap_or(&self.verbatim).clone()
    }

    fn hidden(&self) -> Option<&str> {
        self.chunk.get("obfuscation")?.as_str()
    }
}

/// The text of a comment of one line.
fn comment(event: &str) -> Option<&str> {
    event.strip_prefix(": ")?.strip_suffix("\n\n").filter(|text| !text.contains(['\r', '\n']))
}

/// The step that says a chunk of the first choice.
fn step(chunk: &Value) -> Option<Value> {
    let [choice] = chunk.get("choices")?.as_array()?.as_slice() else {
        return None;
    };
    let delta = choice.get("delta")?.as_object()?;
    let text = delta.get("content").filter(|text| text.is_string() && delta.len() == 1);
    match (choice.get("finish_reason"), text) {
        (Some(reason @ Value::String(_)), _) => Some(json!({ "finish": reason })),
        (_, Some(text)) => Some(json!({ "text": text })),
        _ => Some(json!({ "delta": delta })),
    }
}
