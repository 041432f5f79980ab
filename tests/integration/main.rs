//! The library and the binary from outside: one test binary.

#![expect(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a test that fails panics, and tables read better with values"
)]

mod files;
mod load;
mod matching;
mod mutations;
mod shipped;
