//! From an answer or a script to the list of what is said: the order of a stream's events.

use std::borrow::Cow;
use std::time::Duration;

use rand::RngExt;
use serde_json::Value;

use super::dialect::completion::Whole;
use super::dialect::shape::{Logprobs, Shape};
use super::fault::{At, Fault};
use super::json::StringOr;
use super::reply::{Answer, Base64, Offsets, Step, TokenLogprob, ToolCall, Usage};
use super::request::Request;
use super::said::{Counts, Filter, Opening, Said};
use super::spoken::{Call, Choice, Spoken};
use super::wire::{FilterMode, Filters};

/// A stream, before any dialect has a word for it.
#[derive(Debug, Default)]
pub(crate) struct Composition<'a> {
    /// The events.
    pub(crate) said: Vec<Said<'a>>,
    /// A script's waits: (index of the event after it, how long).
    pub(crate) pauses: Vec<(usize, Duration)>,
    /// A script's fault, where it stands.
    pub(crate) fault: Option<Fault>,
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
    let Setting {
        request,
        shape,
        filters,
        counts,
        ..
    } = setting;
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
        said.extend((0..n).map(|choice| Said::Filtered {
            choice,
            verdicts: &filters.completion,
        }));
    } else if blocking {
        said.extend((0..n).filter_map(|choice| hit(choice, spoken.choice(choice), setting)));
    } else {
        said.extend((0..n).map(|choice| Said::Finish {
            choice,
            reason: finish_reason(spoken.choice(choice), setting),
        }));
        if asynchronous {
            said.extend((0..n).flat_map(|choice| verdicts(choice, spoken.choice(choice), setting)));
        }
        if shape.usage {
            said.push(Said::Usage(*counts));
        }
    }
    said.push(Said::Done);
    Composition {
        said,
        ..Composition::default()
    }
}

/// Composes the stream of a script: exactly its steps.
pub(crate) fn script<'a>(steps: &'a [Step], counts: impl Fn(&Usage) -> Counts) -> Composition<'a> {
    let mut composition = Composition::default();
    let choice = 0;
    for step in steps {
        let said = match step {
            Step::Role(role) => Said::Open {
                choice,
                opening: Opening::Role(role),
            },
            Step::Text(text) => Said::Text {
                choice,
                text,
                logprob: None,
            },
            Step::Reasoning(text) => Said::Reasoning { choice, text },
            Step::Refusal(text) => Said::Refusal {
                choice,
                text,
                logprob: None,
            },
            Step::ToolCall(call) => Said::Call {
                choice,
                call: call.index,
                id: call.id.as_deref().map(Cow::Borrowed),
                name: call.name.as_deref(),
                arguments: call.arguments.as_deref(),
                parallel: false,
            },
            Step::Delta(delta) => Said::Delta { choice, delta },
            Step::Finish(reason) => Said::Finish { choice, reason },
            Step::Usage(usage) => Said::Usage(counts(usage)),
            Step::PromptFilter(verdicts) => Said::Preamble(verdicts),
            Step::ContentFilter(step) => Said::Annotation {
                choice,
                verdicts: Cow::Borrowed(&step.results),
                filter: Filter::Named,
                offsets: step.offsets.unwrap_or_default(),
                finish: step.finish_reason.as_deref(),
            },
            Step::Chunk(chunk) => Said::Chunk(chunk),
            Step::Event(event) => Said::Event(event),
            Step::Comment(text) => Said::Comment(text),
            Step::Raw(StringOr::Text(text)) => Said::Raw(Cow::Borrowed(text.as_bytes())),
            Step::Raw(StringOr::Object(Base64 { base64 })) => Said::Raw(Cow::Borrowed(base64)),
            Step::Done => Said::Done,
            Step::Wait(span) => {
                composition.pauses.push((composition.said.len(), span.0));
                continue;
            }
            Step::Fault(fault) => {
                let here = At::event(i64::try_from(composition.said.len()).unwrap_or(i64::MAX));
                let at = if fault.at == At::End { here } else { fault.at };
                composition.fault = Some(Fault { at, ..*fault });
                continue;
            }
        };
        composition.said.push(said);
    }
    composition
}

