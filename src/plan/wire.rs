//! How the envelope looks where the real servers differ by age, model and api-version.

use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::json;
use super::reply::Offsets;

mod build;
mod obfuscation;

pub use obfuscation::Obfuscation;

/// A dated shape and single overrides of it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wire {
    /// The shape of this date, `YYYY-MM` (the end of the month) or `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<Profile>,
    /// The id, instead of `chatcmpl-` and 29 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// When the completion was created, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<u64>,
    /// The snapshot name sent back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// The system fingerprint; `null` sends null.
    #[serde(deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub(crate) system_fingerprint: Option<Option<String>>,
    /// The service tier; `null` leaves the key out.
    #[serde(deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub(crate) service_tier: Option<Option<String>>,
    /// Whether chunks carry `obfuscation`, and with which characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) obfuscation: Option<Obfuscation>,
    /// Whether choices without log probabilities carry `"logprobs":null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logprobs_null: Option<bool>,
    /// How long what took, in Azure's last chunk since 2026-09; `null` leaves the key out.
    #[serde(deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    pub(crate) latency_checkpoint: Option<Option<Value>>,
    /// Who served it, in Azure's last chunk since 2026-09; `null` leaves the key out.
    #[serde(deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    pub(crate) routing: Option<Option<Value>>,
    /// Which choice each chunk is of, where a stream has several; the chunks after the list follow by rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) interleave: Option<Arc<[usize]>>,
}

/// A date that decides the shape: year, month, day.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Profile(u32);

impl Profile {
    /// The first date with a known shape: the launch of chat completions.
    pub const OLDEST: Self = Self(20_230_301);
    /// The newest shape that recordings prove.
    pub const NEWEST: Self = Self(20_260_831);

    /// The shape of a day.
    pub const fn new(year: u32, month: u32, day: u32) -> Self {
        Self(year * 10_000 + month * 100 + day)
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault =
            || format!("expected a date like \"2025-08\" or \"2025-08-07\", from 2023-03 on, got {text:?}");
        let mut parts = text.split('-');
        let mut part = |len: usize| {
            let part = parts
                .next()
                .filter(|part| part.len() == len && part.bytes().all(|byte| byte.is_ascii_digit()))?;
            part.parse::<u32>().ok()
        };
        let year = part(4).ok_or_else(fault)?;
        let month = part(2).filter(|month| (1..=12).contains(month)).ok_or_else(fault)?;
        let rest = text.len() > 7;
        let last = last_day(year, month).ok_or_else(fault)?;
        let day = if rest { part(2).filter(|day| (1..=last).contains(day)).ok_or_else(fault)? } else { last };
        let profile = Self::new(year, month, day);
        if parts.next().is_some() || profile < Self::OLDEST {
            return Err(fault());
        }
        Ok(profile)
    }
}

/// The last day of a month.
fn last_day(year: u32, month: u32) -> Option<u32> {
    let first = jiff::civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, 1).ok()?;
    u32::try_from(first.days_in_month()).ok()
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Profile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!(
            "{:04}-{:02}-{:02}",
            self.0 / 10_000,
            self.0 / 100 % 100,
            self.0 % 100
        ))
    }
}

impl JsonSchema for Profile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Profile".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A date that decides the shape: the end of a month, or a day.",
            "type": "string",
            "pattern": "^20[0-9]{2}-[0-9]{2}(-[0-9]{2})?$",
            "examples": ["2024-02", "2024-09", "2025-08"],
        })
    }
}

/// Azure's content filter: how it runs and what it finds.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filters {
    /// How the filter runs.
    pub(crate) mode: FilterMode,
    /// What it finds in the prompt, beside "safe". A filtered verdict blocks the request.
    pub(crate) prompt: Verdicts,
    /// What it finds in the completion, beside "safe". A filtered verdict ends it.
    pub(crate) completion: Verdicts,
    /// After how many content events a filtered completion ends. Absent: after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<usize>,
    /// What it says of a harmless text, as it is on the wire, instead of what model and date imply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) results: Option<Map<String, Value>>,
    /// What it says of the prompt, as it is on the wire: the list that is `prompt_filter_results`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prompt_results: Option<Vec<Value>>,
    /// What it says in single chunks, where that is not the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chunks: Option<Vec<ChunkResults>>,
    /// What the asynchronous filter says, and where, instead of what follows by rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<Vec<Annotation>>,
}

