//! Building a [`Matcher`] in code.

use serde_json::Value;

use super::{Comparison, Condition, Matcher};
use crate::plan::json::Map;

/// Each constructor makes a matcher of one condition; [`and`](Matcher::and) joins them.
///
/// ```
/// use llmirage::Matcher;
/// use llmirage::plan::matcher::Comparison;
///
/// let matcher = Matcher::user_contains("weather")
///     .and(Matcher::tool("get_weather"))
///     .and(Matcher::model(Comparison::glob("gpt-4*")))
///     .and(Matcher::body("/temperature", 0.5));
/// ```
impl Matcher {
    /// Every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// The text of the last user message. A plain string asks for a part of it.
    pub fn user(condition: impl Into<Condition>) -> Self {
        Self { user: Some(condition.into()), ..Self::default() }
    }

    /// The last user message contains `text`.
    pub fn user_contains(text: impl Into<String>) -> Self {
        Self::user(Comparison::contains(text))
    }

    /// The last user message is `text`.
    pub fn user_equals(text: impl Into<String>) -> Self {
        Self::user(Comparison::equals(text))
    }

    /// `regex` is found in the last user message.
    pub fn user_matches(regex: impl Into<String>) -> Self {
        Self::user(Comparison::regex(regex))
    }

    /// The text of the system and developer messages. A plain string asks for a part of it.
    pub fn system(condition: impl Into<Condition>) -> Self {
        Self { system: Some(condition.into()), ..Self::default() }
    }

    /// The system and developer messages contain `text`.
    pub fn system_contains(text: impl Into<String>) -> Self {
        Self::system(Comparison::contains(text))
    }

    /// The model; for Azure the deployment.
    pub fn model(condition: impl Into<Condition>) -> Self {
        Self { model: Some(condition.into()), ..Self::default() }
    }

    /// The dialect spoken: `openai`, `azure`.
    pub fn dialect(condition: impl Into<Condition>) -> Self {
        Self { dialect: Some(condition.into()), ..Self::default() }
    }

    /// The endpoint: `chat.completions`.
    pub fn endpoint(condition: impl Into<Condition>) -> Self {
        Self { endpoint: Some(condition.into()), ..Self::default() }
    }

    /// Which turn of the conversation: 1 + the number of assistant messages.
    pub fn turn(turn: u64) -> Self {
        Self { turn: Some(turn), ..Self::default() }
    }

    /// The name of a tool that the request offers.
    pub fn tool(condition: impl Into<Condition>) -> Self {
        Self { tool: Some(condition.into()), ..Self::default() }
    }

    /// The text of the last tool message. A plain string asks for a part of it.
    pub fn tool_result(condition: impl Into<Condition>) -> Self {
        Self { tool_result: Some(condition.into()), ..Self::default() }
    }

    /// Whether a stream is asked for.
    pub fn stream(stream: bool) -> Self {
        Self { stream: Some(stream), ..Self::default() }
    }

    /// The value of a header; the name's case does not matter.
    pub fn header(name: impl Into<String>, condition: impl Into<Condition>) -> Self {
        let pair = (name.into(), condition.into());
        Self { header: Some(Map(vec![pair])), ..Self::default() }
    }

    /// The value of a query parameter, percent-decoded.
    pub fn query(name: impl Into<String>, condition: impl Into<Condition>) -> Self {
        let pair = (name.into(), condition.into());
        Self { query: Some(Map(vec![pair])), ..Self::default() }
    }

    /// The value at a JSON pointer of the body: equality, or `json!({"regex": "…"})` and the like.
    pub fn body(pointer: impl Into<String>, value: impl Into<Value>) -> Self {
        let pair = (pointer.into(), value.into());
        Self { body: Some(Map(vec![pair])), ..Self::default() }
    }

    /// Azure's api-version.
    pub fn api_version(condition: impl Into<Condition>) -> Self {
        Self { api_version: Some(condition.into()), ..Self::default() }
    }

    /// The method, for a fixture with a [`path`](Self::path).
    pub fn method(condition: impl Into<Condition>) -> Self {
        Self { method: Some(condition.into()), ..Self::default() }
    }

    /// The path. A fixture with a path serves that route itself.
    pub fn path(condition: impl Into<Condition>) -> Self {
        Self { path: Some(condition.into()), ..Self::default() }
    }

    /// Both matchers' conditions. Where both ask the same of a request, `other`'s is kept;
    /// conditions on different headers, parameters or places of the body add up.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            dialect: other.dialect.or(self.dialect),
            endpoint: other.endpoint.or(self.endpoint),
            model: other.model.or(self.model),
            user: other.user.or(self.user),
            system: other.system.or(self.system),
            turn: other.turn.or(self.turn),
            tool: other.tool.or(self.tool),
            tool_result: other.tool_result.or(self.tool_result),
            stream: other.stream.or(self.stream),
            header: joined(self.header, other.header),
            query: joined(self.query, other.query),
            body: joined(self.body, other.body),
            api_version: other.api_version.or(self.api_version),
            method: other.method.or(self.method),
            path: other.path.or(self.path),
        }
    }
}

impl Comparison {
    /// The whole text.
    pub fn equals(text: impl Into<String>) -> Self {
        Self { equals: Some(text.into()), ..Self::default() }
    }

    /// A part of the text.
    pub fn contains(text: impl Into<String>) -> Self {
        Self { contains: Some(text.into()), ..Self::default() }
    }

    /// A regular expression of the `regex` crate, found anywhere in the text.
    pub fn regex(regex: impl Into<String>) -> Self {
        Self { regex: Some(regex.into()), ..Self::default() }
    }

    /// A pattern for the whole text, with `*`, `?`, `[abc]` and `{a,b}`.
    pub fn glob(glob: impl Into<String>) -> Self {
        Self { glob: Some(glob.into()), ..Self::default() }
    }

    /// There is none: no such header, parameter or value, no tool message.
    pub fn absent() -> Self {
        Self { absent: Some(true), ..Self::default() }
    }
}

impl From<Comparison> for Condition {
    fn from(comparison: Comparison) -> Self {
        Self::Object(comparison)
    }
}

fn joined<T>(first: Option<Map<T>>, second: Option<Map<T>>) -> Option<Map<T>> {
    match (first, second) {
        (Some(Map(mut pairs)), Some(Map(more))) => {
            pairs.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
            pairs.extend(more);
            Some(Map(pairs))
        }
        (one, None) | (None, one) => one,
    }
}
