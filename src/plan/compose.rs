//! From an answer or a script to the list of what is said: the order of a stream's events.

use std::borrow::Cow;
use std::time::Duration;

use rand::RngExt;

use self::annotations::{annotate, hit, verdicts};
use super::dialect::azure::stream::given_preamble;
use super::dialect::completion::Whole;
use super::dialect::shape::{Logprobs, Shape};
use super::ready;
use super::request::Request;
use super::said::{Counts, Opening, Said};
use super::spoken::{Call, Choice, Spoken};
use super::wire::{FilterMode, Filters};

mod annotations;
mod logprobs;
pub(crate) mod script;

/// A stream, before any dialect has a word for it.
#[derive(Debug, Default)]
pub(crate) struct Composition<'a> {
    /// The events.
    pub(crate) said: Vec<Said<'a>>,
    /// A script's waits: (index of the event after it, how long).
    pub(crate) pauses: Vec<(usize, Duration)>,
}

/// What composing an answer depends on.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) request: &'a Request,
    pub(crate) shape: &'a Shape,
    pub(crate) filters: &'a Filters,
    pub(crate) counts: Counts,
    /// Whether the model finishes a forced function call with `tool_calls`, as reasoning models do.
    pub(crate) reasoning: bool,
}

/// Composes the stream of an answer.
pub(crate) fn answer<'a>(spoken: &'a Spoken, setting: &Setting<'a>) -> Composition<'a> {
    let Setting { request, shape, filters, counts, .. } = setting;
    let n = request.n();
    let filtering = shape.filtered && filters.mode != FilterMode::Off;
    let asynchronous = filtering && filters.mode == FilterMode::Asynchronous;
    let annotations = filters.annotations.as_deref().filter(|_| asynchronous);
    let blocking = filtering
        && annotations.is_none()
        && filters.completion.filtered()
        && (filters.mode == FilterMode::Default || filters.after.is_some());
    let contents = (0..n).map(|index| {
        let mut events = content(index, spoken.choice(index), setting);
        if let (true, Some(after)) = (blocking, filters.after) {
            events.truncate(1 + after);
        }
        events
    });
    let cut = |choice| annotations.is_some_and(|list| annotations::cuts(list, choice));
    let finish = |choice| match blocking {
        true if asynchronous => hit(choice, spoken.choice(choice), setting),
        true => Some(Said::Filtered { choice, verdicts: &filters.completion }),
        false if cut(choice) => None,
        false => Some(Said::Finish { choice, reason: finish_reason(spoken.choice(choice), setting) }),
    };
    let mut chunks = match &shape.interleave {
        Some(order) => ordered(contents.zip((0..n).map(finish)), order),
        None => interleaved(contents, shape),
    };
    if asynchronous && annotations.is_none() {
        chunks = annotate(chunks, setting);
    }
    if shape.interleave.is_none() {
        chunks.extend((0..n).filter_map(finish));
    }
    if let Some(annotations) = annotations {
        chunks = annotations::place(chunks, annotations);
    } else if asynchronous && !blocking {
        chunks.extend((0..n).flat_map(|choice| verdicts(choice, spoken.choice(choice), setting)));
    }
    let mut said = Vec::with_capacity(chunks.len() + 3);
    said.extend(filtering.then(|| preamble(setting)));
    said.extend(chunks);
    if shape.usage && !blocking && !(0..n).any(cut) {
        said.push(Said::Usage(*counts));
    }
    said.push(Said::Done);
    Composition { said, ..Composition::default() }
}

/// The chunk about the prompt.
fn preamble<'a>(setting: &Setting<'a>) -> Said<'a> {
    match &setting.filters.prompt_results {
        Some(results) => Said::Chunk(Cow::Owned(given_preamble(setting.shape.profile, results))),
        None => Said::Preamble(&setting.filters.prompt),
    }
}

/// The opening of a choice and its pieces, in order.
fn content<'a>(index: usize, choice: &'a Choice, setting: &Setting<'a>) -> Vec<Said<'a>> {
    let (shape, request) = (setting.shape, setting.request);
    let call_id = |number: usize, call: &'a Call| match &call.id {
        Some(id) => Cow::Borrowed(id.as_str()),
        None => Cow::Owned(ready::call_id(shape.seed, index, number)),
    };
    let mut logprob = logprobs::of(index, choice, shape);
    let mut said = Vec::with_capacity(choice.text.len() + choice.refusal.len() + 2);
    let open = |opening| Said::Open { choice: index, opening };
    let function = as_function(choice, request);
    let pieces_of_function = |call: &'a Call| {
        call.pieces.iter().map(move |arguments| Said::Function { choice: index, name: None, arguments })
    };
    let first = match choice.calls.as_slice() {
        [call] if choice.text.is_empty() && function => {
            said.push(open(Opening::Function { name: &call.name }));
            said.extend(pieces_of_function(call));
            return said;
        }
        [call] if choice.text.is_empty() => {
            said.push(open(Opening::Call { id: call_id(0, call), name: &call.name }));
            Some(0)
        }
        [_, _, ..] if choice.text.is_empty() => {
            said.push(open(Opening::Calls));
            None
        }
        _ if choice.text.is_empty() && !choice.refusal.is_empty() => {
            said.push(open(Opening::Refusal));
            None
        }
        _ => {
            said.push(open(Opening::Text));
            None
        }
    };
    said.extend(choice.text.iter().enumerate().map(|(at, text)| Said::Text {
        choice: index,
        text,
        logprob: logprob(at, text),
    }));
    said.extend(choice.refusal.iter().enumerate().map(|(at, text)| Said::Refusal {
        choice: index,
        text,
        logprob: logprob(at, text),
    }));
    if let (true, [call]) = (function, choice.calls.as_slice()) {
        said.push(Said::Function { choice: index, name: Some(&call.name), arguments: "" });
        said.extend(pieces_of_function(call));
        return said;
    }
    let parallel = choice.calls.len() > 1;
    for (number, call) in choice.calls.iter().enumerate() {
        let piece = |arguments: &'a str| Said::Call {
            choice: index,
            call: number as u64,
            id: None,
            name: None,
            arguments: Some(arguments),
            parallel,
        };
        if first != Some(number) {
            let id = Some(call_id(number, call));
            said.push(Said::Call {
                choice: index,
                call: number as u64,
                id,
                name: Some(&call.name),
                arguments: Some(""),
                parallel,
            });
        }
        said.extend(call.pieces.iter().map(|arguments| piece(arguments)));
    }
    said
}

