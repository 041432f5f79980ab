//! Checks an answer.

use serde_json::Value;

use crate::plan::load::problems::{Problems, below};
use crate::plan::load::words::quoted;
use crate::plan::reply::{Answer, Chunking, TokenLogprob, ToolCall};
use crate::plan::template::Templates;

use super::usage;

/// Checks an answer that stands at the pointer `at`.
pub(super) fn answer(answer: &Answer, at: &str, problems: &mut Problems) -> Option<Templates> {
    let is_template = answer.template == Some(true);
    if let Some(counts) = &answer.usage {
        usage::usage(counts, &below(at, "usage"), problems);
    }
    let Some(choices) = &answer.choices else {
        one(answer, at, is_template, problems);
        return templates(answer, at, is_template, problems);
    };
    for (key, given) in [
        ("text", answer.text.is_some()),
        ("reasoning", answer.reasoning.is_some()),
        ("refusal", answer.refusal.is_some()),
        ("tool_calls", answer.tool_calls.is_some()),
        ("finish_reason", answer.finish_reason.is_some()),
        ("logprobs", answer.logprobs.is_some()),
        ("chunking", answer.chunking.is_some()),
    ] {
        if given {
            problems.key(below(at, key), format!("with `choices`, each choice has its own `{key}`"));
        }
    }
    let list = below(at, "choices");
    if choices.is_empty() {
        problems.value(list.clone(), "`choices` is empty: give at least one");
    }
    for (index, choice) in choices.iter().enumerate() {
        let at = format!("{list}/{index}");
        for (key, given) in [
            ("choices", choice.choices.is_some()),
            ("usage", choice.usage.is_some()),
            ("template", choice.template.is_some()),
        ] {
            if given {
                problems.key(below(&at, key), format!("`{key}` is the whole answer's, not a choice's"));
            }
        }
        one(choice, &at, is_template, problems);
    }
    templates(answer, at, is_template, problems)
}

fn templates(answer: &Answer, at: &str, is_template: bool, problems: &mut Problems) -> Option<Templates> {
    if !is_template {
        return None;
    }
    match Templates::new(answer) {
        Ok(templates) => Some(templates),
        Err(failures) => {
            for (pointer, message) in failures {
                problems.value(format!("{at}{pointer}"), format!("not a template: {message}"));
            }
            None
        }
    }
}

/// Checks one choice, or an answer without choices.
fn one(answer: &Answer, at: &str, is_template: bool, problems: &mut Problems) {
    if let Some(chunking) = &answer.chunking {
        let text = answer.text.as_deref().or(answer.refusal.as_deref()).unwrap_or_default();
        let at = below(at, "chunking");
        check_chunking(chunking, text, &at, is_template, problems);
    }
    if answer.refusal.is_some() {
        for (key, given) in [("text", answer.text.is_some()), ("tool_calls", answer.tool_calls.is_some())] {
            if given {
                problems.key(below(at, key), format!("a refusal stands alone: leave `{key}` out"));
            }
        }
    }
    if answer.tool_calls.as_ref().is_some_and(Vec::is_empty) {
        problems.value(below(at, "tool_calls"), "`tool_calls` is empty: leave it out");
    }
    for (index, call) in answer.tool_calls.iter().flatten().enumerate() {
        check_call(call, &format!("{at}/tool_calls/{index}"), is_template, problems);
    }
    for (index, logprob) in answer.logprobs.iter().flatten().enumerate() {
        check_logprob(logprob, &format!("{at}/logprobs/{index}"), problems);
    }
}

fn check_call(call: &ToolCall, at: &str, is_template: bool, problems: &mut Problems) {
    if call.name.is_empty() {
        problems.value(below(at, "name"), "a tool call needs the tool's name");
    }
    let Some(chunking) = &call.chunking else {
        return;
    };
    let text = match &call.arguments {
        Value::String(text) => text.clone(),
        arguments => arguments.to_string(),
    };
    check_chunking(chunking, &text, &below(at, "chunking"), is_template, problems);
}

fn check_chunking(chunking: &Chunking, text: &str, at: &str, is_template: bool, problems: &mut Problems) {
    match chunking {
        Chunking::Chars(0) => {
            problems.value(below(at, "chars"), "a piece has at least 1 character");
        }
        Chunking::Exact(_) if is_template => problems
            .value(below(at, "exact"), "`exact` pieces do not go with a template, whose text is known later"),
        Chunking::Exact(pieces) if pieces.concat() != text => problems.value(
            below(at, "exact"),
            format!("the pieces join to {}, the text is {}", quoted(&pieces.concat()), quoted(text)),
        ),
        Chunking::Token | Chunking::Word | Chunking::Char | Chunking::Chars(_) | Chunking::Exact(_) => {}
    }
}

fn check_logprob(logprob: &TokenLogprob, at: &str, problems: &mut Problems) {
    if !(logprob.logprob <= 0.0 && logprob.logprob.is_finite()) {
        problems.value(
            below(at, "logprob"),
            format!("a logarithm of a probability is 0 or less, got {}", logprob.logprob),
        );
    }
    for (index, other) in logprob.top_logprobs.iter().enumerate() {
        check_logprob(other, &format!("{at}/top_logprobs/{index}"), problems);
    }
}
