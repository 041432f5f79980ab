//! Stub.
/// Stub.
#[derive(Debug)]
pub struct MockServer;
impl MockServer {
    /// Stub.
    pub fn journal(&self) {}
}
/// Stub.
#[derive(Debug)]
pub struct Outcome;