/// The opening of a choice and its pieces, in order.
fn content<'a>(index: usize, choice: &'a Choice, setting: &Setting<'a>) -> Vec<Said<'a>> {
    let (shape, request) = (setting.shape, setting.request);
    let call_id = |number: usize, call: &'a Call| match &call.id {
        Some(id) => Cow::Borrowed(id.as_str()),
        None => Cow::Owned(format!(
            "call_{}",
            shape.seed.base62(&format!("call {index} {number}"), 24)
        )),
    };
    let mut logprob = logprobs(index, choice, shape);
    let mut said = Vec::new();
    let open = |opening| Said::Open {
        choice: index,
        opening,
    };
    let first = match choice.calls.as_slice() {
        [call] if choice.text.is_empty() && request.offers_functions_only() => {
            said.push(open(Opening::Function { name: &call.name }));
            said.extend(call.pieces.iter().map(|arguments| Said::Function {
                choice: index,
                arguments,
            }));
            return said;
        }
        [call] if choice.text.is_empty() => {
            said.push(open(Opening::Call {
                id: call_id(0, call),
                name: &call.name,
            }));
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
    said.extend(
        choice
            .refusal
            .iter()
            .enumerate()
            .map(|(at, text)| Said::Refusal {
                choice: index,
                text,
                logprob: logprob(at, text),
            }),
    );
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
fn interleave<'a>(
    said: &mut Vec<Said<'a>>,
    choices: &mut [std::vec::IntoIter<Said<'a>>],
    shape: &Shape,
) {
    if let [only] = choices {
        said.extend(only);
        return;
    }
    let mut stream = shape.seed.stream("interleave");
    let mut turn = 0;
    while choices.iter().any(|choice| choice.len() > 0) {
        let count = choices.len();
        said.extend(choices[turn % count].next());
        if stream.random_range(0..12u32) > 0 {
            turn += 1;
        }
    }
}

/// Why a choice ends.
fn finish_reason<'a>(choice: &'a Choice, setting: &Setting<'a>) -> &'a str {
    match &choice.finish {
        Some(reason) => reason,
        None if choice.calls.is_empty() => "stop",
        None if setting.request.offers_functions_only() && choice.calls.len() == 1 => {
            "function_call"
        }
        // Of all recorded forced calls, 62 of 62 of the older models finish so.
        None if setting.request.forces_a_function() && !setting.reasoning => "stop",
        None => "tool_calls",
    }
}

/// The log probability of each piece, where they were asked for: the answer's own, or made up.
fn logprobs<'a>(
    index: usize,
    choice: &'a Choice,
    shape: &Shape,
) -> impl FnMut(usize, &'a str) -> Option<Cow<'a, TokenLogprob>> {
    let mut stream = shape.seed.stream(&format!("logprobs {index}"));
    let asked = shape.logprobs;
    move |at, text| {
        let Logprobs::Asked(top) = asked else {
            return None;
        };
        if let Some(own) = choice.logprobs.as_ref().and_then(|own| own.get(at)) {
            return Some(Cow::Borrowed(own));
        }
        let mut draw = |token: &str, least: f32| {
            let chance: f32 = stream.random();
            let (square, likely) = (chance * chance, 2.5);
            let logprob = f64_as_printed(-(least + likely * square * square * square));
            TokenLogprob {
                token: token.to_owned(),
                logprob,
                bytes: None,
                top_logprobs: Vec::new(),
            }
        };
        let mut entry = draw(text, 0.000_002);
        let alternatives = ALTERNATIVES
            .iter()
            .filter(|token| **token != text)
            .enumerate();
        let alternatives = alternatives.map(|(rank, token)| {
            draw(
                token,
                3.0 + 2.0 * f32::from(u8::try_from(rank).unwrap_or(u8::MAX)),
            )
        });
        let ranked: Vec<TokenLogprob> = std::iter::once(entry.clone())
            .chain(alternatives)
            .take(top)
            .collect();
        entry.top_logprobs = ranked;
        Some(Cow::Owned(entry))
    }
}

/// Tokens a model might have said instead; nobody's test depends on which.
const ALTERNATIVES: [&str; 21] = [
    " the", ",", " a", ".", " and", " to", " of", " is", " in", "The", " I", "Hello", " that",
    " it", " for", "\n", " you", " with", "!", " on", "?",
];

/// Logprobs are single precision on the wire: the shortest digits that give the same `f32`.
fn f64_as_printed(value: f32) -> f64 {
    value
        .to_string()
        .parse()
        .expect("a printed number is a number")
}

/// Adds the annotations that the asynchronous filter sends while tokens still come.
fn annotate<'a>(said: Vec<Said<'a>>, setting: &Setting<'a>) -> Vec<Said<'a>> {
    const WINDOW: usize = 40;
    let mut out = Vec::with_capacity(said.len() + 4);
    let mut texts = 0;
    let mut seen = 0;
    for event in said {
        let text = match &event {
            Said::Text {
                choice: 0, text, ..
            } => Some(text.chars().count()),
            _ => None,
        };
        out.push(event);
        if let Some(count) = text {
            texts += 1;
            seen += count;
            if texts % WINDOW == 0 {
                let clean = Cow::Owned(Default::default());
                out.push(Said::Annotation {
                    choice: 0,
                    verdicts: clean,
                    filter: Filter::Blocklists,
                    offsets: offsets(setting, seen),
                    finish: None,
                });
            }
        }
    }
    out
}

/// The annotations that follow the finish: one for each filter, over the whole text.
fn verdicts<'a>(
    choice: usize,
    spoken: &'a Choice,
    setting: &Setting<'a>,
) -> impl Iterator<Item = Said<'a>> {
    let offsets = offsets(
        setting,
        spoken.text.iter().map(|text| text.chars().count()).sum(),
    );
    let verdicts = &setting.filters.completion;
    FILTERS.into_iter().map(move |filter| Said::Annotation {
        choice,
        verdicts: Cow::Borrowed(verdicts),
        filter,
        offsets,
        finish: None,
    })
}

