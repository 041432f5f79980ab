//! One interaction: what any of the recorders may have kept of an exchange.

use jiff::fmt::rfc2822;

use super::body::{self, Body};
use crate::import::body::{base64, header, is_encoded, odd_length, of_request};
use crate::import::exchange::{Budget, Damage, Exchange, RawExchange, RawRequest, RawResponse};
use crate::import::yaml::{Node, Value};
use crate::plan::transcript::Recorded;

/// Reads one interaction.
///
/// # Errors
///
/// Where it has no response, or a body that cannot be had from the file.
pub(super) fn read(
    node: &Node,
    place: &str,
    recorded_with: Option<&str>,
    budget: &mut Budget,
) -> Result<Exchange, Damage> {
    let line = node.line;
    let damage = |reason: String| Damage {
        place: if line > 0 { format!("{place} (line {line})") } else { place.to_owned() },
        reason,
    };
    let mut notes = Vec::new();
    let request = node.get("request").filter(|request| !request.is_null());
    let request = request.map(|node| self::request(node, &mut notes)).transpose().map_err(damage)?;
    let response = node.get("response").filter(|response| !response.is_null());
    let response = response.ok_or_else(|| "it has no response".to_owned());
    let response = response.and_then(|node| self::response(node, &mut notes)).map_err(damage)?;
    let date = node.get("recorded_at").and_then(Node::text).map(str::to_owned);
    let recorded = Recorded {
        date: date.or_else(|| header(&response.headers, "date")).and_then(|date| day(&date)),
        tool: recorded_with.map(str::to_owned),
        ..Recorded::default()
    };
    let raw = RawExchange { place: place.to_owned(), request, response, recorded };
    let mut exchange = budget.exchange(raw).map_err(|Damage { reason, .. }| damage(reason))?;
    exchange.notes.append(&mut notes);
    Ok(exchange)
}

fn request(node: &Node, notes: &mut Vec<String>) -> Result<RawRequest, String> {
    let method = node.get("method").and_then(Node::text).unwrap_or("GET");
    let url = node.get("uri").or_else(|| node.get("url")).and_then(Node::text);
    // A body that is not there does not matter to what is replayed.
    let body = body::read(node).unwrap_or_else(|reason| {
        notes.push(format!("its request was kept without a body: {reason}"));
        Body::default()
    });
    notes.extend(body.note.map(|note| format!("of its request, {note}")));
    let url = url.map(str::to_owned).or_else(|| old_url(node)).ok_or("its request has no `uri`")?;
    Ok(RawRequest {
        method: method.trim_start_matches(':').to_ascii_uppercase(),
        url: without_placeholder(url, notes),
        headers: of_request(headers(node.get("headers")), &body.bytes),
        body: body.bytes,
    })
}

/// Recorders put placeholders where secrets were: `<AZURE_URI_BASE>openai/deployments`. Nobody knows how much of
/// the URL one stands for; most often it is the host.
fn without_placeholder(url: String, notes: &mut Vec<String>) -> String {
    let Some((placeholder, rest)) = url.strip_prefix('<').and_then(|url| url.split_once('>')) else {
        return url;
    };
    notes
        .push(format!("its URL starts with <{placeholder}>, which was taken for its host: look at its path"));
    format!("/{}", rest.trim_start_matches('/'))
}

/// The URL as vcrpy wrote it before 1.0.
fn old_url(request: &Node) -> Option<String> {
    let part = |key| request.get(key).and_then(Node::text);
    let (scheme, host, path) = (part("protocol")?, part("host")?, part("path")?);
    Some(match part("port") {
        Some(port) if !matches!((scheme, port), ("https", "443") | ("http", "80")) => {
            format!("{scheme}://{host}:{port}{path}")
        }
        _ => format!("{scheme}://{host}{path}"),
    })
}

