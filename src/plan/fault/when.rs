//! For which requests a fault is: attempts, every n-th, a probability.

use crate::plan::seed::Seed;

/// For which requests a fault is. What is given must all hold; nothing given is every request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct When {
    /// Only this attempt of a request, from 1.
    pub(crate) attempt: Option<u64>,
    /// Only the first so many attempts of a request.
    pub(crate) first: Option<u64>,
    /// Only every so many-th time the request comes.
    pub(crate) every: Option<u64>,
    /// With this probability, 0 to 1, from the seed, the request and how often it came.
    pub(crate) probability: Option<f64>,
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

impl When {
    /// Whether the fault is for this request. `seed` is the server's, `label` tells apart the faults of a
    /// response.
    pub(crate) fn holds(&self, turn: Turn, seed: Seed, label: &str) -> bool {
        let by_chance = |probability: f64| {
            let seed = seed.child("when").child(label).child(&turn.print.to_string());
            seed.fraction(&turn.count.to_string()) < probability
        };
        self.attempt.is_none_or(|attempt| turn.attempt == attempt)
            && self.first.is_none_or(|first| turn.attempt <= first)
            && self.every.is_none_or(|every| turn.count.is_multiple_of(every.max(1)))
            && self.probability.is_none_or(by_chance)
    }
}
