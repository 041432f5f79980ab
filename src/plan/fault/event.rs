//! Layer 2: what the events say. Each fault edits the JSON of events, and nothing else of it: whatever
//! is not edited keeps its bytes, `obfuscation` included, which hides how long the text was. What is
//! inserted is due as soon as that which is before it.

use bytes::Bytes;

use self::errors::StreamError;
use self::tools::Identity;
use super::answer::{Category, Severity};
use super::declare::faults;
use super::response::{Piece, Response};
use super::{At, Context};
use crate::plan::timeline::EventKind;

mod azure;
mod choices;
mod chunk;
mod edit;
mod envelope;
mod errors;
mod finish;
mod text;
mod tools;
mod words;

pub use words::{
    After, ArgsFinish, Choices, ContentForm, ErrorShape, FinishForm, IdForm, IndexForm, Missing, NameForm,
    Order, PromptKey, RoleForm, Separator, Then, TypeForm,
};

#[cfg(test)]
mod tests;

faults! {
    /// What the events say.
    pub enum EventFault: Event {
        /// Azure's first chunk, without choices: the verdict on the prompt.
        AzurePromptFilterChunk = "azure-prompt-filter-chunk", tier 1, Whole "", expect "tolerate", evidence "A1" {
            /// The key of the verdicts.
            "key" key: PromptKey = PromptKey::Results;
            /// Whether `id`, `object` and `model` are empty, and `created` 0.
            "empty_ids" empty_ids: bool = true;
        }
        /// The asynchronous filter's chunk, whose choice has no delta.
        AzureAsyncFilterChunk = "azure-async-filter-chunk", tier 1, Event "finish", expect "tolerate", evidence "A2" {
            /// How the delta is missing.
            "delta" delta: Missing = Missing::Absent;
            /// Whether the checked part of the text is named.
            "offsets" offsets: bool = true;
        }
        /// The filter's own failure in a content chunk: a key `error` that is no error of the stream.
        FilterServiceError = "filter-service-error", tier 2, Event "first-content", expect "tolerate", evidence "A5" {
        }
        /// The filter ends the stream: `finish_reason` is `content_filter`.
        ContentFilterFinish = "content-filter-finish", tier 1, Event "event:3", expect "surface", evidence "A3" {
            /// The category that is filtered.
            "category" category: Category = Category::Violence;
            /// Its severity.
            "severity" severity: Severity = Severity::Medium;
        }
        /// The arguments of the first tool call end early, and no error says so.
        ToolArgsTruncated = "tool-args-truncated", tier 1, Whole "", expect "refuse-tool", evidence "D7 M33" {
            /// How many bytes of the arguments are left; without it, half.
            "byte" byte: Option<u64> = None;
            /// The finish reason then.
            "finish" finish: ArgsFinish = ArgsFinish::ToolCalls;
        }
        /// Tool calls whose index, id, type or name is wrong.
        ToolCallIdentity = "tool-call-identity", tier 1, Whole "", expect "tolerate", evidence "D6 M31" {
            /// The index; without it, it is missing, unless something else is wrong.
            "index" index: Option<IndexForm> = None;
            /// The id.
            "id" id: IdForm = IdForm::Right;
            /// The type.
            "type" kind: TypeForm = TypeForm::Right;
            /// The name.
            "name" name: NameForm = NameForm::Right;
        }
        /// Choices in an order that only `index` tells apart.
        ChoicesInterleaved = "choices-interleaved", tier 2, Whole "", expect "tolerate", evidence "dynamo#12639" {
            /// The order.
            "order" order: Order = Order::Reverse;
        }
        /// A role that is repeated, missing or empty.
        RoleAnomaly = "role-anomaly", tier 2, Whole "", expect "tolerate", evidence "D8 M32" {
            /// The form.
            "form" form: RoleForm = RoleForm::Repeat;
        }
        /// Deltas whose content is null or absent.
        ContentNull = "content-null", tier 2, Events "", expect "tolerate", evidence "D9" {
            /// The form.
            "form" form: ContentForm = ContentForm::Null;
        }
        /// The finish reason in the last content chunk, with its text.
        FinishWithContent = "finish-with-content", tier 2, Whole "", expect "tolerate", evidence "D3" {
        }
        /// A finish reason that contradicts the tool calls.
        FinishStopWithTools = "finish-stop-with-tools", tier 2, Whole "", expect "tolerate", evidence "D5" {
            /// The other way round: `tool_calls`, and there are none.
            "inverse" inverse: bool = false;
        }
        /// A finish reason that nobody documents.
        FinishUnknown = "finish-unknown", tier 2, Whole "", expect "surface", evidence "D2" {
            /// The reason.
            "value" value: String = "network_error".to_owned();
        }
        /// No finish reason, but `[DONE]`.
        FinishMissing = "finish-missing", tier 1, Whole "", expect "incomplete", evidence "B3 D2 M6" {
            /// What stands there.
            "value" value: FinishForm = FinishForm::Null;
        }
        /// A chunk after the one with the finish reason.
        ChunkAfterFinish = "chunk-after-finish", tier 2, Whole "", expect "tolerate", evidence "D4 M36" {
            /// What it says.
            "what" what: After = After::Text;
        }
        /// The usage chunk, whose choices are empty, absent or null.
        UsageChunk = "usage-chunk", tier 1, Whole "", expect "tolerate", evidence "D1" {
            /// The choices.
            "choices" choices: Choices = Choices::Empty;
            /// Whether it comes although nobody asked for usage.
            "unsolicited" unsolicited: bool = true;
        }
        /// Chunks without some of their envelope, or with more.
        EnvelopeMissing = "envelope-missing", tier 2, Events "", expect "tolerate", evidence "D10" {
            /// The keys to leave out, joined by `+`.
            "drop" drop: String = "id+object+created+model".to_owned();
            /// A key to add, with an object that nobody knows.
            "add" add: Option<String> = None;
        }
        /// A character beyond the basic plane, its two halves escaped in two events.
        SurrogateSplit = "surrogate-split", tier 2, Event "first-content", expect "tolerate", evidence "D13 M34" {
        }
        /// Raw characters that some libraries take for the end of a line, in the text.
        UnicodeSeparators = "unicode-separators", tier 2, Event "first-content", expect "tolerate", evidence "C7" {
            /// Which.
            "char" char: Separator = Separator::All;
        }
        /// An event so long that readers with a limit give up.
        EventOversize = "event-oversize", tier 2, Event "first-content", expect "tolerate", evidence "C8" {
            /// How many bytes its line of data has, at least.
            "bytes" bytes: u64 = 65_537;
        }
        /// An event that comes again.
        DuplicateEvent = "duplicate-event", tier 2, Event "first-content", expect "tolerate", evidence "M36" {
            /// How often, beside the first.
            "times" times: u64 = 1;
        }
        /// An error in the stream, after 200.
        ErrorInStream = "error-in-stream", tier 1, Event "event:3", expect "incomplete", evidence "D11 D12 M13 M14" {
            /// Its shape.
            "shape" shape: ErrorShape = ErrorShape::OpenAi;
            /// The name of its SSE event; without it, that of the shape.
            "event_name" event_name: Option<String> = None;
            /// The error's code.
            "code" code: String = "server_error".to_owned();
            /// The error's message.
            "message" message: Option<String> = None;
            /// What follows.
            "then" then: Then = Then::Done;
        }
        /// The stream ends early, as valid HTTP.
        StreamTruncated = "stream-truncated", tier 1, Anywhere "event:3", expect "incomplete", evidence "B3 M4 M5" {
            /// Whether `[DONE]` is still sent.
            "keep_done" keep_done: bool = false;
        }
    }
}

