//! What the events of a stream are, told from their JSON: so that positions by name and pacing work on what a
//! script or a recording sends as on what is generated.
//!
//! Chat completions are looked at closely; completions, the Responses API, Anthropic's and Gemini's streams as
//! far as their own names tell. What nobody knows is [`EventKind::Other`], which is counted as every event is.

use serde_json::Value;

use crate::plan::timeline::EventKind;

/// What an event is, blank line and all.
pub(crate) fn of_event(event: &[u8]) -> EventKind {
    let Some(data) = data(event) else {
        return EventKind::Other;
    };
    if data.trim_ascii() == b"[DONE]" {
        return EventKind::Done;
    }
    serde_json::from_slice(&data).map_or(EventKind::Other, |json| of_json(&json))
}

/// What the JSON of an event is, whoever's it is.
fn of_json(json: &Value) -> EventKind {
    if json.get("choices").is_some() {
        return of_chunk(json);
    }
    if let Some(kind) = json.get("type").and_then(Value::as_str) {
        return of_type(kind, json);
    }
    if json.get("candidates").or_else(|| json.get("usageMetadata")).is_some() {
        return of_candidates(json);
    }
    // OpenAI's assistants name the kind of an event there.
    let is_delta = |object: &str| object.ends_with(".delta");
    match json.get("object").and_then(Value::as_str).is_some_and(is_delta) {
        true => EventKind::Content,
        false => EventKind::Other,
    }
}

/// What a chunk of a chat completion is, or of a completion.
pub(crate) fn of_chunk(chunk: &Value) -> EventKind {
    let choices = chunk.get("choices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let Some(first) = choices.first() else {
        return match chunk {
            _ if has(chunk, "usage") => EventKind::Usage,
            _ if has(chunk, "prompt_filter_results") || has(chunk, "prompt_annotations") => {
                EventKind::Preamble
            }
            _ => EventKind::Other,
        };
    };
    if choices.iter().any(|choice| has(choice, "finish_reason")) {
        return EventKind::Finish;
    }
    match (first.get("delta"), first.get("text").and_then(Value::as_str)) {
        (Some(delta), _) => of_delta(delta),
        (None, Some("")) => EventKind::Other,
        (None, Some(_)) => EventKind::Content,
        (None, None) => EventKind::Filter,
    }
}

/// A delta with a role opens a choice, unless it says something at once.
pub(crate) fn of_delta(delta: &Value) -> EventKind {
    let says = |key: &&str| delta.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let says_all = |call: &Value| {
        let arguments = call.pointer("/function/arguments").and_then(Value::as_str);
        arguments.is_some_and(|arguments| !arguments.is_empty())
    };
    let calls = delta.get("tool_calls").and_then(Value::as_array);
    let speaks = ["content", "refusal", "reasoning_content", "reasoning"].iter().any(says)
        || calls.is_some_and(|calls| calls.iter().any(says_all));
    if delta.get("role").is_some() && !speaks { EventKind::Role } else { EventKind::Content }
}

/// What an event is that has its name in it: the Responses API's, Anthropic's.
fn of_type(kind: &str, json: &Value) -> EventKind {
    match kind {
        "response.created" | "message_start" => EventKind::Role,
        "response.completed" | "response.incomplete" | "response.failed" | "message_delta" => {
            EventKind::Finish
        }
        "message_stop" => EventKind::Done,
        // Anthropic's, before there were messages.
        "completion" if has(json, "stop_reason") => EventKind::Finish,
        "completion" => EventKind::Content,
        _ if kind.ends_with(".delta") || kind.ends_with("_delta") => EventKind::Content,
        _ => EventKind::Other,
    }
}

/// What a chunk of Gemini is. The last one with text has the reason to finish, too.
fn of_candidates(json: &Value) -> EventKind {
    let candidate = json.pointer("/candidates/0");
    let parts = candidate.and_then(|candidate| candidate.pointer("/content/parts"));
    match candidate {
        Some(candidate) if has(candidate, "finishReason") => EventKind::Finish,
        Some(_) if parts.and_then(Value::as_array).is_some_and(|parts| !parts.is_empty()) => {
            EventKind::Content
        }
        None if has(json, "promptFeedback") => EventKind::Preamble,
        None if has(json, "usageMetadata") => EventKind::Usage,
        Some(_) | None => EventKind::Other,
    }
}

/// Whether a key has a value other than null.
fn has(object: &Value, key: &str) -> bool {
    object.get(key).is_some_and(|value| !value.is_null())
}

/// The data of an event: the values of its `data:` lines, joined by line feeds; `None` where it has none.
fn data(event: &[u8]) -> Option<Vec<u8>> {
    let event = event.strip_prefix(b"\xef\xbb\xbf").unwrap_or(event);
    let lines = event.split(|byte| matches!(byte, b'\n' | b'\r'));
    let values = lines.filter_map(|line| line.strip_prefix(b"data:"));
    let values: Vec<&[u8]> = values.map(|value| value.strip_prefix(b" ").unwrap_or(value)).collect();
    (!values.is_empty()).then(|| values.join(&b'\n'))
}

