//! For which requests a fault is: attempts, every n-th, a probability, what matches.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::plan::load::problems::Problems;
use crate::plan::matcher::{Conditions, Matcher, View};
use crate::plan::request::{Call, Request};
use crate::plan::seed::Seed;

/// For which requests a fault is. What is given must all hold; nothing given is every request.
///
/// ```
/// use llmirage::{Fault, When};
///
/// let fault = Fault::rate_limit().when(When::first(2).and(When::probability(0.5)));
/// assert_eq!(fault.to_string(), "rate-limit:first=2,probability=0.5");
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Only this attempt of a request, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub(crate) attempt: Option<u64>,
    /// Only the first so many attempts of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub(crate) first: Option<u64>,
    /// Only every so many-th time the request comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub(crate) every: Option<u64>,
    /// With this probability, 0 to 1, from the seed, the request and how often it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub(crate) probability: Option<f64>,
    /// Only requests like this. One that is refused before its body is read matches nothing of a body.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub(crate) matching: Option<Matching>,
}

/// A matcher and what it compiles to.
#[derive(Clone, Debug)]
pub(crate) struct Matching {
    pub(crate) matcher: Box<Matcher>,
    /// `None` for a matcher with problems, which no request matches.
    conditions: Option<Conditions>,
}

/// Which request of its kind this is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Turn {
    /// Which attempt of the request, from 1: what the SDK says, else how often the same request came in
    /// this scope.
    pub attempt: u64,
    /// How often the same request came in this scope, this time included.
    pub count: u64,
    /// What the same request has in common: a number from its method, path and body.
    pub print: u64,
}

impl Default for Turn {
    fn default() -> Self {
        Self { attempt: 1, count: 1, print: 0 }
    }
}

/// What faults choose by: the head of a request, the request if its body was read, and which of its kind
/// it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request: Option<&'a Request>,
    pub(crate) turn: Turn,
    /// The server's.
    pub(crate) seed: Seed,
}

impl When {
    /// Only this attempt of a request, from 1.
    pub fn attempt(attempt: u64) -> Self {
        Self { attempt: Some(attempt), ..Self::default() }
    }

    /// Only the first so many attempts of a request.
    pub fn first(attempts: u64) -> Self {
        Self { first: Some(attempts), ..Self::default() }
    }

    /// Only every so many-th time the request comes.
    pub fn every(times: u64) -> Self {
        Self { every: Some(times), ..Self::default() }
    }

    /// With this probability, 0 to 1: from the seed, the request and how often it came, so that the same
    /// run breaks the same requests.
    pub fn probability(probability: f64) -> Self {
        Self { probability: Some(probability), ..Self::default() }
    }

    /// Only requests like this.
    pub fn matching(matcher: Matcher) -> Self {
        Self { matching: Some(matcher.into()), ..Self::default() }
    }

    /// Both: what `other` says goes over this, key by key.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let matching = match (self.matching, other.matching) {
            (Some(first), Some(second)) => Some(first.matcher.and(*second.matcher).into()),
            (first, second) => first.or(second),
        };
        Self {
            attempt: other.attempt.or(self.attempt),
            first: other.first.or(self.first),
            every: other.every.or(self.every),
            probability: other.probability.or(self.probability),
            matching,
        }
    }

    /// Whether the fault is for this request; `label` tells apart the faults of a response.
    pub(crate) fn holds(&self, asked: Asked<'_>, label: &str) -> bool {
        let Asked { call, request, turn, seed } = asked;
        let by_chance = |probability: f64| {
            let seed = seed.child("when").child(label).child(&turn.print.to_string());
            seed.fraction(&turn.count.to_string()) < probability
        };
        self.attempt.is_none_or(|attempt| turn.attempt == attempt)
            && self.first.is_none_or(|first| turn.attempt <= first)
            && self.every.is_none_or(|every| turn.count.is_multiple_of(every.max(1)))
            && self.probability.is_none_or(by_chance)
            && self.matching.as_ref().is_none_or(|matching| matching.holds(call, request))
    }

    /// Whether nothing but attempts is chosen by.
    pub(crate) fn is_by_attempt(&self) -> bool {
        self.every.is_none() && self.probability.is_none() && self.matching.is_none()
    }

    /// Whether a fault with `times` is for this attempt, as far as attempts decide.
    pub(crate) fn takes(&self, attempt: u64, times: Option<u64>) -> bool {
        self.attempt.is_none_or(|only| only == attempt)
            && self.first.is_none_or(|first| attempt <= first)
            && times.is_none_or(|times| attempt <= times)
    }

    /// What is wrong: the key, and what would be right.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let counted = [("attempt", self.attempt), ("first", self.first), ("every", self.every)];
        for (key, count) in counted {
            if count == Some(0) {
                found.push((key, format!("`{key}` counts from 1, got 0")));
            }
        }
        if let (Some(attempt), Some(first)) = (self.attempt, self.first)
            && attempt > first
            && first > 0
        {
            let what = format!("attempt {attempt} is not among the first {first}: no request has both");
            found.push(("attempt", what));
        }
        if let Some(probability) = self.probability
            && !(0.0..=1.0).contains(&probability)
        {
            found.push(("probability", format!("expected a number from 0 to 1, got {probability}")));
        }
        found
    }
}

impl Matching {
    fn holds(&self, call: &Call, request: Option<&Request>) -> bool {
        let Some(conditions) = &self.conditions else { return false };
        match request {
            Some(request) => conditions.hold(&View::new(request)),
            None => conditions.hold_without_body(call),
        }
    }

    /// What is wrong with the matcher, by pointers from `at`.
    pub(crate) fn problems(&self, at: &str) -> Problems {
        let mut problems = Problems::default();
        Conditions::compile(&self.matcher, at, &mut problems);
        problems
    }
}

impl From<Matcher> for Matching {
    fn from(matcher: Matcher) -> Self {
        let mut problems = Problems::default();
        let conditions = Conditions::compile(&matcher, "", &mut problems);
        Self { matcher: Box::new(matcher), conditions: problems.0.is_empty().then_some(conditions) }
    }
}

/// What it compiles to follows from the matcher.
impl PartialEq for Matching {
    fn eq(&self, other: &Self) -> bool {
        self.matcher == other.matcher
    }
}

impl<'de> Deserialize<'de> for Matching {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Matcher::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for Matching {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.matcher.serialize(serializer)
    }
}

impl JsonSchema for Matching {
    fn schema_name() -> Cow<'static, str> {
        Matcher::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Matcher::json_schema(generator)
    }
}