/// What the filter says in one chunk.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChunkResults {
    /// Which of the chunks with a choice: 0 has the role, -1 is the last. In a body, which choice.
    pub(crate) chunk: i64,
    /// The results, as they are on the wire; `null` leaves the key out.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schemars(required)]
    pub(crate) results: Option<Map<String, Value>>,
}

/// A chunk in which the asynchronous filter speaks of a part of the text.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Annotation {
    /// After how many chunks with a choice it comes, the role's counted. Absent: after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<usize>,
    /// Which choice it is about.
    #[serde(default, skip_serializing_if = "is_first")]
    pub(crate) choice: usize,
    /// The part of the text, in characters from the start of the prompt.
    pub(crate) offsets: Offsets,
    /// The results, as they are on the wire.
    pub(crate) results: Map<String, Value>,
    /// `content_filter` where this ends the choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finish_reason: Option<String>,
}

fn is_first(choice: &usize) -> bool {
    *choice == 0
}

/// How Azure's content filter runs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterMode {
    /// Verdicts on every content chunk.
    #[default]
    Default,
    /// Verdicts in annotation chunks of their own, later.
    Asynchronous,
    /// No filter, no trace of one.
    Off,
}

/// Verdicts of the content filter; a category that is absent is safe.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Verdicts {
    /// Hate and fairness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hate: Option<Severity>,
    /// Self-harm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) self_harm: Option<Severity>,
    /// Sexual content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sexual: Option<Severity>,
    /// Violence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) violence: Option<Severity>,
    /// A jailbreak attempt, in prompts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jailbreak: Option<Detection>,
    /// Protected code, in completions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) protected_material_code: Option<Detection>,
    /// Protected text, in completions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) protected_material_text: Option<Detection>,
    /// The ids of the blocklists that hit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) custom_blocklists: Option<Vec<String>>,
}

/// How bad a text is. `medium` and `high` are filtered.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing found.
    #[default]
    Safe,
    /// Below the default threshold: not filtered.
    Low,
    /// Filtered.
    Medium,
    /// Filtered.
    High,
}

/// Whether something was found.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Detection {
    /// Nothing found.
    #[default]
    None,
    /// Found and reported, not filtered.
    Detected,
    /// Found and filtered.
    Filtered,
}

impl Filters {
    /// What the filter says in single chunks, of so many: the number of each, and what.
    pub(crate) fn special(
        &self,
        chunks: usize,
    ) -> impl Iterator<Item = (usize, Option<&Map<String, Value>>)> {
        self.chunks.iter().flatten().filter_map(move |given| {
            let from = if given.chunk < 0 { i64::try_from(chunks).ok()? } else { 0 };
            let number = usize::try_from(given.chunk + from).ok()?;
            Some((number, given.results.as_ref()))
        })
    }
}

impl Severity {
    /// Whether Azure's default thresholds filter it.
    pub(crate) fn filtered(self) -> bool {
        matches!(self, Self::Medium | Self::High)
    }
}

impl Verdicts {
    /// Whether any verdict filters: blocks the prompt, or ends the completion.
    pub(crate) fn filtered(&self) -> bool {
        let Self {
            hate,
            self_harm,
            sexual,
            violence,
            jailbreak,
            protected_material_code,
            protected_material_text,
            custom_blocklists,
        } = self;
        let severities = [hate, self_harm, sexual, violence];
        let detections = [jailbreak, protected_material_code, protected_material_text];
        severities.into_iter().flatten().any(|severity| severity.filtered())
            || detections.contains(&&Some(Detection::Filtered))
            || custom_blocklists.as_ref().is_some_and(|lists| !lists.is_empty())
    }
}
