//! Importing: captures of other tools become [transcripts](crate::plan::transcript) and fixtures. Pure: bytes in,
//! files out; who calls reads and writes them.
//!
//! ```text
//! bytes ─ format ─► exchanges (raw) ─► transcripts ─► secrets replaced ─► fixtures that match the requests
//! ```
//!
//! Each format has a file; all give [`RawExchange`]s, and what is made of one is the same for all of them and for
//! `llmirage record`.

mod encoding;
pub mod exchange;
pub mod secrets;

pub use exchange::{Damage, Exchange, RawExchange, RawRequest, RawResponse};

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
