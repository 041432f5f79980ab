//! Layer 1: what is answered instead, or under which head.

use super::declare::{faults, words};
use super::transport::TransportFault;
use super::{Fault, Kind};
use crate::plan::request::Request;
use crate::plan::timeline::Timeline;

mod head;
mod instead;
mod pages;
mod redirect;
mod retry;

pub(crate) use instead::Scene;

faults! {
    /// What is answered instead, or under which head.
    pub enum AnswerFault: Answer {
        /// 429 of the rate limiter, in the dialect's words, with rate-limit headers that agree.
        RateLimit = "rate-limit", tier 1, Whole "", expect "retry-ok", evidence "E2 A7" {
            /// The error's code.
            "code" code: Option<String> = None;
            /// What is used up.
            "of" of: Quantity = Quantity::Requests;
            /// How long to wait: a duration, or a raw header value.
            "retry_after" retry_after: Option<String> = Some("1s".to_owned());
            /// How many attempts get it; without it, all.
            "times" times: Option<u64> = None;
        }
        /// 429 that no waiting mends: the account's quota is used up.
        QuotaExhausted = "quota-exhausted", tier 1, Whole "", expect "fail-fast", evidence "E1 M21" {
            /// The error's code.
            "code" code: String = "insufficient_quota".to_owned();
            /// How many attempts get it; without it, all.
            "times" times: Option<u64> = None;
        }
        /// An error of the service, in the dialect's words. The statuses of Cloudflare, 520 to 526, come
        /// with its page of HTML, unless a code or a message is given.
        ServerError = "server-error", tier 1, Whole "", expect "retry-ok", evidence "E5 E6 M30" {
            /// The status: 400 to 599.
            "status" status: u64 = 500;
            /// The error's code.
            "code" code: Option<String> = None;
            /// The error's message.
            "message" message: Option<String> = None;
            /// The whole body instead.
            "body" body: Option<String> = None;
            /// How long to wait: a duration, or a raw header value.
            "retry_after" retry_after: Option<String> = None;
            /// How many attempts get it; without it, all.
            "times" times: Option<u64> = None;
        }
        /// The prompt is refused: 400, on Azure by the content filter with its verdicts, on OpenAI with the
        /// code `invalid_prompt`.
        PromptBlocked = "prompt-blocked", tier 1, Whole "", expect "fail-fast", evidence "A4" {
            /// The category that is filtered.
            "category" category: Category = Category::Violence;
            /// Its severity.
            "severity" severity: Severity = Severity::Medium;
            /// Whether gateways' form is sent, if a stream is asked for: a 200 whose only event is the error,
            /// without `[DONE]`.
            "in_stream" in_stream: bool = false;
        }
        /// A page of HTML: of a proxy that fails, or of a portal that wants a login.
        HtmlInstead = "html-instead", tier 1, Whole "", expect "fail-typed", evidence "E4 M1" {
            /// The status: 200 to 599.
            "status" status: u64 = 200;
            /// Whose page.
            "vendor" vendor: Vendor = Vendor::Nginx;
            /// How many attempts get it; without it, all.
            "times" times: Option<u64> = None;
        }
        /// The whole completion as JSON, though a stream was asked for.
        JsonInsteadOfStream = "json-instead-of-stream", tier 1, Whole "", expect "fail-typed", evidence "C15 M2" {
            /// The content type.
            "content_type" content_type: String = "application/json".to_owned();
        }
        /// A redirect. `same` and `cross-origin` lead to the URL without its `/fault/…`, so they end there;
        /// a fault that does not come from the URL redirects again.
        Redirect = "redirect", tier 3, Whole "", expect "tolerate", evidence "E9 M37" {
            /// The status: 301, 302, 303, 307 or 308.
            "status" status: u64 = 307;
            /// Where to.
            "to" to: Target = Target::Same;
            /// How many attempts get it; without it, all.
            "times" times: Option<u64> = None;
        }
        /// What an error says of the time to wait, in every form that was met, and in that form alone; an
        /// answer that is no error becomes a 429.
        RetryAfter = "retry-after", tier 1, Whole "", expect "retry-ok", evidence "E2 E3 M22-24" {
            /// The form.
            "form" form: RetryForm = RetryForm::Int;
            /// The value of the form's header, instead of its usual one; with `azure-text`, the seconds.
            "value" value: Option<String> = None;
            /// The status of an answer that is no error.
            "status" status: u64 = 429;
            /// The value of `x-should-retry`; without it, none is sent.
            "should_retry" should_retry: Option<bool> = None;
            /// How many attempts get it; without it, all.
            "times" times: Option<u64> = None;
        }
        /// A content type that is wrong, or missing.
        ContentTypeWrong = "content-type-wrong", tier 3, Whole "", expect "tolerate", evidence "C15" {
            /// The form.
            "form" form: ContentTypeForm = ContentTypeForm::TextPlain;
        }
    }
}

