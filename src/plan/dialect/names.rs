//! Model names: which snapshot an alias stands for, what kind of model a name is, which model an
//! Azure deployment holds.
//!
//! The shape of an answer and of a refusal depends on the kind of model; the rules are here so that
//! no other file asks for a name. Names that nothing is known about are served as they are.

use std::borrow::Cow;

use crate::plan::wire::Profile;

/// The snapshot an alias stands for; a name that is no known alias is its own snapshot.
pub(crate) fn snapshot(model: &str) -> Cow<'_, str> {
    let found = SNAPSHOTS.iter().find(|(alias, _)| *alias == model);
    found.map_or(Cow::Borrowed(model), |(_, snapshot)| Cow::Borrowed(*snapshot))
}

/// The model name that Azure sends back for a deployment: the snapshot of the model it holds;
/// before 2025 the bare name of the family. (C `gpt-35-turbo`, `gpt-4-32k`, `gpt-4o-mini`)
pub(crate) fn azure_model(deployment: &str, profile: Profile) -> Cow<'_, str> {
    let alias = deployed(deployment);
    if profile < Profile::new(2025, 1, 1) { Cow::Borrowed(alias) } else { snapshot(alias) }
}

/// The model in a deployment, which Azure lets people name as they like: the deployment's name if
/// it is a model's, else the longest model name in it, else `gpt-4o-mini`.
pub(crate) fn deployed(deployment: &str) -> &str {
    let known = SNAPSHOTS.iter().any(|(alias, snapshot)| *alias == deployment || *snapshot == deployment);
    if known {
        return deployment;
    }
    let contained = SNAPSHOTS.iter().filter(|(alias, _)| deployment.contains(alias));
    contained.max_by_key(|(alias, _)| alias.len()).map_or("gpt-4o-mini", |(alias, _)| alias)
}

/// What kind of model a name is; what the shapes of requests and answers depend on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ModelClass {
    /// gpt-3.5, gpt-4, gpt-4o, gpt-4.1 and all that nothing is known about.
    Chat,
    /// The o-series.
    OSeries,
    /// gpt-5 and later.
    Gpt5,
    /// Models that hear or speak.
    Audio,
    /// Models that search the web by themselves.
    Search,
    /// Models of the legacy completions endpoint, which do not chat.
    Completion,
}

impl ModelClass {
    /// The class of a model, by its alias, its snapshot or a deployment's name.
    pub(crate) fn of(model: &str) -> Self {
        match model {
            _ if model.contains("-audio") => Self::Audio,
            _ if model.contains("search-preview") || model.contains("search-api") => Self::Search,
            _ if COMPLETION.iter().any(|prefix| model.starts_with(prefix)) => Self::Completion,
            _ if is_o_series(model) => Self::OSeries,
            _ if is_gpt5(model) => Self::Gpt5,
            _ => Self::Chat,
        }
    }

    /// Whether the model reasons before it answers: `max_completion_tokens` only, reasoning tokens
    /// in the usage, no `logprobs` key in choices.
    pub(crate) fn reasons(self) -> bool {
        matches!(self, Self::OSeries | Self::Gpt5)
    }

    /// Whether choices without log probabilities carry `"logprobs":null` in OpenAI's answers.
    pub(crate) fn logprobs_null(self) -> bool {
        matches!(self, Self::Chat | Self::Completion)
    }
}

/// `o1`, `o3-mini`, `o4-mini-2025-04-16`: an o, digits, then nothing or a dash.
fn is_o_series(model: &str) -> bool {
    let Some(rest) = model.strip_prefix('o') else {
        return false;
    };
    let rest_of_name = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
    rest_of_name.len() < rest.len() && (rest_of_name.is_empty() || rest_of_name.starts_with('-'))
}

/// `gpt-5`, `gpt-5.4-nano`, `gpt-6-luna`; not the `chat-latest` ones, which do not reason.
fn is_gpt5(model: &str) -> bool {
    let Some(rest) = model.strip_prefix("gpt-") else {
        return false;
    };
    // "gpt-35-turbo" is Azure's spelling of 3.5: no family is beyond 9 yet.
    matches!(rest.as_bytes(), [b'5'..=b'9'] | [b'5'..=b'9', b'-' | b'.', ..]) && !rest.contains("-chat")
}

/// Prefixes of the names of models that do not chat. (C gpt-3.5-turbo-instruct; I babbage, davinci)
const COMPLETION: &[&str] =
    &["babbage-002", "davinci-002", "gpt-3.5-turbo-instruct", "gpt-35-turbo-instruct", "text-davinci-"];

