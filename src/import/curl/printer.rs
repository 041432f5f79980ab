//! What curl would print of an exchange, for tests: as its `tool_cb_dbg.c` writes it.

use std::fmt::Write;
use std::time::Duration;

/// An exchange as it goes over the wire.
#[derive(Clone, Debug)]
pub(in crate::import) struct Wire {
    pub(in crate::import) request: String,
    pub(in crate::import) request_body: String,
    /// Everything up to and with the blank line, lines ended with CRLF.
    pub(in crate::import) head: String,
    /// What came in each read, framing included, and how long after the request.
    pub(in crate::import) reads: Vec<(Vec<u8>, Duration)>,
}

impl Wire {
    /// An answer in one chunk for each part.
    pub(in crate::import) fn chunked(kind: &str, parts: &[&str]) -> Self {
        let chunk = |part: &&str| format!("{:x}\r\n{part}\r\n", part.len()).into_bytes();
        let chunks = parts.iter().filter(|part| !part.is_empty()).map(chunk).chain([b"0\r\n\r\n".to_vec()]);
        let reads = (1..).zip(chunks).map(|(n, chunk)| (chunk, Duration::from_millis(10 * n))).collect();
        Self {
            reads,
            ..Self::of(&format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
            ))
        }
    }

    /// An answer with this head and no body yet.
    pub(in crate::import) fn of(head: &str) -> Self {
        Self {
            request:
                "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\r\n"
                    .to_owned(),
            request_body: "{\"model\":\"m\"}".to_owned(),
            head: head.to_owned(),
            reads: Vec::new(),
        }
    }

    pub(in crate::import) fn read(mut self, bytes: &[u8], at: u64) -> Self {
        self.reads.push((bytes.to_vec(), Duration::from_millis(at)));
        self
    }

    /// All that came after the head.
    pub(in crate::import) fn received(&self) -> Vec<u8> {
        self.reads.iter().flat_map(|(read, _)| read.clone()).collect()
    }
}

/// A time of day as `--trace-time` has it.
fn stamp(at: Duration) -> String {
    let seconds = at.as_secs() % 86_400;
    format!("{:02}:{:02}:{:02}.{:06} ", seconds / 3600, seconds / 60 % 60, seconds % 60, at.subsec_micros())
}

/// `curl -i`: the body without its chunks.
pub(in crate::import) fn include(wire: &Wire, body: &[u8]) -> Vec<u8> {
    [wire.head.as_bytes(), body].concat()
}

/// `curl -sv … 2>&1`, with stamps if it has a time at which the request was sent.
pub(in crate::import) fn verbose(wire: &Wire, body: &[u8], sent: Option<Duration>) -> Vec<u8> {
    let stamp = |after: u64| sent.map(|sent| stamp(sent + Duration::from_millis(after))).unwrap_or_default();
    let mut out = format!(
        "{}*   Trying 127.0.0.1:443...\n{}* Connected to h (127.0.0.1) port 443 (#0)\n",
        stamp(0),
        stamp(0)
    );
    for line in wire.request.split_inclusive('\n') {
        let _ = write!(out, "{}> {line}", stamp(0));
    }
    let _ = writeln!(out, "{}}} [{} bytes data]", stamp(0), wire.request_body.len());
    for line in wire.head.split_inclusive('\n') {
        let _ = write!(out, "{}< {line}", stamp(5));
    }
    if let Some((first, _)) = wire.reads.first() {
        let _ = writeln!(out, "{}{{ [{} bytes data]", stamp(5), first.len());
    }
    let mut out = out.into_bytes();
    out.extend_from_slice(body);
    out.extend_from_slice(format!("{}* Connection #0 to host h left intact\n", stamp(50)).as_bytes());
    out
}

/// How a trace looks.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::import) struct Look {
    /// `--trace-time`, and when the request was sent.
    pub(in crate::import) sent: Option<Duration>,
    /// `--trace-ids`.
    pub(in crate::import) transfer: Option<u64>,
    /// `--trace-ascii`.
    pub(in crate::import) is_ascii: bool,
    /// Whether notes look as they do since curl 8.
    pub(in crate::import) is_new: bool,
}

/// `curl --trace`.
pub(in crate::import) fn trace(wire: &Wire, look: Look) -> Vec<u8> {
    let mut out = String::new();
    let mut section = |name: &str, bytes: &[u8], after: Duration| {
        let _ = write!(out, "{}", mark(look, after));
        let _ = writeln!(out, "{name}, {} bytes (0x{:x})", bytes.len(), bytes.len());
        dump(&mut out, bytes, look.is_ascii);
    };
    section("=> Send SSL data", &[23, 3, 3, 0], Duration::ZERO);
    section("=> Send header", wire.request.as_bytes(), Duration::ZERO);
    section("=> Send data", wire.request_body.as_bytes(), Duration::ZERO);
    for line in wire.head.split_inclusive('\n') {
        section("<= Recv header", line.as_bytes(), Duration::from_millis(5));
    }
    for (read, at) in &wire.reads {
        section("<= Recv data", read, *at);
    }
    let note = if look.is_new { "* " } else { "== Info: " };
    let _ =
        writeln!(out, "{}{note}Connection #0 to host h left intact", mark(look, Duration::from_millis(90)));
    out.into_bytes()
}

fn mark(look: Look, after: Duration) -> String {
    let stamp = look.sent.map(|sent| stamp(sent + after)).unwrap_or_default();
    let ids = look.transfer.map(|transfer| format!("[{transfer}-0] ")).unwrap_or_default();
    stamp + &ids
}

fn dump(out: &mut String, bytes: &[u8], is_ascii: bool) {
    let shown = |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' };
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let _ = write!(out, "{at:04x}: ");
        if !is_ascii {
            let row = &rest[..rest.len().min(16)];
            for column in 0..16 {
                let _ = match row.get(column) {
                    Some(byte) => write!(out, "{byte:02x} "),
                    None => write!(out, "   "),
                };
            }
            out.extend(row.iter().map(shown));
            at += 16;
        } else {
            // A line ends at a CRLF, which is not shown, or after 64 bytes; a CRLF right after them is not, either.
            let crlf = rest.windows(2).take(65).position(|two| two == b"\r\n");
            let length = crlf.unwrap_or(64).min(rest.len());
            out.extend(rest[..length].iter().map(shown));
            at += length + if crlf.is_some() { 2 } else { 0 };
        }
        out.push('\n');
    }
}
