//! Azure OpenAI's dialect: deployments with an api-version, and the `/openai/v1` paths without.

use bytes::Bytes;

use super::chunk;
use super::completion::{Completion, Whole};
use super::openai::{exists, model, models_body};
use super::shape::Shape;
use super::{Dialect, Facts, Form, names, paths, validate};
use crate::plan::limits::Limited;
use crate::plan::reject::{Reject, Violation};
use crate::plan::reply::ErrorReply;
use crate::plan::request::{Call, Endpoint, Request, Route};
use crate::plan::said::{Counts, Said};
use crate::plan::seed::{Draw, Seed};
use crate::plan::sse::Draft;
use crate::plan::timeline::Head;
use crate::plan::wire::{FilterMode, Filters, Profile, Verdicts, Wire};

mod errors;
mod filter;
mod headers;
mod shape;
pub(crate) mod stream;
mod throttle;

/// The dialect of Azure OpenAI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Azure;

impl Dialect for Azure {
    fn name(&self) -> &'static str {
        "azure"
    }

    /// Everything below `/openai`: `/openai/deployments/{deployment}/chat/completions`,
    /// `/openai/v1/chat/completions`, `/openai/models`, `/openai/v1/models`.
    fn claim(&self, path: &str, query: Option<&str>) -> Option<Route> {
        let segments = paths::segments(path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let below = segments.strip_prefix(&["openai"])?;
        let (deployment, endpoint) = match below {
            ["deployments", deployment, rest @ ..] => match paths::endpoint(rest) {
                Endpoint::ChatCompletions => (Some((*deployment).to_owned()), Endpoint::ChatCompletions),
                Endpoint::Models | Endpoint::Model(_) | Endpoint::Other => (None, Endpoint::Other),
            },
            ["v1", rest @ ..] => (None, paths::endpoint(rest)),
            // Without a deployment and without v1 only the models are served.
            rest => match paths::endpoint(rest) {
                Endpoint::ChatCompletions => (None, Endpoint::Other),
                endpoint => (None, endpoint),
            },
        };
        let api_version = paths::query_value(query, "api-version");
        Some(Route { dialect: &Self, endpoint, deployment, api_version })
    }

    fn validate(&self, request: &Request, models: Option<&[String]>) -> Result<(), Reject> {
        let call = &request.call;
        if call.route.endpoint == Endpoint::Other {
            return Err(Reject::UnknownUrl);
        }
        api_version(call)?;
        match (&call.route.endpoint, &call.route.deployment) {
            (Endpoint::ChatCompletions, Some(deployment)) => {
                exists(deployment, models)?;
                // The body's `model` is ignored here, even one that is no string. (N)
                let body = request.body.as_object().ok_or(Reject::InvalidJson)?;
                Ok(validate::chat(body, names::deployed(deployment), PARAMETERS)?)
            }
            (Endpoint::ChatCompletions, None) => {
                let body = request.body.as_object().ok_or(Reject::InvalidJson)?;
                let deployment = model(body)?;
                exists(deployment, models)?;
                Ok(validate::chat(body, names::deployed(deployment), PARAMETERS)?)
            }
            (Endpoint::Model(id), _) => exists(id, models),
            (Endpoint::Models | Endpoint::Other, _) => Ok(()),
        }
    }

    /// Backends before September 2024 did not know `stream_options`, whatever the api-version: in
    /// October 2024 one took it under 2023-03-15-preview. (C, I SwiftOpenAI#67)
    fn too_new(&self, request: &Request, profile: Profile) -> Option<Reject> {
        let early = profile < Profile::new(2024, 9, 1) && request.body.get("stream_options").is_some();
        early.then(|| Violation::unknown("stream_options").into())
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
        names::deployed(name)
    }

    fn error(&self, error: &ErrorReply, facts: &Facts<'_>) -> (Head, Bytes) {
        errors::reply(error, facts)
    }

    fn shape(&self, request: &Request, wire: &Wire, now: u64, server: Seed, seed: Seed) -> Shape {
        shape::shape(request, wire, now, server, seed)
    }

    fn stream(&self, said: &[Said<'_>], shape: &Shape, filters: &Filters) -> Draft {
        stream::stream(said, shape, filters)
    }

    fn completion(
        &self,
        choices: Vec<Whole<'_>>,
        counts: Counts,
        shape: &Shape,
        filters: &Filters,
    ) -> Vec<u8> {
        let filtering = shape.filtered && filters.mode != FilterMode::Off;
        let special = filters.special(choices.len()).filter(|_| filtering);
        let special = special.map(|(choice, results)| (choice, results.map(stream::text)));
        let completion = Completion {
            shape,
            order: stream::order(shape.profile),
            special_results: special.collect(),
            choices,
            counts,
            prompt_results: filtering.then(|| filter::prompt_results(shape, filters)),
            choice_results: filtering.then(|| filter::choice_results(shape, filters)),
        };
        let mut body = (completion.json() + "\n").into_bytes();
        if shape.ascii {
            chunk::escape(&mut body, 0);
        }
        body
    }

    fn blocked(&self, verdicts: &Verdicts, shape: &Shape, facts: &Facts<'_>) -> (Head, Bytes) {
        errors::prompt_blocked(filter::blocked_prompt(shape, verdicts).as_bytes(), facts)
    }

    /// OpenAI's list; no list of Azure's was recorded. (U)
    fn models(&self, names: &[&str], facts: &Facts<'_>) -> Bytes {
        models_body(names, facts)
    }
}

/// Whether the path is one of the `/openai/v1` ones, which need no api-version.
fn is_v1(call: &Call) -> bool {
    paths::segments(&call.path).get(1).is_some_and(|segment| segment == "v1")
}

/// The api-version's rules: a path with a deployment needs a date, `/openai/v1` takes none. (AS, T)
fn api_version(call: &Call) -> Result<(), Reject> {
    let version = call.route.api_version.as_deref().filter(|version| !version.is_empty());
    match version {
        _ if is_v1(call) => match version {
            None | Some("v1" | "preview" | "latest") => Ok(()),
            Some(_) => Err(Reject::ApiVersion),
        },
        None => Err(Reject::UnknownUrl),
        Some(version) if is_dated(version) => Ok(()),
        Some(_) => Err(Reject::ApiVersion),
    }
}

/// `2024-10-21` or `2024-10-01-preview`, from the first version with chat on. Which dates exist is
/// not checked: new ones come every month, and clients' tests make some up.
fn is_dated(version: &str) -> bool {
    let date = version.strip_suffix("-preview").unwrap_or(version);
    let real = date.len() == 10 && date.parse::<jiff::civil::Date>().is_ok();
    real && date >= "2023-03-15"
}

/// Azure's own parameters of a chat completion. (AS)
const PARAMETERS: &[&str] = &["data_sources", "dataSources", "enhancements", "user_security_context"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_versions_are_dates_from_the_first_with_chat_on() {
        for (version, dated) in [
            ("2023-03-15-preview", true),
            ("2024-10-21", true),
            ("2031-01-01-preview", true),
            ("2022-12-01", false),
            ("2024-13-01", false),
            ("2024-1-1", false),
            ("2024-10-21-beta", false),
            ("20241021", false),
            ("preview", false),
            ("v1", false),
        ] {
            assert_eq!(is_dated(version), dated, "{version}");
        }
    }
}
