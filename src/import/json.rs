//! JSON of exchanges: our own transcripts, and whatever has a `request` and a `response` with a status, headers and
//! a body under one of their usual names.
//!
//! A file holds one exchange, a list of them, a list under `exchanges`, or one after another (JSON lines).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::exchange::Budget;
use super::{Damage, Exchange, MAX_EXCHANGES, RawExchange, RawRequest, RawResponse};
use crate::plan::transcript::{Recorded, Transcript};

mod own;
#[cfg(test)]
mod tests;

/// Whether this begins with a JSON object that has a `response`, or a list of such.
pub(super) fn is(capture: &[u8]) -> bool {
    match values(capture).next() {
        Some((_, Ok(value))) => match listed(&value) {
            Some(list) => list.first().is_some_and(is_exchange),
            None => is_exchange(&value),
        },
        _ => false,
    }
}

/// The exchanges of a file.
pub(super) fn read(capture: &[u8]) -> Result<Vec<Result<Exchange, Damage>>, String> {
    let mut budget = Budget::default();
    let mut exchanges = Vec::new();
    for (line, value) in values(capture) {
        if exchanges.len() > MAX_EXCHANGES {
            break;
        }
        let next = exchanges.len() + 1;
        match value {
            Ok(value) => match listed(&value) {
                Some(list) => exchanges.extend(
                    (next..)
                        .zip(list)
                        .map(|(n, value)| exchange(value, format!("exchange {n}"), &mut budget)),
                ),
                None => exchanges.push(exchange(&value, format!("exchange {next}"), &mut budget)),
            },
            Err(problem) if exchanges.is_empty() => return Err(format!("is not JSON: {problem}")),
            Err(problem) => exchanges.push(Err(Damage {
                place: format!("line {line}"),
                reason: format!("what begins here is not JSON ({problem}); nothing after it is read"),
            })),
        }
    }
    if exchanges.is_empty() {
        return Err("has no exchange: expected an object with a response, or a list of such".to_owned());
    }
    Ok(exchanges)
}

/// The values of a file, with the lines in which they begin; one that is not JSON is the last.
fn values(capture: &[u8]) -> impl Iterator<Item = (usize, Result<Value, serde_json::Error>)> {
    let capture = capture.strip_prefix(b"\xef\xbb\xbf").unwrap_or(capture);
    let mut values = serde_json::Deserializer::from_slice(capture).into_iter::<Value>();
    let (mut line, mut counted, mut is_over) = (1, 0, false);
    std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let start = values.byte_offset();
        let blank = capture[start..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        line += capture[counted..start + blank].iter().filter(|&&byte| byte == b'\n').count();
        counted = start + blank;
        let value = values.next()?;
        is_over = value.is_err();
        Some((line, value))
    })
}

/// The exchanges that a value lists.
fn listed(value: &Value) -> Option<&Vec<Value>> {
    value.as_array().or_else(|| value.get("exchanges")?.as_array())
}

fn is_exchange(value: &Value) -> bool {
    value.get("response").is_some_and(Value::is_object)
}

fn exchange(value: &Value, place: String, budget: &mut Budget) -> Result<Exchange, Damage> {
    let damage = |reason| Damage { place: place.clone(), reason };
    let (Some(object), Some(response)) =
        (value.as_object(), value.get("response").and_then(Value::as_object))
    else {
        return Err(damage("is no exchange: expected an object with a response".to_owned()));
    };
    if own::is(object) {
        let transcript: Transcript = own::read(value).map_err(damage)?;
        return Ok(Exchange { place, host: None, transcript, notes: Vec::new() });
    }
    let mut notes = Vec::new();
    let request = match object.get("request") {
        None | Some(Value::Null) => None,
        Some(request) => {
            Some(self::request(request).map_err(|problem| damage(format!("request: {problem}")))?)
        }
    };
    let response = self::response(response, object, &mut notes)
        .map_err(|problem| damage(format!("response: {problem}")))?;
    let raw = RawExchange { place: place.clone(), request, response, recorded: recorded(object) };
    let mut exchange = budget.exchange(raw)?;
    exchange.notes.splice(0..0, notes);
    Ok(exchange)
}

fn request(value: &Value) -> Result<RawRequest, String> {
    let Some(object) = value.as_object() else { return Err("expected an object".to_owned()) };
    let text = |names: &[&str]| first(object, names).and_then(Value::as_str);
    let Some(url) = text(&["url", "uri", "path"]) else { return Err("has no url".to_owned()) };
    Ok(RawRequest {
        method: text(&["method"]).unwrap_or("POST").to_ascii_uppercase(),
        url: url.to_owned(),
        headers: headers(object)?,
        // Whoever wrote text into JSON had it decoded.
        body: body(object)?.map_or_else(Bytes::new, |body| body.bytes),
    })
}

