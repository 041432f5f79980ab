//! From a reply to a timeline: what the model says, in the dialect's words, at the reply's pace.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::compose::{self, Composition, Setting};
use super::dialect::names::ModelClass;
use super::dialect::shape::Shape;
use super::dialect::{Facts, Form};
use super::fault::answer::{Scene, answered, replaced, replaces, unstreamed};
use super::fault::combine::chosen;
use super::fault::response::Response;
use super::fault::when::{Asked, Turn};
use super::fault::{Context, Fault, Kind};
use super::limits::{Allowance, Limited, estimate};
use super::pacing::{Pacing, whole_micros};
use super::reject::Reject;
use super::reply::{Answer, Content, ErrorReply, Prepared, Step, Usage};
use super::request::{Call, Endpoint, Request};
use super::said::{Counts, Said};
use super::seed::Seed;
use super::spoken::{Spoken, prompt_tokens};
use super::sse::Draft;
use super::timeline::{Event, EventKind, Head, Header, Timeline};
use super::tokens::Vocabulary;
use super::wire::{FilterMode, Profile, Wire};

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
    refused(call.route.dialect.reject(reject, &bare_facts(call, "", occasion)), call, occasion)
}

/// Plans the refusal of a request that is over a limit of the fixtures.
pub(crate) fn plan_limited(limited: &Limited, request: &Request, occasion: &Occasion<'_>) -> Timeline {
    let call = &request.call;
    let shape = shape(request, &Wire::default(), occasion);
    let facts = Facts {
        profile: shape.profile,
        limits: limited.allowance(),
        ..bare_facts(call, request.model(), occasion)
    };
    refused(call.route.dialect.limited(limited, &facts), call, occasion)
}

/// Plans the response to a request for the models or one of them.
pub fn plan_models(names: &[&str], call: &Call, occasion: &Occasion<'_>) -> Timeline {
    let dialect = call.route.dialect;
    let facts = bare_facts(call, "", occasion);
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
    let deployment = call.route.deployment.as_deref().unwrap_or_default();
    let facts = bare_facts(call, deployment, occasion);
    let silent = || {
        let error = ErrorReply { status: StatusCode::SERVICE_UNAVAILABLE.as_u16(), ..ErrorReply::default() };
        let (head, body) = call.route.dialect.error(&error, &facts);
        whole(head, body, Duration::ZERO)
    };
    let timeline = replaced(&faults, &Scene { facts, shape: None, stream: false }).unwrap_or_else(silent);
    finish(timeline, call, &faults, occasion)
}

/// The last steps of every plan: its pace, what breaks, and the bound of every gap.
fn finish(mut timeline: Timeline, call: &Call, faults: &[&Fault], occasion: &Occasion<'_>) -> Timeline {
    scale(&mut timeline, occasion.time_scale);
    if !faults.is_empty() {
        let context = Context { seed: own_seed(call, occasion), max_hold: occasion.max_hold, call };
        let mut response = Response::new(timeline);
        faults.iter().for_each(|fault| fault.apply(&mut response, &context));
        timeline = response.timeline();
        timeline.faults = faults.iter().map(ToString::to_string).collect();
    }
    hold(&mut timeline, occasion.max_hold);
    timeline
}

/// The largest answer that is planned, in bytes.
const HEAVIEST: u64 = 64 << 20;

/// Everything the steps of a plan have in common.
struct Planner<'a> {
    reply: &'a Prepared,
    request: &'a Request,
    occasion: &'a Occasion<'a>,
    pacing: Pacing,
    shape: Shape,
    vocabulary: Vocabulary,
}

impl<'a> Planner<'a> {
    fn new(reply: &'a Prepared, request: &'a Request, occasion: &'a Occasion<'a>) -> Self {
        let shape = shape(request, &reply.wire, occasion);
        let pacing = reply.pacing.and(occasion.pacing);
        let vocabulary = Vocabulary::of(&shape.model);
        Self { reply, request, occasion, pacing, shape, vocabulary }
    }

    /// What the reply says, under its own status and headers.
    fn planned(&self) -> Timeline {
        let Self { reply, request, occasion, .. } = *self;
        let mut timeline = match &reply.content {
            _ if let Some(timeline) = self.too_new() => timeline,
            Content::Error(error) => self.error(error),
            Content::Script(steps) => self.script(steps),
            Content::Answer(_) => match reply.answer(request, occasion.hit) {
                Ok(Cow::Borrowed(answer)) => self.answer(answer, &reply.spoken.cut(answer, self.vocabulary)),
                Ok(Cow::Owned(answer)) => self.answer(&answer, &Spoken::new(&answer, self.vocabulary)),
                Err(message) => self.failed_template(&message),
            },
        };
        overrule(&mut timeline.head, reply);
        timeline
    }

