//! What OpenAI's validator refuses of `messages`: their shape, their roles, and tool messages
//! without a call or calls without a tool message.

use serde_json::{Map, Value};

use super::names::ModelClass;
use super::validate::given;
use crate::plan::reject::Violation;

/// Checks `messages` of a chat completion.
pub(super) fn check(body: &Map<String, Value>, model: &str, class: ModelClass) -> Result<(), Violation> {
    let messages = match body.get("messages") {
        Some(Value::Array(messages)) if messages.is_empty() => {
            return Err(Violation::empty_array("messages"));
        }
        Some(Value::Array(messages)) => messages,
        Some(other) => {
            return Err(Violation::wrong_type("messages", "an array of objects", other));
        }
        None => return Err(Violation::missing("messages")),
    };
    for (index, message) in messages.iter().enumerate() {
        let at = format!("messages[{index}]");
        let Some(message) = message.as_object() else {
            return Err(Violation::wrong_type(&at, "an object", message));
        };
        let role = text(message, &at, "role")?;
        role_exists(role, &at, model, class)?;
        content(message, role, index)?;
        calls(message, &at)?;
    }
    references(messages)
}

fn role_exists(role: &str, at: &str, model: &str, class: ModelClass) -> Result<(), Violation> {
    let param = format!("{at}.role");
    if !ROLES.contains(&role) {
        return Err(Violation::invalid_value(&param, role, ROLES));
    }
    let instructs = matches!(role, "system" | "developer");
    let early = model.starts_with("o1-mini") || model.starts_with("o1-preview");
    if early && instructs || class == ModelClass::OSeries && role == "function" {
        return Err(Violation::unsupported_role(&param, role));
    }
    Ok(())
}

fn content(message: &Map<String, Value>, role: &str, index: usize) -> Result<(), Violation> {
    let at = format!("messages[{index}].content");
    let excused = role == "assistant" && INSTEAD_OF_CONTENT.iter().any(|key| given(message, key).is_some());
    match message.get("content") {
        Some(Value::String(_)) => Ok(()),
        Some(Value::Array(parts)) => {
            let mut parts = parts.iter().enumerate();
            parts.try_for_each(|(part_index, part)| check_part(part, &format!("{at}[{part_index}]")))
        }
        None | Some(Value::Null) if excused => Ok(()),
        Some(Value::Null) => Err(Violation::null_content(index)),
        None if role == "assistant" => Err(Violation::null_content(index)),
        None => Err(Violation::missing(&at)),
        Some(other) => Err(Violation::wrong_type(&at, "one of a string or array of objects", other)),
    }
}

fn check_part(part: &Value, at: &str) -> Result<(), Violation> {
    let Some(part) = part.as_object() else {
        return Err(Violation::wrong_type(at, "an object", part));
    };
    let kind = text(part, at, "type")?;
    if !PARTS.contains(&kind) {
        return Err(Violation::invalid_value(&format!("{at}.type"), kind, PARTS));
    }
    match given(part, kind) {
        None if matches!(kind, "text" | "image_url" | "input_audio") => {
            Err(Violation::missing(&format!("{at}.{kind}")))
        }
        _ => Ok(()),
    }
}

/// Checks the tool calls of an assistant message.
fn calls(message: &Map<String, Value>, at: &str) -> Result<(), Violation> {
    let at = format!("{at}.tool_calls");
    let calls = match given(message, "tool_calls") {
        None => return Ok(()),
        Some(Value::Array(calls)) if calls.is_empty() => return Err(Violation::empty_array(&at)),
        Some(Value::Array(calls)) if calls.len() > 128 => {
            return Err(Violation::long_array(&at, 128, calls.len()));
        }
        Some(Value::Array(calls)) => calls,
        Some(other) => return Err(Violation::wrong_type(&at, "an array of objects", other)),
    };
    for (index, call) in calls.iter().enumerate() {
        let at = format!("{at}[{index}]");
        let Some(call) = call.as_object() else {
            return Err(Violation::wrong_type(&at, "an object", call));
        };
        text(call, &at, "id")?;
        // A custom tool's call has `custom` with an `input` instead.
        if text(call, &at, "type")? == "function" {
            let at = format!("{at}.function");
            let Some(function) = given(call, "function").and_then(Value::as_object) else {
                return Err(Violation::missing(&at));
            };
            text(function, &at, "name")?;
            text(function, &at, "arguments")?;
        }
    }
    Ok(())
}

/// A string that must be there.
pub(super) fn text<'a>(object: &'a Map<String, Value>, at: &str, key: &str) -> Result<&'a str, Violation> {
    match object.get(key) {
        Some(Value::String(text)) => Ok(text),
        None => Err(Violation::missing(&format!("{at}.{key}"))),
        Some(other) => Err(Violation::wrong_type(&format!("{at}.{key}"), "a string", other)),
    }
}

/// Checks that every tool message answers a call of the assistant message before it, and that every
/// call is answered.
fn references(messages: &[Value]) -> Result<(), Violation> {
    let mut open: Vec<&str> = Vec::new();
    let mut asked: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if message.get("role").and_then(Value::as_str) == Some("tool") {
            if asked.is_empty() {
                return Err(Violation::stray_tool_message(index));
            }
            let at = format!("messages[{index}]");
            let id = message
                .as_object()
                .map(|message| text(message, &at, "tool_call_id"))
                .transpose()?
                .unwrap_or("");
            if !asked.contains(&id) {
                return Err(Violation::unknown_call(index, id));
            }
            open.retain(|asked| *asked != id);
            continue;
        }
        if !open.is_empty() {
            return Err(Violation::unanswered_calls(index, &open));
        }
        let calls = message.get("tool_calls").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        asked = calls.iter().filter_map(|call| call.get("id").and_then(Value::as_str)).collect();
        open.clone_from(&asked);
    }
    if open.is_empty() { Ok(()) } else { Err(Violation::unanswered_calls(messages.len() - 1, &open)) }
}

/// The roles, in the order in which the validator lists them. (T)
const ROLES: &[&str] = &["system", "assistant", "user", "function", "tool", "developer"];

/// The kinds of content parts, in the order in which the validator lists them. (I)
const PARTS: &[&str] = &["text", "image_url", "input_audio", "refusal", "audio", "file"];

/// What an assistant message may have instead of content.
const INSTEAD_OF_CONTENT: &[&str] = &["tool_calls", "function_call", "refusal", "audio"];
