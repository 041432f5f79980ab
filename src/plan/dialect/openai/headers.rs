//! OpenAI's header lines: which, in what order and case, by date.
//!
//! Up to March 2026 the order is that of recordings which kept it; lines that came later stand where
//! a recording of another kind suggests, which is not proven. (C chat exchanges 2023-03 to 2026-08)

use std::time::Duration;

use http::StatusCode;

use super::super::head::{Lines, cookie_date, drawn_ms, http_date, processing_ms};
use super::super::limits::Bucket;
use super::super::names::snapshot;
use super::super::{Facts, Form};
use super::duration::GoDuration;
use crate::plan::limits::Allowance;
use crate::plan::request::Endpoint;
use crate::plan::seed::Draw;
use crate::plan::timeline::Head;
use crate::plan::wire::Profile;

/// The organisation of every account of this server.
pub(super) const ORGANIZATION: &str = "llmirage-tests";
/// The same in the messages of the rate limiter.
pub(super) const ORGANIZATION_ID: &str = "org-llmirage0000000000000000";
/// The project of every key of this server.
const PROJECT: &str = "proj_llmirage0000000000000000";

/// What the heads of successes draw.
pub(super) const DRAWS: &[Draw] =
    &[drawn_ms::<0>(), drawn_ms::<UPSTREAM>(), REQUEST_ID, BOT, SIGNATURE, VISITOR, RAY];

const REQUEST_ID: Draw = Draw::hex("x-request-id", 32);
const BOT: Draw = Draw::base62("__cf_bm", 43);
const SIGNATURE: Draw = Draw::base62("__cf_bm signature", 86);
const VISITOR: Draw = Draw::base62("_cfuvid", 43);
const RAY: Draw = Draw::hex("cf-ray", 8);

/// How much longer than the backend the service in front of it says it took, in milliseconds.
const UPSTREAM: u32 = 17;

/// The head of a success.
pub(super) fn success(facts: &Facts<'_>, form: Form) -> Head {
    let (content_type, length) = match form {
        Form::Stream if facts.profile >= CHARSET => ("text/event-stream; charset=utf-8", None),
        Form::Stream => ("text/event-stream", None),
        // JSON is chunked, compressed or not; only the first weeks had a length.
        Form::Json(length) => ("application/json", (facts.profile < CHUNKED).then_some(length)),
    };
    let family = match facts.call.route.endpoint {
        Endpoint::Models | Endpoint::Model(_) => Family::Models,
        Endpoint::ChatCompletions | Endpoint::Other => Family::Chat,
    };
    let answer = Answer {
        content_type,
        length,
        family,
        limits: Some(Limits::of(facts)),
        retry_after: None,
        retry_after_ms: None,
    };
    answer.lines(facts).head(StatusCode::OK)
}

/// Which servers answer, as far as headers tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Family {
    /// The backend of chat completions.
    Chat,
    /// The backend of the models API.
    Models,
    /// The gateway in front of them, which refuses by itself.
    Gateway,
}

/// What the header lines depend on beside the facts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    pub(super) content_type: &'static str,
    /// The length; `None`: chunked.
    pub(super) length: Option<usize>,
    pub(super) family: Family,
    pub(super) limits: Option<Limits>,
    /// The value of `retry-after`, which OpenAI documents but was never recorded to send.
    pub(super) retry_after: Option<&'a str>,
    /// The value of `retry-after-ms`, which the official SDKs look at first.
    pub(super) retry_after_ms: Option<u128>,
}

/// The two buckets of the rate limiter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) requests: Bucket,
    pub(super) tokens: Bucket,
    /// When the requests or the tokens are back, instead of what the buckets say.
    pub(super) requests_reset: Option<Duration>,
    pub(super) tokens_reset: Option<Duration>,
}

impl Limits {
    /// The limits of the fixtures; else those of a first tier, of which this request is the only one in its
    /// minute.
    pub(super) fn of(facts: &Facts<'_>) -> Self {
        let (requests, tokens) =
            if facts.profile < Profile::new(2024, 1, 1) { (3_500, 90_000) } else { (500, 200_000) };
        let Allowance { requests: own_requests, tokens: own_tokens } = facts.limits;
        Self {
            requests: own_requests.map_or_else(|| Bucket::new(requests, 1), Bucket::from),
            tokens: own_tokens.map_or_else(|| Bucket::new(tokens, facts.tokens), Bucket::from),
            requests_reset: None,
            tokens_reset: None,
        }
    }

