//! Why a request is refused, before any dialect has a word for it.
/// Stub.
#[derive(Clone, Debug)]
pub enum Reject {
    /// Stub.
    Unmatched(String),
}
