//! Stub.
/// Stub.
#[derive(Clone, Debug)]
pub enum Reject {
    /// Stub.
    Unmatched(String),
    /// Stub.
    MissingKey,
    /// Stub.
    WrongKey(String),
    /// Stub.
    UnknownUrl,
    /// Stub.
    MethodNotAllowed {
        /// Stub.
        allow: &'static str,
    },
    /// Stub.
    BodyTooLarge {
        /// Stub.
        limit: usize,
    },
    /// Stub.
    CompressedBody(String),
    /// Stub.
    InvalidJson,
    /// Stub.
    Timeout,
}
