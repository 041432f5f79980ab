//! `curl -v`: the heads of request and response, marked with `> ` and `< `, and between curl's notes the body, which
//! is not marked.

use std::time::Duration;

use bytes::Bytes;

use super::stamp::{self, Stamp};
use super::{Found, complaint, ending, is_meter, request, response};
use crate::import::http::{self, Head, unchunk};
use crate::import::{Damage, MAX_EXCHANGES, RawExchange};
use crate::plan::transcript::RecordedEnding;

/// What is known of one exchange until now.
#[derive(Debug, Default)]
struct Part {
    line: usize,
    sent: Vec<Vec<u8>>,
    sent_at: Option<Duration>,
    received: Vec<Vec<u8>>,
    received_at: Option<Duration>,
    is_headed: bool,
    /// Whether `-i` printed the head once more, in plain.
    is_doubled: bool,
    body: Vec<u8>,
    ended_at: Option<Duration>,
    has_meter: bool,
    ending: Option<RecordedEnding>,
}

pub(super) fn read(capture: &[u8]) -> Vec<Found> {
    let (capture, last) = complaint(capture);
    let mut found = Vec::new();
    let mut part = Part::default();
    for (number, line) in (1..).zip(capture.split_inclusive(|&byte| byte == b'\n')) {
        if found.len() > MAX_EXCHANGES {
            break;
        }
        let (stamp, marked) = stamp::split(line);
        let bare = marked.strip_suffix(b"\n").unwrap_or(marked);
        let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
        match bare {
            [b'>', rest @ ..] if is_marked(rest) => {
                let rest = rest.strip_prefix(b" ").unwrap_or(rest);
                if super::request_line(rest).is_some() && !part.sent.is_empty() {
                    found.extend(std::mem::take(&mut part).found());
                }
                if part.sent.is_empty() {
                    part.line = number;
                }
                part.sent_at = stamp.at.or(part.sent_at);
                if !rest.is_empty() {
                    part.sent.push(rest.to_vec());
                }
            }
            [b'<', rest @ ..] if is_marked(rest) => {
                let rest = rest.strip_prefix(b" ").unwrap_or(rest);
                if http::status_line(rest).is_some() && part.is_headed {
                    // Curl says so only where it asks again by itself over the same request: 100 and the like.
                    found.extend(part.next());
                }
                part.line = if part.line == 0 { number } else { part.line };
                part.head(rest, stamp);
            }
            [b'*', b' ', note @ ..] => part.note(note, stamp),
            _ => match data_note(bare) {
                Some(0) => {}
                // What is before it in a body goes on after it.
                Some(_) => part.plain(before_data_note(line)),
                None => part.plain(line),
            },
        }
    }
    part.ending = last.or(part.ending);
    found.extend(part.found());
    found
}

/// Where curl's `{ [1369 bytes data]` begins that ends a line: it stands there for what is sent and received, and
/// over TLS from the first line on, wherever the body is just then.
pub(super) fn data_note(line: &[u8]) -> Option<usize> {
    let line = line.trim_ascii_end();
    let count = line.strip_suffix(b" bytes data]")?;
    let digits = count.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let mark = count[..count.len() - digits].strip_suffix(b" [")?;
    let is_note = digits > 0 && matches!(mark.last(), Some(b'{' | b'}'));
    is_note.then(|| mark.len() - 1)
}

/// What a line has before such a note and the stamp of it.
fn before_data_note(line: &[u8]) -> &[u8] {
    let Some(at) = data_note(line) else { return line };
    // A stamp has sixteen bytes.
    let stamped = at.checked_sub(16).filter(|&stamp| stamp::split(&line[stamp..]).0.at.is_some());
    &line[..stamped.unwrap_or(at)]
}

/// Whether what follows a mark makes the line one of curl's: a space, or nothing, where an editor cut the space.
fn is_marked(rest: &[u8]) -> bool {
    rest.is_empty() || rest[0] == b' '
}

impl Part {
    /// What curl tells of the connection.
    fn note(&mut self, note: &[u8], stamp: Stamp) {
        self.ending = ending(note).or(self.ending);
        let is_end = [&b"Connection #"[..], b"Closing ", b"shutting down "]
            .iter()
            .any(|start| note.starts_with(start));
        if self.is_headed && is_end {
            self.ended_at = self.ended_at.or(stamp.at);
        }
    }

