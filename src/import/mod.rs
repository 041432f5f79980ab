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
mod elements;
pub mod encoding;
pub mod exchange;
pub mod fixtures;
mod har;
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
    pub exchanges: Vec<Result<Exchange, Damage>>,
}

/// What knows a format.
struct Reader {
    format: Format,
    /// Whether a capture looks like this format.
    is: fn(&[u8]) -> bool,
    /// The exchanges of a capture; an error where nothing of it can be read, in words.
    read: fn(&[u8]) -> Result<Vec<Result<Exchange, Damage>>, String>,
}

const READERS: &[Reader] = &[
    Reader { format: Format::Sse, is: sse::is, read: sse::read },
    Reader { format: Format::Har, is: har::is, read: har::read },
    Reader { format: Format::Vcr, is: vcr::is, read: vcr::read },
    Reader { format: Format::Json, is: json::is, read: json::read },
];

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
    let reader = READERS.iter().find(|reader| reader.format == format);
    let reader = reader.ok_or_else(|| format!("format {format} is not read by this build"))?;
    let exchanges = (reader.read)(bytes)?;
    if exchanges.len() > MAX_EXCHANGES {
        return Err(format!("has {} exchanges; at most {MAX_EXCHANGES} are read: split it", exchanges.len()));
    }
    Ok(Capture { format, exchanges })
}

/// Whether a capture looks like one of the formats.
pub fn is_known(bytes: &[u8]) -> bool {
    READERS.iter().any(|reader| (reader.is)(bytes))
}

/// The one format that the capture looks like.
fn detect(bytes: &[u8]) -> Result<Format, String> {
    let mut found = READERS.iter().filter(|reader| (reader.is)(bytes)).map(|reader| reader.format);
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
