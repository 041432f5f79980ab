//! `llmirage plan`: the timeline of an answer, printed. No sockets, no waiting.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Serialize;
use serde::ser::Serializer;

use super::args::{PlanArgs, PlanFormat};
use super::failure::Failure;
use super::fixtures::Fixtures;
use super::line::plain;
use super::output::print;
use super::request::Typed;
use crate::plan::Timeline;
use crate::plan::http1;
use crate::plan::json::Span;
use crate::plan::timeline::{Ending, EventKind, Reuse};
use crate::serve::{Entry, MockServer};

/// Plans and prints.
pub(super) fn run(args: &PlanArgs) -> Result<(), Failure> {
    let fixtures = Fixtures::new(args.paths.clone()).load().map_err(Failure::Load)?;
    let request = Typed::read(&args.request, &args.path)?;
    let service =
        MockServer::builder().seed(args.seed).fixtures(fixtures).service().map_err(Failure::Start)?;
    let mut foreseen = service.foresee(request.parts()?, &request.body);
    for _ in 1..args.hit {
        foreseen = service.foresee(request.parts()?, &request.body);
    }
    let (timeline, entry) = foreseen;
    let planned = Planned { timeline: &timeline, entry: entry.as_ref() };
    match args.format {
        PlanFormat::Text => print(planned.text())?,
        PlanFormat::Json => print(planned.json() + "\n")?,
        PlanFormat::Wire => print(&timeline.body)?,
    }
    Ok(())
}

/// A planned answer, ready to be printed.
struct Planned<'a> {
    timeline: &'a Timeline,
    entry: Option<&'a Entry>,
}

impl Planned<'_> {
    /// The faults, the head, then one line per event: when, which, what, how long, and the bytes.
    fn text(&self) -> String {
        let (head, framing) = (&self.timeline.head, &self.timeline.framing);
        let mut text = format!("{}\n", self.answered_by());
        for fault in &self.timeline.faults {
            push(&mut text, format_args!("fault {fault}\n"));
        }
        text.push('\n');
        if !framing.before.is_empty() {
            let (at, before) = (offset(head.at), shown(&framing.before));
            push(&mut text, format_args!("{at:>10}  before the head: {before}\n"));
        }
        push(
            &mut text,
            format_args!(
                "{:>10}  HTTP/1.1 {} {}\n",
                offset(head.at),
                head.status.as_str(),
                http1::reason(head)
            ),
        );
        for header in &head.headers {
            let value = String::from_utf8_lossy(header.value.as_bytes());
            push(&mut text, format_args!("{:>10}  {}: {value}\n", "", header.name));
        }
        if let Some(bytes) = framing.head_bytes {
            push(&mut text, format_args!("{:>10}  only {bytes} bytes of the head go out\n", ""));
        }
        push(&mut text, format_args!("\n{:>10}  {:>5}  {:<8}  {:>6}\n", "time", "event", "kind", "bytes"));
        let mut counted = 0;
        for (index, event) in self.timeline.events.iter().enumerate() {
            let bytes = self.timeline.event_bytes(index);
            let kind = kind_name(event.kind);
            let (at, len, shown) = (offset(event.at), bytes.len(), shown(&bytes));
            // What is not counted has no number that a position could give.
            let number = if event.kind.is_event() { counted.to_string() } else { "-".to_owned() };
            counted += usize::from(event.kind.is_event());
            push(&mut text, format_args!("{at:>10}  {number:>5}  {kind:<8}  {len:>6}  {shown}\n"));
        }
        let at = offset(self.timeline.duration());
        if let Some(tail) = &framing.tail {
            let tail = shown(tail);
            push(&mut text, format_args!("{at:>10}  instead of the end of the body: {tail}\n"));
        }
        if !framing.after.is_empty() {
            let after = shown(&framing.after);
            push(&mut text, format_args!("{at:>10}  after everything: {after}\n"));
        }
        push(&mut text, format_args!("{at:>10}  {}\n", ending(self.timeline.ending)));
        text
    }

    fn answered_by(&self) -> String {
        match self.entry {
            Some(Entry { fixture: Some(fixture), hit: Some(hit), .. }) => {
                format!("fixture {fixture:?}, hit {hit}")
            }
            Some(Entry { refusal: Some(why), .. }) => format!("no fixture answers this: {}", plain(why)),
            _ => "no fixture answers this".to_owned(),
        }
    }

    fn json(&self) -> String {
        let head = &self.timeline.head;
        let headers = head.headers.iter();
        let events = self.timeline.events.iter().enumerate();
        let document = Document {
            fixture: self.entry.and_then(|entry| entry.fixture.as_deref()),
            hit: self.entry.and_then(|entry| entry.hit),
            faults: &self.timeline.faults,
            head: HeadDocument {
                at: Span(head.at),
                status: head.status.as_u16(),
                reason: head.reason.as_deref(),
                headers: headers.map(|header| (&*header.name, raw(header.value.as_bytes()))).collect(),
            },
            events: events
                .map(|(index, event)| EventDocument {
                    at: Span(event.at),
                    kind: kind_name(event.kind),
                    raw: raw(&self.timeline.event_bytes(index)),
                })
                .collect(),
            framing: FramingDocument {
                before: raw(&self.timeline.framing.before),
                head_bytes: self.timeline.framing.head_bytes,
                tail: self.timeline.framing.tail.as_deref().map(raw),
                after: raw(&self.timeline.framing.after),
                parts: if self.timeline.framing.sliced { "tcp" } else { "http-chunk" },
            },
            ending: self.timeline.ending.name(),
            ends_at: Span(self.timeline.ends_at),
        };
        serde_json::to_string_pretty(&document).expect("every key is a string")
    }
}

