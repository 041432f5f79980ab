//! From an answer or a script to the list of what is said: the order of a stream's events.

use std::borrow::Cow;
use std::time::Duration;

use rand::RngExt;

use self::annotations::{annotate, hit, verdicts};
use super::dialect::completion::Whole;
use super::dialect::shape::{Logprobs, Shape};
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
    let blocking = filtering
        && filters.completion.filtered()
        && (filters.mode == FilterMode::Default || filters.after.is_some());
    let mut said = Vec::new();
    if filtering {
        said.push(Said::Preamble(&filters.prompt));
    }
    let mut choices: Vec<std::vec::IntoIter<Said<'a>>> = (0..n)
        .map(|index| {
            let mut events = content(index, spoken.choice(index), setting);
            if let (true, Some(after)) = (blocking, filters.after) {
                events.truncate(1 + after);
            }
            events.into_iter()
        })
        .collect();
    for choice in &mut choices {
        said.extend(choice.take(2));
    }
    interleave(&mut said, &mut choices, shape);
    let asynchronous = filtering && filters.mode == FilterMode::Asynchronous;
    if asynchronous {
        said = annotate(said, setting);
    }
    if blocking && !asynchronous {
        said.extend((0..n).map(|choice| Said::Filtered { choice, verdicts: &filters.completion }));
    } else if blocking {
        said.extend((0..n).filter_map(|choice| hit(choice, spoken.choice(choice), setting)));
    } else {
        said.extend(
            (0..n)
                .map(|choice| Said::Finish { choice, reason: finish_reason(spoken.choice(choice), setting) }),
        );
        if asynchronous {
            said.extend((0..n).flat_map(|choice| verdicts(choice, spoken.choice(choice), setting)));
        }
        if shape.usage {
            said.push(Said::Usage(*counts));
        }
    }
    said.push(Said::Done);
    Composition { said, ..Composition::default() }
}

/// The opening of a choice and its pieces, in order.
fn content<'a>(index: usize, choice: &'a Choice, setting: &Setting<'a>) -> Vec<Said<'a>> {
    let (shape, request) = (setting.shape, setting.request);
    let call_id = |number: usize, call: &'a Call| match &call.id {
        Some(id) => Cow::Borrowed(id.as_str()),
        None => Cow::Owned(format!("call_{}", shape.seed.base62(&format!("call {index} {number}"), 24))),
    };
    let mut logprob = logprobs::of(index, choice, shape);
    let mut said = Vec::new();
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

/// Takes the rest of all choices: mostly in turn, with runs, as generated in parallel.
fn interleave<'a>(said: &mut Vec<Said<'a>>, choices: &mut [std::vec::IntoIter<Said<'a>>], shape: &Shape) {
    if let [only] = choices {
        said.extend(only);
        return;
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
