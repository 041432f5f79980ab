//! OpenAI's rules of age and model, resolved (wire.md, section 2.2).

use super::super::names::{ModelClass, snapshot};
use super::super::shape::{Details, Logprobs, OpeningKeys, Shape, completion_id, fingerprint, obfuscation};
use crate::plan::request::Request;
use crate::plan::seed::Seed;
use crate::plan::wire::{Profile, Wire};

/// The shape of a response. `server` is the server's seed, `seed` this response's own.
pub(crate) fn shape(request: &Request, wire: &Wire, now: u64, server: Seed, seed: Seed) -> Shape {
    let profile = wire.profile.unwrap_or(Profile::NEWEST);
    let since = |year, month, day| profile >= Profile::new(year, month, day);
    let created = wire.created.unwrap_or(now);
    let model = wire.model.clone().unwrap_or_else(|| snapshot(request.model()).into_owned());
    let class = ModelClass::of(&model);
    let nulls = since(2024, 2, 1) && class.logprobs_null();
    let logprobs_null = wire.logprobs_null.unwrap_or(nulls);
    let default_fingerprint = || match () {
        () if class == ModelClass::Search => Some(String::new()),
        () if unfingerprinted(&model, profile) => None,
        () => Some(fingerprint(server, &model)),
    };
    let fingerprinted = since(2024, 2, 1) || wire.system_fingerprint.is_some();
    let tier = || match request.body.get("service_tier").and_then(|tier| tier.as_str()) {
        Some(tier @ ("priority" | "flex" | "scale")) => tier.to_owned(),
        _ => "default".to_owned(),
    };
    Shape {
        profile,
        id: completion_id(wire, created, seed),
        created,
        fingerprint: fingerprinted
            .then(|| wire.system_fingerprint.clone().unwrap_or_else(default_fingerprint)),
        tier: wire.service_tier.clone().unwrap_or_else(|| since(2024, 12, 19).then(tier)),
        obfuscation: obfuscation(wire, profile, request.include_obfuscation()),
        latency_checkpoint: wire.latency_checkpoint.clone(),
        routing: wire.routing.clone(),
        interleave: wire.interleave.clone(),
        usage: request.include_usage(),
        logprobs: match () {
            () if request.logprobs() && since(2024, 2, 1) => Logprobs::Asked(request.top_logprobs()),
            () if logprobs_null => Logprobs::Null,
            () => Logprobs::Absent,
        },
        opening: match () {
            () if since(2024, 9, 1) => OpeningKeys::Refusal,
            () if since(2023, 6, 13) => OpeningKeys::Content,
            () => OpeningKeys::Role,
        },
        details: Details::of(profile),
        ascii: false,
        filtered: false,
        seed,
        model,
    }
}

/// Models that send `"system_fingerprint":null`.
fn unfingerprinted(model: &str, profile: Profile) -> bool {
    let turbo = model.starts_with("gpt-3.5-turbo")
        && (profile >= Profile::new(2024, 6, 1) || !model.ends_with("-0125"));
    let old = model.starts_with("gpt-4-0") || model == "gpt-4";
    turbo || old || ["gpt-5", "gpt-6", "o1-"].iter().any(|prefix| model.starts_with(prefix))
}
