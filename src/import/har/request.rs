//! The request of an entry, and whether it is one that a mock is to answer.

use serde_json::Value;

use crate::import::body::{base64, header, of_request};
use crate::import::exchange::RawRequest;

/// Whether an entry is a call of an API: it sends JSON, or is answered with JSON or an event stream.
pub(super) fn is_call(entry: &Value) -> bool {
    let (request, response) = (&entry["request"], &entry["response"]);
    let url = request["url"].as_str().unwrap_or_default();
    // One without a URL is damaged.
    let is_http = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) || url.is_empty();
    let method = request["method"].as_str().unwrap_or_default().to_ascii_uppercase();
    let is_socket = entry["_resourceType"] == "websocket" || response["status"] == 101;
    if !is_http || is_socket || matches!(method.as_str(), "OPTIONS" | "CONNECT") {
        return false;
    }
    let header = |message: &Value, name| header(&headers(&message["headers"]), name).unwrap_or_default();
    let kind = match response["content"]["mimeType"].as_str() {
        Some("" | "x-unknown") | None => header(response, "content-type"),
        Some(kind) => kind.to_owned(),
    };
    let asked = request["postData"]["mimeType"].as_str().map(str::to_owned);
    is_data(&kind)
        || is_data(&asked.unwrap_or_else(|| header(request, "content-type")))
        || is_data(&header(request, "accept"))
}

/// Whether a media type is one of APIs. The manifest of a web page is JSON as well.
fn is_data(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    let kind = kind.split([';', ',']).next().unwrap_or_default().trim();
    kind == "text/event-stream" || (kind.contains("json") && kind != "application/manifest+json")
}

/// Reads `request`.
///
/// # Errors
///
/// In words, where it has no method or no URL.
pub(super) fn read(request: &Value, notes: &mut Vec<String>) -> Result<RawRequest, String> {
    let part = |key: &str| request[key].as_str().filter(|text| !text.is_empty());
    let data = &request["postData"];
    let text = data["text"].as_str().filter(|text| !text.is_empty());
    let body = match (text, data["params"].as_array()) {
        (Some(text), _) if data["encoding"] == "base64" => base64(text)?,
        (Some(text), _) => text.as_bytes().to_vec().into(),
        (None, Some(params)) if is_form(data) => form(params).into(),
        (None, _) => {
            if request["bodySize"].as_i64().is_some_and(|size| size > 0) {
                notes.push("the export has no body of its request, so any matches".to_owned());
            }
            Default::default()
        }
    };
    Ok(RawRequest {
        method: part("method").ok_or("its request has no method")?.to_ascii_uppercase(),
        url: part("url").ok_or("its request has no URL")?.to_owned(),
        headers: of_request(headers(&request["headers"]), &body),
        body,
    })
}

/// Headers in their order. Those that HTTP/2 has for the request line are none, and what a browser has joined with
/// line breaks came in several lines.
pub(super) fn headers(list: &Value) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    for header in list.as_array().into_iter().flatten() {
        let (Some(name), Some(value)) = (header["name"].as_str(), header["value"].as_str()) else { continue };
        if !name.is_empty() && !name.starts_with(':') {
            headers.extend(value.split('\n').map(|value| (name.to_owned(), value.trim().to_owned())));
        }
    }
    headers
}

fn is_form(data: &Value) -> bool {
    data["mimeType"].as_str().is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

/// Parameters as a form sends them.
fn form(params: &[Value]) -> String {
    let pair = |param: &Value| {
        let part = |key: &str| escaped(param[key].as_str().unwrap_or_default());
        format!("{}={}", part("name"), part("value"))
    };
    params.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
