//! What a script says: as a stream, exactly its steps; to a request that asks for none, one answer.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::Composition;
use crate::plan::fault::json::Written;
use crate::plan::json::StringOr;
use crate::plan::reply::{Answer, Base64, Step, ToolCall, ToolCallStep, Usage};
use crate::plan::said::{Counts, Filter, Opening, Said};

/// Composes the stream of a script: exactly its steps.
pub(crate) fn stream<'a>(steps: &'a [Step], counts: impl Fn(&Usage) -> Counts) -> Composition<'a> {
    let mut composition = Composition::default();
    let choice = 0;
    for step in steps {
        let said = match step {
            Step::Role(role) => Said::Open { choice, opening: Opening::Role(role) },
            Step::Text(text) => Said::Text { choice, text, logprob: None },
            Step::Reasoning(text) => Said::Reasoning { choice, text },
            Step::Refusal(text) => Said::Refusal { choice, text, logprob: None },
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
            Step::Chunk(chunk) => Said::Chunk(Cow::Borrowed(chunk)),
            Step::Event(event) => Said::Event(event),
            Step::Comment(text) => Said::Comment(text),
            Step::Raw(StringOr::Text(text)) => Said::Raw(Cow::Borrowed(text.as_bytes())),
            Step::Raw(StringOr::Object(Base64 { base64 })) => Said::Raw(Cow::Borrowed(base64)),
            Step::Done => Said::Done,
            Step::Wait(span) => {
                composition.pauses.push((composition.said.len(), span.0));
                continue;
            }
            Step::Fault(_) => continue,
        };
        composition.said.push(said);
    }
    composition
}

/// The faults of a script: the index of each, and how many events are before it.
pub(crate) fn faults(steps: &[Step]) -> impl Iterator<Item = (usize, i64, &Written)> {
    let mut said = 0;
    steps.iter().enumerate().filter_map(move |(index, step)| match step {
        Step::Fault(fault) => Some((index, said, fault)),
        Step::Wait(_) => None,
        _ => {
            said += 1;
            None
        }
    })
}

/// What a script says, as one answer: for a request that asks for no stream.
pub(crate) fn answer(steps: &[Step]) -> Answer {
    let mut answer = Answer::default();
    for step in steps {
        match step {
            Step::Text(text) => add(&mut answer.text, text),
            Step::Reasoning(text) => add(&mut answer.reasoning, text),
            Step::Refusal(text) => add(&mut answer.refusal, text),
            Step::ToolCall(step) => call(&mut answer, step),
            Step::Delta(delta) => merge(&mut answer, delta),
            Step::Chunk(chunk) => {
                let choice = chunk.pointer("/choices/0").unwrap_or(&Value::Null);
                merge(&mut answer, choice.get("delta").unwrap_or(&Value::Null));
                if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
                    answer.finish_reason = Some(reason.to_owned());
                }
                if let Some(usage) = chunk.get("usage").and_then(|usage| Usage::deserialize(usage).ok()) {
                    answer.usage = Some(usage);
                }
            }
            Step::Finish(reason) => answer.finish_reason = Some(reason.clone()),
            Step::Usage(usage) => answer.usage = Some(*usage),
            // A body has one message, no events of other kinds, and comes when all is said.
            Step::Role(_)
            | Step::PromptFilter(_)
            | Step::ContentFilter(_)
            | Step::Event(_)
            | Step::Comment(_)
            | Step::Raw(_)
            | Step::Wait(_)
            | Step::Fault(_)
            | Step::Done => {}
        }
    }
    answer
}

/// Adds what a delta says.
fn merge(answer: &mut Answer, delta: &Value) {
    let text = |key| delta.get(key).and_then(Value::as_str);
    text("content").into_iter().for_each(|text| add(&mut answer.text, text));
    text("refusal").into_iter().for_each(|text| add(&mut answer.refusal, text));
    text("reasoning_content").into_iter().for_each(|text| add(&mut answer.reasoning, text));
    for piece in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        let text = |pointer| piece.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let step = ToolCallStep {
            index: piece.get("index").and_then(Value::as_u64).unwrap_or_default(),
            id: text("/id"),
            name: text("/function/name"),
            arguments: text("/function/arguments"),
        };
        call(answer, &step);
    }
}

/// Adds a piece of a tool call.
fn call(answer: &mut Answer, step: &ToolCallStep) {
    let calls = answer.tool_calls.get_or_insert_default();
    let index = usize::try_from(step.index).unwrap_or(usize::MAX).min(calls.len());
    if index == calls.len() {
        calls.push(ToolCall { arguments: Value::from(""), ..ToolCall::default() });
    }
    let call = &mut calls[index];
    call.id = call.id.take().or_else(|| step.id.clone());
    call.name.push_str(step.name.as_deref().unwrap_or_default());
    if let (Value::String(arguments), Some(more)) = (&mut call.arguments, &step.arguments) {
        arguments.push_str(more);
    }
}

fn add(to: &mut Option<String>, text: &str) {
    to.get_or_insert_default().push_str(text);
}
