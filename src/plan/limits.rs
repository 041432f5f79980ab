//! Rate limits of a fixture file: which requests count, in which bucket, and how many a minute holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::matcher::{Conditions, Matcher, View};
use super::request::{Endpoint, Request};
use super::seed::Seed;
use super::value;

mod buckets;
mod meter;

pub(crate) use buckets::{Buckets, Limited};

/// How many requests and tokens a minute holds, for the requests that match.
///
/// ```
/// use llmirage::{Limit, Matcher};
/// use llmirage::plan::limits::Per;
///
/// let limit = Limit::per(Per::Key)
///     .when(Matcher::model("gpt-4o"))
///     .requests_per_minute(3)
///     .tokens_per_minute(40_000);
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Which requests count. Absent: every chat completion.
    #[serde(rename = "match", default)]
    pub(crate) matcher: Matcher,
    /// What has a bucket of its own.
    pub(crate) per: Per,
    /// How many requests a minute holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub(crate) requests_per_minute: Option<u64>,
    /// How many tokens a minute holds, as the limiter estimates them: 1 and a quarter of the characters
    /// of the messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub(crate) tokens_per_minute: Option<u64>,
}

/// What has a bucket of its own.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Each API key; requests without one share a bucket.
    Key,
    /// Each deployment of Azure, each model elsewhere.
    Deployment,
    /// Each model; deployments of Azure that hold the same model share a bucket.
    Model,
    /// Each session of the base URL; the common one is one, too.
    Session,
}

impl Limit {
    /// A limit that counts every chat completion, in a bucket for each of these. It needs a number of
    /// requests or of tokens.
    pub fn per(per: Per) -> Self {
        Self { matcher: Matcher::default(), per, requests_per_minute: None, tokens_per_minute: None }
    }

    /// Counts only requests that `matcher` matches.
    #[must_use]
    pub fn when(mut self, matcher: Matcher) -> Self {
        self.matcher = matcher;
        self
    }

    /// How many requests a minute holds.
    #[must_use]
    pub fn requests_per_minute(mut self, requests: u64) -> Self {
        self.requests_per_minute = Some(requests);
        self
    }

    /// How many tokens a minute holds, as the limiter estimates them.
    #[must_use]
    pub fn tokens_per_minute(mut self, tokens: u64) -> Self {
        self.tokens_per_minute = Some(tokens);
        self
    }
}

/// A limit that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// The same for the same limit in a set that is loaded again, so that its buckets go on; another for
    /// each in a set.
    id: u64,
    conditions: Conditions,
    per: Per,
    caps: Caps,
}

/// How much a minute holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Caps {
    requests: Option<u64>,
    tokens: Option<u64>,
}

/// A bucket that a request counts in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Charge {
    key: Key,
    caps: Caps,
}

/// Which bucket. A value is kept as a number only: it may be an API key.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Key {
    rule: u64,
    per: Per,
    value: u64,
}

impl Rule {
    /// The rule of a limit and its compiled matcher.
    pub(crate) fn new(limit: &Limit, conditions: Conditions) -> Self {
        let written = serde_json::to_vec(limit).expect("every key of a limit is a string");
        let id = Seed::print(&written);
        let caps = Caps { requests: limit.requests_per_minute, tokens: limit.tokens_per_minute };
        Self { id, conditions, per: limit.per, caps }
    }

    /// Adds a rule. One that is there already is another nevertheless, and counts again.
    pub(crate) fn join(mut self, rules: &mut Vec<Self>) {
        while rules.iter().any(|other| other.id == self.id) {
            self.id = Seed::print(&self.id.to_le_bytes());
        }
        rules.push(self);
    }

    /// The bucket that a request counts in, if it counts. As with fixtures, a route of one's own is only
    /// for who names a path.
    pub(crate) fn charge(&self, request: &Request, view: &View<'_>) -> Option<Charge> {
        let chat = request.call.route.endpoint == Endpoint::ChatCompletions;
        let counts = (chat || self.conditions.serve_a_path()) && self.conditions.hold(view);
        let value = || Seed::print(self.per.value(request).as_bytes());
        counts.then(|| Charge { key: Key { rule: self.id, per: self.per, value: value() }, caps: self.caps })
    }
}

impl Per {
    /// What of a request has the bucket.
    fn value(self, request: &Request) -> &str {
        match self {
            Self::Key => request.call.key().unwrap_or_default(),
            Self::Deployment => request.model(),
            Self::Model => request.call.route.dialect.model_of(request.model()),
            Self::Session => &request.call.scope.session,
        }
    }
}

/// What the limiter takes a request for, in tokens: it estimates before any tokenizer runs. What the answer
/// may cost (`max_tokens`) is not counted, as in recordings since 2025.
pub(crate) fn estimate(request: &Request) -> u64 {
    let content = |message| value::field(message, "content").map_or(NULL, value::length);
    1 + request.messages().iter().map(content).sum::<u64>() / 4
}

/// What a message without content counts for: JSON's `null`.
const NULL: u64 = 4;

/// What the limits of the fixtures leave: of requests and of tokens the tightest bucket each. Nothing
/// where no limit counts the request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Allowance {
    /// The tightest bucket of requests.
    pub requests: Option<Level>,
    /// The tightest bucket of tokens.
    pub tokens: Option<Level>,
}

/// How full a bucket is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Level {
    /// How much it holds.
    pub limit: u64,
    /// How much is left, in whole requests or tokens.
    pub remaining: u64,
    /// How long until it is full, if nothing more is taken.
    pub full_in: std::time::Duration,
}

impl Level {
    /// How much is gone.
    pub(crate) fn used(self) -> u64 {
        self.limit.saturating_sub(self.remaining)
    }
}
