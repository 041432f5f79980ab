//! Bodies alone, as `curl -N` prints them: streams, and the JSON of an answer or an error, one after another.
//!
//! A stream ends with the file, with JSON that follows it, or with `[DONE]` if what follows is of another answer: some
//! servers say `[DONE]` twice, or something after it, so the answer's `id` decides.

use serde_json::Value;

use super::exchange::Budget;
use super::{Damage, Exchange, MAX_EXCHANGES, RawExchange, RawResponse, curl};
use crate::plan::transcript::{Recorded, RecordedEnding, split};

const FIELDS: [&[u8]; 5] = [b"data:", b"event:", b"id:", b"retry:", b":"];

/// Keys of which the JSON of an answer or of an error has one.
const KEYS: [&str; 9] =
    ["object", "error", "choices", "type", "message", "detail", "candidates", "embedding", "data"];

/// Whether this is the body of a stream, or of an answer.
pub(super) fn is(capture: &[u8]) -> bool {
    let start = bare(capture);
    FIELDS.iter().any(|field| start.starts_with(field))
        || json(start).is_some_and(|(value, _)| is_answer(&value))
}

fn is_answer(value: &Value) -> bool {
    let has = |key: &&str| value.get(*key).is_some();
    KEYS.iter().any(has) && !["request", "response"].iter().any(has)
}

