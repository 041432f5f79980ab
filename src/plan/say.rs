//! From a reply to a timeline: what the model says, in the dialect's words, at the reply's pace.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use self::finish::finish;
use self::planner::Planner;
use super::dialect::shape::Shape;
use super::dialect::{Facts, Form};
use super::fault::answer::{Scene, answered, replaced, replaces, unstreamed};
use super::fault::combine::chosen;
use super::fault::when::{Asked, Turn};
use super::fault::{Fault, Kind};
use super::limits::{Allowance, Limited, estimate};
use super::pacing::Pacing;
use super::reject::Reject;
use super::reply::{ErrorReply, Prepared};
use super::request::{Call, Request};
use super::seed::Seed;
use super::timeline::{Event, EventKind, Head, Timeline};
use super::wire::{Profile, Wire};

mod finish;
mod planner;

/// What a plan depends on beside reply and request. The default is the first hit on a server without
/// settings.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// The fixture's name.
    pub fixture: &'a str,
    /// Which hit of the fixture this is, from 1.
    pub hit: u64,
    /// The server's seed.
    pub seed: u64,
    /// The time, in Unix seconds.
    pub now: u64,
    /// What a client's clock shows, in Unix seconds: a date to wait for counts from it. It is another time
    /// than `now` where that stands still.
    pub wall: u64,
    /// Pacing that goes over the reply's own, key by key.
    pub pacing: Pacing,
    /// Multiplies every offset; 0 is no waiting.
    pub time_scale: f64,
    /// The longest gap between two things sent.
    pub max_hold: Duration,
    /// Faults of the server, beside the reply's own and those of the request's scope.
    pub faults: &'a [Fault],
    /// Which request of its kind this is.
    pub turn: Turn,
    /// What the limits of the fixtures leave.
    pub limits: Allowance,
}

impl Default for Occasion<'_> {
    fn default() -> Self {
        Self {
            fixture: "",
            hit: 1,
            seed: 0,
            now: FROZEN,
            wall: FROZEN,
            pacing: Pacing::default(),
            time_scale: 1.0,
            max_hold: Duration::from_secs(60),
            faults: &[],
            turn: Turn::default(),
            limits: Allowance::default(),
        }
    }
}

/// The time where no clock is asked: 2026-01-01T00:00:00Z, in Unix seconds.
pub const FROZEN: u64 = 1_767_225_600;

/// Plans the response to a request that a fixture answers.
///
/// ```
/// use llmirage::plan::set::{FixtureSet, Hits, Source};
/// use llmirage::plan::{Occasion, Request, plan};
/// use serde_json::json;
///
/// let text = r#"{"fixtures": [{"name": "greeting", "reply": "Hello!"}]}"#.to_owned();
/// let set = FixtureSet::load(vec![Source::File { path: "greeting.json".into(), text }])?;
/// let body = json!({ "model": "gpt-4o", "stream": true, "messages": [{ "role": "user", "content": "hi" }] });
/// let request = Request::post("/v1/chat/completions", body);
///
/// let candidates = set.candidates(&request).map_err(|miss| miss.to_string())?;
/// let admission = set.admit(&candidates, &mut Hits::default()).ok_or("used up")?;
/// let occasion = Occasion { fixture: admission.fixture, hit: admission.hit, ..Occasion::default() };
/// let timeline = plan(admission.reply, &request, &occasion);
///
/// assert_eq!(timeline.head.status, 200);
/// assert_eq!(timeline.events.len(), 5, "role, two tokens, finish, [DONE]");
/// assert_eq!(timeline.event_bytes(4), "data: [DONE]\n\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn plan(reply: &Prepared, request: &Request, occasion: &Occasion<'_>) -> Timeline {
    let faults = faults(&request.call, Some(request), &reply.faults, occasion);
    let unstreamed = unstreamed(&faults, request);
    let planner = Planner::new(reply, unstreamed.as_ref().unwrap_or(request), occasion);
    let timeline = if faults.is_empty() {
        planner.planned()
    } else {
        let facts = planner.facts(Duration::ZERO);
        let scene = Scene { facts, shape: Some(&planner.shape), stream: request.stream() };
        answered(&faults, &scene, || planner.planned())
    };
    finish(timeline, &request.call, &faults, occasion)
}

/// Plans the response to a request that a fault of its scope, or of the server, answers whatever the
/// reply is; `None` where no such fault is for it. Nobody's hit needs to be counted for it.
pub(crate) fn plan_instead(request: &Request, occasion: &Occasion<'_>) -> Option<Timeline> {
    let call = &request.call;
    let faults = faults(call, Some(request), &[], occasion);
    if !faults.iter().any(|fault| replaces(fault)) {
        return None;
    }
    let shape = shape(request, &Wire::default(), occasion);
    let facts = facts(request, &shape, occasion, Duration::ZERO);
    let scene = Scene { facts, shape: Some(&shape), stream: request.stream() };
    let timeline = replaced(&faults, &scene)?;
    Some(finish(timeline, call, &faults, occasion))
}

/// Plans the response to a request that is refused.
pub fn plan_reject(reject: &Reject, call: &Call, occasion: &Occasion<'_>) -> Timeline {
    refused(call.route.dialect.reject(reject, &bare_facts(call, occasion)), call, occasion)
}

