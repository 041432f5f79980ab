//! Azure's rules of age, model and api-version, resolved (wire.md, sections 6.1 to 6.3).

use super::super::names::{ModelClass, azure_model};
use super::super::shape::{Details, Logprobs, OpeningKeys, Shape, completion_id, fingerprint, obfuscation};
use crate::plan::request::Request;
use crate::plan::seed::Seed;
use crate::plan::wire::{Profile, Wire};

/// The shape of a response. `server` is the server's seed, `seed` this response's own.
pub(crate) fn shape(request: &Request, wire: &Wire, now: u64, server: Seed, seed: Seed) -> Shape {
    let api_version = request.call.route.api_version.as_deref().unwrap_or("9999");
    // The first two versions know no filter results, no logprobs and no content beside the role, in
    // October 2024 still (7 of 7 recordings, against 196 of 196 of later versions).
    let plain = api_version < "2023-06";
    let asked =
        |profile| wire.model.clone().unwrap_or_else(|| azure_model(request.model(), profile).into_owned());
    let implied = match () {
        () if plain => Profile::new(2024, 10, 31),
        () if asked(Profile::NEWEST).starts_with("gpt-6") => Profile::new(2026, 9, 30),
        () => Profile::NEWEST,
    };
    let profile = wire.profile.unwrap_or(implied);
    let since = |year, month, day| profile >= Profile::new(year, month, day);
    let created = wire.created.unwrap_or(now);
    let model = asked(profile);
    let telemetry = since(2026, 9, 1);
    let nulls = !plain && since(2024, 3, 1);
    let default_fingerprint = || (!unfingerprinted(&model)).then(|| fingerprint(server, &model));
    Shape {
        profile,
        id: completion_id(wire, created, seed),
        created,
        fingerprint: (since(2024, 2, 1) || wire.system_fingerprint.is_some())
            .then(|| wire.system_fingerprint.clone().unwrap_or_else(default_fingerprint)),
        tier: wire.service_tier.clone().unwrap_or_else(|| telemetry.then(|| "default".to_owned())),
        obfuscation: obfuscation(wire, profile, request.include_obfuscation()),
        latency_checkpoint: wire.latency_checkpoint.clone(),
        routing: wire.routing.clone(),
        interleave: wire.interleave.clone(),
        usage: request.include_usage(),
        logprobs: match () {
            () if request.logprobs() && !plain => Logprobs::Asked(request.top_logprobs()),
            () if wire.logprobs_null.unwrap_or(nulls) => Logprobs::Null,
            () => Logprobs::Absent,
        },
        opening: match () {
            () if plain => OpeningKeys::Role,
            () if since(2025, 1, 1) => OpeningKeys::Refusal,
            () if since(2024, 2, 1) => OpeningKeys::Content,
            () => OpeningKeys::Role,
        },
        // Azure was later: the last recordings without details are of December 2024.
        details: match () {
            () if telemetry => Details::CacheWrite,
            () if since(2025, 1, 1) => Details::Full,
            () => Details::None,
        },
        ascii: telemetry,
        filtered: !plain,
        seed,
        model,
    }
}

/// Models that send `"system_fingerprint":null`.
fn unfingerprinted(model: &str) -> bool {
    ModelClass::of(model).reasons()
        || model.starts_with("gpt-35")
        || (model.starts_with("gpt-4-") && !model.starts_with("gpt-4-turbo"))
}
