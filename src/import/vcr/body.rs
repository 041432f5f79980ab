//! The body of a request or a response, in all the forms in which recorders keep one.

use bytes::Bytes;

use crate::import::body::{base64, windows_1252};
use crate::import::encoding;
use crate::import::yaml::{Node, Value};

/// A body, and what is doubtful about it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) note: Option<&'static str>,
}

/// The keys under which the bytes of a body stand, and whether they are base64 there.
const FORMS: [(&str, bool); 2] = [("string", false), ("base64_string", true)];

/// What is said of a body that was kept as values.
const PARSED: &str =
    "the recorder kept parsed JSON: its values are as sent, the order of its keys and its spaces are not";

/// Reads the body of a request or response.
///
/// # Errors
///
/// In words, where there was a body that the file does not hold.
pub(super) fn read(message: &Node) -> Result<Body, String> {
    // `content` is what vcrpy once wrote for httpx; `parsed_body` is what Pydantic's tests write.
    let body = message.get("body").or_else(|| message.get("content")).filter(|body| !body.is_null());
    match (body, message.get("parsed_body")) {
        (Some(body), _) => of(body),
        (None, Some(parsed)) => Ok(parsed_json(parsed)),
        (None, None) => Ok(Body::default()),
    }
}

fn of(body: &Node) -> Result<Body, String> {
    match &body.value {
        Value::Scalar(text, _) => scalar(body, text).map(exact),
        Value::List(items) if body.tag.starts_with("python") => match items.first() {
            Some(first) => of(first),
            None => Ok(Body::default()),
        },
        Value::List(items) if !items.is_empty() && items.iter().all(|item| item.text().is_some()) => {
            joined(body).map(exact)
        }
        Value::List(_) => Ok(parsed_json(body)),
        Value::Map(_) if body.tag.starts_with("python/object") => object(body),
        Value::Map(_) => map(body),
    }
}

fn exact(bytes: Bytes) -> Body {
    Body { bytes, note: None }
}

fn map(body: &Node) -> Result<Body, String> {
    // R's vcr compresses what is not text.
    if let Some(text) = body.get("raw_gzip").and_then(Node::text) {
        return encoding::decode(base64(text)?, "gzip").map(|decoded| exact(decoded.body));
    }
    let form = FORMS.iter().find_map(|(key, is_base64)| Some((body.get(key)?, *is_base64)));
    // Ruby keeps a string that has attributes as a mapping.
    let string = || Some((body.get("str").filter(|_| is_ruby_string(body))?, false));
    let Some((value, is_base64)) = form.or_else(string) else {
        return Ok(if body.pairs().is_empty() { Body::default() } else { parsed_json(body) });
    };
    if body.get("file").is_some_and(|file| matches!(file.text(), Some("true" | "yes"))) {
        let reason = "the body is in a file of its own; record it again with the body in the cassette";
        return Err(reason.to_owned());
    }
    match value.text() {
        _ if value.is_null() => Ok(Body::default()),
        Some(text) if is_base64 => base64(text).map(exact),
        Some(text) => {
            let charset = body.get("encoding").and_then(Node::text).unwrap_or_default();
            let bytes = match charset.to_ascii_lowercase().as_str() {
                // Ruby kept the bytes as characters of this charset, and turns them back when it reads them.
                "iso-8859-1" | "windows-1252" if value.tag != "binary" => windows_1252(text),
                _ => None,
            };
            bytes.map_or_else(|| scalar(value, text), Ok).map(exact)
        }
        None => of(value),
    }
}

fn is_ruby_string(node: &Node) -> bool {
    node.tag == "str" || node.tag.starts_with("ruby/string")
}

/// The bytes of a scalar.
fn scalar(node: &Node, text: &str) -> Result<Bytes, String> {
    match node.tag.as_str() {
        "binary" => base64(text),
        _ if node.is_null() => Ok(Bytes::new()),
        _ => Ok(Bytes::copy_from_slice(text.as_bytes())),
    }
}

/// A body that is kept in pieces.
fn joined(body: &Node) -> Result<Bytes, String> {
    let pieces = body.items().iter().map(|item| scalar(item, item.text().unwrap_or_default()));
    Ok(pieces.collect::<Result<Vec<_>, _>>()?.concat().into())
}

/// A Python object that vcrpy was given for a body: of those, a file in memory has its bytes first in its state.
fn object(body: &Node) -> Result<Body, String> {
    match body.get("state").and_then(|state| state.items().first()) {
        Some(first) if body.tag.ends_with("BytesIO") || body.tag.ends_with("StringIO") => of(first),
        _ => Err(format!("the body is an object of Python (`{}`), not its bytes", body.tag)),
    }
}

fn parsed_json(parsed: &Node) -> Body {
    Body { bytes: parsed.to_json().to_string().into(), note: Some(PARSED) }
}
