//! Importing: captures of other tools become [transcripts](crate::plan::transcript) and fixtures. Pure: bytes in,
//! files out; who calls reads and writes them.
//!
//! ```text
//! bytes ─ format ─► exchanges (raw) ─► transcripts ─► secrets replaced ─► fixtures that match the requests
//! ```
//!
//! Each format has a file; all give [`RawExchange`]s, and what is made of one is the same for all of them and for
//! `llmirage record`.
//!
//! What is read is bounded: [`MAX_CAPTURE`], [`MAX_EXCHANGES`] and [`MAX_TOTAL`] for a capture, [`encoding::MAX_BODY`]
//! and [`encoding::MAX_RATIO`] for a compressed body.

use std::fmt;

pub mod answer;
mod body;
mod curl;
mod elements;
pub mod encoding;
pub mod exchange;
pub mod fixtures;
#[cfg(test)]
mod fuzz;
mod har;
mod http;
mod json;
pub mod secrets;
mod sse;
mod vcr;
mod yaml;

pub use exchange::{Damage, Exchange, RawExchange, RawRequest, RawResponse};

/// How many bytes a capture may have.
pub const MAX_CAPTURE: usize = 256 << 20;

/// How many exchanges a capture may have.
pub const MAX_EXCHANGES: usize = 10_000;

/// How many bytes the bodies of one capture may have together, content encodings removed.
pub const MAX_TOTAL: usize = 512 << 20;

/// A format of captures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// The body of a stream, as `curl -N` prints it.
    Sse,
    /// What `curl -i`, `curl -v` and `curl --trace` print, with or without `--trace-time`.
    Curl,
    /// HTTP Archive 1.2, as browsers and proxies export it.
    Har,
    /// Cassettes of vcrpy and of Ruby's VCR, YAML or JSON.
    Vcr,
    /// Transcripts: our own, and other JSON of one exchange with `request` and `response`.
    Json,
}

/// What a capture holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    /// Its format, given or found out.
    pub format: Format,
    /// Its exchanges, in recorded order; those that cannot be used with the reason.
    pub exchanges: Exchanges,
}

/// The exchanges of a capture, in recorded order; those that cannot be used with the reason.
pub type Exchanges = Vec<Result<Exchange, Damage>>;

/// What knows a format.
struct Reader {
    /// Whether a capture looks like this format.
    is: fn(&[u8]) -> bool,
    /// The exchanges of a capture; an error where nothing of it can be read, in words.
    read: fn(&[u8]) -> Result<Exchanges, String>,
}

impl Reader {
    fn of(format: Format) -> Self {
        match format {
            Format::Sse => Self { is: sse::is, read: sse::read },
            Format::Curl => Self { is: curl::is, read: curl::read },
            Format::Har => Self { is: har::is, read: har::read },
            Format::Vcr => Self { is: vcr::is, read: vcr::read },
            Format::Json => Self { is: json::is, read: json::read },
        }
    }
}

/// Reads a capture, in the format given or in the one that its content shows.
///
/// # Errors
///
/// In words, where the format cannot be told, or nothing of the file can be read in it. An exchange that is
/// damaged is no error: it stands with its reason between the others.
///
/// ```
/// use llmirage::import::{self, Format};
///
/// let capture = import::read(b"data: {\"id\":\"1\"}\n\ndata: [DONE]\n\n", None).unwrap();
///
/// assert_eq!(capture.format, Format::Sse);
/// let exchange = capture.exchanges[0].as_ref().unwrap();
/// assert_eq!(exchange.transcript.response.events.as_ref().unwrap().len(), 2);
/// ```
pub fn read(bytes: &[u8], format: Option<Format>) -> Result<Capture, String> {
    if bytes.len() > MAX_CAPTURE {
        return Err(format!("is larger than {} MiB: split it", MAX_CAPTURE >> 20));
    }
    if bytes.trim_ascii().is_empty() {
        return Err("is empty".to_owned());
    }
    let format = match format {
        Some(format) => format,
        None => detect(bytes)?,
    };
    let exchanges = (Reader::of(format).read)(bytes)?;
    if exchanges.len() > MAX_EXCHANGES {
        return Err(format!("has more than {MAX_EXCHANGES} exchanges: split it"));
    }
    Ok(Capture { format, exchanges })
}

/// Whether a capture looks like one of the formats.
///
/// ```
/// use llmirage::import;
///
/// assert!(import::is_known(b"data: [DONE]\n\n"));
/// assert!(!import::is_known(b"# Notes"));
/// ```
pub fn is_known(bytes: &[u8]) -> bool {
    Format::ALL.into_iter().any(|format| (Reader::of(format).is)(bytes))
}

