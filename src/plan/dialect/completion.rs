//! `chat.completion`, the body of an answer that is not streamed, as both providers write it.

use std::collections::BTreeMap;

use super::chunk::{self, Order, nullable, object, quoted};
use super::shape::{Logprobs, OpeningKeys, Shape};
use crate::plan::reply::TokenLogprob;
use crate::plan::said::{Counts, Said};
use crate::plan::spoken::{Call, Choice};
use crate::plan::wire::Profile;

/// A whole answer: one event's worth of everything.
#[derive(Debug)]
pub(crate) struct Completion<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) order: Order,
    pub(crate) choices: Vec<Whole<'a>>,
    pub(crate) counts: Counts,
    /// Azure's verdicts on the prompt, as JSON.
    pub(crate) prompt_results: Option<String>,
    /// Azure's verdicts on the completion, as JSON.
    pub(crate) choice_results: Option<String>,
    /// Those on single choices, where they differ; `None` leaves the key out.
    pub(crate) special_results: BTreeMap<usize, Option<String>>,
}

/// A whole choice.
#[derive(Debug)]
pub(crate) struct Whole<'a> {
    pub(crate) choice: &'a Choice,
    pub(crate) finish: &'a str,
    /// The ids of the tool calls.
    pub(crate) call_ids: Vec<String>,
    /// The same as events, with their log probabilities where those were asked for.
    pub(crate) pieces: Vec<Said<'a>>,
    /// Whether the call is written as a function, as before there were tools.
    pub(crate) function: bool,
    /// Whether the text is withheld by a filter.
    pub(crate) withheld: bool,
}

impl Completion<'_> {
    /// The body, compact. Azure adds its verdicts: on the prompt, and on each choice.
    pub(crate) fn json(&self) -> String {
        let Self { shape, order, choices, counts, .. } = self;
        let choices: Vec<String> =
            choices.iter().enumerate().map(|(index, whole)| self.choice(index, whole)).collect();
        let choices = ("choices", format!("[{}]", choices.join(",")));
        let usage = ("usage", chunk::usage(*order, shape.details, counts));
        let mut fields = vec![
            ("id", quoted(&shape.id)),
            ("object", quoted("chat.completion")),
            ("created", shape.created.to_string()),
            ("model", quoted(&shape.model)),
        ];
        fields.extend(self.prompt_results.clone().map(|results| ("prompt_filter_results", results)));
        // The first replies, of March to May 2023, had the usage before the choices.
        fields.extend(if shape.profile < Profile::new(2023, 6, 13) {
            [usage, choices]
        } else {
            [choices, usage]
        });
        if let Some(tier) = &shape.tier {
            fields.push(("service_tier", quoted(tier)));
        }
        if let Some(fingerprint) = &shape.fingerprint {
            fields.push(("system_fingerprint", nullable(fingerprint.as_deref())));
        }
        object(*order, fields)
    }

    fn choice(&self, index: usize, whole: &Whole<'_>) -> String {
        let shape = self.shape;
        let special = self.special_results.get(&index);
        let index = ("index", index.to_string());
        let message = ("message", self.message(whole));
        let finish = ("finish_reason", quoted(whole.finish));
        if shape.profile < Profile::new(2023, 6, 13) {
            return object(self.order, vec![message, finish, index]);
        }
        let mut fields = vec![index, message];
        match shape.logprobs {
            Logprobs::Absent => {}
            Logprobs::Null => fields.push(("logprobs", "null".to_owned())),
            Logprobs::Asked(_) => fields.push(("logprobs", self.logprobs(whole))),
        }
        fields.push(finish);
        let called = !whole.choice.calls.is_empty() && whole.choice.text.is_empty();
        let results = match special {
            Some(special) => special.clone(),
            None if called && !whole.withheld => self.choice_results.as_ref().map(|_| "{}".to_owned()),
            None => self.choice_results.clone(),
        };
        fields.extend(results.map(|results| ("content_filter_results", results)));
        object(self.order, fields)
    }

    /// The log probabilities of all pieces, in one list.
    fn logprobs(&self, whole: &Whole<'_>) -> String {
        let entries = |wanted: fn(&Said<'_>) -> Option<TokenLogprob>| {
            let entries = whole.pieces.iter().filter_map(wanted);
            let entries = entries.map(|entry| chunk::token_logprob(self.order, &entry, true));
            format!("[{}]", entries.collect::<Vec<_>>().join(","))
        };
        let (content, refusal) = match (whole.choice.text.is_empty(), whole.choice.refusal.is_empty()) {
            // Tokens would say what is withheld.
            _ if whole.withheld => return "null".to_owned(),
            (true, true) => return "null".to_owned(),
            (true, false) => ("null".to_owned(), entries(refused)),
            (false, _) => (entries(said), "null".to_owned()),
        };
        let mut fields = vec![("content", content)];
        if self.shape.opening == OpeningKeys::Refusal {
            fields.push(("refusal", refusal));
        }
        object(self.order, fields)
    }

    fn message(&self, whole: &Whole<'_>) -> String {
        let Whole { choice, call_ids, function, withheld, .. } = whole;
        let shape = self.shape;
        let text = |text: &str| quoted(text);
        let mut fields = vec![("role", text("assistant"))];
        let silent = choice.text.is_empty() && (!choice.calls.is_empty() || !choice.refusal.is_empty());
        match silent {
            _ if *withheld => {}
            true => fields.push(("content", "null".to_owned())),
            false => fields.push(("content", text(&choice.text.concat()))),
        }
        if let (true, Some(call)) = (function, choice.calls.first()) {
            fields.push(("function_call", self.function(call)));
        } else if !choice.calls.is_empty() && !withheld {
            let calls = choice.calls.iter().zip(call_ids);
            let calls = calls.map(|(call, id)| {
                object(
                    self.order,
                    vec![("id", text(id)), ("type", text("function")), ("function", self.function(call))],
                )
            });
            fields.push(("tool_calls", format!("[{}]", calls.collect::<Vec<_>>().join(","))));
        }
        if shape.opening == OpeningKeys::Refusal {
            let refusal = (!choice.refusal.is_empty() && !withheld).then(|| choice.refusal.concat());
            fields.push(("refusal", refusal.map_or_else(|| "null".to_owned(), |refusal| text(&refusal))));
        }
        if shape.profile >= Profile::new(2025, 3, 11) {
            fields.push(("annotations", "[]".to_owned()));
        }
        object(self.order, fields)
    }

    fn function(&self, call: &Call) -> String {
        object(self.order, vec![("name", quoted(&call.name)), ("arguments", quoted(&call.arguments))])
    }
}

