//! `curl --trace FILE` and `--trace-ascii FILE`: every byte that was sent and received, read by read, with times.
//!
//! Chunks are still in their framing (the trace is written before curl undoes it), and so are content encodings.
//! `--trace-ascii` shows what is not printable as a dot: heads survive that, bodies do not.

use std::collections::BTreeMap;
use std::time::Duration;

use super::stamp::{self, Stamp};
use super::{Found, ending, request, response};
use crate::import::http::{self, Head, unchunk};
use crate::import::{Damage, MAX_EXCHANGES, RawExchange};
use crate::plan::transcript::RecordedEnding;

/// What a section of a trace tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    SentHead,
    SentData,
    ReceivedHead,
    ReceivedData,
    /// The bytes of TLS, which the others show in plain.
    Tls,
}

/// The first line of a section.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Section {
    pub(super) kind: Kind,
    length: usize,
}

impl Section {
    /// The section that a line begins, its stamp taken off: `<= Recv data, 665 bytes (0x299)`.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let line = line.strip_prefix(b"=> ").or_else(|| line.strip_prefix(b"<= "))?;
        let (name, length) = std::str::from_utf8(line).ok()?.trim_end().split_once(", ")?;
        let kind = match name {
            "Send header" => Kind::SentHead,
            "Send data" => Kind::SentData,
            "Recv header" => Kind::ReceivedHead,
            "Recv data" => Kind::ReceivedData,
            "Send SSL data" | "Recv SSL data" => Kind::Tls,
            _ => return None,
        };
        Some(Self { kind, length: length.split_once(" bytes")?.0.parse().ok()? })
    }

    /// The bytes of the section, from the lines after its first.
    fn bytes(self, lines: &[&[u8]]) -> Result<Vec<u8>, Loss> {
        if let Some(bytes) = self.hex(lines) {
            return Ok(bytes);
        }
        // A head has no line ends but those that are told, and nobody writes names and values beyond ASCII.
        let is_body = matches!(self.kind, Kind::SentData | Kind::ReceivedData);
        match self.ascii(lines) {
            None => Err(Loss::Damaged),
            Some(bytes) if is_body && bytes.contains(&b'.') => Err(Loss::Dots),
            Some(bytes) => Ok(bytes),
        }
    }

    /// Lines like `0010: 30 37 0d 0a                                     07..`.
    fn hex(self, lines: &[&[u8]]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for line in lines {
            let (offset, columns) = dumped(line)?;
            if offset != bytes.len() {
                return None;
            }
            for column in columns.chunks(3).take(self.length.checked_sub(offset)?.min(16)) {
                let ([digits @ .., b' '] | digits) = column;
                let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 2)?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
            }
        }
        (bytes.len() == self.length).then_some(bytes)
    }

    /// Lines like `0024: Host: api.openai.com`: where the offsets leave room for two bytes, a CRLF was.
    fn ascii(self, lines: &[&[u8]]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for line in lines {
            let (offset, text) = dumped(line)?;
            crlf(&mut bytes, offset)?;
            bytes.extend_from_slice(text);
        }
        crlf(&mut bytes, self.length)?;
        Some(bytes)
    }
}

/// Why the bytes of a section are not known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Loss {
    /// The section is not as long as it says.
    Damaged,
    /// It is in ASCII, and bytes that are not printable are dots.
    Dots,
}

/// The offset of a line of a dump, and what comes after it.
fn dumped(line: &[u8]) -> Option<(usize, &[u8])> {
    let colon = line.iter().take(17).position(|&byte| byte == b':')?;
    let digits = std::str::from_utf8(&line[..colon]).ok().filter(|digits| digits.len() >= 4)?;
    let digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digits)?;
    let text = &line[colon + 1..];
    Some((usize::from_str_radix(digits, 16).ok()?, text.strip_prefix(b" ").unwrap_or(text)))
}

/// Goes on to an offset: it is where the text is, or a CRLF further.
fn crlf(bytes: &mut Vec<u8>, offset: usize) -> Option<()> {
    match offset.checked_sub(bytes.len())? {
        0 => {}
        2 => bytes.extend_from_slice(b"\r\n"),
        _ => return None,
    }
    Some(())
}

pub(super) fn read(capture: &[u8]) -> Vec<Found> {
    let lines: Vec<_> =
        capture.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    let mut parts: Vec<Part> = Vec::new();
    // The exchange that each transfer is at: `--parallel` mixes them, `--trace-ids` tells them apart.
    let mut current: BTreeMap<Option<u64>, usize> = BTreeMap::new();
    let mut at = 0;
    while at < lines.len() && parts.len() <= MAX_EXCHANGES {
        let (stamp, marked) = stamp::split(lines[at]);
        let number = at + 1;
        at += 1;
        let Some(section) = Section::of(marked) else {
            let note = marked.strip_prefix(b"== Info:").or_else(|| marked.strip_prefix(b"* "));
            if let (Some(note), Some(&part)) = (note, current.get(&stamp.transfer)) {
                parts[part].ending = ending(note).or(parts[part].ending);
            }
            continue;
        };
        let end = at + lines[at..].iter().take_while(|line| dumped(line).is_some()).count();
        let dump = &lines[at..end];
        at = end;
        if section.kind == Kind::Tls {
            continue;
        }
        let bytes = section.bytes(dump);
        let begins = section.kind == Kind::SentHead
            && bytes.as_ref().is_ok_and(|bytes| {
                http::line(bytes).is_some_and(|(line, _)| super::request_line(line).is_some())
            });
        let part = match current.get(&stamp.transfer) {
            Some(&part) if !begins => part,
            _ => {
                parts.push(Part { line: number, ..Part::default() });
                current.insert(stamp.transfer, parts.len() - 1);
                parts.len() - 1
            }
        };
        parts[part].take(section, stamp, bytes, number);
    }
    parts.into_iter().filter_map(Part::found).collect()
}

