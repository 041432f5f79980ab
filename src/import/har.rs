//! HTTP Archives (HAR 1.2), as browsers, proxies and test tools export them.
//!
//! An archive of a browser holds a page's whole traffic; what is no call of an API (pages, images, scripts,
//! preflights, sockets) is left out. Archives have the time of a response's head and of its end, none of its events.

use std::time::Duration;

use serde_json::Value;

use super::body::{header, odd_length};
use super::elements::Text;
use super::exchange::{Budget, Damage, Exchange, RawExchange, RawResponse};
use crate::plan::transcript::{Recorded, RecordedEnding};

mod content;
mod request;

use content::Content;

/// Whether this is an archive, whole or not.
pub(super) fn is(capture: &[u8]) -> bool {
    Text::of(capture).list(&LIST).is_there
}

/// Where the entries are.
const LIST: [&str; 2] = ["log", "entries"];

/// The exchanges of an archive that are calls of an API, in its order.
///
/// # Errors
///
/// In words, where the file is no archive or has no such exchange.
pub(super) fn read(capture: &[u8]) -> Result<Vec<Result<Exchange, Damage>>, String> {
    let text = Text::of(capture);
    let archive = text.list(&LIST);
    if !archive.is_there {
        let reason = archive.broken.map(|reason| format!(" ({reason})")).unwrap_or_default();
        return Err(format!("is no HAR: it has no `log.entries`{reason}"));
    }
    let tool = tool(&archive.beside);
    let (mut budget, mut exchanges) = (Budget::default(), Vec::new());
    for (number, raw) in (1..).zip(&archive.raw) {
        let place = format!("entry {number}");
        let exchange = match text.element(raw) {
            Err(reason) => Some(Err(Damage { place, reason })),
            Ok(entry) => {
                request::is_call(&entry).then(|| exchange(&entry, &place, tool.as_deref(), &mut budget))
            }
        };
        exchanges.extend(exchange);
    }
    let rest = |reason| Err(Damage { place: "the rest of the file".to_owned(), reason });
    exchanges.extend(archive.broken.map(rest));
    if exchanges.is_empty() {
        return Err(match archive.raw.len() {
            0 => "has no entries".to_owned(),
            entries => format!(
                "has {entries} entries, but no call of an API: none that sends JSON or is answered with JSON or an event \
                 stream"
            ),
        });
    }
    Ok(exchanges)
}

/// What made the archive: the browser, or else the program that wrote it.
fn tool(log: &serde_json::Map<String, Value>) -> Option<String> {
    let known = ["browser", "creator"].iter().find_map(|key| log.get(*key)?.as_object());
    let part = |key| known?.get(key)?.as_str();
    Some([part("name")?, part("version").unwrap_or_default()].join(" ").trim_end().to_owned())
}

fn exchange(entry: &Value, place: &str, tool: Option<&str>, budget: &mut Budget) -> Result<Exchange, Damage> {
    let damage = |reason| Damage { place: place.to_owned(), reason };
    let mut notes = Vec::new();
    let request = request::read(&entry["request"], &mut notes).map_err(damage)?;
    let mut response = response(entry, &mut notes).map_err(damage)?;
    (response.head_at, response.ends_at) = times(&entry["timings"]);
    let started = entry["startedDateTime"].as_str().and_then(|date| date.parse::<jiff::Timestamp>().ok());
    let recorded = Recorded {
        date: started.map(|date| date.to_string()),
        tool: tool.map(str::to_owned),
        ..Recorded::default()
    };
    let raw = RawExchange { place: place.to_owned(), request: Some(request), response, recorded };
    let mut exchange = budget.exchange(raw)?;
    exchange.notes.append(&mut notes);
    Ok(exchange)
}

fn response(entry: &Value, notes: &mut Vec<String>) -> Result<RawResponse, String> {
    let response = &entry["response"];
    let error = ["_error", "_failureText"].iter().find_map(|key| response[*key].as_str());
    let error = error.or_else(|| entry["_error"].as_str()).filter(|error| !error.is_empty());
    let status = response["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    let Some(status) = status.filter(|status| (100..=999).contains(status)) else {
        let error = error.map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(format!("it has no response{error}: the request was blocked, cancelled or not answered"));
    };
    let headers = request::headers(&response["headers"]);
    let is_head = entry["request"]["method"].as_str() == Some("HEAD");
    let has_none = is_head || matches!(status, 204 | 304);
    let Content { bytes, is_encoded, note } = match has_none {
        true => Content::default(),
        false => content::read(&response["content"], &headers)?,
    };
    if header(&headers, "content-encoding").is_none() && !has_none {
        notes.extend(note.or_else(|| odd_length(&bytes, &headers)));
    }
    let ending = error.map_or(RecordedEnding::Complete, |error| {
        let ending = ending(error);
        if ending.is_none() {
            notes.push(format!("the export says that it failed ({error})"));
        }
        ending.unwrap_or_default()
    });
    Ok(RawResponse {
        status,
        reason: response["statusText"].as_str().map(str::to_owned),
        headers,
        body: bytes,
        is_encoded,
        ending,
        ..RawResponse::default()
    })
}

/// The ending that an error of a browser stands for.
fn ending(error: &str) -> Option<RecordedEnding> {
    let is = |words: &[&str]| words.iter().any(|word| error.contains(word));
    if is(&["ERR_ABORTED", "BINDING_ABORTED", "canceled", "cancelled"]) {
        Some(RecordedEnding::ClientLeft)
    } else if is(&["CONNECTION_RESET", "NET_RESET"]) {
        Some(RecordedEnding::Reset)
    } else if is(&[
        "INCOMPLETE_CHUNKED",
        "CONNECTION_CLOSED",
        "CONTENT_LENGTH_MISMATCH",
        "HTTP2",
        "QUIC",
        "PARTIAL_TRANSFER",
        "NET_INTERRUPT",
    ]) {
        Some(RecordedEnding::Close)
    } else {
        None
    }
}

/// When the head came and when the response ended, counted from the moment the request was sent. Programs that do
/// not know write nothing, -1, or nothing but zeros.
fn times(timings: &Value) -> (Option<Duration>, Option<Duration>) {
    let time =
        |key| timings[key].as_f64().and_then(|time: f64| Duration::try_from_secs_f64(time / 1000.0).ok());
    match (time("wait"), time("receive")) {
        (Some(Duration::ZERO), None | Some(Duration::ZERO)) => (None, None),
        (wait, receive) => (wait, wait.zip(receive).and_then(|(wait, receive)| wait.checked_add(receive))),
    }
}

#[cfg(test)]
mod tests;