impl EventFault {
    /// Applies the fault to a response. Whatever it is not about keeps its bytes and its times, and a
    /// `Content-Length` that was right stays so.
    pub(crate) fn apply(&self, at: At, response: &mut Response, context: &Context<'_>) {
        self.edit(at, response, context);
        response.mend_length();
    }

    fn edit(&self, at: At, response: &mut Response, context: &Context<'_>) {
        match self {
            Self::AzurePromptFilterChunk { key, empty_ids } => {
                azure::prompt_filter_chunk(response, context, *key, *empty_ids);
            }
            Self::AzureAsyncFilterChunk { delta, offsets } => {
                azure::async_filter_chunk(at, response, context, *delta, *offsets);
            }
            Self::FilterServiceError {} => azure::service_error(at, response, context),
            Self::ContentFilterFinish { category, severity } => {
                azure::content_filter_finish(at, response, context, *category, *severity);
            }
            Self::ToolArgsTruncated { byte, finish } => {
                tools::truncate_arguments(response, context, *byte, *finish);
            }
            Self::ToolCallIdentity { index, id, kind, name } => {
                let others = (*id, *kind, *name) != (IdForm::Right, TypeForm::Right, NameForm::Right);
                let own = if others { IndexForm::Right } else { IndexForm::Missing };
                let identity = Identity { index: index.unwrap_or(own), id: *id, kind: *kind, name: *name };
                tools::misname(response, context, identity);
            }
            Self::ChoicesInterleaved { order } => choices::interleave(response, context, *order),
            Self::RoleAnomaly { form } => text::role(response, context, *form),
            Self::ContentNull { form } => text::content(at, response, *form),
            Self::FinishWithContent {} => finish::with_content(response, context),
            Self::FinishStopWithTools { inverse } => finish::stop_with_tools(response, context, *inverse),
            Self::FinishUnknown { value } => finish::unknown(response, context, value),
            Self::FinishMissing { value } => finish::missing(response, context, *value),
            Self::ChunkAfterFinish { what } => finish::chunk_after(response, context, *what),
            Self::UsageChunk { choices, unsolicited } => {
                envelope::usage(response, context, *choices, *unsolicited);
            }
            Self::EnvelopeMissing { drop, add } => {
                envelope::lack(at, response, drop, add.as_deref(), context);
            }
            Self::SurrogateSplit {} => text::split_surrogate(at, response),
            Self::UnicodeSeparators { char } => text::separate(at, response, *char),
            Self::EventOversize { bytes } => envelope::pad(at, response, *bytes, context),
            Self::DuplicateEvent { times } => envelope::repeat(at, response, *times),
            Self::ErrorInStream { shape, event_name, code, message, then } => {
                let (event_name, message) = (event_name.as_deref(), message.as_deref());
                StreamError { shape: *shape, event_name, code, message, then: *then }.apply(at, response);
            }
            Self::StreamTruncated { keep_done } => errors::truncate(at, response, *keep_done),
        }
    }

