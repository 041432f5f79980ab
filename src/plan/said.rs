//! What is said, event by event, before any dialect has a word for it.

use std::borrow::Cow;

use serde_json::Value;

use super::reply::{EventStep, Offsets, TokenLogprob};
use super::timeline::EventKind;
use super::transcript::kind;
use super::wire::Verdicts;

/// One event of a stream.
#[derive(Clone, Debug)]
pub(crate) enum Said<'a> {
    /// Azure's verdicts on the prompt.
    Preamble(&'a Verdicts),
    /// A choice opens.
    Open { choice: usize, opening: Opening<'a> },
    /// A piece of text.
    Text { choice: usize, text: &'a str, logprob: Option<Cow<'a, TokenLogprob>> },
    /// A piece of reasoning, as relays send it.
    Reasoning { choice: usize, text: &'a str },
    /// A piece of a refusal.
    Refusal { choice: usize, text: &'a str, logprob: Option<Cow<'a, TokenLogprob>> },
    /// A piece of a tool call: `id` and `name` at its start.
    Call {
        choice: usize,
        call: u64,
        id: Option<Cow<'a, str>>,
        name: Option<&'a str>,
        arguments: Option<&'a str>,
        parallel: bool,
    },
    /// A piece of a function call, as it was before tools: `name` at its start.
    Function { choice: usize, name: Option<&'a str>, arguments: &'a str },
    /// A delta as a script writes it.
    Delta { choice: usize, delta: &'a Value },
    /// A choice ends.
    Finish { choice: usize, reason: &'a str },
    /// A choice ends because Azure's filter found something.
    Filtered { choice: usize, verdicts: &'a Verdicts },
    /// Azure's verdict on a part of the text, in a chunk of its own.
    Annotation {
        choice: usize,
        verdicts: Cow<'a, Verdicts>,
        filter: Filter,
        offsets: Offsets,
        finish: Option<&'a str>,
    },
    /// The token usage.
    Usage(Counts),
    /// A chunk as a fixture writes it.
    Chunk(Cow<'a, Value>),
    /// An SSE event as a script writes it.
    Event(&'a EventStep),
    /// An SSE comment.
    Comment(&'a str),
    /// Bytes.
    Raw(Cow<'a, [u8]>),
    /// The end of the stream.
    Done,
}

/// How a choice opens: the first delta differs with what follows.
#[derive(Clone, Debug)]
pub(crate) enum Opening<'a> {
    /// Text follows.
    Text,
    /// A refusal follows.
    Refusal,
    /// The one tool call is part of it.
    Call { id: Cow<'a, str>, name: &'a str },
    /// Several tool calls follow.
    Calls,
    /// The function call is part of it.
    Function { name: &'a str },
    /// A role as a script writes it.
    Role(&'a str),
}

/// Which filter an annotation chunk speaks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Filter {
    /// Protected code.
    Code,
    /// The deployment's blocklists.
    Blocklists,
    /// Protected text.
    Text,
    /// Hate, self-harm, sexual content, violence.
    Categories,
    /// Whatever the verdicts name: a script's own chunk.
    Named,
}

/// Token counts, all known.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
    pub(crate) total: u64,
    pub(crate) prompt_audio: u64,
    pub(crate) cached: u64,
    pub(crate) cache_write: u64,
    pub(crate) reasoning: u64,
    pub(crate) audio: u64,
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
}

impl Said<'_> {
    /// What kind of event this becomes.
    pub(crate) fn kind(&self) -> EventKind {
        match self {
            Self::Preamble(_) => EventKind::Preamble,
            Self::Open { .. } => EventKind::Role,
            Self::Text { .. }
            | Self::Reasoning { .. }
            | Self::Refusal { .. }
            | Self::Call { .. }
            | Self::Function { .. }
            | Self::Event(_) => EventKind::Content,
            Self::Delta { delta, .. } => kind::of_delta(delta),
            Self::Finish { .. } | Self::Filtered { .. } => EventKind::Finish,
            Self::Annotation { finish: Some(_), .. } => EventKind::Finish,
            Self::Annotation { finish: None, .. } => EventKind::Filter,
            Self::Usage(_) => EventKind::Usage,
            Self::Chunk(chunk) => kind::of_chunk(chunk),
            Self::Comment(_) | Self::Raw(_) => EventKind::Other,
            Self::Done => EventKind::Done,
        }
    }
}
