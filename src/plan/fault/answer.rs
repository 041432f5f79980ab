//! Layer 1: what is answered instead, or under which head.

use super::declare::{faults, words};

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
        /// An error of the service, in the dialect's words; statuses of proxies have no body of JSON.
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
        /// The content filter refuses the prompt: 400, with Azure's `innererror`.
        PromptBlocked = "prompt-blocked", tier 1, Whole "", expect "fail-fast", evidence "A4" {
            /// The category that is filtered.
            "category" category: Category = Category::Violence;
            /// Its severity.
            "severity" severity: Severity = Severity::Medium;
            /// Whether gateways' form is sent: a 200 whose only event is the error.
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
        /// A redirect.
        Redirect = "redirect", tier 3, Whole "", expect "tolerate", evidence "E9 M37" {
            /// The status: 301, 302, 303, 307 or 308.
            "status" status: u64 = 307;
            /// Where to.
            "to" to: Target = Target::Same;
            /// How many attempts get it; without it, all.
            "times" times: Option<u64> = None;
        }
        /// What an error says of the time to wait, in every form that was met; an answer that is none
        /// becomes a 429.
        RetryAfter = "retry-after", tier 1, Whole "", expect "retry-ok", evidence "E2 E3 M22-24" {
            /// The form.
            "form" form: RetryForm = RetryForm::Int;
            /// The value, instead of the form's usual one.
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
    /// What is wrong with its parameters' values: (parameter, what is wrong and what would be right).
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
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
        /// An HTTP date, two seconds ahead.
        Date = "date",
        /// An HTTP date, a minute ago.
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
        /// Azure's sentence with a day in it, and the header.
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
