//! Dialects: how each provider puts the same answer on the wire.
//!
//! A dialect is behaviour: a trait, in a static table. A new provider is one file and one line.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use self::completion::Whole;
use self::shape::Shape;
use super::limits::{Allowance, Limited};
use super::reject::Reject;
use super::reply::ErrorReply;
use super::request::{Call, Request, Route};
use super::said::{Counts, Said};
use super::seed::{Draw, Seed};
use super::sse::Draft;
use super::timeline::Head;
use super::wire::{Filters, Profile, Verdicts, Wire};

pub(crate) mod azure;
pub(crate) mod chunk;
pub(crate) mod completion;
pub(crate) mod names;
pub(crate) mod openai;
pub(crate) mod shape;

mod at;
mod head;
mod layout;
mod limits;
mod messages;
mod paths;
mod retry;
mod tools;
mod validate;

pub(crate) use head::{Lines, http_date};
pub(crate) use messages::ROLES;
pub(crate) use paths::query_value;
pub(crate) use retry::RetryAfter;

/// Every dialect, in the order in which they are asked whether a path is theirs.
pub(crate) static DIALECTS: &[&dyn Dialect] = &[&azure::Azure, &openai::OpenAi];

/// How a provider speaks.
pub(crate) trait Dialect: fmt::Debug + Sync {
    /// The name in fixtures, flags and the journal.
    fn name(&self) -> &'static str;

    /// What a path asks for, or `None` where it is not this provider's. The last dialect of
    /// [`DIALECTS`] claims every path.
    fn claim(&self, path: &str, query: Option<&str>) -> Option<Route>;

    /// Checks a request as the real servers do, in their order.
    ///
    /// # Errors
    ///
    /// What is wrong first.
    fn validate(&self, request: &Request, models: Option<&[String]>) -> Result<(), Reject>;

    /// What a backend of an earlier date refuses of a valid request, since it did not know it yet.
    /// The date is a fixture's, so this can only be asked once one is admitted.
    fn too_new(&self, request: &Request, profile: Profile) -> Option<Reject>;

    /// Status line and headers of a success, of the endpoint that was called.
    fn success(&self, facts: &Facts<'_>, form: Form) -> Head;

    /// What the heads of successes draw. With a draw that is not told here an answer is planned anew for every hit.
    fn draws(&self) -> &'static [Draw];

    /// Status line, headers and body of a request refused.
    fn reject(&self, reject: &Reject, facts: &Facts<'_>) -> (Head, Bytes);

    /// Status line, headers and body of a request that is over a limit of the fixtures.
    fn limited(&self, limited: &Limited, facts: &Facts<'_>) -> (Head, Bytes);

    /// The model behind a name that requests give: of a deployment the model in it.
    fn model_of<'a>(&self, name: &'a str) -> &'a str;

    /// Status line, headers and body of a fixture's error.
    fn error(&self, error: &ErrorReply, facts: &Facts<'_>) -> (Head, Bytes);

    /// How the envelope of an answer looks. `server` is the server's seed, `seed` the response's own.
    fn shape(&self, request: &Request, wire: &Wire, now: u64, server: Seed, seed: Seed) -> Shape;

    /// The stream that says this.
    fn stream(&self, said: &[Said<'_>], shape: &Shape, filters: &Filters) -> Draft;

    /// The body of an answer that is not streamed.
    fn completion(
        &self,
        choices: Vec<Whole<'_>>,
        counts: Counts,
        shape: &Shape,
        filters: &Filters,
    ) -> Vec<u8>;

    /// Status line, headers and body of a prompt that is refused for what it says: on Azure by the
    /// content filter, with these verdicts.
    fn blocked(&self, verdicts: &Verdicts, shape: &Shape, facts: &Facts<'_>) -> (Head, Bytes);

    /// The body of the list of `names`, or of the one model that was asked for.
    fn models(&self, names: &[&str], facts: &Facts<'_>) -> Bytes;
}

/// What heads depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// The head of the request.
    pub call: &'a Call,
    /// The model or deployment asked for.
    pub model: &'a str,
    /// Where identifiers come from.
    pub seed: Seed,
    /// The time, in Unix seconds.
    pub now: u64,
    /// What the client's clock shows, in Unix seconds.
    pub wall: u64,
    /// The shape of this date.
    pub profile: Profile,
    /// How long the provider says it took: to the first byte of a stream, or the whole body.
    pub processing: Duration,
    /// What the rate limiter counts for this request, in tokens.
    pub tokens: u64,
    /// What the limits of the fixtures leave.
    pub limits: Allowance,
}

impl Facts<'_> {
    /// What this response draws.
    pub(crate) fn draw(&self, draw: &Draw) -> String {
        draw.text(self.seed, self.now)
    }
}

/// What kind of body follows a head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// Server-sent events.
    Stream,
    /// A JSON body of so many bytes.
    Json(usize),
}

#[cfg(test)]
mod tests;