#[cfg(test)]
mod tests {
    use EventKind::{Content, Done, Filter, Finish, Other, Preamble, Role, Usage};

    use super::*;

    /// Checks what each of these data is, as an event of a stream.
    #[track_caller]
    fn check(table: &[(&str, EventKind)]) {
        for (data, expected) in table {
            assert_eq!(of_event(format!("data: {data}\n\n").as_bytes()), *expected, "{data}");
        }
    }

    #[test]
    fn chunks_of_chat_completions_are_what_they_say() {
        check(&[
            (r#"{"choices":[],"prompt_filter_results":[]}"#, Preamble),
            (r#"{"choices":[],"prompt_annotations":[]}"#, Preamble),
            (
                r#"{"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
                Role,
            ),
            (r#"{"choices":[{"delta":{"role":"assistant","content":"Hi"}}]}"#, Content),
            (
                r#"{"choices":[{"delta":{"role":"assistant","content":null,"reasoning_content":"Hm"}}]}"#,
                Content,
            ),
            (r#"{"choices":[{"delta":{"content":"Hi"}}]}"#, Content),
            (
                r#"{"choices":[{"delta":{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":""}}]}}]}"#,
                Role,
            ),
            (
                r#"{"choices":[{"delta":{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}]}"#,
                Content,
            ),
            (r#"{"choices":[{"content_filter_offsets":{},"finish_reason":null}]}"#, Filter),
            (r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, Finish),
            (r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"total_tokens":1}}"#, Finish),
            (r#"{"choices":[{"delta":{"content":"x"}}],"usage":{"total_tokens":1}}"#, Content),
            (r#"{"choices":[{"delta":{"content":"x"}},{"delta":{},"finish_reason":"stop"}]}"#, Finish),
            (r#"{"choices":[],"usage":{"total_tokens":1}}"#, Usage),
            (r#"{"choices":[],"usage":null}"#, Other),
            (r#"{"error":{"message":"x"}}"#, Other),
            ("[DONE]", Done),
        ]);
    }

    #[test]
    fn streams_of_other_apis_are_told_by_their_own_names() {
        check(&[
            (r#"{"object":"text_completion","choices":[{"text":"Hi","finish_reason":null}]}"#, Content),
            (r#"{"object":"text_completion","choices":[{"text":"","finish_reason":null}]}"#, Other),
            (r#"{"object":"text_completion","choices":[{"text":"","finish_reason":"stop"}]}"#, Finish),
            (r#"{"type":"response.created","response":{}}"#, Role),
            (r#"{"type":"response.output_item.added"}"#, Other),
            (r#"{"type":"response.output_text.delta","delta":"Hi"}"#, Content),
            (r#"{"type":"response.completed","response":{"usage":{}}}"#, Finish),
            (r#"{"type":"message_start","message":{}}"#, Role),
            (r#"{"type":"ping"}"#, Other),
            (r#"{"type":"content_block_start"}"#, Other),
            (r#"{"type":"content_block_delta","delta":{"type":"text_delta"}}"#, Content),
            (r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{}}"#, Finish),
            (r#"{"type":"message_stop"}"#, Done),
            (r#"{"type":"completion","completion":" Hi","stop_reason":null}"#, Content),
            (r#"{"type":"completion","completion":"","stop_reason":"stop_sequence"}"#, Finish),
            (r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}],"usageMetadata":{}}"#, Content),
            (r#"{"candidates":[{"content":{"parts":[{"text":"."}]},"finishReason":"STOP"}]}"#, Finish),
            (r#"{"promptFeedback":{},"usageMetadata":{}}"#, Preamble),
            (r#"{"usageMetadata":{}}"#, Usage),
            (r#"{"object":"thread.message.delta","delta":{}}"#, Content),
            ("not JSON", Other),
            ("[1]", Other),
        ]);
    }

    #[test]
    fn however_an_event_is_framed_its_data_count() {
        let table: [(&[u8], EventKind); 8] = [
            (b": keep-alive\n\n", Other),
            (b"event: ping\n\n", Other),
            (b"data:[DONE]\r\n\r\n", Done),
            (b"data: [DONE]", Done),
            (b"\xef\xbb\xbfdata: [DONE]\r\r", Done),
            (b"event: message_stop\ndata: {\"type\":\ndata: \"message_stop\"}\n\n", Done),
            (b"\n\n: note\nid: 7\ndata: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n", Content),
            (b"data: \xff\xfe\n\n", Other),
        ];
        for (event, expected) in table {
            assert_eq!(of_event(event), expected, "{}", event.escape_ascii());
        }
    }
}
