//! What the journal knows of one request.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use crate::plan::timeline::Ending;

/// One request and what became of it.
///
/// Keys, tokens and cookies were blotted out before it was stored, and what is long was cut.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Entry {
    /// Counts from 1, in the order in which requests were admitted.
    pub id: u64,
    /// The session of the base URL or of `x-llmirage-session`; empty is the common one.
    pub session: String,
    /// The method.
    #[serde(serialize_with = "display")]
    pub method: Method,
    /// The path below the scope, with its query.
    pub path: String,
    /// The dialect spoken: `openai`, `azure`.
    pub dialect: &'static str,
    /// The endpoint asked: `chat.completions`.
    pub endpoint: &'static str,
    /// The model or deployment asked for; empty where there is none.
    pub model: String,
    /// The headers of the request.
    #[serde(serialize_with = "header_object")]
    pub headers: HeaderMap,
    /// The first 64 KiB of the request's body.
    #[serde(serialize_with = "json_or_text")]
    pub body: String,
    /// How many bytes the whole body had.
    pub body_bytes: usize,
    /// What openai's SDKs say in `x-stainless-retry-count`: 0 for the first attempt.
    pub retry: Option<u64>,
    /// The status code of the answer.
    #[serde(serialize_with = "display_status")]
    pub status: StatusCode,
    /// The fixture that answered; `None` for a request that was refused.
    pub fixture: Option<String>,
    /// Which hit of the fixture it was, from 1.
    pub hit: Option<u64>,
    /// Whether no fixture matched.
    pub unmatched: bool,
    /// Why the request was refused, in the words that the client read.
    pub refusal: Option<String>,
    /// What breaks in the answer, each fault in its one-word form, in the order in which they are applied.
    pub faults: Vec<String>,
    /// How many events the answer has.
    pub events_planned: usize,
    /// How many of them went out; 0 while it runs.
    pub events_sent: usize,
    /// How it ended, or that it runs.
    pub outcome: Outcome,
    /// When the request was read, from the start of the server.
    #[serde(rename = "at_ms", serialize_with = "millis")]
    pub at: Duration,
    /// How long the answer took; `None` while it runs.
    #[serde(rename = "duration_ms", serialize_with = "some_millis")]
    pub duration: Option<Duration>,
}

/// What an entry has of its request, without secrets and never large. Requests that are the same share it.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) session: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) dialect: &'static str,
    pub(crate) endpoint: &'static str,
    pub(crate) model: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) body_bytes: usize,
    pub(crate) retry: Option<u64>,
    /// About how many bytes all of it takes.
    pub(crate) weight: usize,
}

/// What an entry has of the answer as it was planned.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) id: u64,
    pub(crate) at: Duration,
    pub(crate) status: StatusCode,
    pub(crate) fixture: Option<(String, u64)>,
    pub(crate) unmatched: bool,
    pub(crate) refusal: Option<String>,
    pub(crate) faults: Vec<String>,
    pub(crate) events_planned: usize,
}

impl Kept {
    /// The same, weighed.
    pub(crate) fn weighed(mut self) -> Self {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64);
        let texts = self.session.len() + self.path.len() + self.model.len() + self.body.len();
        self.weight = size_of::<Self>() + headers.sum::<usize>() + texts;
        self
    }
}

impl Told {
    /// Nothing yet, of a request that was read `at` this time from the start of the server.
    pub(crate) fn nothing(id: u64, at: Duration) -> Self {
        Self {
            id,
            at,
            status: StatusCode::INTERNAL_SERVER_ERROR,
            fixture: None,
            unmatched: false,
            refusal: None,
            faults: Vec::new(),
            events_planned: 0,
        }
    }

    /// About how many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        let fixture = self.fixture.as_ref().map_or(0, |(name, _)| name.len());
        let faults = self.faults.iter().map(|fault| fault.len() + size_of::<String>());
        size_of::<Self>() + fixture + self.refusal.as_ref().map_or(0, String::len) + faults.sum::<usize>()
    }
}

