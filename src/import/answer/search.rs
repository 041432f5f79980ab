//! The simplest reply that says the recording again: candidates are planned and compared.

use bytes::Bytes;
use serde_json::{Value, json};

use super::Difference;
use super::draft::Draft;
use crate::plan::request::{Endpoint, Request};
use crate::plan::say::plan_reject;
use crate::plan::set::{FixtureSet, Hits, Source};
use crate::plan::{Occasion, Timeline, plan};

/// What is looked for.
#[derive(Debug)]
pub(super) struct Search<'a> {
    /// The request that is answered.
    pub(super) request: &'a Request,
    /// What was recorded.
    pub(super) recorded: &'a [u8],
}

impl Search<'_> {
    /// The simplest reply that says the recording, or the one that says the most of it, and where it errs.
    ///
    /// # Errors
    ///
    /// In words, where no fixture can say such a thing.
    pub(super) fn best(&self, draft: &Draft) -> Result<(Draft, Option<Difference>), String> {
        let mut best: Option<(Draft, Difference)> = None;
        let mut refused = String::new();
        let repaired = draft.with_texts();
        for candidate in draft.candidates().chain(repaired.iter().flat_map(Draft::candidates)) {
            match self.difference(candidate.reply()) {
                Ok(None) => return Ok((self.simplest(candidate, None), None)),
                Ok(Some(difference)) => {
                    if best.as_ref().is_none_or(|(_, known)| known.at < difference.at) {
                        best = Some((candidate, difference));
                    }
                }
                Err(reason) => refused = reason,
            }
        }
        let (best, difference) = best.ok_or(refused)?;
        Ok((self.simplest(best, Some(&difference)), Some(difference)))
    }

    /// Takes out what follows by rule.
    pub(super) fn simplest(&self, mut draft: Draft, difference: Option<&Difference>) -> Draft {
        for pointer in draft.dispensable() {
            if let Some(simpler) = draft.without(&pointer)
                && self.difference(simpler.reply()).is_ok_and(|other| other.as_ref() == difference)
            {
                draft = simpler;
            }
        }
        draft
    }

    /// Where a reply says something else than was recorded.
    ///
    /// # Errors
    ///
    /// In words, where it is no reply.
    pub(super) fn difference(&self, reply: &Value) -> Result<Option<Difference>, String> {
        Ok(Difference::between(&said(self.request, reply)?, self.recorded))
    }
}

/// What a reply says to a request.
pub(super) fn said(request: &Request, reply: &Value) -> Result<Bytes, String> {
    Ok(planned(request, reply)?.body.bytes().clone())
}

/// The answer to a request that a reply plans.
pub(super) fn planned(request: &Request, reply: &Value) -> Result<Timeline, String> {
    let call = &request.call;
    // A path that is no endpoint is served by a fixture of its own; other requests are looked at first.
    let matcher = match call.route.endpoint {
        Endpoint::Other => json!({ "method": call.method.as_str(), "path": call.path }),
        _ => json!({}),
    };
    if call.route.endpoint == Endpoint::ChatCompletions
        && let Err(reject) = call.route.dialect.validate(request, None)
    {
        return Ok(plan_reject(&reject, call, &Occasion::default()));
    }
    let text = json!({ "fixtures": [{ "name": "imported", "match": matcher, "reply": reply }] }).to_string();
    let source = Source::File { path: "fixtures.json".into(), text };
    let set = FixtureSet::load(vec![source]).map_err(|errors| format!("no fixture can say it: {errors}"))?;
    let candidates = set.candidates(request).map_err(|miss| miss.to_string())?;
    let mut hits = Hits::default();
    let admission = set.admit(&candidates, &mut hits).ok_or_else(|| "no fixture answers it".to_owned())?;
    let occasion = Occasion { fixture: admission.fixture, hit: admission.hit, ..Occasion::default() };
    Ok(plan(admission.reply, request, &occasion))
}
