//! Everything that is tested from outside, in one binary.

mod golden;
mod planning;
mod properties;
mod recorded;
mod signatures;
