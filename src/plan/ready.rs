//! Answers that were written before: what a reply says twice is the second time a pattern, of which each later hit
//! fills the gaps.
//!
//! Most of an answer is the same for every hit: the envelope, the text, its cutting, its escaping. What is a
//! hit's own is known: ids, the time, random characters, the count of the prompt. This is invisible: with
//! patterns or without, a plan has the same bytes (`tests::answers_are_the_same_with_and_without`).

use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;

use super::dialect::shape::{Details, Logprobs, Shape};
use super::pacing::Pacing;
use super::request::Request;
use super::said::Counts;
use super::seed::{Digits, Draw, Seed};
use super::spoken::Spoken;
use super::timeline::{Event, EventKind, Events, Gap, Pattern, Texts, With};
use super::wire::{Filters, Obfuscation};

#[cfg(test)]
pub(crate) mod tests;

/// All that what is said depends on, but for what is a hit's own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    asked: Asked,
    shape: &'a Shape,
}

/// What of it is no part of the shape.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Asked {
    dialect: &'static str,
    stream: bool,
    forced: bool,
    functions: bool,
    counts: Counts,
}

/// An answer with gaps.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) pattern: Arc<Pattern>,
    /// What pacing counts.
    kinds: Vec<EventKind>,
    /// Where the events of a stream end; of a body that is none, nothing.
    ends: Vec<usize>,
    /// The pace, if it is the same for every hit.
    paced: Option<(Pacing, Pace)>,
}

/// When an answer is due.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    pub(crate) events: Events,
    pub(crate) first: Duration,
    pub(crate) last: Duration,
}

impl<'a> Key<'a> {
    /// The key of an answer; `None` where more of it is a hit's own than is known here.
    pub(crate) fn of(request: &Request, shape: &'a Shape, counts: Counts, filters: &Filters) -> Option<Self> {
        let stream = request.stream();
        let Filters { results, prompt_results, chunks, annotations, .. } = filters;
        let given =
            results.is_some() || prompt_results.is_some() || chunks.is_some() || annotations.is_some();
        let measured = shape.latency_checkpoint.is_some() || shape.routing.is_some();
        let telemetry = stream && shape.usage && shape.details == Details::CacheWrite;
        let hidden = matches!(shape.obfuscation, None | Some(Obfuscation::Sent(_)));
        let likely = matches!(shape.logprobs, Logprobs::Asked(_));
        // A first chunk has the time 0 of no hit.
        let timeless = shape.created == 0;
        if request.n() > 1 || likely || given || measured || telemetry || timeless || !hidden {
            return None;
        }
        // A body that is not a stream has gaps for these.
        let counts = if stream { counts } else { Counts { prompt: 0, total: 0, ..counts } };
        let asked = Asked {
            dialect: request.call.route.dialect.name(),
            stream,
            forced: request.forces_a_function(),
            functions: request.offers_functions_only(),
            counts,
        };
        Some(Self { asked, shape })
    }
}

/// What one hit has in the gaps, but for random characters.
pub(crate) fn texts(shape: &Shape, counts: Counts, spoken: &Spoken) -> Texts {
    let calls = &spoken.choice(0).calls;
    let mut texts = Texts::with_capacity(FIRST_CALL + calls.len(), USUAL_TEXT * (2 + calls.len()));
    texts.add(shape.id.as_bytes());
    for number in [shape.created, counts.prompt, counts.total] {
        texts.add(Digits::of(number).as_bytes());
    }
    for (number, call) in calls.iter().enumerate() {
        match &call.id {
            Some(id) => texts.add(id.as_bytes()),
            None => texts.add(call_id(shape.seed, 0, number).as_bytes()),
        }
    }
    texts
}

/// How long an id is, about.
const USUAL_TEXT: usize = 40;

/// The id of a call that its fixture gives none.
pub(crate) fn call_id(seed: Seed, choice: usize, number: usize) -> String {
    ["call_", &call_digits(choice, number).text(seed, 0)].concat()
}

/// What a hit draws for the id of a call.
pub(crate) fn call_digits(choice: usize, number: usize) -> Draw {
    Draw::base62(&format!("call {choice} {number}"), 24)
}

/// The numbers of the texts in gaps, in order.
const ID: usize = 0;
const CREATED: usize = 1;
const PROMPT: usize = 2;
const TOTAL: usize = 3;
const FIRST_CALL: usize = 4;

impl Ready {
    /// The pattern of an answer with these texts in its gaps, at this pace. `ends` are those of its events; a body that is no
    /// stream has none.
    pub(crate) fn new(
        body: Bytes,
        ends: Vec<usize>,
        kinds: Vec<EventKind>,
        texts: &Texts,
        pacing: Pacing,
    ) -> Self {
        let whole = [body.len()];
        let mut gaps = Vec::new();
        let mut start = 0;
        for end in if ends.is_empty() { &whole[..] } else { &ends } {
            find(&body, start..*end, texts, ends.is_empty(), &mut gaps);
            start = *end;
        }
        let mut ready = Self { pattern: Arc::new(Pattern::new(body, gaps, texts)), kinds, ends, paced: None };
        if pacing.is_steady() {
            ready.paced = Some((pacing, ready.pace_now(&pacing, Seed::new(0))));
        }
        ready
    }

    /// When the events are due.
    pub(crate) fn pace(&self, pacing: &Pacing, seed: Seed) -> Pace {
        match &self.paced {
            Some((own, pace)) if own == pacing => pace.clone(),
            _ => self.pace_now(pacing, seed),
        }
    }