/// The annotation with which the asynchronous filter ends a stream.
fn hit<'a>(choice: usize, spoken: &'a Choice, setting: &Setting<'a>) -> Option<Said<'a>> {
    let Filters {
        completion, after, ..
    } = setting.filters;
    let filter = FILTERS
        .into_iter()
        .find(|filter| completion.filtered_by(*filter))
        .unwrap_or(Filter::Named);
    let sent = spoken
        .text
        .iter()
        .take((*after)?)
        .map(|text| text.chars().count())
        .sum();
    let offsets = offsets(setting, sent);
    Some(Said::Annotation {
        choice,
        verdicts: Cow::Borrowed(completion),
        filter,
        offsets,
        finish: Some("content_filter"),
    })
}

const FILTERS: [Filter; 4] = [
    Filter::Code,
    Filter::Blocklists,
    Filter::Text,
    Filter::Categories,
];

/// Offsets count from the start of the prompt, in characters; the checked part starts where it ends.
fn offsets(setting: &Setting<'_>, seen: usize) -> Offsets {
    let request = setting.request;
    let prompt =
        (request.system_text().chars().count() + request.user_text().chars().count()) as u64;
    Offsets {
        check_offset: prompt,
        start_offset: prompt,
        end_offset: prompt + seen as u64,
    }
}

/// The choices of an answer that is not streamed.
pub(crate) fn wholes<'a>(spoken: &'a Spoken, setting: &Setting<'a>) -> Vec<Whole<'a>> {
    let Setting {
        request,
        shape,
        filters,
        ..
    } = setting;
    let withheld =
        shape.filtered && filters.mode != FilterMode::Off && filters.completion.filtered();
    (0..request.n())
        .map(|index| {
            let choice = spoken.choice(index);
            let events = content(index, choice, setting);
            Whole {
                choice,
                finish: if withheld {
                    "content_filter"
                } else {
                    finish_reason(choice, setting)
                },
                call_ids: events.iter().filter_map(call_id_of).collect(),
                pieces: events,
                function: request.offers_functions_only() && choice.calls.len() == 1,
                withheld,
            }
        })
        .collect()
}

fn call_id_of(said: &Said<'_>) -> Option<String> {
    match said {
        Said::Open {
            opening: Opening::Call { id, .. },
            ..
        }
        | Said::Call { id: Some(id), .. } => Some(id.clone().into_owned()),
        _ => None,
    }
}

/// What a script says, as one answer: for a request that asks for no stream.
pub(crate) fn answer_of_script(steps: &[Step]) -> Answer {
    let mut answer = Answer::default();
    let mut calls: Vec<ToolCall> = Vec::new();
    let add = |to: &mut Option<String>, text: &str| to.get_or_insert_default().push_str(text);
    for step in steps {
        match step {
            Step::Text(text) => add(&mut answer.text, text),
            Step::Reasoning(text) => add(&mut answer.reasoning, text),
            Step::Refusal(text) => add(&mut answer.refusal, text),
            Step::ToolCall(step) => {
                let index = usize::try_from(step.index)
                    .unwrap_or(usize::MAX)
                    .min(calls.len());
                if index == calls.len() {
                    calls.push(ToolCall {
                        arguments: Value::from(""),
                        ..ToolCall::default()
                    });
                }
                let call = &mut calls[index];
                call.id = call.id.take().or_else(|| step.id.clone());
                call.name.push_str(step.name.as_deref().unwrap_or_default());
                if let (Value::String(arguments), Some(more)) =
                    (&mut call.arguments, &step.arguments)
                {
                    arguments.push_str(more);
                }
            }
            Step::Delta(delta) => {
                let text = |key| delta.get(key).and_then(Value::as_str);
                text("content")
                    .into_iter()
                    .for_each(|text| add(&mut answer.text, text));
                text("refusal")
                    .into_iter()
                    .for_each(|text| add(&mut answer.refusal, text));
            }
            Step::Finish(reason) => answer.finish_reason = Some(reason.clone()),
            Step::Usage(usage) => answer.usage = Some(*usage),
            _ => {}
        }
    }
    answer.tool_calls = (!calls.is_empty()).then_some(calls);
    answer
}
