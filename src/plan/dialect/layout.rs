//! How JSON bodies are laid out: each server family prints its own way, and all are told apart by
//! their bytes.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

/// A layout of JSON text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Layout {
    /// OpenAI's gateway: four spaces, a line feed at the end.
    Gateway,
    /// OpenAI's backends: two spaces, nothing at the end.
    Backend,
    /// OpenAI's backends in 2023, and its models API: two spaces, a line feed at the end.
    BackendLine,
    /// Azure's gateway: no white space.
    Compact,
}

impl Layout {
    /// A value in this layout; its keys are in the order in which it serializes them.
    pub(crate) fn print(self, value: &impl Serialize) -> Bytes {
        let (indent, end): (Option<&[u8]>, &[u8]) = match self {
            Self::Gateway => (Some(b"    "), b"\n"),
            Self::Backend => (Some(b"  "), b""),
            Self::BackendLine => (Some(b"  "), b"\n"),
            Self::Compact => (None, b""),
        };
        let mut body = Vec::new();
        let printed = match indent {
            Some(indent) => value
                .serialize(&mut Serializer::with_formatter(&mut body, PrettyFormatter::with_indent(indent))),
            None => value.serialize(&mut Serializer::new(&mut body)),
        };
        printed.expect("the bodies of this crate have string keys and a Vec takes every write");
        body.extend_from_slice(end);
        body.into()
    }
}

/// `{"error": …}`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Envelope<T> {
    pub(crate) error: T,
}

/// OpenAI's error object; Azure passes it on. The order of the keys is the wire's.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ErrorObject {
    pub(crate) message: String,
    #[serde(rename = "type")]
    pub(crate) kind: Value,
    pub(crate) param: Option<String>,
    pub(crate) code: Value,
}

impl ErrorObject {
    /// An error of the usual type.
    pub(crate) fn invalid_request(
        message: impl Into<String>,
        param: Option<String>,
        code: Option<&str>,
    ) -> Self {
        Self { message: message.into(), kind: "invalid_request_error".into(), param, code: code.into() }
    }

    /// The body that holds it.
    pub(crate) fn print(self, layout: Layout) -> Bytes {
        layout.print(&Envelope { error: self })
    }
}