    fn add(self, lines: &mut Lines, age: Profile) {
        let Self { requests, tokens, .. } = self;
        let based = (COOKIES..Profile::new(2024, 2, 1)).contains(&age);
        let reset = |own: Option<Duration>, bucket: Bucket| {
            GoDuration(own.unwrap_or_else(|| bucket.reset())).to_string()
        };
        let with_tokens = age >= TOKEN_LIMITS;
        lines.add("x-ratelimit-limit-requests", requests.limit.to_string());
        lines.add_if(with_tokens, "x-ratelimit-limit-tokens", tokens.limit.to_string());
        lines.add_if(based, "x-ratelimit-limit-tokens-usage-based", tokens.limit.to_string());
        lines.add("x-ratelimit-remaining-requests", requests.remaining().to_string());
        lines.add_if(with_tokens, "x-ratelimit-remaining-tokens", tokens.remaining().to_string());
        lines.add_if(based, "x-ratelimit-remaining-tokens-usage-based", tokens.remaining().to_string());
        lines.add("x-ratelimit-reset-requests", reset(self.requests_reset, requests));
        lines.add_if(with_tokens, "x-ratelimit-reset-tokens", reset(self.tokens_reset, tokens));
        lines.add_if(based, "x-ratelimit-reset-tokens-usage-based", reset(self.tokens_reset, tokens));
    }
}

impl Answer<'_> {
    /// All lines, in order.
    pub(super) fn lines(&self, facts: &Facts<'_>) -> Lines {
        let age = facts.profile;
        let mut lines = Lines::default();
        lines.add("Date", http_date(facts.now)).add("Content-Type", self.content_type);
        match self.length {
            Some(length) => lines.add("Content-Length", length.to_string()),
            None => lines.add("Transfer-Encoding", "chunked"),
        };
        lines.add("Connection", "keep-alive");
        match self.family {
            Family::Chat => self.chat(&mut lines, facts),
            Family::Models => self.models(&mut lines, facts),
            Family::Gateway => {
                let vary = if age < NEW_CASE { "vary" } else { "Vary" };
                lines.add(vary, "Origin").add_if(age >= NEW_ORDER, "Server", "cloudflare");
            }
        }
        if self.family != Family::Models {
            lines.add_if(
                self.family == Family::Chat && age < LATE_HSTS,
                "strict-transport-security",
                hsts(age),
            );
            if let Some(limits) = self.limits.filter(|_| age >= CHUNKED) {
                limits.add(&mut lines, age);
            }
            if let Some(retry_after) = self.retry_after {
                lines.add("retry-after", retry_after.to_owned());
            }
            if let Some(millis) = self.retry_after_ms {
                lines.add("retry-after-ms", millis.to_string());
            }
            lines.add("x-request-id", request_id(facts));
            lines.add_if(age >= WASM, "x-openai-proxy-wasm", "v0.1");
        }
        self.edge(&mut lines, facts);
        lines
    }

    fn chat(&self, lines: &mut Lines, facts: &Facts<'_>) {
        let age = facts.profile;
        lines.add_if(age < CHARSET, "access-control-allow-origin", "*");
        lines.add_if(age < CHARSET, "cache-control", "no-cache, must-revalidate");
        lines.add_if(age >= EXPOSE, "access-control-expose-headers", "X-Request-ID");
        lines.add_if(age >= EXPOSE_RAY, "access-control-expose-headers", "CF-Ray");
        lines.add_if(age >= EXPOSE_RAY, "access-control-expose-headers", "CF-Ray");
        lines.add_if(age < CHARSET, "openai-model", snapshot(facts.model).into_owned());
        lines.add("openai-organization", ORGANIZATION);
        lines.add("openai-processing-ms", processing_ms::<0>(facts));
        lines.add_if(age >= PROJECTS, "openai-project", PROJECT);
        lines.add("openai-version", "2020-10-01");
        lines.add_if(ENVOY.contains(&age), "x-envoy-upstream-service-time", processing_ms::<UPSTREAM>(facts));
        lines.add_if(age >= NEW_ORDER, "Server", "cloudflare");
    }

    fn models(&self, lines: &mut Lines, facts: &Facts<'_>) {
        let age = facts.profile;
        lines.add("openai-version", "2020-10-01");
        lines.add("x-request-id", request_id(facts));
        lines.add("openai-processing-ms", processing_ms::<0>(facts));
        lines.add_if(ENVOY.contains(&age), "x-envoy-upstream-service-time", processing_ms::<8>(facts));
        lines.add_if(age >= WASM, "x-openai-proxy-wasm", "v0.1");
        lines.add_if(age >= NEW_ORDER, "Server", "cloudflare");
        lines.add_if(age < LATE_HSTS, "strict-transport-security", hsts(age));
    }

    /// The lines of Cloudflare, which is in front since April 2023.
    fn edge(&self, lines: &mut Lines, facts: &Facts<'_>) {
        let age = facts.profile;
        if age < CHUNKED {
            return;
        }
        let lower = (Profile::new(2025, 2, 1)..NEW_CASE).contains(&age);
        lines.add(if lower { "cf-cache-status" } else { "CF-Cache-Status" }, "DYNAMIC");
        cookies(lines, facts, self.family == Family::Gateway);
        lines.add_if(age >= LATE_HSTS, "Strict-Transport-Security", hsts(age));
        let early_gateway = self.family == Family::Gateway && age < LATE_HSTS;
        lines.add_if(early_gateway, "strict-transport-security", hsts(age));
        lines.add_if(age >= NOSNIFF, "X-Content-Type-Options", "nosniff");
        lines.add_if(age < NEW_ORDER, "Server", "cloudflare");
        lines.add(if age < NEW_CASE { "CF-RAY" } else { "CF-Ray" }, ray(facts));
        let early = age < Profile::new(2023, 7, 1);
        lines.add(
            "alt-svc",
            if early { "h3=\":443\"; ma=86400, h3-29=\":443\"; ma=86400" } else { "h3=\":443\"; ma=86400" },
        );
    }
}

