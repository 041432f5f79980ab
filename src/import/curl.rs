//! What curl prints: `-i` (heads and bodies), `-v` (with its notes), `--trace` (all bytes, with their times).

use bytes::Bytes;
use jiff::fmt::rfc2822;

use super::exchange::Budget;
use super::http::{self, Head};
use super::{Damage, Exchange, RawExchange, RawRequest, RawResponse};
use crate::plan::transcript::{Recorded, RecordedEnding};

mod include;
#[cfg(test)]
pub(super) mod printer;
mod stamp;
#[cfg(test)]
mod tests;
mod trace;
mod verbose;

/// Whether curl printed this.
pub(super) fn is(capture: &[u8]) -> bool {
    Form::of(capture).is_some()
}

/// The exchanges of a capture.
pub(super) fn read(capture: &[u8]) -> Result<Vec<Result<Exchange, Damage>>, String> {
    let capture = capture.strip_prefix(b"\xef\xbb\xbf").unwrap_or(capture);
    let found = match Form::of(capture) {
        Some(Form::Include) => include::read(capture),
        Some(Form::Verbose) => verbose::read(capture),
        Some(Form::Trace) => trace::read(capture),
        None => {
            return Err("is nothing that curl prints: expected a response with its head (curl -i), or what \
                        curl -v or curl --trace prints"
                .to_owned());
        }
    };
    if found.is_empty() {
        return Err("has no response: curl printed only what it sent".to_owned());
    }
    let mut budget = Budget::default();
    let exchange = |found: Found| match found {
        Ok((raw, notes)) => budget.exchange(raw).map(|mut exchange| {
            exchange.notes.splice(0..0, notes);
            exchange
        }),
        Err(damage) => Err(damage),
    };
    Ok(found.into_iter().map(exchange).collect())
}

/// An exchange with what is to be told of it.
type Found = Result<(RawExchange, Vec<String>), Damage>;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Include,
    Verbose,
    Trace,
}

impl Form {
    /// The form of a capture, by its first lines: a terminal may have put others before them.
    fn of(capture: &[u8]) -> Option<Self> {
        let capture = capture.strip_prefix(b"\xef\xbb\xbf").unwrap_or(capture);
        let mut form = None;
        for line in capture.split(|&byte| byte == b'\n').take(200) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let (_, marked) = stamp::split(line);
            if trace::Section::of(marked).is_some() {
                return Some(Self::Trace);
            }
            let is_sent = marked.strip_prefix(b"> ").is_some_and(|line| request_line(line).is_some());
            if is_sent || marked.strip_prefix(b"< ").is_some_and(|line| http::status_line(line).is_some()) {
                return Some(Self::Verbose);
            }
            // What curl tells of the connection comes before all else, also in a trace.
            let is_note = marked.starts_with(b"* ")
                || marked.starts_with(b"== Info:")
                || verbose::data_note(marked) == Some(0)
                || line.is_empty();
            if form.is_none() && http::status_line(line).is_some() {
                form = Some(Self::Include);
            } else if form.is_none() && !is_note && !is_meter(line) {
                return None;
            }
        }
        form
    }
}

/// Whether a line is of curl's progress meter.
fn is_meter(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    line.starts_with(b"% Total")
        || line.starts_with(b"Dload")
        || line.windows(8).any(|part| part == b"--:--:--")
}

/// The method and the target of `POST /v1/chat/completions HTTP/1.1`.
fn request_line(line: &[u8]) -> Option<(String, String)> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let (rest, version) = line.rsplit_once(' ')?;
    let (method, target) = rest.split_once(' ')?;
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    (version.starts_with("HTTP/") && is_method).then(|| (method.to_owned(), target.to_owned()))
}

/// The request of a head as text, its lines without what ends them.
fn request(lines: &[Vec<u8>], body: Bytes) -> Option<RawRequest> {
    let (first, headers) = lines.split_first()?;
    let (method, url) = request_line(first)?;
    let headers = headers.iter().filter_map(|line| http::header(line)).collect();
    Some(RawRequest { method, url, headers, body })
}

/// A response of which a head and all bytes after it are known.
///
/// `is_raw`: whether the body is as it came; else curl may have undone encodings and chunks.
fn response(head: Head, body: Vec<u8>, is_raw: bool, notes: &mut Vec<String>) -> RawResponse {
    // What curl has decoded is text; what it has not, is not.
    let is_encoded =
        head.header("content-encoding").is_some() && (is_raw || std::str::from_utf8(&body).is_err());
    let is_decoded = head.header("content-encoding").is_some() && !is_encoded;
    let mut ending = RecordedEnding::Complete;
    // A request with HEAD has no body whatever its head says; nobody asks a model so.
    if let Some(told) = head.content_length().filter(|_| !is_decoded && !head.is_chunked()) {
        if body.len() < told {
            notes.push(format!(
                "the body ends after {} of {told} bytes; it is replayed like that",
                body.len()
            ));
            ending = RecordedEnding::Close;
        } else if body.len() > told {
            notes.push(format!("the body has {} bytes, and its content-length is {told}", body.len()));
        }
    }
    RawResponse {
        status: head.status,
        reason: head.reason,
        headers: head.headers,
        body: body.into(),
        is_encoded,
        ending,
        ..RawResponse::default()
    }
}

/// How a response ended, if a note of curl's tells it.
fn ending(note: &[u8]) -> Option<RecordedEnding> {
    let note = String::from_utf8_lossy(note);
    let says = |words: &[&str]| words.iter().any(|words| note.contains(words));
    if says(&["onnection reset by peer", "onnection was reset"]) {
        Some(RecordedEnding::Reset)
    } else if says(&["transfer closed with", "bytes missing", "was not closed cleanly", "unexpected eof"]) {
        Some(RecordedEnding::Close)
    } else if says(&["Operation timed out", "Operation too slow", "Failed writing", "Failure writing"]) {
        Some(RecordedEnding::ClientLeft)
    } else {
        None
    }
}

/// What is before curl's last word (`curl: (18) transfer closed with …`), which a terminal shows with all else, and
/// the ending it tells.
pub(super) fn complaint(capture: &[u8]) -> (&[u8], Option<RecordedEnding>) {
    let last = capture.trim_ascii_end();
    let start = last.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let is_number =
        |text: &[u8]| text.iter().take(3).position(|&byte| byte == b')').is_some_and(|end| end > 0);
    let line = &last[start..];
    match line.windows(7).rposition(|part| part == b"curl: (") {
        Some(at) if is_number(&line[at + 7..]) => (&capture[..start + at], ending(&line[at..])),
        _ => (capture, None),
    }
}

/// Where an exchange is from: when, tells the server's own clock.
fn recorded(response: &RawResponse) -> Recorded {
    let date = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("date"));
    let date = date.and_then(|(_, date)| rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
    Recorded { source: None, date: date.map(|date| date.to_string()), tool: Some("curl".to_owned()) }
}

/// The number of the line in which an offset lies; asked for growing offsets.
struct Lines<'a> {
    text: &'a [u8],
    counted: usize,
    number: usize,
}

impl<'a> Lines<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self { text, counted: 0, number: 1 }
    }

    fn at(&mut self, offset: usize) -> usize {
        let more = self.text.get(self.counted..offset).unwrap_or_default();
        self.number += more.iter().filter(|&&byte| byte == b'\n').count();
        self.counted = offset.max(self.counted);
        self.number
    }
}
