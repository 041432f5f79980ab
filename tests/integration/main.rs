//! The library and the binary from outside: one test binary.

mod files;
mod load;
mod matching;
mod shipped;
