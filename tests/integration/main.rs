//! One binary for all integration tests: it links once.

mod admin;
mod limits;
mod pacing;
mod raw;
mod serving;
mod takeover;