    /// The refusal of a backend of the reply's date, where it did not know what is asked.
    fn too_new(&self) -> Option<Timeline> {
        let dialect = self.request.call.route.dialect;
        let reject = dialect.too_new(self.request, self.shape.profile)?;
        let (head, body) = dialect.reject(&reject, &self.facts(Duration::ZERO));
        Some(whole(head, body, Duration::ZERO))
    }

    fn answer(&self, answer: &Answer, spoken: &Spoken) -> Timeline {
        if self.blocked() {
            let (head, body) = self.request.call.route.dialect.blocked(
                &self.reply.filters.prompt,
                &self.shape,
                &self.facts(Duration::ZERO),
            );
            return whole(head, body, self.pacing.head.unwrap_or_default().0);
        }
        let setting = self.setting(answer, spoken);
        if let Some(refusal) = self.too_heavy(spoken, &setting) {
            return refusal;
        }
        let composition = compose::answer(spoken, &setting);
        match self.request.stream() {
            true => self.stream(&composition),
            false => self.json(&composition, spoken, &setting),
        }
    }

    fn script(&self, steps: &[Step]) -> Timeline {
        let answer = LazyCell::new(|| compose::script::answer(steps));
        let spoken = LazyCell::new(|| Spoken::new(&answer, self.vocabulary));
        let composition = compose::script::stream(steps, |usage| self.counts(*usage, &spoken));
        let chat = self.request.call.route.endpoint == Endpoint::ChatCompletions;
        if chat && !self.request.stream() {
            let setting = self.setting(&answer, &spoken);
            let refusal = self.too_heavy(&spoken, &setting);
            refusal.unwrap_or_else(|| self.json(&composition, &spoken, &setting))
        } else {
            self.stream(&composition)
        }
    }

    fn setting(&self, answer: &Answer, spoken: &Spoken) -> Setting<'_> {
        let counts = self.counts(answer.usage.unwrap_or_default(), spoken);
        Setting {
            request: self.request,
            shape: &self.shape,
            filters: &self.reply.filters,
            counts,
            reasoning: ModelClass::of(&self.shape.model).reasons(),
        }
    }

    fn stream(&self, composition: &Composition<'_>) -> Timeline {
        let dialect = self.request.call.route.dialect;
        let draft = dialect.stream(&composition.said, &self.shape, self.reply.filters.mode);
        let due = self.due(&draft, &composition.pauses);
        let first = due.first().copied().unwrap_or_default();
        let head = dialect.success(&self.facts(first), Form::Stream);
        let events =
            draft.events.iter().zip(&due).map(|((end, kind), at)| Event { at: *at, end: *end, kind: *kind });
        let events = events.collect();
        self.timeline(head, draft.body.into(), events, first)
    }

    /// A body that is not streamed comes when the stream would have ended.
    fn json(&self, composition: &Composition<'_>, spoken: &Spoken, setting: &Setting<'_>) -> Timeline {
        let dialect = self.request.call.route.dialect;
        let kinds: Vec<EventKind> = composition.said.iter().map(Said::kind).collect();
        let at =
            self.pacing.due(&kinds, &composition.pauses, self.shape.seed).last().copied().unwrap_or_default();
        let choices = compose::wholes(spoken, setting);
        let body: Bytes =
            dialect.completion(choices, setting.counts, &self.shape, &self.reply.filters).into();
        let head = dialect.success(&self.facts(at), Form::Json(body.len()));
        let events = vec![Event { at, end: body.len(), kind: EventKind::Body }];
        self.timeline(head, body, events, at)
    }

    fn error(&self, error: &ErrorReply) -> Timeline {
        let (head, body) = self.request.call.route.dialect.error(error, &self.facts(Duration::ZERO));
        whole(head, body, self.pacing.head.or(self.pacing.ttft).unwrap_or_default().0)
    }

    fn failed_template(&self, message: &str) -> Timeline {
        let message = format!("the template of fixture {:?} failed: {message}", self.occasion.fixture);
        self.failure("template_failed", message)
    }

    /// The refusal of what a request multiplies beyond measure: one request must not take all memory, or
    /// all of a worker's time.
    fn too_heavy(&self, spoken: &Spoken, setting: &Setting<'_>) -> Option<Timeline> {
        let weight = compose::weight(spoken, setting);
        if weight <= HEAVIEST {
            return None;
        }
        let (weight, limit) = (weight >> 20, HEAVIEST >> 20);
        let message = format!(
            "the answer of fixture {:?} to this request has about {weight} MiB, and {limit} MiB is the limit: \
             ask for fewer choices or log probabilities",
            self.occasion.fixture
        );
        Some(self.failure("answer_too_large", message))
    }

    fn failure(&self, code: &str, message: String) -> Timeline {
        let error = ErrorReply {
            status: StatusCode::INTERNAL_SERVER_ERROR.as_u16(),
            kind: Some("server_error".to_owned()),
            code: Some(Value::from(code)),
            message: Some(message),
            ..ErrorReply::default()
        };
        self.error(&error)
    }

    fn timeline(&self, head: Head, body: Bytes, events: Vec<Event>, first: Duration) -> Timeline {
        let at = self.pacing.head.map_or(first, |head| head.0.min(first));
        Timeline::whole(Head { at, ..head }, body, events)
    }

    fn due(&self, draft: &Draft, pauses: &[(usize, Duration)]) -> Vec<Duration> {
        let kinds: Vec<EventKind> = draft.events.iter().map(|(_, kind)| *kind).collect();
        self.pacing.due(&kinds, pauses, self.shape.seed)
    }

    /// Whether Azure's filter refuses the prompt.
    fn blocked(&self) -> bool {
        let filters = &self.reply.filters;
        self.shape.filtered && filters.mode != FilterMode::Off && filters.prompt.filtered()
    }

    /// Token counts: the reply's, else the tokenizer's. A prompt is counted only where that is sent.
    fn counts(&self, usage: Usage, spoken: &Spoken) -> Counts {
        let scripted = matches!(self.reply.content, Content::Script(_));
        let needed = self.shape.usage || scripted || !self.request.stream();
        let (prompt_details, details) = (usage.prompt_tokens_details, usage.completion_tokens_details);
        let count_prompt = || if needed { prompt_tokens(self.request, self.vocabulary) } else { 0 };
        let reasoning = details.reasoning_tokens.unwrap_or(spoken.reasoning);
        let said = (0..self.request.n()).map(|index| spoken.choice(index).tokens);
        let said = said.fold(reasoning, u64::saturating_add);
        let prompt = usage.prompt_tokens.unwrap_or_else(count_prompt);
        let completion = usage.completion_tokens.unwrap_or(said);
        let sum = prompt.saturating_add(completion);
        Counts {
            prompt,
            completion,
            total: usage.total_tokens.unwrap_or(sum),
            prompt_audio: prompt_details.audio_tokens,
            cached: prompt_details.cached_tokens,
            cache_write: prompt_details.cache_write_tokens,
            reasoning,
            audio: details.audio_tokens,
            accepted: details.accepted_prediction_tokens,
            rejected: details.rejected_prediction_tokens,
        }
    }

    fn facts(&self, processing: Duration) -> Facts<'_> {
        facts(self.request, &self.shape, self.occasion, processing)
    }
}

