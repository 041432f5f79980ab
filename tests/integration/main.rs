//! Everything that is tested from outside, in one binary: it links once.

#![expect(
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests read the paused clock, say what they skipped, and panic where they fail"
)]

mod admin;
mod answer_faults;
mod attempts;
mod captures;
mod cli;
mod composed_faults;
mod crowds;
mod event_faults;
mod faults;
mod files;
mod golden;
mod hostile;
mod imported;
mod invariants;
mod limits;
mod load;
mod matching;
mod mutations;
mod pacing;
mod planning;
mod properties;
mod rate_limits;
mod raw;
mod recall;
mod record;
mod recorded;
mod scenarios;
mod secrets;
mod serving;
mod shipped;
mod signatures;
mod stream_faults;
mod support;
mod takeover;
mod transcripts;
mod transport_faults;
