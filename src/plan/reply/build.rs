//! Building a [`Reply`] in code.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::{Answer, Base64, Chunking, ErrorReply, EventStep, Reply, ReplyObject, Step, ToolCall, Usage};
use crate::plan::fault::Fault;
use crate::plan::json::{Map, Span, StringOr};
use crate::plan::pacing::Pacing;
use crate::plan::transcript::Transcript;
use crate::plan::wire::{Filters, Wire};

/// ```
/// use std::time::Duration;
/// use llmirage::{At, Fault, Pacing, Reply};
///
/// let cut = Reply::text("Waves fold into foam").fault(Fault::close(At::event(2)));
/// let slow = Reply::text("Waves fold into foam").pacing(Pacing::itl(Duration::from_millis(20)));
/// let busy = Reply::error(503).header("retry-after", "1");
/// ```
impl Reply {
    /// The model says `text`.
    pub fn text(text: impl Into<String>) -> Self {
        Self(StringOr::Text(text.into()))
    }

    /// The model answers more than a text.
    pub fn answer(answer: Answer) -> Self {
        Self::of(ReplyObject { answer: Some(answer), ..ReplyObject::default() })
    }

    /// The model calls a tool. `arguments` is JSON, or a string that is sent as it is.
    pub fn tool_call(name: impl Into<String>, arguments: impl Into<Value>) -> Self {
        Self::answer(Answer::new().tool_call(name, arguments))
    }

    /// The model refuses a structured output.
    pub fn refusal(refusal: impl Into<String>) -> Self {
        Self::answer(Answer::new().refusal(refusal))
    }

    /// The stream step by step; what is left out is not sent.
    ///
    /// ```
    /// use llmirage::Reply;
    /// use llmirage::plan::reply::Step;
    ///
    /// let reply = Reply::script([
    ///     Step::role("assistant"),
    ///     Step::text("Hello"),
    ///     Step::comment("keep-alive"),
    ///     Step::finish("stop"),
    ///     Step::Done,
    /// ]);
    /// ```
    pub fn script(steps: impl IntoIterator<Item = Step>) -> Self {
        let script = Some(steps.into_iter().collect());
        Self::of(ReplyObject { script, ..ReplyObject::default() })
    }

    /// What a real server sent, byte for byte, and at the same pace.
    ///
    /// ```
    /// use llmirage::Reply;
    /// use llmirage::plan::transcript::Transcript;
    ///
    /// let text = r#"{ "response": {
    ///     "status": 200,
    ///     "headers": [["content-type", "text/event-stream"]],
    ///     "events": [
    ///         { "at": "310ms", "raw": "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n" },
    ///         { "at": "345ms", "raw": "data: [DONE]\n\n" }
    ///     ]
    /// } }"#;
    /// let transcript: Transcript = serde_json::from_str(text)?;
    /// let reply = Reply::transcript(transcript);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn transcript(transcript: Transcript) -> Self {
        let transcript = Some(StringOr::Object(Box::new(transcript)));
        Self::of(ReplyObject { transcript, ..ReplyObject::default() })
    }

    /// An HTTP error in the dialect's own shape: a status code, or an [`ErrorReply`].
    pub fn error(error: impl Into<ErrorReply>) -> Self {
        Self::of(ReplyObject { error: Some(error.into()), ..ReplyObject::default() })
    }

    /// The status code instead of the usual one.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        self.with(|reply| reply.status = Some(status))
    }

    /// Adds a header, or replaces the one of this name.
    #[must_use]
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set_header(name.into(), Some(value.into()))
    }

    /// Removes a header.
    #[must_use]
    pub fn without_header(self, name: impl Into<String>) -> Self {
        self.set_header(name.into(), None)
    }

    /// When the events go out.
    #[must_use]
    pub fn pacing(self, pacing: Pacing) -> Self {
        self.with(|reply| reply.pacing = Some(pacing))
    }

    /// What breaks, and where.
    #[must_use]
    pub fn fault(self, fault: Fault) -> Self {
        self.with(|reply| reply.faults.get_or_insert_default().push(fault.into()))
    }

    /// Azure's content filter.
    #[must_use]
    pub fn filters(self, filters: Filters) -> Self {
        self.with(|reply| reply.filters = Some(filters))
    }

    /// How the envelope looks.
    #[must_use]
    pub fn wire(self, wire: Wire) -> Self {
        self.with(|reply| reply.wire = Some(wire))
    }

    fn set_header(self, name: String, value: Option<String>) -> Self {
        self.with(|reply| {
            let Map(headers) = reply.headers.get_or_insert_default();
            headers.retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
            headers.push((name, value));
        })
    }

    fn of(object: ReplyObject) -> Self {
        Self(StringOr::Object(Box::new(object)))
    }

    fn with(self, change: impl FnOnce(&mut ReplyObject)) -> Self {
        let mut object = self.into_object();
        change(&mut object);
        Self(StringOr::Object(object))
    }

    /// The long form.
    pub(crate) fn into_object(self) -> Box<ReplyObject> {
        match self.0 {
            StringOr::Object(object) => object,
            StringOr::Text(text) => {
                Box::new(ReplyObject { answer: Some(Answer::new().text(text)), ..ReplyObject::default() })
            }
        }
    }
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::answer(answer)
    }
}