impl AnswerFault {
    /// How many attempts of a request get it; `None`: all.
    pub(crate) fn times(&self) -> Option<u64> {
        match self {
            Self::RateLimit { times, .. }
            | Self::QuotaExhausted { times, .. }
            | Self::ServerError { times, .. }
            | Self::HtmlInstead { times, .. }
            | Self::Redirect { times, .. }
            | Self::RetryAfter { times, .. } => *times,
            Self::PromptBlocked { .. } | Self::JsonInsteadOfStream { .. } | Self::ContentTypeWrong { .. } => {
                None
            }
        }
    }

    /// Whether it decides the whole answer, whatever the reply is. Only one such fault can be applied.
    pub(crate) fn replaces(&self) -> bool {
        match self {
            Self::RateLimit { .. }
            | Self::QuotaExhausted { .. }
            | Self::ServerError { .. }
            | Self::PromptBlocked { .. }
            | Self::HtmlInstead { .. }
            | Self::Redirect { .. } => true,
            Self::JsonInsteadOfStream { .. } | Self::RetryAfter { .. } | Self::ContentTypeWrong { .. } => {
                false
            }
        }
    }

    /// What is wrong with its parameters: the parameter, and what was expected.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut wrong =
            |name, problem: Option<String>| problems.extend(problem.map(|problem| (name, problem)));
        match self {
            Self::RateLimit { retry_after, .. } => wrong("retry_after", no_value(retry_after.as_deref())),
            Self::ServerError { status, retry_after, .. } => {
                wrong("status", no_error(*status));
                wrong("retry_after", no_value(retry_after.as_deref()));
            }
            Self::HtmlInstead { status, .. } => {
                let bodiless = [204, 205, 304].contains(status) || !(200..600).contains(status);
                let problem = || format!("expected a status with a body, 200 to 599, got {status}");
                wrong("status", bodiless.then(problem));
            }
            Self::JsonInsteadOfStream { content_type } => {
                wrong("content_type", no_value(Some(content_type)));
            }
            Self::Redirect { status, .. } => {
                let problem = || format!("expected 301, 302, 303, 307 or 308, got {status}");
                wrong("status", (![301, 302, 303, 307, 308].contains(status)).then(problem));
            }
            Self::RetryAfter { value, status, .. } => {
                wrong("status", no_error(*status));
                wrong("value", no_value(value.as_deref()));
            }
            Self::QuotaExhausted { .. } | Self::PromptBlocked { .. } | Self::ContentTypeWrong { .. } => {}
        }
        problems
    }
}

/// What is wrong with the status of an error.
fn no_error(status: u64) -> Option<String> {
    (!(400..600).contains(&status))
        .then(|| format!("expected the status of an error, 400 to 599, got {status}"))
}

/// What is wrong with a header's value.
fn no_value(value: Option<&str>) -> Option<String> {
    let wrong = value.filter(|value| value.bytes().any(|byte| !(b' '..=b'~').contains(&byte)))?;
    Some(format!("expected visible ASCII, as in a header, got {wrong:?}"))
}

