//! What OpenAI's validator refuses of `tools`, `functions`, `tool_choice` and `response_format`.

use std::fmt::Display;

use serde_json::{Map, Value};

use super::at::{Field, Item};
use super::messages::text;
use super::validate::given;
use crate::plan::reject::Violation;
use crate::plan::value::get;

/// Checks what a chat completion offers to the model.
pub(super) fn check(body: &Map<String, Value>) -> Result<(), Violation> {
    for (at, tool) in list(body, "tools")? {
        let kind = text(tool, at, "type")?;
        if !KINDS.contains(&kind) {
            return Err(Violation::invalid_value(&Field(at, "type").to_string(), kind, KINDS));
        }
        name(object(tool, at, kind)?, Field(at, kind))?;
    }
    for (at, function) in list(body, "functions")? {
        name(function, at)?;
    }
    choice(body)?;
    format(body)
}

/// An object of the request.
type Object<'a> = &'a Map<String, Value>;

/// The elements of a list of objects with their places; the list has 1 to 128 if it is there.
fn list<'a>(
    body: &'a Map<String, Value>,
    param: &'static str,
) -> Result<impl Iterator<Item = (Item<&'static str>, Object<'a>)>, Violation> {
    let items = match given(body, param).and_then(Value::as_array) {
        None => &[],
        Some(items) if items.is_empty() => return Err(Violation::empty_array(param)),
        Some(items) if items.len() > 128 => return Err(Violation::long_array(param, 128, items.len())),
        Some(items) => items.as_slice(),
    };
    let objects = items.iter().filter_map(Value::as_object).enumerate();
    Ok(objects.map(move |(index, object)| (Item(param, index), object)))
}

fn object<'a>(from: Object<'a>, at: impl Display, key: &str) -> Result<Object<'a>, Violation> {
    match get(from, key) {
        Some(Value::Object(object)) => Ok(object),
        None => Err(Violation::missing(&Field(at, key).to_string())),
        Some(other) => Err(Violation::wrong_type(&Field(at, key).to_string(), "an object", other)),
    }
}

/// Checks the name of a function: 1 to 64 letters, digits, underscores and dashes.
fn name(function: Object<'_>, at: impl Display + Copy) -> Result<(), Violation> {
    let name = text(function, at, "name")?;
    let param = || Field(at, "name").to_string();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    match name.len() {
        0 => Err(Violation::short_string(&param())),
        _ if !name.bytes().all(allowed) => Err(Violation::pattern(&param(), "^[a-zA-Z0-9_-]+$")),
        len if len > 64 => Err(Violation::long_string(&param(), 64, len)),
        _ => Ok(()),
    }
}

fn choice(body: &Map<String, Value>) -> Result<(), Violation> {
    match given(body, "tool_choice") {
        Some(Value::String(choice)) if !CHOICES.contains(&choice.as_str()) => {
            Err(Violation::invalid_value("tool_choice", choice, CHOICES))
        }
        Some(Value::Object(choice)) => {
            let kind = text(choice, "tool_choice", "type")?;
            if KINDS.contains(&kind) {
                text(object(choice, "tool_choice", kind)?, Field("tool_choice", kind), "name")?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn format(body: &Map<String, Value>) -> Result<(), Violation> {
    let Some(format) = given(body, "response_format").and_then(Value::as_object) else {
        return Ok(());
    };
    match text(format, "response_format", "type")? {
        "json_schema" => {
            let schema = object(format, "response_format", "json_schema")?;
            text(schema, "response_format.json_schema", "name").map(|_| ())
        }
        kind if FORMATS.contains(&kind) => Ok(()),
        kind => Err(Violation::invalid_value("response_format.type", kind, FORMATS)),
    }
}

/// The kinds of tools.
const KINDS: &[&str] = &["function", "custom"];

/// The values of `tool_choice` that are no object. (T)
const CHOICES: &[&str] = &["none", "auto", "required"];

/// The kinds of response formats, in the order in which the validator lists them. (T)
const FORMATS: &[&str] = &["json_object", "json_schema", "text"];
