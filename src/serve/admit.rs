//! Admission: who answers a request, with what, and its entry in the journal.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_ENCODING, HeaderMap};
use serde_json::Value;
use tokio::time::Instant;

use super::builder::Unmatched;
use super::clock::Clock;
use super::echo;
use super::journal::Settlement;
use super::recall::Known;
use super::record;
use super::redact;
use super::service::Service;
use crate::plan::fault::when::Turn;
use crate::plan::limits::{Allowance, estimate};
use crate::plan::mold::Mold;
use crate::plan::reject::Reject;
use crate::plan::request::{Call, Endpoint, Scope};
use crate::plan::say::{plan_instead, plan_limited, plan_models, plan_reject};
use crate::plan::{FixtureSet, Occasion, Request as ApiRequest, Timeline, plan};

/// A request as far as it was read.
pub(super) struct Asked<'a> {
    pub(super) fixtures: &'a Arc<FixtureSet>,
    /// Whether a fixture serves the path itself.
    pub(super) served: bool,
    /// Why it is refused already.
    pub(super) reject: Option<Reject>,
    pub(super) body: &'a Bytes,
    /// Whether its first bytes came before.
    pub(super) again: bool,
}

/// A planned answer, whose journal entry waits for how it ends.
pub(super) struct Admitted {
    pub(super) timeline: Timeline,
    pub(super) settlement: Settlement,
    /// How the request is answered when it comes again, if it did so now.
    pub(super) known: Option<Known>,
}

/// When a request came, and which of its kind it is.
#[derive(Clone, Copy)]
struct Came {
    /// When it was read, from the start of the server.
    at: Duration,
    turn: Turn,
}

/// A planned answer and who gave it.
struct Answered {
    id: u64,
    timeline: Timeline,
    fixture: Option<(String, u64)>,
    unmatched: bool,
    /// Why the request is refused, in the words that the client reads.
    refusal: Option<String>,
    /// Which fixture gives it, and what it is cast from.
    mold: Option<(usize, Mold)>,
}

impl Service {
    /// What can be refused before the body is read.
    pub(super) fn refuse_early(&self, call: &Call, served: bool) -> Option<Reject> {
        if !served && call.route.endpoint == Endpoint::Other {
            return Some(Reject::UnknownUrl);
        }
        if let Some(reject) = self.refuse_key(&call.headers) {
            return Some(reject);
        }
        if let Some(allow) =
            call.route.endpoint.allow().filter(|allow| !served && call.method.as_str() != *allow)
        {
            return Some(Reject::MethodNotAllowed { allow });
        }
        let encoding = call.headers.get(CONTENT_ENCODING)?;
        let encoding = String::from_utf8_lossy(encoding.as_bytes());
        (!encoding.eq_ignore_ascii_case("identity")).then(|| Reject::CompressedBody(encoding.into_owned()))
    }

    fn refuse_key(&self, headers: &HeaderMap) -> Option<Reject> {
        let accepted = &self.state.config.api_keys;
        if accepted.is_empty() {
            return None;
        }
        let mut given = redact::keys(headers).peekable();
        let first = given.peek().map(|key| (*key).to_owned());
        // Older SDKs send the key in both headers; one that is right is enough.
        if given.any(|key| accepted.iter().any(|other| redact::same(key, other))) {
            return None;
        }
        Some(first.map_or(Reject::MissingKey, Reject::WrongKey))
    }

    /// Finds who answers, plans the answer and opens the journal entry.
    pub(super) fn admit(&self, call: Call, mut asked: Asked<'_>, read: Instant) -> Admitted {
        // Whether it is text is asked once, not for each string in it.
        let parsed = str::from_utf8(asked.body).ok().and_then(|text| serde_json::from_str(text).ok());
        let is_json = parsed.is_some();
        let readable = is_json || asked.served || call.method == Method::GET;
        let request = ApiRequest { call, body: parsed.unwrap_or(Value::Null) };
        let at = read - self.state.started;
        let kept = Arc::new(record::kept(&request, asked.body, is_json));
        // From here on there is an outcome, even if planning panics.
        let draft = self.state.journal.draft(Arc::clone(&kept), at, Arc::clone(&self.state.lines));
        let checked = match asked.reject.take() {
            Some(reject) => Err(reject),
            None if !readable => Err(Reject::InvalidJson),
            None if asked.served => Ok(()),
            None => request.call.route.dialect.validate(&request, asked.fixtures.models()),
        };
        let came = Came { at, turn: self.state.turn(&request.call, asked.fixtures, asked.body) };
        let answered = checked.and_then(|()| self.answer(&request, &asked, came));
        let answered = answered.unwrap_or_else(|reject| {
            let limits = self.state.left(&asked.fixtures.charges(&request), at);
            self.refuse(&reject, &request.call, limits, came.turn)
        });
        let Answered { id, timeline, fixture, unmatched, refusal, mold } = answered;
        let settlement = draft.begin(id, timeline.ending, |told| {
            record::planned(told, &timeline);
            (told.fixture, told.unmatched, told.refusal) = (fixture, unmatched, refusal);
        });
        let known = mold.map(|(fixture, mold)| {
            let Scope { session, scenario, .. } = request.call.scope;
            Known { fixtures: Arc::clone(asked.fixtures), fixture, mold, session, scenario, kept }
        });
        Admitted { timeline, settlement, known }
    }

