//! What a fixture answers with, as its author writes it.

use std::sync::Arc;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::Fault;
use super::fault::json::Written;
use super::json::{self, Map, Span, StringOr};
use super::pacing::Pacing;
use super::prompt::Prompts;
use super::ready;
use super::spoken::Cache;
use super::template::Templates;
use super::transcript::Transcript;
use super::wire::{Filters, Verdicts, Wire};

mod build;
mod replay;

pub(crate) use replay::Replay;

/// A reply: a string (the text of an answer), or an object.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(transparent)]
pub struct Reply(pub(crate) StringOr<Box<ReplyObject>>);

/// Exactly one of `answer`, `script`, `transcript` and `error`, and what goes over any of them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyObject {
    /// What the model says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<Answer>,
    /// The stream step by step; what a script leaves out is not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) script: Option<Vec<Step>>,
    /// A recorded exchange: the path of its file, relative to the fixture file, or the transcript itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transcript: Option<StringOr<Box<Transcript>>>,
    /// An HTTP error in the dialect's own shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorReply>,
    /// The status code instead of the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// Headers to add or replace; `null` removes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) headers: Option<Map<Option<String>>>,
    /// When the events go out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pacing: Option<Pacing>,
    /// What breaks, and where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) faults: Option<Vec<Written>>,
    /// Azure's content filter: its verdicts on prompt and completion, and its mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) filters: Option<Filters>,
    /// How the envelope looks where real servers differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wire: Option<Wire>,
}

/// What the model says; serves streams and JSON bodies, in every dialect.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// What the model thought before; chat completions only count its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning: Option<String>,
    /// The refusal of a structured output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<String>,
    /// The tools the model calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tool_calls: Option<Vec<ToolCall>>,
    /// Why the model stopped, instead of what follows from the answer and the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finish_reason: Option<String>,
    /// Token counts, instead of the tokenizer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<Usage>,
    /// Log probabilities, one per piece, instead of made-up ones; sent if the request asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) logprobs: Option<Vec<TokenLogprob>>,
    /// How the text is cut into events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chunking: Option<Chunking>,
    /// Several answers, for requests with `n` > 1; they are used in turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) choices: Option<Vec<Self>>,
    /// Whether the strings of this answer are minijinja templates over the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) template: Option<bool>,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// The tool's name.
    pub(crate) name: String,
    /// The arguments: JSON, or a string that is sent as it is.
    #[serde(default)]
    pub(crate) arguments: Value,
    /// The call's id, instead of `call_` and 24 characters from the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// How the arguments are cut into events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chunking: Option<Chunking>,
}

/// How a text is cut into events.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Chunking {
    /// One event per token of the model's vocabulary; characters are never split.
    #[default]
    Token,
    /// One event per word, with the white space before it.
    Word,
    /// One event per character.
    Char,
    /// One event per so many characters.
    Chars(usize),
    /// These pieces; joined they are the text.
    Exact(Vec<String>),
}

/// Token counts; what is absent is counted.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Usage {
    /// Tokens of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prompt_tokens: Option<u64>,
    /// Tokens of the answer, reasoning included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) completion_tokens: Option<u64>,
    /// The sum, unless it is to be wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total_tokens: Option<u64>,
    /// Tokens of the request by kind.
    pub(crate) prompt_tokens_details: PromptTokensDetails,
    /// Tokens of the answer by kind.
    pub(crate) completion_tokens_details: CompletionTokensDetails,
}

/// Tokens of the request by kind.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptTokensDetails {
    /// Audio tokens.
    pub(crate) audio_tokens: u64,
    /// Tokens found in the prompt cache.
    pub(crate) cached_tokens: u64,
    /// Tokens written to the prompt cache (Azure, from 2026-09).
    pub(crate) cache_write_tokens: u64,
}

/// Tokens of the answer by kind.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompletionTokensDetails {
    /// Tokens of reasoning; absent: counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning_tokens: Option<u64>,
    /// Audio tokens.
    pub(crate) audio_tokens: u64,
    /// Tokens of a prediction that were used.
    pub(crate) accepted_prediction_tokens: u64,
    /// Tokens of a prediction that were not used.
    pub(crate) rejected_prediction_tokens: u64,
}

/// The log probability of one token.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenLogprob {
    /// The token's text.
    pub(crate) token: String,
    /// Its natural logarithm, 0 or less.
    pub(crate) logprob: f64,
    /// The token's bytes; absent: those of its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<Vec<u8>>,
    /// The likeliest tokens at this place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) top_logprobs: Vec<Self>,
}

