//! The library and the binary from outside: one test binary.

mod load;
mod matching;
