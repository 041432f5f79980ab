//! Everything that is tested from outside, in one binary: it links once.

#![expect(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a test that fails panics, and tables read better with values"
)]

mod admin;
mod cli;
mod files;
mod golden;
mod hostile;
mod invariants;
mod limits;
mod load;
mod matching;
mod mutations;
mod pacing;
mod planning;
mod properties;
mod raw;
mod recorded;
mod serving;
mod shipped;
mod signatures;
mod support;
mod takeover;
