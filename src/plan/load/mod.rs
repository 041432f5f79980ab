//! stub
pub mod words;
pub mod problems;
