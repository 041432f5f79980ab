//! Everything that is tested from outside, in one binary: it links once.

mod golden;
mod planning;
mod properties;
mod recorded;
mod signatures;
