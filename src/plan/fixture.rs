//! A fixture as its author writes it: which requests it answers, and with what.
//!
//! These types are the fixture format: they read it (serde), describe it (`llmirage schema`) and are
//! the builder of the library. What a server runs is a [`FixtureSet`](super::FixtureSet), made from
//! them with every problem found at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fault::catalogue::Expected;
use super::limits::Limit;
use super::matcher::Matcher;
use super::pacing::Pacing;
use super::reply::Reply;

/// A fixture file, format version 1.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FixtureFile {
    /// Where editors find the schema of this format.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub(crate) schema: Option<String>,
    /// What the file is for, in a few sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) about: Option<String>,
    /// What a good client makes of what the file answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expect: Option<Expected>,
    /// What replies of this file say where they say nothing themselves.
    #[serde(default)]
    pub(crate) defaults: Defaults,
    /// The model and deployment names that exist; a request for another gets the provider's own
    /// error. Absent: any name exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) models: Option<Vec<String>>,
    /// How many requests and tokens a minute holds. Absent: nothing runs out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<Vec<Limit>>,
    /// The fixtures; the first that matches a request answers it.
    pub(crate) fixtures: Vec<Fixture>,
}

/// What replies of a file say where they say nothing themselves.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// The pacing, key by key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pacing: Option<Pacing>,
}

/// Which requests are answered, and with what.
///
/// ```
/// use llmirage::{Fixture, Matcher, Reply};
///
/// let fixture = Fixture::named("greeting")
///     .when(Matcher::user_contains("hello"))
///     .reply(Reply::text("Hello! How can I help you today?"));
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    /// The name, unique in the set: in the journal, in logs, in error messages.
    pub(crate) name: String,
    /// What a request must be like. Absent: every request.
    #[serde(rename = "match", default)]
    pub(crate) matcher: Matcher,
    /// The answer to every hit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reply: Option<Reply>,
    /// The answer to each hit in turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replies: Option<Vec<Reply>>,
    /// How many hits use the fixture up; `--strict` also expects as many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) times: Option<u64>,
    /// What follows the last reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after_last: Option<AfterLast>,
}

/// What follows the last of a fixture's `replies`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterLast {
    /// The last reply again (the default).
    #[default]
    Repeat,
    /// The first reply again.
    Cycle,
    /// Nothing: later fixtures are tried.
    Pass,
}

impl Fixture {
    /// A fixture that answers every request; [`when`](Self::when) says which ones it is for.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Answers only requests that `matcher` matches.
    #[must_use]
    pub fn when(mut self, matcher: Matcher) -> Self {
        self.matcher = matcher;
        self
    }

    /// Answers with `reply`. Called again, the first hit gets the first reply, the second hit the
    /// second, and so on.
    ///
    /// ```
    /// use llmirage::{Fixture, Reply};
    ///
    /// let flaky = Fixture::named("flaky")
    ///     .reply(Reply::error(503))
    ///     .reply(Reply::text("Second time lucky."));
    /// ```
    #[must_use]
    pub fn reply(mut self, reply: Reply) -> Self {
        match (self.reply.take(), &mut self.replies) {
            (None, None) => self.reply = Some(reply),
            (Some(first), None) => self.replies = Some(vec![first, reply]),
            (first, Some(replies)) => {
                replies.extend(first);
                replies.push(reply);
            }
        }
        self
    }

    /// Is used up after so many hits; later fixtures are tried then. A server that is strict also
    /// expects as many.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// What follows the last reply.
    #[must_use]
    pub fn after_last(mut self, after_last: AfterLast) -> Self {
        self.after_last = Some(after_last);
        self
    }
}