/// The one format that the capture looks like.
fn detect(bytes: &[u8]) -> Result<Format, String> {
    let mut found = Format::ALL.into_iter().filter(|format| (Reader::of(*format).is)(bytes));
    match (found.next(), found.next()) {
        (Some(format), None) => Ok(format),
        (Some(one), Some(other)) => Err(format!(
            "could be {one} as well as {other}: say which with --format {one} or --format {other}"
        )),
        (None, _) => Err(format!(
            "is in no format that is read ({}): if it is one of these nonetheless, say so with --format",
            Format::ALL.map(Format::described).join(", ")
        )),
    }
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Sse, Self::Curl, Self::Har, Self::Vcr, Self::Json];

    /// Its name, as `--format` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sse => "sse",
            Self::Curl => "curl",
            Self::Har => "har",
            Self::Vcr => "vcr",
            Self::Json => "json",
        }
    }

    fn described(self) -> String {
        let what = match self {
            Self::Sse => "the body that curl -N prints",
            Self::Curl => "what curl -i, -v or --trace prints",
            Self::Har => "a HAR file",
            Self::Vcr => "a VCR cassette",
            Self::Json => "a transcript",
        };
        format!("{self}: {what}")
    }
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_follows_from_the_content() {
        let check = |capture: &str, expected| {
            let capture = read(capture.as_bytes(), None).unwrap();
            assert_eq!(capture.format, expected);
            assert!(capture.exchanges.iter().all(Result::is_ok), "{:?}", capture.exchanges);
        };
        check("data: 1\n\n", Format::Sse);
        check("\u{feff}\nevent: a\ndata: 1\n\n", Format::Sse);
        check("{\"object\":\"chat.completion\",\"choices\":[]}", Format::Sse);
        check("{\"error\":{\"message\":\"no\"}}", Format::Sse);
        check("HTTP/2 200 \r\n\r\n{}", Format::Curl);
        check("*   Trying\n> GET / HTTP/1.1\n> \n< HTTP/1.1 204 No Content\n< \n", Format::Curl);
        check("{\"response\":{\"status\":200}}", Format::Json);
        check("[{\"request\":{\"url\":\"/\"},\"response\":{\"status\":200}}]", Format::Json);
    }

    #[test]
    fn a_format_that_is_given_is_not_doubted() {
        assert_eq!(
            read(b"data: 1\n\n", Some(Format::Json)),
            Err("is not JSON: expected value at line 1 column 1".to_owned())
        );
        // Cut at its start, which nobody would know for a stream.
        let capture = read(b"nt\":\"x\"}\n\ndata: 1\n\n", Some(Format::Sse)).unwrap();
        let exchange = capture.exchanges[0].as_ref().unwrap();
        assert_eq!(exchange.transcript.response.events.as_ref().unwrap().len(), 2);
    }

    #[test]
    fn what_is_in_no_format_is_refused_with_the_formats() {
        let expected = "is in no format that is read (sse: the body that curl -N prints, curl: what curl -i, -v or \
            --trace prints, har: a HAR file, vcr: a VCR cassette, json: a transcript): if it is one of these \
            nonetheless, say so with --format";
        for capture in [
            &b"<!DOCTYPE html><html>502 Bad Gateway</html>"[..],
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            b"\0\xff\xfe",
            b"hello",
            b"{\"fixtures\":[]}",
            b"{\"unfinished\":",
        ] {
            assert_eq!(read(capture, None), Err(expected.to_owned()), "{}", String::from_utf8_lossy(capture));
        }
        assert_eq!(read(b"", None), Err("is empty".to_owned()));
        assert_eq!(read(b" \n", Some(Format::Har)), Err("is empty".to_owned()));
    }

    #[test]
    fn a_capture_is_bounded() {
        let many = "{\"response\":{\"status\":200}}".repeat(MAX_EXCHANGES + 7);
        let expected = "has more than 10000 exchanges: split it";
        assert_eq!(read(many.as_bytes(), None), Err(expected.to_owned()));
        let many = "HTTP/1.1 204 No Content\n\n".repeat(MAX_EXCHANGES + 7);
        assert_eq!(read(many.as_bytes(), None), Err(expected.to_owned()));
        let many = "{\"error\":{}}".repeat(MAX_EXCHANGES + 7);
        assert_eq!(read(many.as_bytes(), None), Err(expected.to_owned()));
        assert_eq!(
            read(&vec![b' '; MAX_CAPTURE + 1], None),
            Err("is larger than 256 MiB: split it".to_owned())
        );
    }
}