/// A timeline as JSON; documented in docs/cli.md.
#[derive(Serialize)]
struct Document<'a> {
    fixture: Option<&'a str>,
    hit: Option<u64>,
    faults: &'a [String],
    head: HeadDocument<'a>,
    events: Vec<EventDocument>,
    framing: FramingDocument,
    ending: &'static str,
    ends_at: Span,
}

/// What goes over the wire beside and instead of head and events.
#[derive(Serialize)]
struct FramingDocument {
    before: Raw,
    head_bytes: Option<usize>,
    tail: Option<Raw>,
    after: Raw,
    parts: &'static str,
}

#[derive(Serialize)]
struct HeadDocument<'a> {
    at: Span,
    status: u16,
    reason: Option<&'a str>,
    headers: Vec<(&'a str, Raw)>,
}

#[derive(Serialize)]
struct EventDocument {
    at: Span,
    kind: &'static str,
    raw: Raw,
}

/// Bytes: a string, or base64 where they are no UTF-8.
enum Raw {
    Text(String),
    Bytes(String),
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(base64) => serializer.collect_map([("base64", base64)]),
        }
    }
}

fn raw(bytes: &[u8]) -> Raw {
    match std::str::from_utf8(bytes) {
        Ok(text) => Raw::Text(text.to_owned()),
        Err(_) => Raw::Bytes(BASE64_STANDARD.encode(bytes)),
    }
}

/// Bytes on one line: control characters escaped, what is no UTF-8 as `\x..`.
fn shown(bytes: &Bytes) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push('\\'),
                control if control.is_control() => text.extend(control.escape_default()),
                plain => text.push(plain),
            }
        }
        for byte in chunk.invalid() {
            push(&mut text, format_args!("\\x{byte:02x}"));
        }
    }
    text
}

/// An offset in milliseconds: `250ms`, `12.5ms`.
fn offset(at: Duration) -> String {
    let micros = at.as_micros();
    match micros % 1000 {
        0 => format!("{}ms", micros / 1000),
        rest => format!("{}.{}ms", micros / 1000, format!("{rest:03}").trim_end_matches('0')),
    }
}

/// What happens after the last event.
fn ending(ending: Ending) -> String {
    let how = |reset| if reset { "reset" } else { "closed" };
    match ending {
        Ending::Complete => "the body ends as HTTP wants it".to_owned(),
        Ending::Close => "the connection is closed without the end of the body".to_owned(),
        Ending::Reset { drain: true } => {
            "the connection is reset, once the client has acknowledged every byte".to_owned()
        }
        Ending::Reset { drain: false } => {
            "the connection is reset at once, whatever is still sent".to_owned()
        }
        Ending::Abandon => "the connection is closed at once, whatever is still sent".to_owned(),
        Ending::HalfClose => "the server has closed its side and reads until now".to_owned(),
        Ending::Blackhole => "nothing was read or sent; the connection is closed".to_owned(),
        Ending::Idle { after, reset } => {
            let (after, how) = (offset(after), how(reset));
            format!("the body ends as HTTP wants it; {after} later the idle connection is {how}")
        }
        Ending::Reuse(reuse) => {
            let what = match reuse {
                Reuse::Reset => "resets it",
                Reuse::Close => "closes it",
                Reuse::Blackhole => "gets no answer",
            };
            format!("the body ends as HTTP wants it; the next request on the connection {what}")
        }
        Ending::Refuse { refuse, complete } => {
            let (refuse, without) =
                (offset(refuse), if complete { "" } else { " without the end of the body" });
            format!("the connection is closed{without}, and new ones are refused for {refuse}")
        }
    }
}

fn kind_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Preamble => "preamble",
        EventKind::Role => "role",
        EventKind::Content => "content",
        EventKind::Filter => "filter",
        EventKind::Finish => "finish",
        EventKind::Usage => "usage",
        EventKind::Done => "done",
        EventKind::Other => "other",
        EventKind::Body => "body",
        EventKind::Comment => "comment",
        EventKind::Part => "part",
    }
}

fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_on_one_line() {
        for (bytes, expected) in [
            (&b"data: {\"a\":\"b\"}\n\n"[..], r#"data: {"a":"b"}\n\n"#),
            ("月\r\u{feff}".as_bytes(), "月\\r\u{feff}"),
            (b"\xff\x00", r"\xff\u{0}"),
        ] {
            assert_eq!(shown(&Bytes::copy_from_slice(bytes)), expected);
        }
    }

    #[test]
    fn offsets_are_milliseconds() {
        for (micros, expected) in
            [(0, "0ms"), (250_000, "250ms"), (12_500, "12.5ms"), (1, "0.001ms"), (60_000_000, "60000ms")]
        {
            assert_eq!(offset(Duration::from_micros(micros)), expected);
        }
    }
}
