//! Everything that is tested from outside, in one binary: it links once.

mod golden;
mod load;
mod matching;
mod planning;
mod properties;
mod recorded;
mod signatures;
