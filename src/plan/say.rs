//! From a reply to a timeline: what the model says, in the dialect's words, at the reply's pace.

use std::time::Duration;

use super::fault::Fault;
use super::pacing::Pacing;
use super::reject::Reject;
use super::reply::Prepared;
use super::request::{Call, Request};
use super::timeline::Timeline;

/// What a plan depends on beside reply and request.
#[derive(Clone, Debug)]
pub struct Turn<'a> {
    /// The fixture's name.
    pub fixture: &'a str,
    /// Which hit of the fixture this is, from 1.
    pub hit: u64,
    /// The server's seed.
    pub seed: u64,
    /// The time, in Unix seconds.
    pub now: u64,
    /// Pacing that goes over the reply's own, key by key.
    pub pacing: &'a Pacing,
    /// Multiplies every offset; 0 is no waiting.
    pub time_scale: f64,
    /// The longest gap between two things sent.
    pub max_hold: Duration,
    /// A fault over the reply's own.
    pub fault: Option<Fault>,
}

/// Plans the response to a request that a fixture answers.
pub fn plan(reply: &Prepared, request: &Request, turn: &Turn<'_>) -> Timeline {
    let _ = (reply, request, turn);
    unreachable!()
}

/// Plans the response to a request that is refused.
pub fn plan_reject(reject: &Reject, call: &Call, turn: &Turn<'_>) -> Timeline {
    let _ = (reject, call, turn);
    unreachable!()
}

/// Plans the response to a request for the models or one of them.
pub fn plan_models(names: &[&str], call: &Call, turn: &Turn<'_>) -> Timeline {
    let _ = (names, call, turn);
    unreachable!()
}