    fn answer(&self, request: &ApiRequest, asked: &Asked<'_>, came: Came) -> Result<Answered, Reject> {
        let (call, fixtures) = (&request.call, asked.fixtures);
        let occasion =
            |fixture, hit, limits| Occasion { limits, turn: came.turn, ..self.occasion(fixture, hit) };
        if let Some(timeline) = &self.state.config.timeline {
            let id = self.state.journal.next_id();
            return Ok(Answered::new(id, timeline.clone()));
        }
        let lists = matches!(call.route.endpoint, Endpoint::Models | Endpoint::Model(_));
        // A fixture that serves the path itself goes first.
        if lists && !asked.served {
            return Ok(self.list_models(call, fixtures, came.turn));
        }
        let candidates = fixtures.matching(request);
        if !candidates.is_empty() {
            let charges = fixtures.charges(request);
            let tokens = if charges.is_empty() { 0 } else { estimate(request) };
            let limits = match self.state.charge(&charges, tokens, came.at) {
                Ok(limits) => limits,
                Err(limited) => {
                    let number = self.state.next_other(&call.scope.session);
                    let occasion = occasion("", number, limited.allowance());
                    return Ok(self.refused(plan_limited(&limited, request, &occasion)));
                }
            };
            if let Some(instead) = self.instead(request, |hit| occasion("", hit, limits)) {
                return Ok(instead);
            }
            let session = &call.scope.session;
            let admitted = self.state.admit(session, |hits| fixtures.admit(&candidates, hits));
            if let Some((admission, id)) = admitted {
                let occasion = occasion(admission.fixture, admission.hit, limits);
                let timeline = plan(admission.reply, request, &occasion);
                let fixture = Some((admission.fixture.to_owned(), admission.hit));
                let first = candidates[0];
                // Requests that are counted, here or by a limit, are not the same.
                let same = asked.again
                    && charges.is_empty()
                    && !fixtures.is_selective()
                    && fixtures.is_constant(first);
                let mold = if same { Mold::of(admission.reply, request, &occasion) } else { None };
                let mold = mold.map(|mold| (first, mold));
                return Ok(Answered { fixture, mold, ..Answered::new(id, timeline) });
            }
        }
        if lists && call.method == Method::GET {
            return Ok(self.list_models(call, fixtures, came.turn));
        }
        match self.state.config.unmatched {
            Unmatched::Error if candidates.is_empty() => {
                Err(Reject::Unmatched(fixtures.miss(request).to_string()))
            }
            Unmatched::Error => Err(Reject::Unmatched(fixtures.used_up(&candidates))),
            Unmatched::Echo => {
                self.state.count_unmatched();
                let number = self.state.next_other(&call.scope.session);
                let reply = echo::reply(request);
                let limits = self.state.left(&fixtures.charges(request), came.at);
                let timeline = plan(&reply, request, &occasion("echo", number, limits));
                Ok(Answered { unmatched: true, ..Answered::new(self.state.journal.next_id(), timeline) })
            }
        }
    }

    /// What a fault of the scope or of the server answers in the place of a fixture, whose hit is not
    /// counted then.
    fn instead<'a>(
        &self,
        request: &ApiRequest,
        occasion: impl FnOnce(u64) -> Occasion<'a>,
    ) -> Option<Answered> {
        if request.call.scope.faults.is_empty() && self.state.config.faults.is_empty() {
            return None;
        }
        let timeline = plan_instead(request, &occasion(self.state.next_other(&request.call.scope.session)))?;
        Some(Answered::new(self.state.journal.next_id(), timeline))
    }

    fn list_models(&self, call: &Call, fixtures: &FixtureSet, turn: Turn) -> Answered {
        let number = self.state.next_other(&call.scope.session);
        let occasion = Occasion { turn, ..self.occasion("", number) };
        let timeline = plan_models(&fixtures.model_names(), call, &occasion);
        Answered::new(self.state.journal.next_id(), timeline)
    }

    fn refuse(&self, reject: &Reject, call: &Call, limits: Allowance, turn: Turn) -> Answered {
        let unmatched = matches!(reject, Reject::Unmatched(_));
        if unmatched {
            self.state.count_unmatched();
        }
        let number = self.state.next_other(&call.scope.session);
        let occasion = Occasion { limits, turn, ..self.occasion("", number) };
        Answered { unmatched, ..self.refused(plan_reject(reject, call, &occasion)) }
    }

    /// A refusal, with its reason for the journal.
    fn refused(&self, timeline: Timeline) -> Answered {
        let refusal = Some(record::refusal(&message(&timeline)));
        Answered { refusal, ..Answered::new(self.state.journal.next_id(), timeline) }
    }

    pub(super) fn occasion<'a>(&'a self, fixture: &'a str, hit: u64) -> Occasion<'a> {
        let config = &self.state.config;
        Occasion {
            fixture,
            hit,
            seed: config.seed,
            now: config.clock.unix(),
            wall: Clock::System.unix(),
            pacing: config.pacing,
            time_scale: config.time_scale,
            max_hold: config.max_hold,
            faults: &config.faults,
            turn: Turn::default(),
            limits: Allowance::default(),
        }
    }
}

impl Answered {
    fn new(id: u64, timeline: Timeline) -> Self {
        Self { id, timeline, fixture: None, unmatched: false, refusal: None, mold: None }
    }
}

/// The message of a refusal, where every dialect's SDK looks for it.
fn message(refusal: &Timeline) -> String {
    let body: Value = serde_json::from_slice(&refusal.body).unwrap_or_default();
    let message = body.pointer("/error/message").and_then(Value::as_str);
    message.unwrap_or_default().to_owned()
}
