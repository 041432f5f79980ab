//! When the events of a response are due.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::Span;

mod build;

/// The pace of a response. Deadlines are absolute from the moment the request was read: a late
/// event does not push the next.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pacing {
    /// When the status line and headers go out; absent: with the first event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) head: Option<Span>,
    /// Time to first token: when the first content event goes out, and all before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttft: Option<Span>,
    /// Inter-token latency: the time between content events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) itl: Option<Span>,
    /// Tokens per second, instead of `itl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tps: Option<f64>,
    /// How the time between content events varies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jitter: Option<Jitter>,
    /// How many content events go out at once; the mean pace stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) burst: Option<usize>,
    /// Transcripts: multiplies the recorded gaps; 0 is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scale: Option<f64>,
    /// Transcripts: whether the recorded gaps are used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recorded: Option<bool>,
}

/// How the time between content events varies around `itl`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// `itl` × (1 ± x), evenly.
    Uniform(f64),
    /// `itl` plus a normal variate with this standard deviation.
    Normal(Span),
    /// A log-normal variate with these percentiles, instead of `itl`.
    Lognormal(Percentiles),
    /// An exponential variate with the mean `itl`: a Poisson process.
    Exponential,
}

/// Two percentiles of a distribution.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Percentiles {
    /// The median.
    pub(crate) p50: Span,
    /// The 95th percentile.
    pub(crate) p95: Span,
}