    fn pace_now(&self, pacing: &Pacing, seed: Seed) -> Pace {
        let due = pacing.due(&self.kinds, &[], seed);
        let events = self.ends.iter().zip(&self.kinds).zip(&due);
        let events = events.map(|((end, kind), at)| Event { at: *at, end: *end, kind: *kind });
        let at = |due: Option<&Duration>| due.copied().unwrap_or_default();
        Pace { first: at(due.first()), last: at(due.last()), events: events.collect() }
    }
}

/// Where in a value a gap begins, how long it is, and what fills it.
type InValue = (usize, usize, With);

/// Finds the gaps of one event. They are the values of keys, whose quotation marks are not escaped: nothing that a
/// model says looks like one.
fn find(body: &[u8], event: Range<usize>, texts: &Texts, counted: bool, gaps: &mut Vec<Gap>) {
    let (before, offset, event) = (gaps.len(), event.start, &body[event]);
    let mut add = |key: &str, with: &dyn Fn(&[u8]) -> Option<InValue>| {
        for at in values(event, &format!("\"{key}\":")) {
            if let Some((skipped, len, with)) = with(&event[at..]) {
                let start = offset + at + skipped;
                gaps.push(Gap { start, end: start + len, with });
            }
        }
    };
    let number = |which: usize| {
        move |value: &[u8]| {
            let after = value.strip_prefix(texts.get(which))?;
            let ends = !after.first().is_some_and(u8::is_ascii_digit);
            ends.then_some((0, texts.get(which).len(), With::Text(which)))
        }
    };
    let id = |value: &[u8]| {
        let value = value.strip_prefix(b"\"")?;
        let of =
            |which: &usize| value.strip_prefix(texts.get(*which)).is_some_and(|rest| rest.starts_with(b"\""));
        let which = std::iter::once(ID).chain(FIRST_CALL..texts.len()).find(of)?;
        Some((1, texts.get(which).len(), With::Text(which)))
    };
    add("id", &id);
    add("created", &number(CREATED));
    match counted {
        true => {
            add("prompt_tokens", &number(PROMPT));
            add("total_tokens", &number(TOTAL));
        }
        false => gaps.extend(hiding(event).map(|gap| gap.later(offset))),
    }
    gaps[before..].sort_unstable_by_key(|gap| gap.start);
}

/// The gaps of the characters that hide how long a token is.
pub(crate) fn hiding(text: &[u8]) -> impl Iterator<Item = Gap> {
    values(text, "\"obfuscation\":").filter_map(|at| {
        let len = text[at..].strip_prefix(b"\"")?.iter().position(|byte| *byte == b'"')?;
        Some(Gap { start: at + 1, end: at + 1 + len, with: With::Noise })
    })
}

/// Where the values of a key begin.
fn values(text: &[u8], key: &str) -> impl Iterator<Item = usize> {
    places(text, key.as_bytes()).map(move |at| {
        let value = at + key.len();
        value + usize::from(text[value..].starts_with(b" "))
    })
}

/// Where a part of a text begins, wherever it stands.
pub(crate) fn places(text: &[u8], part: &[u8]) -> impl Iterator<Item = usize> {
    let (first, mut next) = (part[0], 0);
    std::iter::from_fn(move || {
        loop {
            let at = next + text[next..].iter().position(|byte| *byte == first)?;
            next = at + 1;
            if text[at..].starts_with(part) {
                return Some(at);
            }
        }
    })
}

/// The patterns of one reply, each for requests of another kind; of later kinds there are none.
#[derive(Debug, Default)]
pub(crate) struct Cache([OnceLock<Box<Seen>>; MOST]);

/// A kind of request that was seen.
#[derive(Debug)]
struct Seen {
    asked: Asked,
    shape: Shape,
    ready: OnceLock<Arc<Ready>>,
}

impl Cache {
    /// The pattern for a key, if there is one.
    pub(crate) fn get(&self, key: Key<'_>) -> Option<&Arc<Ready>> {
        self.seen(key)?.ready.get()
    }

    /// Keeps what `make` makes, if the key was seen before. An answer that is asked for once needs no pattern.
    pub(crate) fn keep(&self, key: Key<'_>, make: impl FnOnce() -> Ready) {
        if let Some(seen) = self.seen(key) {
            seen.ready.get_or_init(|| Arc::new(make()));
        } else if let Some(free) = self.0.iter().find(|slot| slot.get().is_none()) {
            // Somebody else may have been faster; then it is kept another time.
            let (asked, shape) = (key.asked, key.shape.clone());
            let _ = free.set(Box::new(Seen { asked, shape, ready: OnceLock::new() }));
        }
    }

    fn seen(&self, key: Key<'_>) -> Option<&Seen> {
        self.all().find(|seen| seen.asked == key.asked && seen.shape.is_alike(key.shape))
    }

    fn all(&self) -> impl Iterator<Item = &Seen> {
        self.0.iter().map_while(|slot| slot.get().map(Box::as_ref))
    }

    #[cfg(test)]
    fn patterns(&self) -> usize {
        self.all().filter(|seen| seen.ready.get().is_some()).count()
    }
}

/// What was copied knows nothing yet.
impl Clone for Cache {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// How many patterns a reply has at most.
const MOST: usize = 16;

/// The largest answer, in bytes, that becomes a pattern.
pub(crate) const LARGEST: usize = 1024 * 1024;
