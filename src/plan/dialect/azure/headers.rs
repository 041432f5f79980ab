//! Azure's header lines: which, in what order and case, by date, path and backend.
//!
//! The order is that of the two JSON exchanges of 2024 whose recorders kept it; where later lines
//! stand in it is not proven. (C azure/chat-json-gpt-35-turbo-202403, -202412)

use http::StatusCode;
use rand::RngExt;

use super::super::head::{Lines, compact_date, drawn_ms, http_date, processing_ms};
use super::super::limits::Bucket;
use super::super::names::deployed;
use super::super::{Facts, Form};
use super::is_v1;
use crate::plan::limits::Allowance;
use crate::plan::seed::{Digits, Draw, Stream};
use crate::plan::timeline::Head;
use crate::plan::wire::Profile;

/// The region of every resource of this server.
pub(super) const REGION: &str = "East US 2";

/// What the heads of successes draw.
pub(super) const DRAWS: &[Draw] =
    &[APIM_REQUEST_ID, REQUEST_ID, drawn_ms::<0>(), NUMBERED, STARTED, LONG_DIGITS, DIGITS];

const APIM_REQUEST_ID: Draw = Draw::uuid("apim-request-id");
const REQUEST_ID: Draw = Draw::uuid("x-request-id");
const NUMBERED: Draw = Draw::made("azureml-model-session", 18, |stream, now, place| {
    let (number, started) = session(stream, now);
    place[..3].copy_from_slice(Digits::of(number.into()).last::<3>());
    place[3] = b'-';
    place[4..].copy_from_slice(started.as_bytes());
});
const STARTED: Draw = Draw::made("azureml-model-session", 14, |stream, now, place| {
    let (_, started) = session(stream, now);
    place.copy_from_slice(started.as_bytes());
});
const LONG_DIGITS: Draw = Draw::hex("azureml-model-session digits", 16);
const DIGITS: Draw = Draw::hex("azureml-model-session digits", 12);

/// The head of a success.
pub(super) fn success(facts: &Facts<'_>, form: Form) -> Head {
    let old = old_backend(facts);
    let mut lines = Lines::default();
    lines.add_if(old, "Cache-Control", "no-cache, must-revalidate");
    match form {
        Form::Stream => lines.add("Transfer-Encoding", "chunked"),
        Form::Json(length) => lines.add("Content-Length", length.to_string()),
    };
    let content_type = match form {
        Form::Stream if old => "text/event-stream",
        Form::Stream => "text/event-stream; charset=utf-8",
        Form::Json(_) => "application/json",
    };
    lines.add("Content-Type", content_type).add_if(old, "access-control-allow-origin", "*");
    service(&mut lines, facts);
    limits(&mut lines, facts);
    model(&mut lines, facts);
    lines.add("Date", http_date(facts.now));
    lines.head(StatusCode::OK)
}

/// The lines of the gateway that know the resource: id, transport security, region.
pub(super) fn service(lines: &mut Lines, facts: &Facts<'_>) {
    lines.add("apim-request-id", apim_request_id(facts));
    lines.add("Strict-Transport-Security", "max-age=31536000; includeSubDomains; preload");
    lines.add("x-content-type-options", "nosniff");
    lines.add("x-ms-region", REGION);
}

/// The rate limiter's lines. Reset times are whole milliseconds here, in a 429 whole seconds.
pub(super) fn limits(lines: &mut Lines, facts: &Facts<'_>) {
    let age = facts.profile;
    if age < Profile::new(2023, 12, 1) {
        return;
    }
    let Limits { requests, tokens } = Limits::of(facts);
    let named = age >= NAMED;
    let renewed = age >= RENEWED;
    for (bucket, names) in [(requests, REQUESTS), (tokens, TOKENS)] {
        lines.add_if(named, names.limit, bucket.limit.to_string());
        lines.add(names.remaining, bucket.remaining().to_string());
        lines.add_if(renewed, names.renewal, "60");
        lines.add_if(renewed, names.reset, bucket.reset().as_millis().to_string());
    }
    lines.add_if(renewed, "x-ratelimit-abusepenalty-active", "False");
}

