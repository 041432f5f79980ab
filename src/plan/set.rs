//! Stub.
use http::Method;

use super::fixture::Fixture;
use super::reply::{Answer, Content, Prepared};
use super::request::Request;
use crate::error::LoadErrors;

/// Stub.
#[derive(Debug)]
pub enum Source {
    /// Stub.
    File {
        /// Stub.
        path: std::path::PathBuf,
        /// Stub.
        text: String,
    },
    /// Stub.
    Code(Fixture),
}
/// Stub.
#[derive(Debug)]
pub struct FixtureSet {
    names: Vec<String>,
    reply: Prepared,
}
/// Stub.
#[derive(Clone, Debug, Default)]
pub struct Hits(u64);
/// Stub.
#[derive(Debug)]
pub struct Miss;
impl std::fmt::Display for Miss {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("no fixture matches this request")
    }
}
/// Stub.
#[derive(Debug)]
pub struct Admission<'a> {
    /// Stub.
    pub fixture: &'a str,
    /// Stub.
    pub hit: u64,
    /// Stub.
    pub reply: &'a Prepared,
}
impl Hits {
    /// Adds the hits of another session.
    pub fn add(&mut self, other: &Self) {
        self.0 += other.0;
    }
}
impl FixtureSet {
    /// Stub.
    pub fn used_up(&self, _: &[usize]) -> String {
        "used up".to_owned()
    }
    /// Stub.
    ///
    /// # Errors
    ///
    /// Stub.
    pub fn load(sources: Vec<Source>) -> Result<Self, LoadErrors> {
        let _ = sources;
        Ok(Self::embedded())
    }
    /// Stub.
    pub fn embedded() -> Self {
        Self {
            names: vec!["stub".to_owned()],
            reply: Prepared {
                content: Content::Answer(Answer { text: Some("one two three".to_owned()), ..Answer::default() }),
                status: None,
                headers: Vec::new(),
                pacing: super::Pacing::default(),
                fault: None,
                filters: super::wire::Filters::default(),
                wire: super::wire::Wire::default(),
            },
        }
    }
    /// Stub.
    ///
    /// # Errors
    ///
    /// Stub.
    pub fn candidates(&self, request: &Request) -> Result<Vec<usize>, Miss> {
        if request.user_text().contains("unmatched") { Err(Miss) } else { Ok(vec![0]) }
    }
    /// Stub.
    pub fn admit(&self, candidates: &[usize], hits: &mut Hits) -> Option<Admission<'_>> {
        let _ = candidates;
        hits.0 += 1;
        Some(Admission { fixture: &self.names[0], hit: hits.0, reply: &self.reply })
    }
    /// Stub.
    pub fn models(&self) -> Option<&[String]> {
        None
    }
    /// Stub.
    pub fn model_names(&self) -> Vec<&str> {
        vec!["m"]
    }
    /// Stub.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
    /// Stub.
    pub fn unmet(&self, hits: &Hits) -> Vec<String> {
        let _ = hits;
        Vec::new()
    }
    /// Stub.
    pub fn serves(&self, method: &Method, path: &str) -> bool {
        let _ = (method, path);
        false
    }
}
