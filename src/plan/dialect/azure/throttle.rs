//! Azure's 429: its words and its header lines, which name the same time to wait.
//! (I openai-python#937, paperless-gpt#814; T)

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::super::Facts;
use super::super::head::Lines;
use super::super::layout::{Envelope, Layout};
use super::super::limits::{Bucket, whole_millis};
use super::super::names::deployed;
use super::super::retry::{RetryAfter, whole_seconds};
use super::errors::Short;
use super::headers::{Limits, Names, REGION, REQUESTS, TOKENS, service};
use crate::plan::fault::answer::Quantity;
use crate::plan::limits::Limited;
use crate::plan::wire::Profile;

/// A 429 of the deployment's rate limiter.
#[derive(Clone, Debug)]
pub(super) struct Throttle {
    /// Whether it is tokens that are used up, not requests.
    tokens: bool,
    wait: Duration,
    header: Option<RetryAfter>,
    /// Whether a limit of the fixtures is behind it, whose bucket need not be empty.
    measured: bool,
}

impl Throttle {
    /// `kind` is what is used up: `requests`, else tokens. Without a time to wait it is a second,
    /// which older replies only told in words and in the reset time.
    pub(super) fn new(kind: Option<&str>, retry_after: Option<&RetryAfter>, facts: &Facts<'_>) -> Self {
        let wait = retry_after.and_then(RetryAfter::wait).unwrap_or(Duration::from_secs(1));
        let usual = (facts.profile >= NEW).then_some(RetryAfter::Wait(wait));
        Self {
            tokens: kind != Some("requests"),
            wait,
            header: retry_after.cloned().or(usual),
            measured: false,
        }
    }

    /// That of a limit of the fixtures. A request that is larger than the bucket is told to wait the minute
    /// in which that fills: this gateway always names a time. (U)
    pub(super) fn limited(limited: &Limited) -> Self {
        let wait = limited.wait.map_or(Duration::from_secs(60), |wait| whole_millis(wait, true));
        Self {
            tokens: limited.of == Quantity::Tokens,
            wait,
            header: Some(RetryAfter::Wait(wait)),
            measured: true,
        }
    }

    /// The body: this code and message, or the rate limiter's own.
    pub(super) fn body(&self, code: Option<&Value>, message: Option<&str>, facts: &Facts<'_>) -> Bytes {
        let message = message.map_or_else(|| self.message(facts), str::to_owned);
        if facts.profile < NEW {
            // The old gateway has a space before the message.
            let code = code.cloned().unwrap_or_else(|| "429".into());
            let message = Value::from(message);
            return Bytes::from(format!(r#"{{"error":{{"code":{code},"message": {message}}}}}"#));
        }
        let code = code.cloned().unwrap_or_else(|| "RateLimitReached".into());
        Layout::Compact.print(&Envelope { error: Short { code, message } })
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let what = if self.tokens { "token" } else { "call" };
        let version = facts.call.route.api_version.as_deref().unwrap_or("v1");
        let wait = match whole_seconds(self.wait) {
            1 => "1 second".to_owned(),
            seconds => format!("{seconds} seconds"),
        };
        if facts.profile < NEW {
            // The operation's summary, before it had a name.
            let early = facts.profile < Profile::new(2023, 9, 1);
            let operation =
                if early { "Creates a completion for the chat message" } else { "ChatCompletions_Create" };
            return format!(
                "Requests to the {operation} Operation under Azure OpenAI API version {version} have exceeded {what} rate limit of your current OpenAI S0 pricing tier. Please retry after {wait}. Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit."
            );
        }
        let (deployment, model) = (facts.model, deployed(facts.model));
        format!(
            "Your requests to {deployment} for {model} in {REGION} have exceeded the {what} rate limit for your current AIServices S0 pricing tier. This request was for ChatCompletions_Create under Azure OpenAI API version {version}. Please retry after {wait}. To increase your default rate limit, visit: https://aka.ms/oai/quotaincrease."
        )
    }

    /// The lines between the content type and the date. Reset times are whole seconds here.
    pub(super) fn lines(&self, lines: &mut Lines, facts: &Facts<'_>) {
        if let Some(retry_after) = &self.header {
            retry_after.add(lines);
        }
        let Limits { mut requests, mut tokens } = Limits::of(facts);
        let empty = if self.tokens { &mut tokens } else { &mut requests };
        if !self.measured {
            *empty = empty.emptied();
        }
        if facts.profile < NEW {
            let names = if self.tokens { TOKENS } else { REQUESTS };
            lines.add(names.reset, whole_seconds(self.wait).to_string());
            service(lines, facts);
            let policy = if self.tokens { "DeploymentRatelimit-Token" } else { "DeploymentRatelimit-Call" };
            lines.add("policy-id", policy);
            lines.add(REQUESTS.remaining, requests.remaining().to_string());
            return;
        }
        let both: [(Bucket, Names, bool); 2] =
            [(requests, REQUESTS, !self.tokens), (tokens, TOKENS, self.tokens)];
        for (bucket, names, _) in both {
            lines.add(names.limit, bucket.limit.to_string());
        }
        for (bucket, names, _) in both {
            lines.add(names.remaining, bucket.remaining().to_string());
        }
        for (_, names, _) in both {
            lines.add(names.renewal, "60");
        }
        for (bucket, names, empty) in both {
            let wait = if empty { self.wait } else { bucket.reset() };
            lines.add(names.reset, whole_seconds(wait).to_string());
        }
        lines.add("x-ratelimit-type", if self.tokens { "Tokens" } else { "Requests" });
        service(lines, facts);
    }
}

/// Since when the code is `RateLimitReached` and the lines are the many.
const NEW: Profile = Profile::new(2025, 11, 1);
