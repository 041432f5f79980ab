//! A mock streaming LLM server for tests: OpenAI's and Azure OpenAI's chat completions on
//! localhost, to the byte.
//!
//! Start a [`MockServer`], give its address to the client under test as the SDK's base URL, and
//! read what happened from its [`journal`](MockServer::journal). The types that a test names are here, at
//! the root; the rest is in [`mod@plan`] and [`serve`].
//!
//! # Layout
//!
//! * [`mod@plan`] decides: (fixture, request, hit, seed) → [`Timeline`], the bytes of a
//!   response and when they are due. Pure: no I/O, no clock, no randomness but the seed's.
//! * `import` turns captures into transcripts and fixtures.
//! * `record` relays to a real service, and keeps what it sent.
//! * [`serve`] acts: sockets, hyper, the player of timelines, the journal.
//! * [`error`]: what can go wrong, one type per audience.
//!
//! # Features
//!
//! * `cli` (default): the `llmirage` binary. Libraries turn it off.
//! * `import` (default): captures of other tools become transcripts and fixtures.
//! * `record` (default): a proxy to the real service that keeps what it sent.
//! * `tls` (default): serving https.
//! * `tokenizer` (default): real token boundaries and counts; without it text is cut at words.

pub mod error;
pub mod files;
#[cfg(feature = "import")]
pub mod import;
pub mod plan;
#[cfg(feature = "record")]
pub mod record;
mod secrets;
pub mod serve;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;

pub use error::{LoadErrors, StartError};
pub use plan::scenario::Scenario;
pub use plan::{At, Fault, Fixture, Limit, Matcher, Pacing, Reply, Timeline, When, plan};
#[cfg(feature = "record")]
pub use record::Recorder;
pub use serve::{Builder, Clock, Entry, Journal, MockServer, Outcome, Service};