/// What is known of one exchange until now.
#[derive(Debug, Default)]
struct Part {
    line: usize,
    sent: Vec<u8>,
    sent_body: Vec<u8>,
    sent_at: Option<Duration>,
    received: Vec<u8>,
    received_at: Option<Duration>,
    body: Vec<u8>,
    /// How much of `body` was there at which time of day.
    reads: Vec<(usize, Duration)>,
    ending: Option<RecordedEnding>,
    loss: Option<(Loss, usize)>,
}

impl Part {
    fn take(&mut self, section: Section, stamp: Stamp, bytes: Result<Vec<u8>, Loss>, line: usize) {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(loss) => {
                self.loss.get_or_insert((loss, line));
                return;
            }
        };
        match section.kind {
            Kind::Tls => {}
            Kind::SentHead | Kind::SentData => {
                let sent = if section.kind == Kind::SentHead { &mut self.sent } else { &mut self.sent_body };
                sent.extend_from_slice(&bytes);
                if self.body.is_empty() {
                    self.sent_at = stamp.at.or(self.sent_at);
                }
            }
            // After the body come trailers.
            Kind::ReceivedHead if !self.body.is_empty() => {}
            Kind::ReceivedHead => {
                let is_status = http::line(&bytes).is_some_and(|(line, _)| http::status_line(line).is_some());
                if is_status {
                    // What came before was interim.
                    self.received.clear();
                    self.received_at = stamp.at;
                }
                self.received.extend_from_slice(&bytes);
            }
            Kind::ReceivedData => {
                self.body.extend_from_slice(&bytes);
                self.reads.extend(stamp.at.map(|at| (self.body.len(), at)));
            }
        }
    }

    fn found(self) -> Option<Found> {
        let place = format!("line {}", self.line);
        let damage = |reason: String| Some(Err(Damage { place: place.clone(), reason }));
        match self.loss {
            Some((Loss::Damaged, line)) => {
                return damage(format!(
                    "the bytes shown after line {line} are not as many as it says: the trace was changed or cut off"
                ));
            }
            Some((Loss::Dots, _)) => {
                return damage(
                    "--trace-ascii shows line ends and all that is not ASCII as dots: record with --trace FILE".to_owned(),
                );
            }
            None => {}
        }
        let lines: Vec<_> =
            self.sent.split(|&byte| byte == b'\n').map(|line| line.trim_ascii_end().to_vec()).collect();
        let mut sent_body = self.sent_body;
        let mut request = request(&lines, Vec::new().into());
        if request.as_ref().is_some_and(|request| request.method == "CONNECT") {
            return None;
        }
        let Some((head, _)) = Head::of(&self.received) else {
            return damage("no response came, or its head is not whole".to_owned());
        };
        let mut notes = Vec::new();
        match &mut request {
            Some(request) => {
                let is_chunked =
                    request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
                if let Some(chunks) = unchunk(&sent_body).filter(|_| is_chunked) {
                    sent_body = chunks.body;
                }
                request.body = sent_body.into();
            }
            None => notes.push("the capture does not tell the request".to_owned()),
        }
        let start = self.sent_at;
        let reads =
            self.reads.into_iter().map(|(read, at)| (read, start.map(|start| stamp::since(start, at))));
        let reads: Vec<_> = reads.filter_map(|(read, at)| Some((read, at?))).collect();
        let ends_at = reads.last().map(|(_, at)| *at);
        let chunks = unchunk(&self.body).filter(|_| head.is_chunked());
        let (body, reads, is_cut) = match chunks {
            Some(chunks) => {
                let reads = reads.into_iter().map(|(read, at)| (chunks.known(read), at)).collect();
                (chunks.body, reads, !chunks.is_whole)
            }
            None => (self.body, reads, false),
        };
        let mut response = response(head, body, true, &mut notes);
        if is_cut {
            notes.push(
                "the last chunk is missing: the stream was cut there, and is replayed like that".to_owned(),
            );
            response.ending = RecordedEnding::Close;
        }
        response.ending = self.ending.unwrap_or(response.ending);
        response.head_at = start.and_then(|start| Some(stamp::since(start, self.received_at?)));
        response.reads = reads;
        response.ends_at = ends_at.or(response.head_at);
        let recorded = super::recorded(&response);
        let raw = RawExchange { place, request, response, recorded };
        Some(Ok((raw, notes)))
    }
}
