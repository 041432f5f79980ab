//! OpenAI's dialect: `api.openai.com`, and everyone who speaks like it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;

use super::chunk::Order;
use super::completion::{Completion, Whole, pretty};
use super::shape::Shape;
use super::{Dialect, Facts, Form, paths, validate};
use crate::plan::limits::Limited;
use crate::plan::reject::{Reject, Violation};
use crate::plan::reply::ErrorReply;
use crate::plan::request::{Call, Endpoint, Request, Route};
use crate::plan::said::{Counts, Said};
use crate::plan::seed::{Draw, Seed};
use crate::plan::sse::Draft;
use crate::plan::timeline::Head;
use crate::plan::wire::{Filters, Profile, Verdicts, Wire};

mod duration;
mod errors;
mod headers;
mod models;
mod shape;
mod stream;

pub(crate) use headers::ray;
pub(super) use models::body as models_body;

/// The dialect of OpenAI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenAi;

impl Dialect for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    /// `/v1/chat/completions`, `/v1/models` and `/v1/models/{id}`, also without `/v1`: the official
    /// SDKs take a base URL with or without it. All other paths are [`Endpoint::Other`].
    fn claim(&self, path: &str, _: Option<&str>) -> Option<Route> {
        let segments = paths::segments(path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let endpoint = paths::endpoint(segments.strip_prefix(&["v1"]).unwrap_or(&segments));
        Some(Route { dialect: &Self, endpoint, deployment: None, api_version: None })
    }

    fn validate(&self, request: &Request, models: Option<&[String]>) -> Result<(), Reject> {
        match &request.call.route.endpoint {
            Endpoint::ChatCompletions => {
                let body = request.body.as_object().ok_or(Reject::InvalidJson)?;
                let model = model(body)?;
                exists(model, models)?;
                Ok(validate::chat(body, model, &[])?)
            }
            Endpoint::Model(id) => exists(id, models),
            Endpoint::Models => Ok(()),
            Endpoint::Other => Err(Reject::UnknownUrl),
        }
    }

    /// `stream_options` came in May 2024; before, the older validator did not know it. (T)
    fn too_new(&self, request: &Request, profile: Profile) -> Option<Reject> {
        let early = profile < Profile::new(2024, 5, 1) && request.body.get("stream_options").is_some();
        early.then(|| Violation::unrecognized("stream_options").into())
    }

    fn success(&self, facts: &Facts<'_>, form: Form) -> Head {
        headers::success(facts, form)
    }

    fn draws(&self) -> &'static [Draw] {
        headers::DRAWS
    }

    fn reject(&self, reject: &Reject, facts: &Facts<'_>) -> (Head, Bytes) {
        errors::reject(reject, facts)
    }

    fn limited(&self, limited: &Limited, facts: &Facts<'_>) -> (Head, Bytes) {
        errors::limited(limited, facts)
    }

    fn model_of<'a>(&self, name: &'a str) -> &'a str {
        name
    }

    fn error(&self, error: &ErrorReply, facts: &Facts<'_>) -> (Head, Bytes) {
        errors::reply(error, facts)
    }

    fn shape(&self, request: &Request, wire: &Wire, now: u64, server: Seed, seed: Seed) -> Shape {
        shape::shape(request, wire, now, server, seed)
    }

    fn stream(&self, said: &[Said<'_>], shape: &Shape, _: &Filters) -> Draft {
        stream::stream(said, shape)
    }

    fn completion(&self, choices: Vec<Whole<'_>>, counts: Counts, shape: &Shape, _: &Filters) -> Vec<u8> {
        let completion = Completion {
            shape,
            order: Order::Hand,
            choices,
            counts,
            prompt_results: None,
            choice_results: None,
            special_results: BTreeMap::new(),
        };
        let compact = completion.json();
        // Bodies are pretty-printed since October 2023.
        let printed = if shape.profile < Profile::new(2023, 10, 1) { compact } else { pretty(&compact, 2) };
        (printed + "\n").into_bytes()
    }

    fn blocked(&self, _: &Verdicts, _: &Shape, facts: &Facts<'_>) -> (Head, Bytes) {
        errors::prompt_blocked(facts)
    }

    fn models(&self, names: &[&str], facts: &Facts<'_>) -> Bytes {
        models::body(names, facts)
    }
}

/// The longest name of a model that is looked for, in bytes.
const LONGEST_MODEL: usize = 256;

/// The model of a body.
pub(super) fn model(body: &serde_json::Map<String, serde_json::Value>) -> Result<&str, Reject> {
    match validate::given(body, "model") {
        // Every chunk repeats the name: a long one would be a bomb.
        Some(serde_json::Value::String(model)) if model.len() > LONGEST_MODEL => {
            Err(Violation::long_string("model", LONGEST_MODEL, model.chars().count()).into())
        }
        Some(serde_json::Value::String(model)) if !model.is_empty() => Ok(model),
        None | Some(serde_json::Value::String(_)) => Err(Reject::NoModel),
        Some(other) => Err(Violation::wrong_type("model", "a string", other).into()),
    }
}

/// Whether a model is among those that exist; all do where none are named.
pub(super) fn exists(model: &str, models: Option<&[String]>) -> Result<(), Reject> {
    match models {
        Some(models) if !models.iter().any(|known| known == model) => {
            Err(Reject::UnknownModel(model.to_owned()))
        }
        _ => Ok(()),
    }
}

/// The path as error messages print it, without the query.
fn shown(call: &Call) -> Cow<'_, str> {
    if call.path.is_empty() { Cow::Borrowed("/") } else { Cow::Borrowed(&call.path) }
}