impl Entry {
    /// The entry of a request while its answer runs.
    pub(crate) fn running(kept: &Kept, told: &Told) -> Self {
        let (fixture, hit) = told.fixture.clone().unzip();
        Self {
            id: told.id,
            session: kept.session.clone(),
            method: kept.method.clone(),
            path: kept.path.clone(),
            dialect: kept.dialect,
            endpoint: kept.endpoint,
            model: kept.model.clone(),
            headers: kept.headers.clone(),
            body: kept.body.clone(),
            body_bytes: kept.body_bytes,
            retry: kept.retry,
            status: told.status,
            fixture,
            hit,
            unmatched: told.unmatched,
            refusal: told.refusal.clone(),
            faults: told.faults.clone(),
            events_planned: told.events_planned,
            events_sent: 0,
            outcome: Outcome::Running,
            at: told.at,
            duration: None,
        }
    }

    /// The request's body as JSON; `None` where it is not JSON or was too large to keep.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }

    /// The value of a header of the request, in any case; `None` where it has none or is not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It did not yet.
    Running,
    /// Everything went out. A client that leaves after the last event is no exception: openai's
    /// python SDK closes at `[DONE]`.
    Completed {
        /// How many events went out.
        events: usize,
    },
    /// It broke as planned.
    Faulted {
        /// How many events went out.
        events: usize,
        /// How it broke.
        #[serde(serialize_with = "ending_name")]
        ending: Ending,
    },
    /// The client left before the last event, or while the end of the response was held back.
    ClientLeft {
        /// How many events had gone out.
        events: usize,
    },
    /// The client kept its connection but took nothing for 30 s; or not all that it was to take before a RST,
    /// which went out nonetheless.
    Stalled {
        /// How many events had gone out.
        events: usize,
    },
    /// The server was stopped before the last event.
    Cut {
        /// How many events had gone out.
        events: usize,
    },
    /// The server panicked: a bug of ours. The connection is closed.
    Failed {
        /// How many events had gone out.
        events: usize,
    },
}

impl Outcome {
    /// How many events went out.
    pub fn events(self) -> usize {
        match self {
            Self::Running => 0,
            Self::Completed { events }
            | Self::Faulted { events, .. }
            | Self::ClientLeft { events }
            | Self::Stalled { events }
            | Self::Cut { events }
            | Self::Failed { events } => events,
        }
    }

    /// Whether there is nothing more to come.
    pub fn is_settled(self) -> bool {
        self != Self::Running
    }
}

fn display<S: Serializer>(value: &Method, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.as_str())
}

fn display_status<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

/// An object with the values of a name joined by commas, as HTTP lets a recipient do.
fn header_object<S: Serializer>(headers: &HeaderMap, serializer: S) -> Result<S::Ok, S::Error> {
    let mut object = serializer.serialize_map(Some(headers.keys_len()))?;
    for name in headers.keys() {
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        object.serialize_entry(name.as_str(), &values.join(", "))?;
    }
    object.end()
}

/// The body as JSON where it is, so that readers need not parse it twice.
#[expect(clippy::ptr_arg, reason = "the signature that serde calls with")]
fn json_or_text<S: Serializer>(body: &String, serializer: S) -> Result<S::Ok, S::Error> {
    match serde_json::from_str::<Value>(body) {
        Ok(json) => json.serialize(serializer),
        Err(_) if body.is_empty() => serializer.serialize_none(),
        Err(_) => serializer.serialize_str(body),
    }
}

fn ending_name<S: Serializer>(ending: &Ending, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(ending.name())
}

fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64() * 1000.0)
}

#[expect(clippy::ref_option, reason = "the signature that serde calls with")]
fn some_millis<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => millis(duration, serializer),
        None => serializer.serialize_none(),
    }
}