/// One step of a script: an object with one key, or `"done"`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The chunk that opens the message: `{"role": "assistant"}`.
    Role(String),
    /// A chunk with a piece of text.
    Text(String),
    /// A chunk with a piece of reasoning (`reasoning_content`, as relays send it).
    Reasoning(String),
    /// A chunk with a piece of a refusal.
    Refusal(String),
    /// A chunk with a piece of a tool call.
    ToolCall(ToolCallStep),
    /// A chunk with this delta.
    Delta(Value),
    /// The chunk with the finish reason.
    Finish(String),
    /// The chunk with the token usage.
    Usage(Usage),
    /// Azure's first chunk: the verdicts on the prompt.
    PromptFilter(Verdicts),
    /// Azure's annotation chunk: verdicts on a part of the completion.
    ContentFilter(ContentFilterStep),
    /// A whole chunk, verbatim but for white space.
    Chunk(Value),
    /// An SSE event.
    Event(EventStep),
    /// An SSE comment.
    Comment(String),
    /// Bytes, as they are.
    Raw(StringOr<Base64>),
    /// A pause before the next step.
    Wait(Span),
    /// A fault at this place.
    Fault(Written),
    /// `data: [DONE]`.
    Done,
}

/// A piece of a tool call; the first piece has `id` and `name`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ToolCallStep {
    /// Which call of the message.
    pub(crate) index: u64,
    /// The call's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// The tool's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// A piece of the arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arguments: Option<String>,
}

/// Azure's verdicts on a part of the completion.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContentFilterStep {
    /// The verdicts.
    pub(crate) results: Verdicts,
    /// Where the checked part starts and ends, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offsets: Option<Offsets>,
    /// `content_filter` where the filter ends the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) finish_reason: Option<String>,
}

/// The part of the text that an annotation chunk speaks of, in characters.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Offsets {
    /// Up to where everything was checked.
    pub(crate) check_offset: u64,
    /// Where the part starts.
    pub(crate) start_offset: u64,
    /// Where it ends.
    pub(crate) end_offset: u64,
}

/// An SSE event, field by field.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventStep {
    /// The event's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<String>,
    /// The event's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// How long a client is to wait before it reconnects, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry: Option<u64>,
    /// The data: a string, one `data:` line per line of it, or JSON, sent compactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Value>,
}

/// Bytes in base64.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Base64 {
    /// The bytes, standard alphabet, padded.
    #[serde(with = "json::base64")]
    #[schemars(with = "String", extend("contentEncoding" = "base64"))]
    pub(crate) base64: Bytes,
}

/// An HTTP error in the dialect's own shape. What is absent follows from `status` and `code`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorReply {
    /// The status code.
    pub(crate) status: u16,
    /// The error's code, a string or a number; `null` for none.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Value>,
    /// The error's type.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    /// The error's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    /// The parameter at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) param: Option<String>,
    /// How long a client is to wait: a duration, or a raw `retry-after` value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after: Option<String>,
    /// The whole body: a string as it is, or JSON in the dialect's layout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Value>,
}

/// A reply that was checked: what a plan is made from.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What is sent.
    pub(crate) content: Content,
    /// The status code instead of the usual one.
    pub(crate) status: Option<http::StatusCode>,
    /// Headers to add or replace, in order; `None` removes one.
    pub(crate) headers: Vec<(String, Option<String>)>,
    /// The pace, file defaults included.
    pub(crate) pacing: Pacing,
    /// What breaks, the script's own included.
    pub(crate) faults: Vec<Fault>,
    /// The content filter.
    pub(crate) filters: Filters,
    /// The envelope.
    pub(crate) wire: Wire,
    /// The templates among the answer's strings; see [`Prepared::answer`].
    pub(crate) templates: Option<Templates>,
    /// The answer cut into pieces, once it was asked for.
    pub(crate) spoken: Cache,
    /// What was said before.
    pub(crate) ready: ready::Cache,
    /// What counts the prompts that it answers: one for all replies of a set.
    pub(crate) prompts: Arc<Prompts>,
}

impl Prepared {
    /// A reply with nothing over its content.
    pub(crate) fn new(content: Content) -> Self {
        Self {
            content,
            status: None,
            headers: Vec::new(),
            pacing: Pacing::default(),
            faults: Vec::new(),
            filters: Filters::default(),
            wire: Wire::default(),
            templates: None,
            spoken: Cache::default(),
            ready: ready::Cache::default(),
            prompts: Arc::default(),
        }
    }
}

/// What a checked reply sends.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// What the model says.
    Answer(Answer),
    /// The stream step by step.
    Script(Vec<Step>),
    /// An HTTP error.
    Error(ErrorReply),
    /// What was recorded.
    Transcript(Replay),
}