/// The chunks of all choices, mostly in turn, with runs, as generated in parallel; each choice opens with two.
fn interleaved<'a>(contents: impl Iterator<Item = Vec<Said<'a>>>, shape: &Shape) -> Vec<Said<'a>> {
    let mut choices: Vec<std::vec::IntoIter<Said<'a>>> = contents.map(Vec::into_iter).collect();
    if let [only] = choices.as_mut_slice() {
        return only.collect();
    }
    let mut said = Vec::new();
    for choice in &mut choices {
        said.extend(choice.take(2));
    }
    let mut stream = shape.seed.stream("interleave");
    let mut next = 0;
    while choices.iter().any(|choice| choice.len() > 0) {
        let count = choices.len();
        said.extend(choices[next % count].next());
        if stream.random_range(0..12u32) > 0 {
            next += 1;
        }
    }
    said
}

/// The chunks of all choices in a given order; what it does not name comes after it, choice by choice.
fn ordered<'a>(
    choices: impl Iterator<Item = (Vec<Said<'a>>, Option<Said<'a>>)>,
    order: &[usize],
) -> Vec<Said<'a>> {
    let mut choices: Vec<_> = choices.map(|(content, finish)| content.into_iter().chain(finish)).collect();
    let mut said: Vec<Said<'a>> =
        order.iter().filter_map(|choice| choices.get_mut(*choice)?.next()).collect();
    said.extend(choices.into_iter().flatten());
    said
}

/// Whether a call is written as a function's, as before there were tools.
fn as_function(choice: &Choice, request: &Request) -> bool {
    request.offers_functions_only() && choice.calls.len() == 1
}

/// How many bytes an answer has, at least: what a request multiplies is what its log probabilities and
/// choices multiply.
pub(crate) fn weight(spoken: &Spoken, setting: &Setting<'_>) -> u64 {
    let each = match setting.shape.logprobs {
        Logprobs::Asked(top) => 300 + 90 * (1 + top as u64),
        Logprobs::Null | Logprobs::Absent => 300,
    };
    let weight = |choice: &Choice| {
        let calls = choice.calls.iter().flat_map(|call| &call.pieces);
        let pieces = choice.text.iter().chain(&choice.refusal).chain(calls);
        pieces.map(|piece| each + piece.len() as u64).sum::<u64>()
    };
    (0..setting.request.n()).map(|index| weight(spoken.choice(index))).sum()
}

/// Why a choice ends.
fn finish_reason<'a>(choice: &'a Choice, setting: &Setting<'a>) -> &'a str {
    match &choice.finish {
        Some(reason) => reason,
        None if choice.calls.is_empty() => "stop",
        None if as_function(choice, setting.request) => "function_call",
        // Of all recorded forced calls, 62 of 62 of the older models finish so.
        None if setting.request.forces_a_function() && !setting.reasoning => "stop",
        None => "tool_calls",
    }
}

/// The choices of an answer that is not streamed.
pub(crate) fn wholes<'a>(spoken: &'a Spoken, setting: &Setting<'a>) -> Vec<Whole<'a>> {
    let Setting { request, shape, filters, .. } = setting;
    let withheld = shape.filtered && filters.mode != FilterMode::Off && filters.completion.filtered();
    (0..request.n())
        .map(|index| {
            let choice = spoken.choice(index);
            let events = content(index, choice, setting);
            Whole {
                choice,
                finish: if withheld { "content_filter" } else { finish_reason(choice, setting) },
                call_ids: events.iter().filter_map(call_id_of).collect(),
                pieces: events,
                function: as_function(choice, request),
                withheld,
            }
        })
        .collect()
}

fn call_id_of(said: &Said<'_>) -> Option<String> {
    match said {
        Said::Open { opening: Opening::Call { id, .. }, .. } | Said::Call { id: Some(id), .. } => {
            Some(id.clone().into_owned())
        }
        _ => None,
    }
}