    fn head(&mut self, line: &[u8], stamp: Stamp) {
        if line.is_empty() {
            self.is_headed = !self.received.is_empty();
            return;
        }
        if self.received.is_empty() {
            self.received_at = stamp.at;
        }
        self.received.push(line.to_vec());
    }

    /// A line that is not marked.
    fn plain(&mut self, line: &[u8]) {
        if is_meter(line) {
            self.has_meter = true;
        }
        let bare = line.trim_ascii_end();
        if !self.is_headed {
            self.is_doubled |= http::status_line(bare).is_some();
        } else if self.is_doubled && bare.is_empty() {
            self.is_doubled = false;
        } else {
            self.body.extend_from_slice(line);
        }
    }

    fn next(&mut self) -> Option<Found> {
        let next =
            Self { line: self.line, sent: self.sent.clone(), sent_at: self.sent_at, ..Self::default() };
        let head = self.parsed();
        let whole = std::mem::replace(self, next);
        match head {
            Some(head) if head.is_interim() => None,
            _ => whole.found(),
        }
    }

    fn parsed(&self) -> Option<Head> {
        let (first, headers) = self.received.split_first()?;
        let (status, reason) = http::status_line(first)?;
        Some(Head { status, reason, headers: headers.iter().filter_map(|line| http::header(line)).collect() })
    }

    fn found(mut self) -> Option<Found> {
        let place = format!("line {}", self.line);
        let damage = |reason: &str| Some(Err(Damage { place: place.clone(), reason: reason.to_owned() }));
        if self.has_meter && !self.received.is_empty() {
            return damage("curl's progress meter is mixed into it: record with -s, or use --trace FILE");
        }
        let head = match self.parsed() {
            // Of a proxy's answer to CONNECT.
            Some(head) if head.is_interim() => return None,
            Some(head) => head,
            None if self.sent.is_empty() => return None,
            None => return damage("no response came: curl printed only what it sent"),
        };
        cut_notes(&mut self.body);
        let mut notes = Vec::new();
        let request = request(&self.sent, Bytes::new());
        match &request {
            Some(_) => {
                notes.push("curl -v does not print what the request's body was: use --trace FILE".to_owned());
            }
            None => notes.push("the capture does not tell the request".to_owned()),
        }
        let mut cut = false;
        if head.is_chunked()
            && let Some(chunks) = unchunk(&self.body)
        {
            cut = !chunks.is_whole;
            self.body = chunks.body;
        }
        let has_none =
            matches!(head.status, 204 | 304) || head.content_length() == Some(0) || head.is_followed();
        if self.body.is_empty() && !has_none {
            return damage(
                "its body is not in the capture, which is what curl -v prints beside it: join both \
                           (curl -sNv URL >FILE 2>&1), or use --trace FILE",
            );
        }
        let mut response = response(head, self.body, false, &mut notes);
        if cut {
            notes.push(
                "the last chunk is missing: the stream was cut there, and is replayed like that".to_owned(),
            );
            response.ending = RecordedEnding::Close;
        }
        response.ending = self.ending.unwrap_or(response.ending);
        if let Some(start) = self.sent_at {
            response.head_at = self.received_at.map(|at| stamp::since(start, at));
            response.ends_at =
                self.ended_at.map(|at| stamp::since(start, at)).filter(|end| Some(*end) >= response.head_at);
            notes.push("curl -v tells no times of events: use --trace FILE --trace-time".to_owned());
        }
        let recorded = super::recorded(&response);
        let raw = RawExchange { place, request, response, recorded };
        Some(Ok((raw, notes)))
    }
}

/// Takes off what curl wrote after a body that no line end ends.
fn cut_notes(body: &mut Vec<u8>) {
    let start =
        body.iter().rev().skip(1).position(|&byte| byte == b'\n').map_or(0, |back| body.len() - 1 - back);
    let last = &body[start..];
    let notes: [&[u8]; 4] =
        [b"* Connection #", b"* Closing connection", b"* shutting down connection", b"* transfer closed"];
    let at = notes.iter().filter_map(|note| last.windows(note.len()).position(|part| part == *note)).min();
    let Some(at) = at else { return };
    // A stamp has sixteen bytes.
    let stamped = at.checked_sub(16).filter(|&stamp| stamp::split(&last[stamp..]).0.at.is_some());
    body.truncate(start + stamped.unwrap_or(at));
}