fn response(
    object: &Map<String, Value>,
    whole: &Map<String, Value>,
    notes: &mut Vec<String>,
) -> Result<RawResponse, String> {
    let status = first(object, &["status", "status_code", "statusCode", "code"]);
    // VCR's way: {"code": 200, "message": "OK"}.
    let (status, message) = match status {
        Some(Value::Object(status)) => (status.get("code"), status.get("message")),
        status => (status, None),
    };
    let Some(status) = status.and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok()) else {
        return Err("has no status".to_owned());
    };
    let reason = message.or_else(|| first(object, &["reason", "reason_phrase", "status_text", "statusText"]));
    let body = body(object)?;
    if body.as_ref().is_some_and(|body| body.form == Form::Json) {
        notes.push("the body is JSON in the capture, so its white space is not the wire's".to_owned());
    }
    let removed = whole.get("meta").and_then(|meta| meta.get("content_encoding_removed"));
    let is_removed = removed.is_some_and(|removed| !removed.is_null() && removed != false);
    Ok(RawResponse {
        status,
        reason: reason.and_then(Value::as_str).map(str::to_owned),
        headers: headers(object)?,
        is_encoded: !is_removed && body.as_ref().is_some_and(|body| body.form == Form::Base64),
        body: body.map_or_else(Bytes::new, |body| body.bytes),
        ..RawResponse::default()
    })
}

struct Body {
    bytes: Bytes,
    form: Form,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Text,
    Base64,
    Json,
}

/// A body as text, as base64 (`{"base64": …}`, or said by an `encoding`), or as the JSON it is.
fn body(object: &Map<String, Value>) -> Result<Option<Body>, String> {
    let Some(value) = first(object, &["body", "content", "text", "data"]).filter(|value| !value.is_null())
    else {
        return Ok(None);
    };
    let inner = value.as_object();
    let encoded =
        inner.and_then(|inner| inner.get("base64")).filter(|_| inner.is_some_and(|inner| inner.len() == 1));
    let encoding = inner.and_then(|inner| inner.get("encoding"));
    let string = inner.and_then(|inner| first(inner, &["string", "text", "data"]));
    let is_base64 = encoding.and_then(Value::as_str).is_some_and(|name| name.eq_ignore_ascii_case("base64"));
    let (text, form) = match (value, encoded, string) {
        (Value::String(text), ..) => (text, Form::Text),
        (_, Some(Value::String(text)), _) => (text, Form::Base64),
        (_, None, Some(Value::String(text))) if is_base64 => (text, Form::Base64),
        (_, None, Some(Value::String(text))) if inner.is_some_and(|inner| inner.len() <= 2) => {
            (text, Form::Text)
        }
        (json, ..) => return Ok(Some(Body { bytes: json.to_string().into(), form: Form::Json })),
    };
    let bytes = match form {
        Form::Base64 => {
            let clean: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
            BASE64_STANDARD
                .decode(clean)
                .map_err(|problem| format!("its body is not base64 ({problem})"))?
                .into()
        }
        Form::Text | Form::Json => Bytes::copy_from_slice(text.as_bytes()),
    };
    Ok(Some(Body { bytes, form }))
}

/// Headers as pairs, as objects with `name` and `value`, or as one object with a value or a list of values for each.
fn headers(object: &Map<String, Value>) -> Result<Vec<(String, String)>, String> {
    let strange = |what: &Value| {
        let what: String = what.to_string().chars().take(60).collect();
        format!("expected headers as pairs or as an object, got {what}")
    };
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let mut headers = Vec::new();
    match object.get("headers") {
        None | Some(Value::Null) => {}
        Some(Value::Array(list)) => {
            for header in list {
                let (name, value) = match header {
                    Value::Array(pair) => (pair.first(), pair.get(1).filter(|_| pair.len() == 2)),
                    header => (header.get("name"), header.get("value")),
                };
                let pair = name.and_then(Value::as_str).zip(value.and_then(text));
                let (name, value) = pair.ok_or_else(|| strange(header))?;
                headers.push((name.to_owned(), value));
            }
        }
        Some(Value::Object(map)) => {
            for (name, value) in map {
                let values = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
                for value in values {
                    headers.push((name.clone(), text(value).ok_or_else(|| strange(value))?));
                }
            }
        }
        Some(other) => return Err(strange(other)),
    }
    Ok(headers)
}

/// Where it is from, as `source` and `meta` tell.
fn recorded(object: &Map<String, Value>) -> Recorded {
    let source = object.get("source");
    let part = |name: &str| source.and_then(|source| source.get(name)).and_then(Value::as_str);
    let parts: Vec<_> = ["repo", "path"].into_iter().filter_map(part).collect();
    let source = match source.and_then(Value::as_str) {
        Some(source) => Some(source.to_owned()),
        None if parts.is_empty() => None,
        None => Some(parts.join(" ")),
    };
    let empty = Map::new();
    let meta = object.get("meta").and_then(Value::as_object).unwrap_or(&empty);
    let text = |names: &[&str]| {
        first(meta, names).or_else(|| first(object, names)).and_then(Value::as_str).map(str::to_owned)
    };
    Recorded { source, date: text(&["created", "date", "recorded_at", "timestamp"]), tool: text(&["tool"]) }
}

/// The value under the first of these names that is there.
fn first<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| object.get(*name))
}