/// Whether a fault decides the whole answer, whatever the reply is.
pub(crate) fn replaces(fault: &Fault) -> bool {
    match &fault.kind {
        Kind::Answer(fault) => fault.replaces(),
        Kind::Transport(fault) => matches!(fault, TransportFault::EarlyResponse { .. }),
        Kind::Event(_) | Kind::Stream(_) => false,
    }
}

/// What is answered: what the first fault that decides it says, else what is `planned`; under the head
/// that the other faults want.
pub(crate) fn answered(faults: &[&Fault], scene: &Scene<'_>, planned: impl FnOnce() -> Timeline) -> Timeline {
    let replaced = replaced(faults, scene);
    replaced.unwrap_or_else(|| head::laid(planned(), false, faults, scene))
}

/// What is answered where a fault decides that, which needs no reply.
pub(crate) fn replaced(faults: &[&Fault], scene: &Scene<'_>) -> Option<Timeline> {
    let timeline = instead::instead(faults, scene)?;
    Some(head::laid(timeline, true, faults, scene))
}

/// The request that is answered where the answer is whole though a stream was asked for.
pub(crate) fn unstreamed(faults: &[&Fault], request: &Request) -> Option<Request> {
    let whole = |fault: &&Fault| matches!(fault.kind, Kind::Answer(AnswerFault::JsonInsteadOfStream { .. }));
    let unstreamed = request.stream() && faults.iter().any(whole);
    unstreamed.then(|| {
        let mut request = request.clone();
        request.body["stream"] = false.into();
        request
    })
}

words! {
    /// What a rate limiter counts.
    pub enum Quantity {
        /// Requests.
        Requests = "requests",
        /// Tokens.
        Tokens = "tokens",
    }
}

words! {
    /// A category of the content filter.
    pub enum Category {
        /// Hate.
        Hate = "hate",
        /// Self-harm.
        SelfHarm = "self_harm",
        /// Sexual content.
        Sexual = "sexual",
        /// Violence.
        Violence = "violence",
    }
}

words! {
    /// A severity of the content filter.
    pub enum Severity {
        /// Low.
        Low = "low",
        /// Medium.
        Medium = "medium",
        /// High.
        High = "high",
    }
}

words! {
    /// Whose page of HTML.
    pub enum Vendor {
        /// nginx.
        Nginx = "nginx",
        /// Cloudflare.
        Cloudflare = "cloudflare",
        /// Amazon's load balancer.
        AwsElb = "awselb",
        /// A portal that wants a login.
        Login = "login",
    }
}

words! {
    /// Where a redirect leads.
    pub enum Target {
        /// To the same URL without the fault in it.
        Same = "same",
        /// To that URL under the server's other name: `localhost` for `127.0.0.1`, and back.
        CrossOrigin = "cross-origin",
        /// To itself.
        Loop = "loop",
    }
}

words! {
    /// A form of the time to wait.
    pub enum RetryForm {
        /// Whole seconds: `1`.
        Int = "int",
        /// A fraction: `1.5`.
        Float = "float",
        /// An HTTP date, two seconds ahead of the system's clock, whatever `--clock` says.
        Date = "date",
        /// An HTTP date, a minute before it.
        PastDate = "past-date",
        /// `-1`.
        Negative = "negative",
        /// `soon`.
        Junk = "junk",
        /// A day: `86400`.
        Huge = "huge",
        /// `retry-after-ms: 1500`.
        Ms = "ms",
        /// `retry-after-ms: -5`.
        MsNegative = "ms-negative",
        /// No header at all.
        Absent = "absent",
        /// Azure's sentence with a day in it, and the header that says the same.
        AzureText = "azure-text",
    }
}

words! {
    /// A form of content type.
    pub enum ContentTypeForm {
        /// `text/plain`.
        TextPlain = "text-plain",
        /// None.
        Missing = "missing",
        /// The right one, with a charset that is not UTF-8.
        Charset = "charset",
    }
}

#[cfg(test)]
mod tests;
