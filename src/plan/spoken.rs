//! An answer cut into pieces: everything about it that does not depend on the hit.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::reply::{Answer, Chunking, TokenLogprob, ToolCall};
use super::tokens::{self, Vocabulary};

/// An answer, cut.
#[derive(Clone, Debug)]
pub(crate) struct Spoken {
    pub(crate) choices: Vec<Choice>,
    /// Tokens of reasoning, which chat completions count and never show.
    pub(crate) reasoning: u64,
}

/// An answer cut once per vocabulary: cutting is most of the work of a plan.
///
/// The pieces depend on nothing but answer and vocabulary, so that a plan stays a pure function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cache([OnceLock<Arc<Spoken>>; 2]);

impl Cache {
    /// The answer, cut now or before.
    pub(crate) fn cut(&self, answer: &Answer, vocabulary: Vocabulary) -> Arc<Spoken> {
        let [o200k, cl100k] = &self.0;
        let slot = match vocabulary {
            Vocabulary::O200k => o200k,
            Vocabulary::Cl100k => cl100k,
        };
        Arc::clone(slot.get_or_init(|| Arc::new(Spoken::new(answer, vocabulary))))
    }
}

/// One choice of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) text: Vec<String>,
    pub(crate) refusal: Vec<String>,
    pub(crate) calls: Vec<Call>,
    pub(crate) finish: Option<String>,
    pub(crate) logprobs: Option<Vec<TokenLogprob>>,
    /// Tokens of all that.
    pub(crate) tokens: u64,
}

/// A tool call of a choice.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) arguments: String,
    pub(crate) pieces: Vec<String>,
}

/// What the model writes around the name and arguments of a call, in tokens.
const CALL_OVERHEAD: u64 = 9;

impl Spoken {
    /// Cuts an answer.
    pub(crate) fn new(answer: &Answer, vocabulary: Vocabulary) -> Self {
        let choices = match answer.choices.as_deref() {
            Some(choices) if !choices.is_empty() => {
                choices.iter().map(|choice| Choice::new(choice, vocabulary)).collect()
            }
            _ => vec![Choice::new(answer, vocabulary)],
        };
        Self { choices, reasoning: answer.reasoning.as_deref().map_or(0, |text| vocabulary.count(text)) }
    }

    /// The choice at `index` of those asked for: the answer's choices in turn.
    pub(crate) fn choice(&self, index: usize) -> &Choice {
        &self.choices[index % self.choices.len()]
    }
}

impl Choice {
    fn new(answer: &Answer, vocabulary: Vocabulary) -> Self {
        let chunking = answer.chunking.clone().unwrap_or_default();
        let cut = |text: &Option<String>| {
            tokens::pieces(text.as_deref().unwrap_or_default(), &chunking, vocabulary)
        };
        let calls = answer.tool_calls.as_deref().unwrap_or_default();
        let calls: Vec<Call> =
            calls.iter().map(|call| Call::new(call, calls.len() > 1, vocabulary)).collect();
        let count = |text: &Option<String>| text.as_deref().map_or(0, |text| vocabulary.count(text));
        let called =
            |call: &Call| vocabulary.count(&call.name) + vocabulary.count(&call.arguments) + CALL_OVERHEAD;
        Self {
            text: cut(&answer.text),
            refusal: if answer.text.is_some() { Vec::new() } else { cut(&answer.refusal) },
            tokens: count(&answer.text) + count(&answer.refusal) + calls.iter().map(called).sum::<u64>(),
            calls,
            finish: answer.finish_reason.clone(),
            logprobs: answer.logprobs.clone(),
        }
    }
}

impl Call {
    fn new(call: &ToolCall, parallel: bool, vocabulary: Vocabulary) -> Self {
        let arguments = arguments(&call.arguments, parallel);
        let pieces = match &call.chunking {
            None | Some(Chunking::Token) if parallel => tokens::parallel_pieces(&arguments),
            chunking => tokens::pieces(&arguments, chunking.as_ref().unwrap_or(&Chunking::Token), vocabulary),
        };
        Self { id: call.id.clone(), name: call.name.clone(), arguments, pieces }
    }
}

/// The arguments of a call as the model writes them: alone or as one of several.
pub(crate) fn arguments(arguments: &Value, parallel: bool) -> String {
    match arguments {
        Value::String(raw) => raw.clone(),
        Value::Null => "{}".to_owned(),
        json if parallel => spaced(json),
        json => json.to_string(),
    }
}

/// JSON with a space after each colon and comma, as the wrapper of parallel calls writes it.
fn spaced(json: &Value) -> String {
    let compact = json.to_string();
    let mut out = String::with_capacity(compact.len() + 8);
    let (mut quoted, mut escaped) = (false, false);
    for character in compact.chars() {
        out.push(character);
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ':' | ',' if !quoted => out.push(' '),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_is_compact_and_several_are_spaced() {
        let call = |name: &str| ToolCall {
            name: name.to_owned(),
            arguments: serde_json::json!({ "city": "Par:is, \"x\"", "days": [1, 2] }),
            ..ToolCall::default()
        };
        let answer = |calls: Vec<ToolCall>| Answer { tool_calls: Some(calls), ..Answer::default() };
        let one = Spoken::new(&answer(vec![call("a")]), Vocabulary::O200k);
        assert_eq!(one.choices[0].calls[0].arguments, r#"{"city":"Par:is, \"x\"","days":[1,2]}"#);
        let two = Spoken::new(&answer(vec![call("a"), call("b")]), Vocabulary::O200k);
        assert_eq!(two.choices[0].calls[1].arguments, r#"{"city": "Par:is, \"x\"", "days": [1, 2]}"#);
        assert_eq!(two.choices[0].calls[0].pieces[..2], ["{\"ci", "ty\": "]);
    }
}