/// The bodies of a capture.
pub(super) fn read(capture: &[u8]) -> Result<Vec<Result<Exchange, Damage>>, String> {
    let start = bare(capture);
    let is_stream = start
        .split(|&byte| byte == b'\n' || byte == b'\r')
        .any(|line| FIELDS[..2].iter().any(|field| line.starts_with(field)));
    if !is_stream && json(start).is_none() {
        return Err("is no body of a stream (no line begins with data: or event:), and no JSON".to_owned());
    }
    let (capture, last) = curl::complaint(capture);
    let mut exchanges = Vec::new();
    let mut budget = Budget::default();
    let (mut at, mut line) = (0, 1);
    while !bare(&capture[at..]).is_empty() && exchanges.len() <= MAX_EXCHANGES {
        let (response, length, note) = body(&capture[at..]);
        let blank = capture[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let lines = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count();
        let place = format!("line {}", line + lines(&capture[at..at + blank]));
        let recorded = Recorded { tool: Some("curl".to_owned()), ..Recorded::default() };
        let raw = RawExchange { place, response, recorded, ..RawExchange::default() };
        exchanges.push(budget.exchange(raw).map(|mut exchange| {
            exchange
                .notes
                .insert(0, "the capture is a body alone, which tells neither request nor head".to_owned());
            exchange.notes.extend(note);
            exchange
        }));
        line += lines(&capture[at..at + length]);
        at += length;
    }
    if let (Some(Ok(exchange)), Some(ending)) = (exchanges.last_mut(), last) {
        exchange.transcript.response.ending = ending;
    }
    Ok(exchanges)
}

/// The response whose body the capture begins with, the body's length, and a note.
fn body(capture: &[u8]) -> (RawResponse, usize, Option<String>) {
    if let Some((value, end)) = json(capture) {
        let blank = capture[end..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let (status, note) = match value.get("error").filter(|error| !error.is_null()) {
            None => (200, None),
            Some(error) => {
                let status = status(error);
                let note = format!(
                    "the status is not in the capture; {status} is what such an error has: record with curl -i to know"
                );
                (status, Some(note))
            }
        };
        return (response(status, "application/json", &capture[..end + blank]), end + blank, note);
    }
    let end = stream(capture);
    let mut response = response(200, "text/event-stream", &capture[..end]);
    let last = split::ends(&capture[..end]).into_iter().rev().nth(1).unwrap_or(0);
    let last = &capture[last..end];
    let is_whole = [&b"\n\n"[..], b"\r\r", b"\n\r\n", b"\n\r"].iter().any(|blank| last.ends_with(blank));
    if is_whole || data(last) == Some(b"[DONE]") {
        return (response, end, None);
    }
    response.ending = RecordedEnding::Close;
    let note = "the stream ends within an event: it was cut there, and is replayed like that";
    (response, end, Some(note.to_owned()))
}

fn response(status: u16, kind: &str, body: &[u8]) -> RawResponse {
    let headers = vec![("content-type".to_owned(), kind.to_owned())];
    RawResponse { status, headers, body: body.to_vec().into(), ..RawResponse::default() }
}

/// Where the stream ends that the capture begins with.
fn stream(capture: &[u8]) -> usize {
    let (mut start, mut id, mut done, mut may_be_json) = (0, None, None, true);
    while let Some(end) = event_end(capture, start) {
        let event = &capture[start..end];
        if start > 0 && may_be_json && event.trim_ascii_start().starts_with(b"{") {
            if json(&capture[start..]).is_some() {
                return start;
            }
            // What looks like JSON and is none is looked at once: each look may go far.
            may_be_json = false;
        }
        let data = data(event);
        let next = data.and_then(self::id);
        match done {
            // Only what says whose it is can be another's.
            Some(done) if next.is_some() && next != id => return done,
            Some(_) => {}
            None if data == Some(b"[DONE]") => done = Some(end),
            None => id = id.or(next),
        }
        start = end;
    }
    capture.len()
}

/// Where the event ends that begins at `start`, or `None` where nothing is. As [`split::ends`] has it, but no further:
/// a file may hold many streams.
fn event_end(stream: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    let mut is_open = false;
    while at < stream.len() {
        let rest = &stream[at..];
        let line = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        at += match &rest[line..] {
            [b'\r', b'\n', ..] => line + 2,
            [] => line,
            _ => line + 1,
        };
        if line == 0 && is_open {
            break;
        }
        is_open |= line > 0;
    }
    (at > start).then_some(at)
}

/// The first data of an event.
fn data(event: &[u8]) -> Option<&[u8]> {
    let mut lines = event.split(|&byte| byte == b'\n' || byte == b'\r');
    lines.find_map(|line| line.strip_prefix(b"data:")).map(<[u8]>::trim_ascii)
}

/// The id of the answer that a chunk is of.
fn id(data: &[u8]) -> Option<String> {
    let chunk: Value = serde_json::from_slice(data).ok()?;
    let id = ["/id", "/response/id", "/message/id"].iter().find_map(|pointer| chunk.pointer(pointer))?;
    id.as_str().filter(|id| !id.is_empty()).map(str::to_owned)
}

/// The object that a text begins with, and where it ends.
fn json(text: &[u8]) -> Option<(Value, usize)> {
    if !text.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
    let value = values.next()?.ok()?;
    Some((value, values.byte_offset()))
}

/// The text without a byte order mark and without blank space at its start.
fn bare(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start()
}

/// The status that comes with such an error.
fn status(error: &Value) -> u16 {
    let code = error.get("code");
    let number = code.and_then(|code| code.as_u64().or_else(|| code.as_str()?.parse().ok()));
    if let Some(status) =
        number.and_then(|number| u16::try_from(number).ok()).filter(|code| (400..=599).contains(code))
    {
        return status;
    }
    let words =
        ["code", "type", "status"].map(|key| error.get(key).and_then(Value::as_str).unwrap_or_default());
    let says = |parts: &[&str]| words.iter().any(|word| parts.iter().any(|part| word.contains(part)));
    match () {
        () if says(&["invalid_api_key", "authentication"]) => 401,
        () if says(&["permission", "unsupported_country"]) => 403,
        () if says(&["not_found"]) => 404,
        () if says(&["rate_limit", "quota", "tokens", "requests"]) && !says(&["invalid_request"]) => 429,
        () if says(&["overloaded"]) => 529,
        () if says(&["server_error", "api_error"]) => 500,
        () => 400,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: &str = "the capture is a body alone, which tells neither request nor head";
    const CUT: &str = "the stream ends within an event: it was cut there, and is replayed like that";

    /// Each exchange: place, status, number of events (0: no stream), body, ending, notes after the first.
    type Row<'a> = (&'a str, u16, usize, &'a str, RecordedEnding, &'a [&'a str]);

    #[track_caller]
    fn check(capture: &str, expected: &[Row<'_>]) {
        assert!(is(capture.as_bytes()));
        let exchanges = read(capture.as_bytes()).unwrap();
        assert_eq!(exchanges.len(), expected.len(), "{exchanges:#?}");
        for (exchange, (place, status, events, body, ending, notes)) in exchanges.iter().zip(expected) {
            let exchange = exchange.as_ref().unwrap();
            let response = &exchange.transcript.response;
            assert_eq!((exchange.place.as_str(), response.status), (*place, *status));
            assert_eq!(response.events.as_ref().map_or(0, Vec::len), *events);
            assert_eq!(response.bytes(), *body);
            assert_eq!(response.ending, *ending);
            assert_eq!(exchange.notes[0], ALONE);
            assert_eq!(exchange.notes[1..], **notes);
        }
    }

    const COMPLETE: RecordedEnding = RecordedEnding::Complete;

    #[test]
    fn a_stream_is_the_whole_file_whatever_ends_its_lines() {
        for stream in [
            "data: {\"id\":\"a\"}\n\ndata: [DONE]\n\n",
            "data: {\"id\":\"a\"}\r\n\r\ndata: [DONE]\r\n\r\n",
            "data: {\"id\":\"a\"}\r\rdata: [DONE]\r\r",
            "\u{feff}data: {\"id\":\"a\"}\n\ndata: [DONE]\n\n",
            "\n\n: hello\n\ndata: {\"id\":\"a\"}\n\n",
            "event: x\ndata: 1\n\nid: 7\nretry: 5\n\n",
            "data: {\"id\":\"a\"}\n\ndata: [DONE]",
        ] {
            let place = if stream.starts_with('\n') { "line 3" } else { "line 1" };
            check(stream, &[(place, 200, 2, stream, COMPLETE, &[])]);
        }
    }

    #[test]
    fn a_stream_that_ends_within_an_event_was_cut() {
        for stream in ["data: 1\n\ndata: {\"id", "data: 1\n\ndata: 2\n"] {
            check(stream, &[("line 1", 200, 2, stream, RecordedEnding::Close, &[CUT])]);
        }
    }

    #[test]
    fn several_streams_are_told_apart_by_done_and_id() {
        let one = "data: {\"id\":\"a\"}\n\ndata: [DONE]\n\n";
        let two = "data: {\"id\":\"b\"}\n\ndata: {\"id\":\"b\"}\n\n";
        check(
            &[one, two].concat(),
            &[("line 1", 200, 2, one, COMPLETE, &[]), ("line 5", 200, 2, two, COMPLETE, &[])],
        );
        // The same answer goes on after its end.
        let odd = "data: {\"id\":\"a\"}\n\ndata: [DONE]\n\ndata: {\"id\":\"a\"}\n\n: x\n\ndata: [DONE]\n\n";
        check(odd, &[("line 1", 200, 5, odd, COMPLETE, &[])]);
    }

    #[test]
    fn json_is_a_body_too() {
        let answer = "{\n  \"object\": \"chat.completion\"\n}\n";
        check(answer, &[("line 1", 200, 0, answer, COMPLETE, &[])]);
        let stream = "data: {\"id\":\"a\"}\n\ndata: [DONE]\n\n";
        let error = "{\"error\":{\"code\":\"invalid_api_key\"}}";
        let told =
            "the status is not in the capture; 401 is what such an error has: record with curl -i to know";
        check(
            &[stream, answer, error].concat(),
            &[
                ("line 1", 200, 2, stream, COMPLETE, &[]),
                ("line 5", 200, 0, answer, COMPLETE, &[]),
                ("line 8", 401, 0, error, COMPLETE, &[told]),
            ],
        );
    }

    #[test]
    fn what_looks_like_json_and_is_none_is_of_the_stream() {
        let odd = ["data: 1\n\n", &"{\"a\":\n\n".repeat(1 << 16)].concat();
        check(&odd, &[("line 1", 200, 1 + (1 << 16), &odd, COMPLETE, &[])]);
    }

    #[test]
    fn the_status_of_an_error_follows_from_its_words() {
        let check = |error: &str, expected| {
            assert_eq!(status(&serde_json::from_str(error).unwrap()), expected, "{error}");
        };
        check(r#"{"code":"401","message":"Access denied"}"#, 401);
        check(r#"{"code":404,"status":"NOT_FOUND"}"#, 404);
        check(r#"{"type":"requests","code":"rate_limit_exceeded"}"#, 429);
        check(r#"{"type":"insufficient_quota"}"#, 429);
        check(r#"{"type":"invalid_request_error","code":"model_not_found"}"#, 404);
        check(r#"{"type":"invalid_request_error","param":"max_tokens"}"#, 400);
        check(r#"{"type":"overloaded_error"}"#, 529);
        check(r#"{"type":"server_error"}"#, 500);
        check(r#""no""#, 400);
    }

    #[test]
    fn what_is_neither_is_refused() {
        assert!(!is(b"<html>"));
        assert_eq!(
            read(b"<html>").unwrap_err(),
            "is no body of a stream (no line begins with data: or event:), and no JSON"
        );
        assert!(!is(br#"{"request":{},"response":{},"type":"x"}"#));
    }
}
