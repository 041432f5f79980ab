//! The results of Azure's content filter, as JSON.

use super::super::chunk::{Order, object, quoted};
use super::super::shape::Shape;
use crate::plan::said::Filter;
use crate::plan::wire::{Detection, Filters, Profile, Severity, Verdicts};

/// The verdicts on a prompt: four categories, and since the end of 2024 jailbreak.
pub(crate) fn prompt(shape: &Shape, verdicts: &Verdicts) -> String {
    prompt_with(shape, verdicts, categories(verdicts))
}

/// The verdicts that block a prompt. Where nothing is bad enough for the usual thresholds, the
/// deployment's are stricter, and what is low is filtered too.
pub(crate) fn blocked_prompt(shape: &Shape, verdicts: &Verdicts) -> String {
    let strict = !verdicts.filtered();
    let found = |found: Option<Severity>| verdict(found, strict && found == Some(Severity::Low));
    prompt_with(shape, verdicts, each_category(verdicts, found))
}

fn prompt_with(shape: &Shape, verdicts: &Verdicts, mut results: Vec<(&'static str, String)>) -> String {
    if shape.profile >= Profile::new(2024, 12, 13) || verdicts.jailbreak.is_some() {
        results.push(("jailbreak", detection(shape, verdicts.jailbreak)));
    }
    results.extend(blocklists(verdicts, false));
    object(Order::Sorted, results)
}

/// The verdicts on all prompts of a request, of which there is one.
pub(crate) fn prompt_list(shape: &Shape, verdicts: &Verdicts) -> String {
    // Not sorted, unlike everything around it.
    format!("[{{\"prompt_index\":0,\"content_filter_results\":{}}}]", prompt(shape, verdicts))
}

/// What is said of the prompts of a body: the fixture's own, or what its verdicts mean.
pub(crate) fn prompt_results(shape: &Shape, filters: &Filters) -> String {
    match &filters.prompt_results {
        Some(results) => serde_json::to_string(results).expect("a list of JSON is JSON"),
        None => prompt_list(shape, &filters.prompt),
    }
}

/// What is said of a choice of a body: the fixture's own, or what its verdicts mean.
pub(crate) fn choice_results(shape: &Shape, filters: &Filters) -> String {
    match &filters.results {
        Some(results) if !filters.completion.filtered() => super::stream::text(results),
        _ => whole_completion(shape, &filters.completion),
    }
}

/// The verdicts on a piece of a completion: four categories, with gpt-4.1 in 2026 also protected
/// material; gpt-6 has that alone.
pub(crate) fn completion(shape: &Shape, verdicts: &Verdicts) -> String {
    let four_one = shape.model.starts_with("gpt-4.1") && shape.profile >= Profile::new(2026, 1, 1);
    let six = shape.model.starts_with("gpt-6");
    let quiet = six && !verdicts.filtered();
    let mut results = if quiet { Vec::new() } else { categories(verdicts) };
    if four_one || verdicts.protected_material_code.is_some() {
        results.push(("protected_material_code", detection(shape, verdicts.protected_material_code)));
    }
    if four_one || six || verdicts.protected_material_text.is_some() {
        results.push(("protected_material_text", detection(shape, verdicts.protected_material_text)));
    }
    results.extend(blocklists(verdicts, false));
    object(Order::Sorted, results)
}

/// The verdicts on a whole completion that is not streamed.
pub(crate) fn whole_completion(shape: &Shape, verdicts: &Verdicts) -> String {
    let mut results = categories(verdicts);
    if shape.profile >= Profile::new(2025, 1, 1) {
        results.push(("protected_material_code", detection(shape, verdicts.protected_material_code)));
        results.push(("protected_material_text", detection(shape, verdicts.protected_material_text)));
    }
    results.extend(blocklists(verdicts, false));
    object(Order::Sorted, results)
}

/// The verdict of one asynchronous filter.
pub(crate) fn annotation(shape: &Shape, verdicts: &Verdicts, filter: Filter) -> String {
    let results = match filter {
        Filter::Code => vec![("protected_material_code", detection(shape, verdicts.protected_material_code))],
        Filter::Text => vec![("protected_material_text", detection(shape, verdicts.protected_material_text))],
        Filter::Blocklists => blocklists(verdicts, true).into_iter().collect(),
        Filter::Categories => categories(verdicts),
        Filter::Named => return named(shape, verdicts),
    };
    object(Order::Sorted, results)
}

/// Only what the verdicts name.
fn named(shape: &Shape, verdicts: &Verdicts) -> String {
    let Verdicts {
        hate,
        self_harm,
        sexual,
        violence,
        jailbreak,
        protected_material_code,
        protected_material_text,
        ..
    } = verdicts;
    let mut results = Vec::new();
    for (name, found) in
        [("hate", hate), ("self_harm", self_harm), ("sexual", sexual), ("violence", violence)]
    {
        results.extend(found.map(|found| (name, severity(Some(found)))));
    }
    let detections = [
        ("jailbreak", jailbreak),
        ("protected_material_code", protected_material_code),
        ("protected_material_text", protected_material_text),
    ];
    for (name, found) in detections {
        results.extend(found.map(|found| (name, detection(shape, Some(found)))));
    }
    results.extend(blocklists(verdicts, false));
    object(Order::Sorted, results)
}

fn categories(verdicts: &Verdicts) -> Vec<(&'static str, String)> {
    each_category(verdicts, severity)
}

fn each_category(
    verdicts: &Verdicts,
    show: impl Fn(Option<Severity>) -> String,
) -> Vec<(&'static str, String)> {
    vec![
        ("hate", show(verdicts.hate)),
        ("self_harm", show(verdicts.self_harm)),
        ("sexual", show(verdicts.sexual)),
        ("violence", show(verdicts.violence)),
    ]
}

fn severity(found: Option<Severity>) -> String {
    verdict(found, false)
}

/// A severity, filtered above the usual thresholds or if `strict`.
fn verdict(found: Option<Severity>, strict: bool) -> String {
    let found = found.unwrap_or_default();
    let name = match found {
        Severity::Safe => "safe",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
    };
    format!("{{\"filtered\":{},\"severity\":\"{name}\"}}", strict || found.filtered())
}

/// Both orders are live: `filtered` first in 2025, `detected` first since 2026.
fn detection(shape: &Shape, found: Option<Detection>) -> String {
    let found = found.unwrap_or_default();
    let (detected, filtered) = (found != Detection::None, found == Detection::Filtered);
    let order = if shape.profile >= Profile::new(2026, 3, 1) { Order::Sorted } else { Order::Hand };
    object(order, vec![("filtered", filtered.to_string()), ("detected", detected.to_string())])
}

fn blocklists(verdicts: &Verdicts, always: bool) -> Option<(&'static str, String)> {
    let lists = verdicts.custom_blocklists.as_deref();
    let entry = |id: &String| format!("{{\"filtered\":true,\"id\":{}}}", quoted(id));
    let entries: Vec<String> = lists.unwrap_or_default().iter().map(entry).collect();
    (always || lists.is_some()).then(|| ("custom_blocklists", format!("[{}]", entries.join(","))))
}

impl Verdicts {
    /// Whether a filter of the asynchronous mode filters.
    pub(crate) fn filtered_by(&self, filter: Filter) -> bool {
        match filter {
            Filter::Code => self.protected_material_code == Some(Detection::Filtered),
            Filter::Text => self.protected_material_text == Some(Detection::Filtered),
            Filter::Blocklists => self.custom_blocklists.as_ref().is_some_and(|lists| !lists.is_empty()),
            Filter::Categories => [self.hate, self.self_harm, self.sexual, self.violence]
                .iter()
                .flatten()
                .any(|found| found.filtered()),
            Filter::Named => self.filtered(),
        }
    }
}