/// Cloudflare's cookies, which last half an hour. Their domain keeps clients of this server from
/// sending them back.
fn cookies(lines: &mut Lines, facts: &Facts<'_>, gateway: bool) {
    let age = facts.profile;
    if age < COOKIES {
        return;
    }
    let expires = facts.now.saturating_add(1_800);
    let now = facts.now.to_string();
    let (id, signature) = (facts.draw(&BOT), facts.draw(&SIGNATURE));
    let bot = ["__cf_bm=", &id, "-", &now, "-1.0.1.1-", &signature].concat();
    let visitor = || format!("_cfuvid={}-{}000-0.0.1.1-604800000", facts.draw(&VISITOR), facts.now);
    if age < NEW_COOKIES {
        let tail = "domain=.api.openai.com; HttpOnly; Secure; SameSite=None";
        lines.add("Set-Cookie", format!("{bot}; path=/; expires={}; {tail}", cookie_date(expires)));
        lines.add("Set-Cookie", format!("{}; path=/; {tail}", visitor()));
        return;
    }
    let same_site = if age >= Profile::new(2026, 6, 1) { " SameSite=None;" } else { "" };
    let tail = "Secure; Path=/; Domain=api.openai.com; Expires=";
    lines.add("set-cookie", [&bot, "; HttpOnly;", same_site, " ", tail, &http_date(expires)].concat());
    if gateway && age < Profile::new(2026, 5, 1) {
        let tail = "HttpOnly; SameSite=None; Secure; Path=/; Domain=api.openai.com";
        lines.add("set-cookie", format!("{}; {tail}", visitor()));
    }
}

/// Cloudflare's ray: the seconds since 13 October 2012 in units of 160 ms, eight random digits, and
/// the data centre. (C 170 of 170 within 21 s)
pub(crate) fn ray(facts: &Facts<'_>) -> String {
    let clock = facts.now.saturating_sub(1_350_000_000).saturating_mul(25) / 4;
    format!("{:08x}{}-LHR", clock & 0xffff_ffff, facts.draw(&RAY))
}

/// `req_` and 32 hexadecimal digits; without the prefix until early 2024. (N)
pub(super) fn request_id(facts: &Facts<'_>) -> String {
    let prefix = if facts.profile < Profile::new(2024, 2, 15) { "" } else { "req_" };
    [prefix, &facts.draw(&REQUEST_ID)].concat()
}

fn hsts(age: Profile) -> &'static str {
    match age {
        _ if age < Profile::new(2024, 7, 1) => "max-age=15724800; includeSubDomains",
        _ if age < Profile::new(2024, 9, 1) => "max-age=31536000; includeSubDomains",
        _ => "max-age=31536000; includeSubDomains; preload",
    }
}

/// Cloudflare in front, JSON chunked, limits of requests.
const CHUNKED: Profile = Profile::new(2023, 4, 1);
/// Limits of tokens.
const TOKEN_LIMITS: Profile = Profile::new(2023, 5, 1);
/// Cookies; for three months also a second set of token limits.
const COOKIES: Profile = Profile::new(2023, 11, 1);
/// A charset on streams; no `cache-control`, `access-control-allow-origin`, `openai-model` any more.
const CHARSET: Profile = Profile::new(2024, 6, 1);
/// `access-control-expose-headers` and `x-content-type-options`.
const EXPOSE: Profile = Profile::new(2024, 9, 1);
const NOSNIFF: Profile = EXPOSE;
/// Envoy's own line.
const ENVOY: std::ops::Range<Profile> = Profile::new(2025, 5, 1)..NEW_ORDER;
/// `openai-project`.
const PROJECTS: Profile = Profile::new(2025, 7, 1);
/// `strict-transport-security` from the edge, not from the backend: late, and capitalised.
const LATE_HSTS: Profile = Profile::new(2025, 8, 1);
/// `x-openai-proxy-wasm`.
const WASM: Profile = Profile::new(2025, 8, 30);
/// `Server` before the limits; Envoy's line is gone.
const NEW_ORDER: Profile = Profile::new(2026, 1, 25);
/// Cookies of another form.
const NEW_COOKIES: Profile = Profile::new(2026, 2, 5);
/// `CF-Ray`, `CF-Cache-Status`, `Vary`.
const NEW_CASE: Profile = Profile::new(2026, 3, 1);
/// `CF-Ray` exposed too, twice.
const EXPOSE_RAY: Profile = Profile::new(2026, 6, 1);
