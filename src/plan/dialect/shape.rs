//! How the envelope of a response looks: every rule of age, model and api-version, resolved.

use std::sync::Arc;

use serde_json::Value;

use super::super::seed::{BASE62, Draw, Seed};
use super::super::wire::{Obfuscation, Profile, Wire};

/// What a dialect's writers depend on, and nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// The date whose shape this is.
    pub profile: Profile,
    /// The completion's id.
    pub id: String,
    /// When it was created, in Unix seconds.
    pub created: u64,
    /// The snapshot name sent back.
    pub model: String,
    /// `system_fingerprint`: absent, null or a value.
    pub fingerprint: Option<Option<String>>,
    /// `service_tier`, where it is sent.
    pub tier: Option<String>,
    /// What chunks carry as `obfuscation`, if they do.
    pub obfuscation: Option<Obfuscation>,
    /// Azure: how long what took; `None` inside leaves it out.
    pub latency_checkpoint: Option<Option<Value>>,
    /// Azure: who served it; `None` inside leaves it out.
    pub routing: Option<Option<Value>>,
    /// Which choice each chunk is of.
    pub interleave: Option<Arc<[usize]>>,
    /// Whether the stream ends with the usage, and all other chunks carry `"usage":null`.
    pub usage: bool,
    /// What a choice says about log probabilities.
    pub logprobs: Logprobs,
    /// What the first delta says beside the role.
    pub opening: OpeningKeys,
    /// Which details the usage has.
    pub details: Details,
    /// Whether non-ASCII characters are escaped.
    pub ascii: bool,
    /// Azure: whether there are content filter results at all.
    pub filtered: bool,
    /// Where this response's own randomness comes from.
    pub seed: Seed,
}

impl Shape {
    /// Whether another is the same but for what is a hit's own: id, time and seed.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        let Self {
            profile,
            id: _,
            created: _,
            model,
            fingerprint,
            tier,
            obfuscation,
            latency_checkpoint,
            routing,
            interleave,
            usage,
            logprobs,
            opening,
            details,
            ascii,
            filtered,
            seed: _,
        } = self;
        *profile == other.profile
            && *usage == other.usage
            && *logprobs == other.logprobs
            && *opening == other.opening
            && *details == other.details
            && *ascii == other.ascii
            && *filtered == other.filtered
            && *model == other.model
            && *fingerprint == other.fingerprint
            && *tier == other.tier
            && *obfuscation == other.obfuscation
            && *interleave == other.interleave
            && *latency_checkpoint == other.latency_checkpoint
            && *routing == other.routing
    }
}

/// What a choice says about log probabilities.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Logprobs {
    /// Nothing: no key.
    Absent,
    /// `null`.
    Null,
    /// They were asked for, with so many alternatives.
    Asked(usize),
}

/// What the first delta says beside the role.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum OpeningKeys {
    /// Nothing (to mid-2023; Azure's oldest api-versions).
    Role,
    /// `content` (to mid-2024).
    Content,
    /// `content` and `refusal`.
    Refusal,
}

/// Which details the usage has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Details {
    /// Three counts (to 2024-09).
    None,
    /// Cached and reasoning tokens only (2024-10).
    Brief,
    /// All.
    Full,
    /// All, and tokens written to the cache (Azure, from 2026-09).
    CacheWrite,
}

impl Details {
    /// The details of a date.
    pub(crate) fn of(profile: Profile) -> Self {
        match profile {
            date if date < Profile::new(2024, 10, 1) => Self::None,
            date if date < Profile::new(2024, 11, 1) => Self::Brief,
            _ => Self::Full,
        }
    }
}

/// What chunks carry as `obfuscation`, if they do: since August 2025, unless the request says no.
pub(crate) fn obfuscation(wire: &Wire, profile: Profile, is_allowed: bool) -> Option<Obfuscation> {
    let by_rule = Obfuscation::Sent(profile >= Profile::new(2025, 8, 7));
    let obfuscation = wire.obfuscation.clone().unwrap_or(by_rule);
    (is_allowed && obfuscation.is_sent()).then_some(obfuscation)
}

/// `chatcmpl-`, five characters that encode the time, 24 from the seed.
///
/// The time is base62 of the seconds since 2019-12-20 (`created - 1576800000`), exact in 3,107 of 3,109
/// recorded ids of both providers.
pub(crate) fn completion_id(wire: &Wire, created: u64, seed: Seed) -> String {
    wire.id.clone().unwrap_or_else(|| {
        let mut rest = created.saturating_sub(1_576_800_000);
        let mut time = [b'0'; 5];
        for digit in time.iter_mut().rev() {
            *digit = BASE62[(rest % 62) as usize];
            rest /= 62;
        }
        format!("chatcmpl-{}{}", String::from_utf8_lossy(&time), COMPLETION_ID.text(seed, created))
    })
}

/// What a hit draws for the id of its completion.
pub(crate) const COMPLETION_ID: Draw = Draw::base62("id", 24);

/// `fp_` and ten digits: a property of the deployment, so of server seed and model, not of the request.
pub(crate) fn fingerprint(server: Seed, model: &str) -> String {
    format!("fp_{}", server.child(model).hex("system_fingerprint", 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_encode_the_second_of_their_creation() {
        let id = completion_id(&Wire::default(), 1_766_400_609, Seed::new(0));
        assert_eq!(&id[..14], "chatcmpl-CpXmL");
        assert_eq!(id.len(), 38);
    }
}