    /// What is wrong with its parameters: which, and why.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::EventOversize { bytes } if *bytes > envelope::LARGEST => {
                vec![("bytes", format!("expected at most {}, got {bytes}", envelope::LARGEST))]
            }
            Self::DuplicateEvent { times } if *times > envelope::OFTENEST => {
                vec![("times", format!("expected at most {}, got {times}", envelope::OFTENEST))]
            }
            Self::EnvelopeMissing { drop, .. } => {
                let unknown =
                    envelope::dropped(drop).filter(|key| !envelope::keys().any(|known| known == *key));
                let told = |key| {
                    let known = envelope::keys().collect::<Vec<_>>().join("\", \"");
                    ("drop", format!("expected keys of \"{known}\", joined by \"+\", got {key:?}"))
                };
                unknown.map(told).collect()
            }
            Self::ErrorInStream { event_name: Some(name), .. } if name.contains(['\r', '\n']) => {
                vec![("event_name", format!("expected one line, got {name:?}"))]
            }
            Self::EventOversize { .. }
            | Self::DuplicateEvent { .. }
            | Self::ErrorInStream { .. }
            | Self::AzurePromptFilterChunk { .. }
            | Self::AzureAsyncFilterChunk { .. }
            | Self::FilterServiceError { .. }
            | Self::ContentFilterFinish { .. }
            | Self::ToolArgsTruncated { .. }
            | Self::ToolCallIdentity { .. }
            | Self::ChoicesInterleaved { .. }
            | Self::RoleAnomaly { .. }
            | Self::ContentNull { .. }
            | Self::FinishWithContent { .. }
            | Self::FinishStopWithTools { .. }
            | Self::FinishUnknown { .. }
            | Self::FinishMissing { .. }
            | Self::ChunkAfterFinish { .. }
            | Self::UsageChunk { .. }
            | Self::SurrogateSplit { .. }
            | Self::UnicodeSeparators { .. }
            | Self::StreamTruncated { .. } => Vec::new(),
        }
    }
}

impl EventFault {
    /// Whether it decides how the response ends.
    pub(crate) fn ends(&self) -> bool {
        matches!(self, Self::ErrorInStream { then: Then::Close, .. })
    }
}

/// Edits the event that a place is about; [`At::End`], which is no event, is every one.
fn at_each(at: At, response: &mut Response, edit: impl FnMut(&mut Piece)) {
    match at {
        At::End => response.pieces.iter_mut().for_each(edit),
        at => response.target(at).and_then(|index| response.pieces.get_mut(index)).into_iter().for_each(edit),
    }
}

/// Leaves out the piece at `index` and all after it.
fn end_before(response: &mut Response, at: At, index: usize) {
    response.pieces.truncate(index);
    response.ends_at = response.moment(at, index);
}

/// The stream's own `[DONE]`, or one as everybody sends it.
fn done_event(response: &Response) -> Bytes {
    let done = response.pieces.iter().find(|piece| piece.kind == EventKind::Done);
    done.map_or_else(|| chunk::event(b"[DONE]"), |piece| piece.bytes.clone())
}