/// ```
/// use llmirage::Reply;
/// use llmirage::plan::reply::Answer;
/// use serde_json::json;
///
/// let reply = Reply::answer(
///     Answer::new()
///         .text("Let me look.")
///         .tool_call("get_weather", json!({ "city": "Paris" }))
///         .tool_call("get_weather", json!({ "city": "Oslo" })),
/// );
/// ```
impl Answer {
    /// An answer that says nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// What the model thought before.
    #[must_use]
    pub fn reasoning(mut self, reasoning: impl Into<String>) -> Self {
        self.reasoning = Some(reasoning.into());
        self
    }

    /// The refusal of a structured output.
    #[must_use]
    pub fn refusal(mut self, refusal: impl Into<String>) -> Self {
        self.refusal = Some(refusal.into());
        self
    }

    /// One more tool that the model calls. `arguments` is JSON, or a string that is sent as it is.
    #[must_use]
    pub fn tool_call(mut self, name: impl Into<String>, arguments: impl Into<Value>) -> Self {
        let call = ToolCall { name: name.into(), arguments: arguments.into(), ..ToolCall::default() };
        self.tool_calls.get_or_insert_default().push(call);
        self
    }

    /// Why the model stopped.
    #[must_use]
    pub fn finish_reason(mut self, reason: impl Into<String>) -> Self {
        self.finish_reason = Some(reason.into());
        self
    }

    /// Token counts, instead of the tokenizer's.
    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }

    /// How the text is cut into events.
    #[must_use]
    pub fn chunking(mut self, chunking: Chunking) -> Self {
        self.chunking = Some(chunking);
        self
    }

    /// One more choice, for requests with `n` > 1.
    #[must_use]
    pub fn choice(mut self, choice: Self) -> Self {
        self.choices.get_or_insert_default().push(choice);
        self
    }

    /// Makes the strings of this answer minijinja templates over the request.
    #[must_use]
    pub fn template(mut self) -> Self {
        self.template = Some(true);
        self
    }
}

impl Usage {
    /// So many tokens in the request and in the answer.
    pub fn new(prompt_tokens: u64, completion_tokens: u64) -> Self {
        Self {
            prompt_tokens: Some(prompt_tokens),
            completion_tokens: Some(completion_tokens),
            ..Self::default()
        }
    }
}

impl Step {
    /// The chunk that opens the message.
    pub fn role(role: impl Into<String>) -> Self {
        Self::Role(role.into())
    }

    /// A chunk with a piece of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The chunk with the finish reason.
    pub fn finish(reason: impl Into<String>) -> Self {
        Self::Finish(reason.into())
    }

    /// An SSE event with these data, and a name unless it is empty.
    pub fn event(name: impl Into<String>, data: impl Into<Value>) -> Self {
        let event = Some(name.into()).filter(|name| !name.is_empty());
        Self::Event(EventStep { event, data: Some(data.into()), ..EventStep::default() })
    }

    /// An SSE comment.
    pub fn comment(text: impl Into<String>) -> Self {
        Self::Comment(text.into())
    }

    /// Bytes, as they are.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::Raw(StringOr::Object(Base64 { base64: bytes.into() }))
    }

    /// A pause before the next step.
    pub fn wait(pause: Duration) -> Self {
        Self::Wait(Span(pause))
    }

    /// A fault, here.
    pub fn fault(fault: Fault) -> Self {
        Self::Fault(fault.into())
    }
}

/// ```
/// use llmirage::Reply;
/// use llmirage::plan::reply::ErrorReply;
///
/// let reply = Reply::error(ErrorReply::new(429).code("rate_limit_exceeded").retry_after("2s"));
/// ```
impl ErrorReply {
    /// An error of this status; what is not set follows from it.
    pub fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// The error's code.
    #[must_use]
    pub fn code(mut self, code: impl Into<Value>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The error's type.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// The error's message.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// The parameter at fault.
    #[must_use]
    pub fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// How long a client is to wait: a duration like `2s`, or a raw `retry-after` value.
    #[must_use]
    pub fn retry_after(mut self, retry_after: impl Into<String>) -> Self {
        self.retry_after = Some(retry_after.into());
        self
    }

    /// The whole body: a string as it is, or JSON in the dialect's layout.
    #[must_use]
    pub fn body(mut self, body: impl Into<Value>) -> Self {
        self.body = Some(body.into());
        self
    }
}

impl From<u16> for ErrorReply {
    fn from(status: u16) -> Self {
        Self::new(status)
    }
}
