//! Recorded times as `pacing`: an approximation that people can edit. A transcript keeps the times themselves.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::plan::json::Span;
use crate::plan::transcript::{RecordedEvent, RecordedResponse, raw_bytes};

/// The first content event's time, and the median of the gaps between content events, in whole milliseconds.
pub(super) fn of(response: &RecordedResponse) -> Option<Value> {
    let mut pacing = Map::new();
    let mut set = |key: &str, at: Duration| pacing.insert(key.to_owned(), span(at));
    let Some(events) = &response.events else {
        set("ttft", response.ends_at?.0);
        return Some(Value::Object(pacing));
    };
    let times: Vec<Duration> =
        events.iter().filter(|event| is_content(event)).map_while(|event| Some(event.at?.0)).collect();
    let first = *times.first()?;
    if let Some(head) = response.at.filter(|head| head.0 < first) {
        set("head", head.0);
    }
    set("ttft", first);
    let mut gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    gaps.sort_unstable();
    if let Some(median) = gaps.get(gaps.len() / 2).filter(|median| **median >= Duration::from_millis(1)) {
        set("itl", *median);
    }
    Some(Value::Object(pacing))
}

/// Whether an event says something: it has a delta that is more than a role.
fn is_content(event: &RecordedEvent) -> bool {
    let raw = raw_bytes(&event.raw);
    let chunk: Value =
        raw.strip_prefix(b"data: ").and_then(|data| serde_json::from_slice(data).ok()).unwrap_or_default();
    let Some(delta) = chunk.pointer("/choices/0/delta").and_then(Value::as_object) else {
        return false;
    };
    let says = |value: &Value| !value.is_null() && value != "";
    let calls = delta.contains_key("tool_calls") || delta.contains_key("function_call");
    let content = delta.iter().any(|(key, value)| key != "role" && says(value));
    content && (!delta.contains_key("role") || !calls)
}

fn span(at: Duration) -> Value {
    let millis = u64::try_from(at.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
    json!(Span(Duration::from_millis(millis)))
}
