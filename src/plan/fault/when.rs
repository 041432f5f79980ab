//! For which requests a fault is: attempts, every n-th, a probability, what matches.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::plan::load::problems::{Problems, below};
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

    /// Checks selectors that stand at the pointer `at`.
    pub(crate) fn check(&self, at: &str, problems: &mut Problems) {
        let mut value = |key, message: String| problems.value(below(at, key), message);
        let counted = [("attempt", self.attempt), ("first", self.first), ("every", self.every)];
        for (key, count) in counted {
            if count == Some(0) {
                value(key, "it counts from 1, got 0".to_owned());
            }
        }
        if let (Some(attempt), Some(first)) = (self.attempt, self.first)
            && attempt > first
            && first > 0
        {
            let what = format!("attempt {attempt} is not among the first {first}: no request has both");
            value("attempt", what);
        }
        if let Some(probability) = self.probability
            && !(0.0..=1.0).contains(&probability)
        {
            value("probability", format!("expected a number from 0 to 1, got {probability}"));
        }
        if let Some(matching) = &self.matching {
            Conditions::compile(&matching.matcher, &below(at, "match"), problems);
        }
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
}

impl From<Matcher> for Matching {
    fn from(matcher: Matcher) -> Self {
        let mut problems = Problems::default();
        let conditions = Conditions::compile(&matcher, "", &mut problems);
        Self { matcher: Box::new(matcher), conditions: problems.0.is_empty().then_some(conditions) }
    }
}

/// Two ways to write the same conditions are the same.
impl PartialEq for Matching {
    fn eq(&self, other: &Self) -> bool {
        match (&self.conditions, &other.conditions) {
            (Some(own), Some(other)) => own == other,
            _ => self.matcher == other.matcher,
        }
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

    fn schema_id() -> Cow<'static, str> {
        Matcher::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Matcher::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(request: &Request, turn: Turn) -> Asked<'_> {
        Asked { call: &request.call, request: Some(request), turn, seed: Seed::new(7) }
    }

    fn holds(when: &When, attempt: u64, count: u64, print: u64) -> bool {
        let request = Request::post("/v1/chat/completions", Value::Null);
        when.holds(asked(&request, Turn { attempt, count, print }), "a fault")
    }

    #[track_caller]
    fn check(when: &When, expected: [bool; 6]) {
        let found = [1, 2, 3, 4, 5, 6].map(|attempt| holds(when, attempt, attempt, 0));
        assert_eq!(found, expected, "{when:?}");
    }

    #[test]
    fn attempts_and_every_nth_are_counted_from_one() {
        let (x, o) = (true, false);
        check(&When::default(), [x; 6]);
        check(&When::attempt(2), [o, x, o, o, o, o]);
        check(&When::first(2), [x, x, o, o, o, o]);
        check(&When::every(2), [o, x, o, x, o, x]);
        check(&When::every(3).and(When::first(3)), [o, o, x, o, o, o]);
        check(&When::every(1), [x; 6]);
    }

    #[test]
    fn a_probability_is_met_about_as_often_as_it_says() {
        for (probability, low, high) in
            [(0.0, 0, 0), (0.1, 800, 1200), (0.5, 4800, 5200), (1.0, 10_000, 10_000)]
        {
            let when = When::probability(probability);
            // A hundred requests, each of which comes a hundred times.
            let all = (0..100).flat_map(|print| (1..=100).map(move |count| (print, count)));
            let met = all.filter(|(print, count)| holds(&when, 1, *count, *print)).count();
            assert!((low..=high).contains(&met), "{probability}: {met}");
        }
    }

    #[test]
    fn chance_is_the_requests_own_whatever_comes_between() {
        let when = When::probability(0.5);
        let row = |print| (1..=64).map(|count| holds(&when, 1, count, print)).collect::<Vec<_>>();
        // The same request draws the same; which other requests came, and when, is not asked.
        assert_eq!(row(1), row(1));
        assert_ne!(row(1), row(2));
        let request = Request::post("/v1/chat/completions", Value::Null);
        let other = |label: &str, seed| {
            let draw = |count| {
                let turn = Turn { attempt: 1, count, print: 1 };
                when.holds(Asked { seed: Seed::new(seed), ..asked(&request, turn) }, label)
            };
            (1..=64).map(draw).collect::<Vec<_>>()
        };
        assert_eq!(other("a fault", 7), row(1));
        assert_ne!(other("another", 7), row(1));
        assert_ne!(other("a fault", 8), row(1));
    }

    #[test]
    fn a_matcher_chooses_requests() {
        let body = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "hello there" }] });
        let request = Request::post("/v1/chat/completions", body);
        let asked = asked(&request, Turn::default());
        for (matcher, expected) in [
            (Matcher::any(), true),
            (Matcher::user_contains("hello"), true),
            (Matcher::user_contains("bye"), false),
            (Matcher::model("gpt-4o").and(Matcher::user_contains("there")), true),
            // One with problems matches nothing; where it was written, they are told.
            (Matcher::user_matches("("), false),
        ] {
            assert_eq!(When::matching(matcher.clone()).holds(asked, ""), expected, "{matcher:?}");
        }
    }

    #[test]
    fn what_is_refused_before_its_body_is_read_matches_nothing_of_a_body() {
        let request = Request::post("/openai/deployments/d/chat/completions", Value::Null);
        let asked = Asked { request: None, ..asked(&request, Turn::default()) };
        for (matcher, expected) in [
            (Matcher::any(), true),
            (Matcher::dialect("azure"), true),
            (Matcher::model("d"), true),
            (Matcher::user_contains(""), false),
            (Matcher::turn(1), false),
            (Matcher::dialect("azure").and(Matcher::body("", Value::Null)), false),
        ] {
            assert_eq!(When::matching(matcher.clone()).holds(asked, ""), expected, "{matcher:?}");
        }
    }
}
