//! What a reply says to a request: status, headers, body and pace, before anything breaks.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::time::Duration;

use super::{HEAVIEST, Occasion, facts, failure, shape, whole};
use crate::plan::compose::{self, Composition, Setting};
use crate::plan::dialect::names::ModelClass;
use crate::plan::dialect::shape::Shape;
use crate::plan::dialect::{Facts, Form};
use crate::plan::http1;
use crate::plan::pacing::Pacing;
use crate::plan::ready::{self, Pace, Ready};
use crate::plan::reply::{Answer, Content, ErrorReply, Prepared, Step, Usage};
use crate::plan::request::{Endpoint, Request};
use crate::plan::said::{Counts, Said};
use crate::plan::seed::Noise;
use crate::plan::spoken::Spoken;
use crate::plan::sse::Draft;
use crate::plan::timeline::{Body, Event, EventKind, Events, Head, Header, Texts, Timeline};
use crate::plan::tokens::Vocabulary;
use crate::plan::wire::FilterMode;

/// Everything the steps of a plan have in common.
pub(super) struct Planner<'a> {
    reply: &'a Prepared,
    request: &'a Request,
    occasion: &'a Occasion<'a>,
    pacing: Pacing,
    pub(super) shape: Shape,
    vocabulary: Vocabulary,
}

impl<'a> Planner<'a> {
    pub(super) fn new(reply: &'a Prepared, request: &'a Request, occasion: &'a Occasion<'a>) -> Self {
        let shape = shape(request, &reply.wire, occasion);
        let pacing = reply.pacing.and(occasion.pacing);
        let vocabulary = Vocabulary::of(&shape.model);
        Self { reply, request, occasion, pacing, shape, vocabulary }
    }

    /// What the reply says, under its own status and headers.
    pub(super) fn planned(&self) -> Timeline {
        let Self { reply, request, occasion, .. } = *self;
        let mut timeline = match &reply.content {
            // Who recorded it was answered so, whatever a backend of some date would have said.
            Content::Transcript(replay) => {
                replay.recording.timeline(replay.pace(occasion.pacing, &self.pacing, self.shape.seed))
            }
            _ if let Some(timeline) = self.too_new() => timeline,
            Content::Error(error) => self.error(error),
            Content::Script(steps) => self.script(steps),
            Content::Answer(_) => match reply.answer(request, occasion.hit) {
                Ok(Cow::Borrowed(answer)) => self.answer(answer, &reply.spoken.cut(answer, self.vocabulary)),
                Ok(Cow::Owned(answer)) => self.answer(&answer, &Spoken::new(&answer, self.vocabulary)),
                Err(message) => self.failed_template(&message),
            },
        };
        overrule(&mut timeline, reply);
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
        let key = match self.reply.templates {
            None => ready::Key::of(self.request, &self.shape, setting.counts, &self.reply.filters),
            Some(_) => None,
        };
        if let Some(ready) = key.and_then(|key| self.reply.ready.get(key)) {
            return self.again(ready, ready::texts(&self.shape, setting.counts, spoken));
        }
        if let Some(refusal) = self.too_heavy(spoken, &setting) {
            return refusal;
        }
        let composition = compose::answer(spoken, &setting);
        let timeline = match self.request.stream() {
            true => self.stream(&composition),
            false => self.json(&composition, spoken, &setting),
        };
        if let Some(key) = key.filter(|_| timeline.body.len() <= ready::LARGEST) {
            self.reply.ready.keep(key, || {
                let kinds = composition.said.iter().map(Said::kind).collect();
                let ends = timeline.events.iter().map(|event| event.end);
                let ends = ends.filter(|_| self.request.stream()).collect();
                let texts = ready::texts(&self.shape, setting.counts, spoken);
                Ready::new(timeline.body.bytes().clone(), ends, kinds, &texts, self.pacing)
            });
        }
        timeline
    }

    /// What was said before, with what is this hit's own.
    fn again(&self, ready: &Ready, texts: Texts) -> Timeline {
        let dialect = self.request.call.route.dialect;
        let Pace { events, first, last } = ready.pace(&self.pacing, self.shape.seed);
        let body = Body::of(&ready.pattern, texts, Noise::of(self.shape.seed));
        match self.request.stream() {
            true => self.timeline(dialect.success(&self.facts(first), Form::Stream), body, events, first),
            false => self.whole(body, last),
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
        let draft = dialect.stream(&composition.said, &self.shape, &self.reply.filters);
        let due = self.due(&draft, &composition.pauses);
        let first = due.first().copied().unwrap_or_default();
        let head = dialect.success(&self.facts(first), Form::Stream);
        let events =
            draft.events.iter().zip(&due).map(|((end, kind), at)| Event { at: *at, end: *end, kind: *kind });
        let events: Events = events.collect();
        self.timeline(head, draft.body, events, first)
    }

    /// A body that is not streamed comes when the stream would have ended.
    fn json(&self, composition: &Composition<'_>, spoken: &Spoken, setting: &Setting<'_>) -> Timeline {
        let dialect = self.request.call.route.dialect;
        let kinds: Vec<EventKind> = composition.said.iter().map(Said::kind).collect();
        let at =
            self.pacing.due(&kinds, &composition.pauses, self.shape.seed).last().copied().unwrap_or_default();
        let choices = compose::wholes(spoken, setting);
        self.whole(dialect.completion(choices, setting.counts, &self.shape, &self.reply.filters), at)
    }

    /// A success with a body that is not streamed.
    fn whole(&self, body: impl Into<Body>, at: Duration) -> Timeline {
        let body = body.into();
        let head = self.request.call.route.dialect.success(&self.facts(at), Form::Json(body.len()));
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
        self.error(&failure(code, message))
    }

    fn timeline(
        &self,
        head: Head,
        body: impl Into<Body>,
        events: impl Into<Events>,
        first: Duration,
    ) -> Timeline {
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
        let count_prompt =
            || if needed { self.reply.prompts.tokens(self.request, self.vocabulary) } else { 0 };
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

    pub(super) fn facts(&self, processing: Duration) -> Facts<'_> {
        facts(self.request, &self.shape, self.occasion, processing)
    }
}

/// Lays the reply's status and headers over those of its kind.
fn overrule(timeline: &mut Timeline, reply: &Prepared) {
    let (head, body) = (&mut timeline.head, &timeline.body);
    if let Some(status) = reply.status {
        head.status = status;
        head.reason = None;
        http1::frame_for_status(head, body.len());
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