fn said(said: &Said<'_>) -> Option<TokenLogprob> {
    let Said::Text { logprob, .. } = said else {
        return None;
    };
    logprob.as_deref().cloned()
}

fn refused(said: &Said<'_>) -> Option<TokenLogprob> {
    let Said::Refusal { logprob, .. } = said else {
        return None;
    };
    logprob.as_deref().cloned()
}

/// Breaks compact JSON into lines, each level indented by two or four spaces.
pub(crate) fn pretty(compact: &str, indent: usize) -> String {
    let mut out = String::with_capacity(compact.len() * 2);
    let space = &"    "[..indent];
    let newline = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n(space, depth));
    };
    let (mut depth, mut rest) = (0_usize, compact);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '{' | '[' if rest[1..].starts_with(['}', ']']) => 2,
            '{' | '[' | '}' | ']' | ',' | ':' => 1,
            _ => rest.find(['"', '{', '[', '}', ']', ',', ':']).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        if matches!(token, "}" | "]") {
            depth = depth.saturating_sub(1);
            newline(&mut out, depth);
        }
        out.push_str(token);
        match token {
            "{" | "[" => {
                depth += 1;
                newline(&mut out, depth);
            }
            "," => newline(&mut out, depth),
            ":" => out.push(' '),
            _ => {}
        }
    }
    out
}

/// How many bytes the JSON string has that a text starts with.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    let closes = |byte: u8| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    };
    text.bytes().skip(1).position(closes).map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pretty_breaks_and_indents_but_not_inside_strings_or_empty_values() {
        let compact = r#"{"a":[],"b":{},"c":[1,{"d":"x,\"{:[\\"}],"e":null}"#;
        let expected = "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"d\": \"x,\\\"{:[\\\\\"\n    }\n  ],\n  \"e\": null\n}";
        assert_eq!(pretty(compact, 2), expected);
    }
}
