//! The places of a transcript where something may be said.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::headers::{self, Side};
use crate::plan::json::StringOr;
use crate::plan::reply::Base64;
use crate::plan::transcript::{self, Transcript};
use crate::secrets::is_secret;

/// A place in a transcript.
#[derive(Debug)]
pub(super) struct Place {
    /// Its JSON pointer.
    pub(super) pointer: String,
    /// What is secret in it, beside what is a secret everywhere.
    pub(super) rule: Rule,
    /// Whether it is in a body: whoever replays it sees what was replaced.
    pub(super) is_body: bool,
}

/// What is secret in a place, beside what is a secret everywhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rule {
    /// Nothing.
    Text,
    /// Parameters of the query.
    Target,
    /// The values of the cookies that it sets.
    Cookie,
    /// All of it, the name of an organization or a project.
    Name,
    /// All of it.
    Secret,
}

/// Shows every place of a transcript, and what is said there, to `visit`, which may replace characters.
pub(super) fn each(transcript: &mut Transcript, visit: &mut dyn FnMut(Place, &mut [u8])) {
    let Transcript { request, response, recorded } = transcript;
    let plain = |pointer: &str, rule| Place { pointer: pointer.to_owned(), rule, is_body: false };
    if let Some(request) = request {
        string(&mut request.path, plain("/request/path", Rule::Target), visit);
        headers(&mut request.headers, "/request/headers", Side::Request, visit);
        if let Some(body) = &mut request.body {
            value(body, "", "/request/body", visit);
        }
    }
    if let Some(reason) = &mut response.reason {
        string(reason, plain("/response/reason", Rule::Text), visit);
    }
    headers(&mut response.headers, "/response/headers", Side::Response, visit);
    for (index, event) in response.events.iter_mut().flatten().enumerate() {
        raw(&mut event.raw, format!("/response/events/{index}/raw"), visit);
    }
    if let Some(body) = &mut response.body {
        raw(body, "/response/body".to_owned(), visit);
    }
    let origins =
        [("source", &mut recorded.source), ("date", &mut recorded.date), ("tool", &mut recorded.tool)];
    for (name, origin) in origins {
        if let Some(origin) = origin {
            string(origin, plain(&format!("/recorded/{name}"), Rule::Text), visit);
        }
    }
}

fn headers(
    headers: &mut [(String, String)],
    pointer: &str,
    side: Side,
    visit: &mut dyn FnMut(Place, &mut [u8]),
) {
    for (index, (name, value)) in headers.iter_mut().enumerate() {
        let rule = match name.as_str() {
            name if headers::is_cookie(name) => Rule::Cookie,
            name if headers::is_name(name) => Rule::Name,
            name if !headers::is_kept(name, side) && is_secret(name) => Rule::Secret,
            _ => Rule::Text,
        };
        string(value, Place { pointer: format!("{pointer}/{index}/1"), rule, is_body: false }, visit);
    }
}

/// The strings of a value, and the keys of its objects; `name` is the key that it has itself.
fn value(value: &mut Value, name: &str, pointer: &str, visit: &mut dyn FnMut(Place, &mut [u8])) {
    let place = |pointer: &str| Place { pointer: pointer.to_owned(), rule: Rule::Text, is_body: true };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => {
            // The key tells what the value is, as it does where JSON is only text.
            let mut said = format!("{}:{text}", last(name));
            let len = said.len() - text.len();
            string(&mut said, place(pointer), visit);
            *text = said.split_off(len);
        }
        Value::Array(values) => {
            for (index, item) in values.iter_mut().enumerate() {
                self::value(item, name, &format!("{pointer}/{index}"), visit);
            }
        }
        Value::Object(object) => {
            if let Some(bytes) = bytes(object) {
                let mut raw = StringOr::Object(bytes);
                self::raw(&mut raw, pointer.to_owned(), visit);
                *value = serde_json::to_value(raw).unwrap_or_default();
                return;
            }
            for (key, mut item) in std::mem::take(object) {
                let pointer = format!("{pointer}/{}", shown(&key));
                let mut renamed = key.clone();
                string(&mut renamed, place(&pointer), visit);
                self::value(&mut item, &key, &pointer, visit);
                object.insert(renamed, item);
            }
        }
    }
}

/// The end of a name: no more of it is read, and it stands before every value of a list.
fn last(name: &str) -> &str {
    &name[boundary(name, name.len().saturating_sub(SHOWN))..]
}

/// A key as pointers have it, which people are shown: without what is secret in it, and not all of a long one.
fn shown(key: &str) -> String {
    let cut = boundary(key, SHOWN);
    let mut text = key.as_bytes().to_vec();
    super::replace(Rule::Text, &mut text);
    let mut shown = String::from_utf8_lossy(&text[..cut]).replace('~', "~0").replace('/', "~1");
    if cut < key.len() {
        shown.push('…');
    }
    shown
}

/// The last place at `at` or before it where a character starts.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// How many bytes of a key are read and shown.
const SHOWN: usize = 64;

/// The bytes that an object stands for, if it does.
fn bytes(object: &Map<String, Value>) -> Option<Base64> {
    let is_only = object.len() == 1 && object.contains_key("base64");
    is_only.then(|| serde_json::from_value(Value::Object(object.clone())).ok()).flatten()
}

fn string(text: &mut String, place: Place, visit: &mut dyn FnMut(Place, &mut [u8])) {
    let mut bytes = std::mem::take(text).into_bytes();
    visit(place, &mut bytes);
    *text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
}

fn raw(raw: &mut StringOr<Base64>, pointer: String, visit: &mut dyn FnMut(Place, &mut [u8])) {
    let mut bytes = transcript::raw_bytes(raw).to_vec();
    visit(Place { pointer, rule: Rule::Text, is_body: true }, &mut bytes);
    if bytes != transcript::raw_bytes(raw) {
        *raw = transcript::raw(Bytes::from(bytes));
    }
}