/// The lines of the model's backend.
pub(super) fn model(lines: &mut Lines, facts: &Facts<'_>) {
    let age = facts.profile;
    let session = model_session(facts);
    lines.add("x-accel-buffering", "no");
    lines.add_if(age >= Profile::new(2023, 12, 1), "x-ms-rai-invoked", "true");
    lines.add("x-request-id", request_id(facts));
    lines.add_if(age < Profile::new(2024, 1, 1), "azureml-model-group", "online");
    lines.add_if(age < Profile::new(2024, 1, 1), "openai-processing-ms", processing_ms::<0>(facts) + ".209");
    lines.add_if(age >= NAMED && !facts.model.is_empty(), "x-ms-deployment-name", facts.model.to_owned());
    lines.add_if(age >= RENEWED, "x-ms-is-spilled-over", "false");
    lines.add_if(age >= RENEWED, "skip-error-remapping", "true");
    // In 2024 the two lines changed places, when the id was first echoed. (C)
    let early = age < ECHOED;
    if early {
        client_request_id(lines, facts);
    }
    lines.add("azureml-model-session", session);
    let envoy = (Profile::new(2024, 10, 1)..NAMED).contains(&age);
    lines.add_if(envoy, "x-envoy-upstream-service-time", processing_ms::<0>(facts));
    if !early {
        client_request_id(lines, facts);
    }
}

/// `x-ms-client-request-id`: what the client sent; else by date and path the gateway's own id,
/// `Not-Set`, or nothing. (N 60, 393, 224)
pub(super) fn client_request_id(lines: &mut Lines, facts: &Facts<'_>) {
    let name = "x-ms-client-request-id";
    let sent = facts.call.headers.get(name).and_then(|value| value.to_str().ok());
    let age = facts.profile;
    match sent {
        Some(sent) => lines.add(name, sent.to_owned()),
        None if age < ECHOED => lines.add(name, "Not-Set"),
        None if age < Profile::new(2025, 10, 1) => lines.add(name, apim_request_id(facts)),
        None => lines.add_if(is_v1(facts.call), name, "Not-Set"),
    };
}

/// The gateway's id of this request.
pub(super) fn apim_request_id(facts: &Facts<'_>) -> String {
    facts.draw(&APIM_REQUEST_ID)
}

/// The backend's id of this request.
pub(super) fn request_id(facts: &Facts<'_>) -> String {
    facts.draw(&REQUEST_ID)
}

/// The limits of the fixtures; else those of a small deployment, of which this request is the only one in its
/// minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) requests: Bucket,
    pub(super) tokens: Bucket,
}

impl Limits {
    pub(super) fn of(facts: &Facts<'_>) -> Self {
        let Allowance { requests, tokens } = facts.limits;
        Self {
            requests: requests.map_or_else(|| Bucket::new(120, 1), Bucket::from),
            tokens: tokens.map_or_else(|| Bucket::new(120_000, facts.tokens), Bucket::from),
        }
    }
}

/// The names of a bucket's lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    pub(super) limit: &'static str,
    pub(super) remaining: &'static str,
    pub(super) renewal: &'static str,
    pub(super) reset: &'static str,
}

pub(super) const REQUESTS: Names = Names {
    limit: "x-ratelimit-limit-requests",
    remaining: "x-ratelimit-remaining-requests",
    renewal: "x-ratelimit-renewalperiod-requests",
    reset: "x-ratelimit-reset-requests",
};

pub(super) const TOKENS: Names = Names {
    limit: "x-ratelimit-limit-tokens",
    remaining: "x-ratelimit-remaining-tokens",
    renewal: "x-ratelimit-renewalperiod-tokens",
    reset: "x-ratelimit-reset-tokens",
};

/// Whether the backend is the older one, with its caching and CORS lines: every one until September
/// 2024, then for three months those of models before gpt-4o. (C)
fn old_backend(facts: &Facts<'_>) -> bool {
    let age = facts.profile;
    let early = !deployed(facts.model).starts_with("gpt-4o");
    age < Profile::new(2024, 10, 1) || (age < Profile::new(2025, 1, 1) && early)
}

/// The name of the model's session: until December 2025 a number and when it was started, since
/// then that time and some digits. (C)
fn model_session(facts: &Facts<'_>) -> String {
    match facts.profile {
        age if age < Profile::new(2024, 1, 1) => "dep-1".to_owned(),
        age if age < Profile::new(2025, 12, 1) => format!("d{}", facts.draw(&NUMBERED)),
        age => {
            let digits = facts.draw(if age < RENEWED { &LONG_DIGITS } else { &DIGITS });
            format!("d{}-{digits}", facts.draw(&STARTED))
        }
    }
}

/// The number of a session, and the time when it was started: 12 to 24 hours ago.
fn session(stream: &mut Stream, now: u64) -> (u32, String) {
    let number = stream.random_range(1..300u32);
    (number, compact_date(now.saturating_sub(stream.random_range(43_200..86_400u64))))
}

/// `x-ms-client-request-id` is the gateway's own id where the client sent none.
const ECHOED: Profile = Profile::new(2024, 4, 1);
/// The limits and the deployment are named. Seen first in October 2025, not in March 2025.
pub(super) const NAMED: Profile = Profile::new(2025, 4, 1);
/// Renewal periods, resets, `x-ms-is-spilled-over`, `skip-error-remapping`.
const RENEWED: Profile = Profile::new(2026, 3, 1);
