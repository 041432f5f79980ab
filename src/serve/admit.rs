//! Admission: who answers a request, with what, and its entry in the journal.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_ENCODING, HeaderMap};
use serde_json::Value;
use tokio::time::Instant;

use super::builder::Unmatched;
use super::echo;
use super::entry::Entry;
use super::journal::Settlement;
use super::redact;
use super::service::Service;
use crate::plan::reject::Reject;
use crate::plan::request::{Call, Endpoint};
use crate::plan::say::{plan_models, plan_reject};
use crate::plan::{FixtureSet, Occasion, Request as ApiRequest, Timeline, plan};

/// A request as far as it was read.
pub(super) struct Asked<'a> {
    pub(super) fixtures: &'a FixtureSet,
    /// Whether a fixture serves the path itself.
    pub(super) served: bool,
    /// Why it is refused already.
    pub(super) reject: Option<Reject>,
    pub(super) body: &'a Bytes,
}

/// A planned answer and who gave it.
struct Answered {
    id: u64,
    timeline: Timeline,
    fixture: Option<(String, u64)>,
    unmatched: bool,
    /// Why the request is refused, in the words that the client reads.
    refusal: Option<String>,
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
        let allow = match call.route.endpoint {
            Endpoint::Models | Endpoint::Model(_) => "GET",
            _ => "POST",
        };
        if !served && call.method.as_str() != allow {
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
    pub(super) fn admit(&self, call: Call, asked: Asked<'_>, read: Instant) -> (Timeline, Settlement) {
        let parsed = serde_json::from_slice(asked.body);
        let readable = parsed.is_ok() || asked.served || call.method == Method::GET;
        let request = ApiRequest { call, body: parsed.unwrap_or(Value::Null) };
        let checked = match asked.reject {
            Some(reject) => Err(reject),
            None if !readable => Err(Reject::InvalidJson),
            None if asked.served => Ok(()),
            None => request.call.route.dialect.validate(&request, asked.fixtures.models()),
        };
        let answered = checked.and_then(|()| self.answer(&request, asked.fixtures));
        let answered = answered.unwrap_or_else(|reject| self.refuse(&reject, &request.call));
        let entry = self.entry(request, asked.body, read, &answered);
        let lines = Arc::clone(&self.state.lines);
        let settlement = self.state.journal.begin(entry, lines, answered.timeline.ending);
        (answered.timeline, settlement)
    }

    fn answer(&self, request: &ApiRequest, fixtures: &FixtureSet) -> Result<Answered, Reject> {
        let call = &request.call;
        if let Some(timeline) = &self.state.config.timeline {
            let id = self.state.journal.next_id();
            return Ok(Answered::new(id, timeline.clone()));
        }
        if matches!(call.route.endpoint, Endpoint::Models | Endpoint::Model(_)) {
            let id = self.state.journal.next_id();
            let timeline = plan_models(&fixtures.model_names(), call, &self.occasion("", id));
            return Ok(Answered::new(id, timeline));
        }
        let miss = match fixtures.candidates(request) {
            Ok(candidates) => {
                let session = &call.scope.session;
                let admitted = self.state.admit(session, |hits| fixtures.admit(&candidates, hits));
                if let Some((admission, id)) = admitted {
                    let occasion = self.occasion(admission.fixture, admission.hit);
                    let timeline = plan(admission.reply, request, &occasion);
                    let fixture = Some((admission.fixture.to_owned(), admission.hit));
                    return Ok(Answered { fixture, ..Answered::new(id, timeline) });
                }
                fixtures.used_up(&candidates)
            }
            Err(miss) => miss.to_string(),
        };
        match self.state.config.unmatched {
            Unmatched::Error => Err(Reject::Unmatched(miss)),
            Unmatched::Echo => {
                self.state.count_unmatched();
                let id = self.state.journal.next_id();
                let reply = echo::reply(request);
                let timeline = plan(&reply, request, &self.occasion("echo", id));
                Ok(Answered { unmatched: true, ..Answered::new(id, timeline) })
            }
        }
    }

    fn refuse(&self, reject: &Reject, call: &Call) -> Answered {
        let unmatched = matches!(reject, Reject::Unmatched(_));
        if unmatched {
            self.state.count_unmatched();
        }
        let occasion = self.occasion("", self.state.next_refusal());
        let id = self.state.journal.next_id();
        let timeline = plan_reject(reject, call, &occasion);
        let refusal = Some(message(&timeline));
        Answered { unmatched, refusal, ..Answered::new(id, timeline) }
    }

    fn occasion<'a>(&'a self, fixture: &'a str, hit: u64) -> Occasion<'a> {
        let config = &self.state.config;
        Occasion {
            fixture,
            hit,
            seed: config.seed,
            now: config.clock.unix(),
            pacing: config.pacing,
            time_scale: config.time_scale,
            max_hold: config.max_hold,
            fault: config.fault,
        }
    }

    fn entry(&self, request: ApiRequest, body: &Bytes, read: Instant, answered: &Answered) -> Entry {
        let model = request.model().to_owned();
        let ApiRequest { call, .. } = request;
        let mut headers = call.headers;
        let retry =
            headers.get("x-stainless-retry-count").and_then(|value| value.to_str().ok()?.parse().ok());
        redact::headers(&mut headers);
        let kept = String::from_utf8_lossy(&body[..body.len().min(KEPT_BODY)]);
        let (fixture, hit) = answered.fixture.clone().unzip();
        Entry {
            id: answered.id,
            session: call.scope.session,
            method: call.method,
            path: match &call.query {
                Some(query) => format!("{}?{}", redact::text(&call.path), redact::query(query)),
                None => redact::text(&call.path).into_owned(),
            },
            dialect: call.route.dialect.name(),
            endpoint: call.route.endpoint.name(),
            model: redact::text(&model).into_owned(),
            headers,
            body: redact::text(&kept).into_owned(),
            body_bytes: body.len(),
            retry,
            status: answered.timeline.head.status,
            fixture,
            hit,
            unmatched: answered.unmatched,
            refusal: answered.refusal.clone(),
            events_planned: answered.timeline.events.len(),
            events_sent: 0,
            outcome: None,
            at: read - self.state.started,
            duration: None,
        }
    }
}

impl Answered {
    fn new(id: u64, timeline: Timeline) -> Self {
        Self { id, timeline, fixture: None, unmatched: false, refusal: None }
    }
}

/// The message of a refusal, where every dialect's SDK looks for it.
fn message(refusal: &Timeline) -> String {
    let body: Value = serde_json::from_slice(&refusal.body).unwrap_or_default();
    let message = body.pointer("/error/message").and_then(Value::as_str);
    message.unwrap_or_default().to_owned()
}

/// How much of a request's body the journal keeps.
const KEPT_BODY: usize = 64 * 1024;
