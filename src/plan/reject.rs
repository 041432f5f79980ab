//! Why a request is refused, before any dialect has a word for it.
/// Stub.
#[derive(Debug)]
pub enum Reject { /// Stub.
Stub }