/// Alias → snapshot, as recorded, else as the official SDK lists them. An alias without a dated
/// snapshot stands for itself, so that a deployment's name can be searched for it.
const SNAPSHOTS: &[(&str, &str)] = &[
    ("gpt-3.5-turbo", "gpt-3.5-turbo-0125"),
    ("gpt-3.5-turbo-16k", "gpt-3.5-turbo-16k-0613"),
    ("gpt-35-turbo", "gpt-35-turbo"),
    ("gpt-35-turbo-16k", "gpt-35-turbo-16k"),
    ("gpt-4", "gpt-4-0613"),
    ("gpt-4-32k", "gpt-4-32k-0613"),
    ("gpt-4-turbo", "gpt-4-turbo-2024-04-09"),
    ("gpt-4-turbo-preview", "gpt-4-0125-preview"),
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o-audio-preview", "gpt-4o-audio-preview-2025-06-03"),
    ("gpt-4o-mini-audio-preview", "gpt-4o-mini-audio-preview-2024-12-17"),
    ("gpt-4o-search-preview", "gpt-4o-search-preview-2025-03-11"),
    ("gpt-4o-mini-search-preview", "gpt-4o-mini-search-preview-2025-03-11"),
    ("gpt-4.1", "gpt-4.1-2025-04-14"),
    ("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"),
    ("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14"),
    ("gpt-5", "gpt-5-2025-08-07"),
    ("gpt-5-mini", "gpt-5-mini-2025-08-07"),
    ("gpt-5-nano", "gpt-5-nano-2025-08-07"),
    ("gpt-5.1", "gpt-5.1-2025-11-13"),
    ("gpt-5.2", "gpt-5.2-2025-12-11"),
    ("gpt-5.4", "gpt-5.4-2026-03-05"),
    ("gpt-5.4-mini", "gpt-5.4-mini-2026-03-17"),
    ("gpt-5.4-nano", "gpt-5.4-nano-2026-03-17"),
    ("gpt-5.5", "gpt-5.5-2026-04-23"),
    ("gpt-5.6", "gpt-5.6-sol"),
    ("gpt-6-luna", "gpt-6-luna-2026-09-22"),
    ("gpt-audio-1.5", "gpt-audio-1.5"),
    ("gpt-audio-mini", "gpt-audio-mini-2025-12-15"),
    ("o1", "o1-2024-12-17"),
    ("o1-mini", "o1-mini-2024-09-12"),
    ("o1-preview", "o1-preview-2024-09-12"),
    ("o3", "o3-2025-04-16"),
    ("o3-mini", "o3-mini-2025-01-31"),
    ("o4-mini", "o4-mini-2025-04-16"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_unique_and_stand_for_a_snapshot_of_their_class() {
        for (index, (alias, snapshot)) in SNAPSHOTS.iter().enumerate() {
            assert!(SNAPSHOTS[..index].iter().all(|(other, _)| other != alias), "{alias} twice");
            assert_eq!(ModelClass::of(alias), ModelClass::of(snapshot), "{alias}");
        }
    }

    #[test]
    fn a_deployment_holds_the_longest_model_named_in_it() {
        let newest = Profile::NEWEST;
        for (deployment, profile, model) in [
            ("gpt-4o-mini", newest, "gpt-4o-mini-2024-07-18"),
            ("gpt-4o-mini", Profile::new(2024, 10, 31), "gpt-4o-mini"),
            ("gpt-4o-2024-08-06", newest, "gpt-4o-2024-08-06"),
            ("prod-gpt-4.1-mini-eu", newest, "gpt-4.1-mini-2025-04-14"),
            ("my-gpt-35-turbo", Profile::new(2024, 2, 29), "gpt-35-turbo"),
            ("chat", newest, "gpt-4o-mini-2024-07-18"),
            ("chat", Profile::new(2024, 2, 29), "gpt-4o-mini"),
        ] {
            assert_eq!(azure_model(deployment, profile), model, "{deployment}");
        }
    }

    #[test]
    fn classes_follow_from_names() {
        for (model, class) in [
            ("gpt-4o", ModelClass::Chat),
            ("gpt-35-turbo", ModelClass::Chat),
            ("llama3", ModelClass::Chat),
            ("openllmetry", ModelClass::Chat),
            ("gpt-5", ModelClass::Gpt5),
            ("gpt-5.4-nano", ModelClass::Gpt5),
            ("gpt-5-chat-latest", ModelClass::Chat),
            ("gpt-5x", ModelClass::Chat),
            ("gpt-6-luna", ModelClass::Gpt5),
            ("o1", ModelClass::OSeries),
            ("o3-mini-2025-01-31", ModelClass::OSeries),
            ("o3mini", ModelClass::Chat),
            ("gpt-audio-1.5", ModelClass::Audio),
            ("gpt-4o-mini-audio-preview", ModelClass::Audio),
            ("gpt-4o-search-preview", ModelClass::Search),
            ("gpt-3.5-turbo-instruct", ModelClass::Completion),
            ("", ModelClass::Chat),
            ("gpt-", ModelClass::Chat),
        ] {
            assert_eq!(ModelClass::of(model), class, "{model}");
        }
    }
}