fn response(node: &Node, notes: &mut Vec<String>) -> Result<RawResponse, String> {
    let (status, reason) = status(node)?;
    let headers = headers(node.get("headers"));
    let Body { bytes, note } = body::read(node)?;
    // What was edited by the recorder need not have its length.
    notes.extend(note.map_or_else(|| odd_length(&bytes, &headers), |note| Some(note.to_owned())));
    let is_encoded = is_encoded(&bytes, &headers);
    Ok(RawResponse { status, reason, headers, body: bytes, is_encoded, ..RawResponse::default() })
}

/// The status and its reason: `{code, message}`; a number, maybe with the reason behind it; or beside the headers.
fn status(response: &Node) -> Result<(u16, Option<String>), String> {
    let status = response.get("status").filter(|status| !status.is_null());
    let code = status.and_then(|status| status.get("code")).or_else(|| response.get("code"));
    let code = code.or_else(|| response.get("status_code")).or(status).and_then(Node::text);
    let Some(code) = code else {
        return Err("its response has no status code; was the file cut?".to_owned());
    };
    let (number, reason) = code.trim().split_once(' ').unwrap_or_else(|| (code.trim(), ""));
    let number = number.parse().ok().filter(|number| (100..=999).contains(number));
    let Some(number) = number else {
        return Err(format!("its response has the status code {code:?}, which is none"));
    };
    let message = status.and_then(|status| status.get("message")).filter(|message| !message.is_null());
    let message = message.and_then(Node::text).map(str::to_owned);
    Ok((number, message.or_else(|| Some(reason.to_owned()).filter(|reason| !reason.is_empty()))))
}

/// Headers: a mapping to values or to lists of them; or a list of pairs, or of lines.
fn headers(node: Option<&Node>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    if let Some(node) = node {
        collect(node, &mut headers);
    }
    headers
}

fn collect(node: &Node, headers: &mut Vec<(String, String)>) {
    match &node.value {
        // Objects of Python wrap their mapping: `!!python/object:….HeadersDict`.
        Value::Map(_) if node.tag.starts_with("python/object") && node.get("dictitems").is_some() => {
            node.get("dictitems").into_iter().for_each(|items| collect(items, headers));
        }
        Value::Map(pairs) => {
            for (name, value) in pairs {
                let Some(name) = text(name) else { continue };
                match &value.value {
                    Value::List(values) => {
                        headers.extend(
                            values.iter().filter_map(|value| text(value)).map(|value| (name.clone(), value)),
                        );
                    }
                    _ => headers.extend(text(value).map(|value| (name.clone(), value))),
                }
            }
        }
        Value::List(items) => match items.as_slice() {
            [name, value]
                if name.text().is_some_and(|name| !name.contains(": ")) && value.text().is_some() =>
            {
                headers.extend(text(name).zip(text(value)));
            }
            items => items.iter().for_each(|item| collect(item, headers)),
        },
        Value::Scalar(line, _) => {
            let line = line.split_once(':');
            headers.extend(line.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())));
        }
    }
}

/// The text of a name or a value of a header, which a recorder may have kept as bytes or as a symbol.
fn text(node: &Node) -> Option<String> {
    let text = node.text()?;
    match node.tag.as_str() {
        "binary" => base64(text).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        "ruby/sym" | "ruby/symbol" => Some(text.trim_start_matches(':').to_owned()),
        _ if node.is_null() => None,
        _ => Some(text.to_owned()),
    }
}

/// A time as transcripts keep it: of HTTP's dates and RFC 3339's the moment, of others the day.
fn day(date: &str) -> Option<String> {
    let date = date.trim();
    if let Ok(time) = rfc2822::DateTimeParser::new().parse_timestamp(date) {
        return Some(time.to_string());
    }
    if let Ok(time) = date.parse::<jiff::Timestamp>() {
        return Some(time.to_string());
    }
    date.get(..10)?.parse::<jiff::civil::Date>().ok().map(|day| day.to_string())
}
