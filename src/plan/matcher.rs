//! What a request must be like for a fixture to answer it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::{Map, StringOr};

mod build;
mod conditions;
mod subject;
mod text;

#[cfg(feature = "import")]
pub(crate) use text::KINDS;

pub(crate) use conditions::{Conditions, Fixed, View};
pub(crate) use subject::Subject;

/// Conditions on a request; all that are given must hold.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Matcher {
    /// The dialect spoken: `openai`, `azure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dialect: Option<Condition>,
    /// The endpoint: `chat.completions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<Condition>,
    /// The model; for Azure the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<Condition>,
    /// The text of the last user message. A plain string asks for a part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<Condition>,
    /// The text of the system and developer messages. A plain string asks for a part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) system: Option<Condition>,
    /// Which turn of the conversation: 1 + the number of assistant messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) turn: Option<u64>,
    /// The name of a tool that the request offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tool: Option<Condition>,
    /// The text of the last tool message. A plain string asks for a part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tool_result: Option<Condition>,
    /// Whether a stream is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stream: Option<bool>,
    /// Header name → condition on its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) header: Option<Map<Condition>>,
    /// Query parameter → condition on its value, percent-decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) query: Option<Map<Condition>>,
    /// JSON pointer into the body → the value there, or a condition on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Map<Value>>,
    /// Azure's api-version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api_version: Option<Condition>,
    /// The method, for a fixture with a `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<Condition>,
    /// The path. A fixture with a `path` serves that route itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<Condition>,
}

/// A condition on a text: a plain string, or exactly one kind of comparison.
pub type Condition = StringOr<Comparison>;

/// Exactly one way to compare a text.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// The whole text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) equals: Option<String>,
    /// A part of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) contains: Option<String>,
    /// A regular expression of the `regex` crate, found anywhere in the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) regex: Option<String>,
    /// A pattern for the whole text, with `*`, `?`, `[abc]` and `{a,b}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) glob: Option<String>,
    /// `true`: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) absent: Option<bool>,
}
