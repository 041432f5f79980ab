//! The texts of a request that conditions are about.

use std::fmt;

use super::text::Test;
use super::{Condition, Matcher};
use crate::plan::dialect::DIALECTS;
use crate::plan::load::problems::Problems;
use crate::plan::load::words::did_you_mean;
use crate::plan::request::Endpoint;

/// A text of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Subject {
    Path,
    Method,
    Dialect,
    Endpoint,
    Model,
    ApiVersion,
    Tool,
    System,
    ToolResult,
    User,
}

impl Subject {
    pub(super) const ALL: [Self; 10] = [
        Self::Path,
        Self::Method,
        Self::Dialect,
        Self::Endpoint,
        Self::Model,
        Self::ApiVersion,
        Self::Tool,
        Self::System,
        Self::ToolResult,
        Self::User,
    ];

    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Method => "method",
            Self::Dialect => "dialect",
            Self::Endpoint => "endpoint",
            Self::Model => "model",
            Self::ApiVersion => "api_version",
            Self::Tool => "tool",
            Self::System => "system",
            Self::ToolResult => "tool_result",
            Self::User => "user",
        }
    }

    pub(super) fn of(self, matcher: &Matcher) -> Option<&Condition> {
        match self {
            Self::Path => matcher.path.as_ref(),
            Self::Method => matcher.method.as_ref(),
            Self::Dialect => matcher.dialect.as_ref(),
            Self::Endpoint => matcher.endpoint.as_ref(),
            Self::Model => matcher.model.as_ref(),
            Self::ApiVersion => matcher.api_version.as_ref(),
            Self::Tool => matcher.tool.as_ref(),
            Self::System => matcher.system.as_ref(),
            Self::ToolResult => matcher.tool_result.as_ref(),
            Self::User => matcher.user.as_ref(),
        }
    }

    /// Whether a plain string asks for a part of the text.
    pub(super) fn is_substring(self) -> bool {
        matches!(self, Self::User | Self::System | Self::ToolResult)
    }

    /// Whether every request has it, be it empty.
    fn is_always_there(self) -> bool {
        !matches!(self, Self::ApiVersion | Self::Tool | Self::ToolResult)
    }

    /// Refuses a condition that cannot hold.
    pub(super) fn check(self, test: &Test, at: &str, problems: &mut Problems) {
        if *test == Test::Absent && self.is_always_there() {
            problems.value(
                at,
                format!("every request has a `{self}`; for an empty one write {{\"equals\": \"\"}}"),
            );
        }
        let Test::Equals(name) = test else { return };
        match self {
            Self::Dialect => {
                let known: Vec<&str> = DIALECTS.iter().map(|dialect| dialect.name()).collect();
                if !known.contains(&name.as_str()) {
                    let guess = did_you_mean(name, &known);
                    problems.value(at, format!("unknown dialect {name:?}; {guess}"));
                }
            }
            Self::Endpoint if LATER_ENDPOINTS.contains(&name.as_str()) => {
                problems.value(
                    at,
                    format!("the endpoint {name:?} is not supported yet: \"{CHAT}\" is the only one"),
                );
            }
            Self::Endpoint if name != CHAT && name != Endpoint::Other.name() => {
                let guess = did_you_mean(name, &[CHAT]);
                problems.value(at, format!("unknown endpoint {name:?}; {guess}"));
            }
            Self::Path if !name.starts_with('/') => {
                problems.value(at, format!("a path starts with a slash: \"/{name}\""));
            }
            Self::Path => {
                if let Some(reason) = out_of_reach(name) {
                    problems.value(at, format!("no request reaches a fixture at {name:?}: {reason}"));
                }
            }
            Self::Method if *name != name.to_uppercase() => {
                let upper = name.to_uppercase();
                problems.value(at, format!("methods are written in capitals: {upper:?}"));
            }
            _ => {}
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.key())
    }
}

/// Why no request for this path gets to a fixture.
fn out_of_reach(path: &str) -> Option<String> {
    if path == "/health" || path == "/__admin" || path.starts_with("/__admin/") {
        return Some("the server answers it itself".to_owned());
    }
    if path.contains(['?', '#']) {
        return Some("a path is what comes before the query".to_owned());
    }
    if path.contains(char::is_whitespace) {
        return Some("requests have its white space percent-encoded".to_owned());
    }
    let scope = ["/session/", "/fault/"].into_iter().find(|scope| path.starts_with(scope))?;
    let below = &path[scope.len()..];
    let (name, rest) = below.split_once('/').unwrap_or((below, ""));
    let what = scope.trim_matches('/');
    (!name.is_empty()).then(|| format!("{scope}{name} chooses a {what}, the path is \"/{rest}\""))
}

const CHAT: &str = "chat.completions";

/// Endpoints that are planned: known, so that they are not called misspelt.
const LATER_ENDPOINTS: [&str; 4] = ["completions", "embeddings", "responses", "moderations"];