/// How the envelope of the answer to a request looks.
fn shape(request: &Request, wire: &Wire, occasion: &Occasion<'_>) -> Shape {
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
        seed: shape.seed,
        processing,
        tokens: estimate(request),
        ..bare_facts(&request.call, request.model(), occasion)
    }
}

/// The seed of one response: nothing in it depends on which server answers, or when.
fn own_seed(call: &Call, occasion: &Occasion<'_>) -> Seed {
    let seed = Seed::new(occasion.seed).child(&call.scope.session).child(occasion.fixture);
    seed.child(&occasion.hit.to_string())
}

/// What is known of a request that no reply answers.
fn bare_facts<'a>(call: &'a Call, model: &'a str, occasion: &Occasion<'_>) -> Facts<'a> {
    Facts {
        call,
        model,
        seed: own_seed(call, occasion),
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

/// Lays the reply's status and headers over those of its kind.
fn overrule(head: &mut Head, reply: &Prepared) {
    if let Some(status) = reply.status {
        head.status = status;
        head.reason = None;
    }
    for (name, value) in &reply.headers {
        let same = |header: &Header| header.name.eq_ignore_ascii_case(name);
        match value {
            None => head.headers.retain(|header| !same(header)),
            Some(value) => match head.headers.iter_mut().find(|header| same(header)) {
                Some(header) => header.value = Header::new("", value).value,
                None => head.headers.push(Header::new(name.clone(), value)),
            },
        }
    }
}

/// Scales the offsets.
fn scale(timeline: &mut Timeline, factor: f64) {
    if factor != 1.0 {
        each_time(timeline, |at| whole_micros(at.as_secs_f64() * factor));
    }
}

/// Bounds every gap between two things sent.
fn hold(timeline: &mut Timeline, max_hold: Duration) {
    let (mut planned, mut bounded) = (Duration::ZERO, Duration::ZERO);
    each_time(timeline, |at| {
        bounded += at.saturating_sub(planned).min(max_hold);
        planned = planned.max(at);
        bounded
    });
}

/// Changes every offset, in order.
fn each_time(timeline: &mut Timeline, mut change: impl FnMut(Duration) -> Duration) {
    let times = std::iter::once(&mut timeline.head.at)
        .chain(timeline.events.iter_mut().map(|event| &mut event.at))
        .chain(std::iter::once(&mut timeline.ends_at));
    times.for_each(|at| *at = change(*at));
}