/// Plans the refusal of a request that is over a limit of the fixtures.
pub(crate) fn plan_limited(limited: &Limited, request: &Request, occasion: &Occasion<'_>) -> Timeline {
    let call = &request.call;
    let shape = shape(request, &Wire::default(), occasion);
    let facts = Facts {
        profile: shape.profile,
        limits: limited.allowance(),
        model: request.model(),
        ..bare_facts(call, occasion)
    };
    refused(call.route.dialect.limited(limited, &facts), call, occasion)
}

/// Plans the response to a request for the models or one of them.
pub fn plan_models(names: &[&str], call: &Call, occasion: &Occasion<'_>) -> Timeline {
    let dialect = call.route.dialect;
    let facts = bare_facts(call, occasion);
    let faults = faults(call, None, &[], occasion);
    let timeline = answered(&faults, &Scene { facts, shape: None, stream: false }, || {
        let body = dialect.models(names, &facts);
        let head = dialect.success(&facts, Form::Json(body.len()));
        whole(head, body, Duration::ZERO)
    });
    finish(timeline, call, &faults, occasion)
}

/// The faults that a request gets: those of its scope, of the server, and of the reply.
fn faults<'a>(
    call: &'a Call,
    request: Option<&Request>,
    own: &'a [Fault],
    occasion: &Occasion<'a>,
) -> Vec<&'a Fault> {
    let asked = Asked { call, request, turn: occasion.turn, seed: Seed::new(occasion.seed) };
    chosen([&call.scope.faults, occasion.faults, own], asked)
}

/// A refusal, to which no fault says what is answered instead.
fn refused((head, body): (Head, Bytes), call: &Call, occasion: &Occasion<'_>) -> Timeline {
    let mut faults = faults(call, None, &[], occasion);
    faults.retain(|fault| !matches!(fault.kind, Kind::Answer(_)));
    finish(whole(head, body, Duration::ZERO), call, &faults, occasion)
}

/// Plans what meets a request whose body is not read, because a fault of its scope or of the server says
/// so; the others that choose no requests go with it.
pub(crate) fn plan_early(call: &Call, occasion: &Occasion<'_>) -> Timeline {
    let mut faults = faults(call, None, &[], occasion);
    faults.retain(|fault| !fault.is_selective());
    let facts = bare_facts(call, occasion);
    let silent = || {
        let error = ErrorReply { status: StatusCode::SERVICE_UNAVAILABLE.as_u16(), ..ErrorReply::default() };
        let (head, body) = call.route.dialect.error(&error, &facts);
        whole(head, body, Duration::ZERO)
    };
    let timeline = replaced(&faults, &Scene { facts, shape: None, stream: false }).unwrap_or_else(silent);
    finish(timeline, call, &faults, occasion)
}

/// How the envelope of the answer to a request looks.
pub(super) fn shape(request: &Request, wire: &Wire, occasion: &Occasion<'_>) -> Shape {
    let (server, seed) = (Seed::new(occasion.seed), own_seed(&request.call, occasion));
    request.call.route.dialect.shape(request, wire, occasion.now, server, seed)
}

/// What is known of a request that is answered.
fn facts<'a>(
    request: &'a Request,
    shape: &Shape,
    occasion: &Occasion<'_>,
    processing: Duration,
) -> Facts<'a> {
    Facts {
        profile: shape.profile,
        processing,
        tokens: estimate(request),
        model: request.model(),
        ..seeded_facts(&request.call, occasion, shape.seed)
    }
}

/// The seed of one response: nothing in it depends on which server answers, or when.
fn own_seed(call: &Call, occasion: &Occasion<'_>) -> Seed {
    common_seed(call, occasion).numbered(occasion.hit)
}

/// What the seeds of all hits come from.
pub(super) fn common_seed(call: &Call, occasion: &Occasion<'_>) -> Seed {
    Seed::new(occasion.seed).child(&call.scope.session).child(occasion.fixture)
}

/// What is known of a request by its head. A model is known where the path names a deployment.
fn bare_facts<'a>(call: &'a Call, occasion: &Occasion<'_>) -> Facts<'a> {
    seeded_facts(call, occasion, own_seed(call, occasion))
}

fn seeded_facts<'a>(call: &'a Call, occasion: &Occasion<'_>, seed: Seed) -> Facts<'a> {
    Facts {
        call,
        model: call.route.deployment.as_deref().unwrap_or_default(),
        seed,
        now: occasion.now,
        wall: occasion.wall,
        profile: Profile::NEWEST,
        processing: Duration::ZERO,
        tokens: 0,
        limits: occasion.limits,
    }
}

/// A response with a body that is not a stream.
fn whole(head: Head, body: Bytes, at: Duration) -> Timeline {
    let event = Event { at, end: body.len(), kind: EventKind::Body };
    let events = if body.is_empty() { Vec::new() } else { vec![event] };
    Timeline::whole(Head { at, ..head }, body, events)
}

/// An error of a plan that cannot be made.
fn failure(code: &str, message: String) -> ErrorReply {
    ErrorReply {
        status: StatusCode::INTERNAL_SERVER_ERROR.as_u16(),
        kind: Some("server_error".to_owned()),
        code: Some(Value::from(code)),
        message: Some(message),
        ..ErrorReply::default()
    }
}

/// The largest answer that is planned, in bytes.
const HEAVIEST: u64 = 64 << 20;
