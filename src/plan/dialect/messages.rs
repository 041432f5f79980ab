//! What OpenAI's validator refuses of `messages`: their shape, their roles, and tool messages
//! without a call or calls without a tool message.

use std::fmt::Display;

use serde_json::{Map, Value};

use super::at::{Field, Item};
use super::names::ModelClass;
use super::validate::given;
use crate::plan::reject::Violation;
use crate::plan::value::{field, get};

/// Checks `messages` of a chat completion.
pub(super) fn check(body: &Map<String, Value>, model: &str, class: ModelClass) -> Result<(), Violation> {
    let messages = match get(body, "messages") {
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
        let at = Item("messages", index);
        let Some(message) = message.as_object() else {
            return Err(Violation::wrong_type(&at.to_string(), "an object", message));
        };
        let role = text(message, at, "role")?;
        role_exists(role, Field(at, "role"), model, class)?;
        content(message, role, index)?;
        calls(message, Field(at, "tool_calls"))?;
    }
    references(messages)
}

fn role_exists(role: &str, at: impl Display, model: &str, class: ModelClass) -> Result<(), Violation> {
    if !ROLES.contains(&role) {
        return Err(Violation::invalid_value(&at.to_string(), role, ROLES));
    }
    let instructs = matches!(role, "system" | "developer");
    let early = model.starts_with("o1-mini") || model.starts_with("o1-preview");
    if early && instructs || class == ModelClass::OSeries && role == "function" {
        return Err(Violation::unsupported_role(&at.to_string(), role));
    }
    Ok(())
}

fn content(message: &Map<String, Value>, role: &str, index: usize) -> Result<(), Violation> {
    let at = Field(Item("messages", index), "content");
    let excused = role == "assistant" && INSTEAD_OF_CONTENT.iter().any(|key| given(message, key).is_some());
    match get(message, "content") {
        Some(Value::String(_)) => Ok(()),
        Some(Value::Array(parts)) => {
            let mut parts = parts.iter().enumerate();
            parts.try_for_each(|(part_index, part)| check_part(part, Item(at, part_index)))
        }
        None | Some(Value::Null) if excused => Ok(()),
        Some(Value::Null) => Err(Violation::null_content(index)),
        None if role == "assistant" => Err(Violation::null_content(index)),
        None => Err(Violation::missing(&at.to_string())),
        Some(other) => {
            Err(Violation::wrong_type(&at.to_string(), "one of a string or array of objects", other))
        }
    }
}

fn check_part(part: &Value, at: impl Display + Copy) -> Result<(), Violation> {
    let Some(part) = part.as_object() else {
        return Err(Violation::wrong_type(&at.to_string(), "an object", part));
    };
    let kind = text(part, at, "type")?;
    if !PARTS.contains(&kind) {
        return Err(Violation::invalid_value(&Field(at, "type").to_string(), kind, PARTS));
    }
    match given(part, kind) {
        None if matches!(kind, "text" | "image_url" | "input_audio") => {
            Err(Violation::missing(&Field(at, kind).to_string()))
        }
        _ => Ok(()),
    }
}

/// Checks the tool calls of an assistant message.
fn calls(message: &Map<String, Value>, at: impl Display + Copy) -> Result<(), Violation> {
    let calls = match given(message, "tool_calls") {
        None => return Ok(()),
        Some(Value::Array(calls)) if calls.is_empty() => return Err(Violation::empty_array(&at.to_string())),
        Some(Value::Array(calls)) if calls.len() > 128 => {
            return Err(Violation::long_array(&at.to_string(), 128, calls.len()));
        }
        Some(Value::Array(calls)) => calls,
        Some(other) => return Err(Violation::wrong_type(&at.to_string(), "an array of objects", other)),
    };
    for (index, call) in calls.iter().enumerate() {
        let at = Item(at, index);
        let Some(call) = call.as_object() else {
            return Err(Violation::wrong_type(&at.to_string(), "an object", call));
        };
        text(call, at, "id")?;
        // A custom tool's call has `custom` with an `input` instead.
        if text(call, at, "type")? == "function" {
            let at = Field(at, "function");
            let Some(function) = given(call, "function").and_then(Value::as_object) else {
                return Err(Violation::missing(&at.to_string()));
            };
            text(function, at, "name")?;
            text(function, at, "arguments")?;
        }
    }
    Ok(())
}

/// A string that must be there.
pub(super) fn text<'a>(
    object: &'a Map<String, Value>,
    at: impl Display,
    key: &str,
) -> Result<&'a str, Violation> {
    match get(object, key) {
        Some(Value::String(text)) => Ok(text),
        None => Err(Violation::missing(&Field(at, key).to_string())),
        Some(other) => Err(Violation::wrong_type(&Field(at, key).to_string(), "a string", other)),
    }
}

/// Checks that every tool message answers a call of the assistant message before it, and that every
/// call is answered.
fn references(messages: &[Value]) -> Result<(), Violation> {
    let mut open: Vec<&str> = Vec::new();
    let mut asked: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if field(message, "role").and_then(Value::as_str) == Some("tool") {
            if asked.is_empty() {
                return Err(Violation::stray_tool_message(index));
            }
            let id = message
                .as_object()
                .map(|message| text(message, Item("messages", index), "tool_call_id"))
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
        let calls = field(message, "tool_calls").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        asked = calls.iter().filter_map(|call| field(call, "id")?.as_str()).collect();
        open.clone_from(&asked);
    }
    if open.is_empty() { Ok(()) } else { Err(Violation::unanswered_calls(messages.len() - 1, &open)) }
}

/// The roles, in the order in which the validator lists them. (T)
pub(crate) const ROLES: &[&str] = &["system", "assistant", "user", "function", "tool", "developer"];

/// The kinds of content parts, in the order in which the validator lists them. (I)
const PARTS: &[&str] = &["text", "image_url", "input_audio", "refusal", "audio", "file"];

/// What an assistant message may have instead of content.
const INSTEAD_OF_CONTENT: &[&str] = &["tool_calls", "function_call", "refusal", "audio"];
