//! Building a [`Wire`], [`Filters`] and [`Verdicts`] in code.

use super::{Detection, FilterMode, Filters, Obfuscation, Profile, Severity, Verdicts, Wire};

/// ```
/// use llmirage::Reply;
/// use llmirage::plan::wire::{Profile, Wire};
///
/// let reply = Reply::text("Hi").wire(Wire::new().profile(Profile::new(2024, 2, 29)).id("chatcmpl-1"));
/// ```
impl Wire {
    /// The envelope as the newest recordings prove it.
    pub fn new() -> Self {
        Self::default()
    }

    /// The shape of this date.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// The id.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// When the completion was created, in Unix seconds.
    #[must_use]
    pub fn created(mut self, seconds: u64) -> Self {
        self.created = Some(seconds);
        self
    }

    /// The snapshot name sent back.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// The system fingerprint; `None` sends null.
    #[must_use]
    pub fn system_fingerprint(mut self, fingerprint: Option<&str>) -> Self {
        self.system_fingerprint = Some(fingerprint.map(str::to_owned));
        self
    }

    /// The service tier; `None` leaves the key out.
    #[must_use]
    pub fn service_tier(mut self, tier: Option<&str>) -> Self {
        self.service_tier = Some(tier.map(str::to_owned));
        self
    }

    /// Whether chunks carry `obfuscation`.
    #[must_use]
    pub fn obfuscation(mut self, present: bool) -> Self {
        self.obfuscation = Some(Obfuscation::Sent(present));
        self
    }

    /// The characters of `obfuscation`, used in turn; how many a chunk has follows from its length.
    #[must_use]
    pub fn obfuscation_characters(mut self, characters: &str) -> Self {
        self.obfuscation = Some(Obfuscation::Characters(characters.into()));
        self
    }

    /// Whether choices without log probabilities carry `"logprobs":null`.
    #[must_use]
    pub fn logprobs_null(mut self, present: bool) -> Self {
        self.logprobs_null = Some(present);
        self
    }
}

/// ```
/// use llmirage::Reply;
/// use llmirage::plan::wire::{Filters, Severity, Verdicts};
///
/// let blocked = Reply::text("").filters(Filters::new().prompt(Verdicts::new().violence(Severity::High)));
/// ```
impl Filters {
    /// A filter that finds nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// How the filter runs.
    #[must_use]
    pub fn mode(mut self, mode: FilterMode) -> Self {
        self.mode = mode;
        self
    }

    /// What it finds in the prompt. A filtered verdict blocks the request.
    #[must_use]
    pub fn prompt(mut self, verdicts: Verdicts) -> Self {
        self.prompt = verdicts;
        self
    }

    /// What it finds in the completion. A filtered verdict ends it.
    #[must_use]
    pub fn completion(mut self, verdicts: Verdicts) -> Self {
        self.completion = verdicts;
        self
    }

    /// After how many content events a filtered completion ends.
    #[must_use]
    pub fn after(mut self, events: usize) -> Self {
        self.after = Some(events);
        self
    }
}

impl Verdicts {
    /// Everything is safe.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hate and fairness.
    #[must_use]
    pub fn hate(mut self, severity: Severity) -> Self {
        self.hate = Some(severity);
        self
    }

    /// Self-harm.
    #[must_use]
    pub fn self_harm(mut self, severity: Severity) -> Self {
        self.self_harm = Some(severity);
        self
    }

    /// Sexual content.
    #[must_use]
    pub fn sexual(mut self, severity: Severity) -> Self {
        self.sexual = Some(severity);
        self
    }

    /// Violence.
    #[must_use]
    pub fn violence(mut self, severity: Severity) -> Self {
        self.violence = Some(severity);
        self
    }

    /// A jailbreak attempt, in prompts.
    #[must_use]
    pub fn jailbreak(mut self, detection: Detection) -> Self {
        self.jailbreak = Some(detection);
        self
    }

    /// Protected code, in completions.
    #[must_use]
    pub fn protected_material_code(mut self, detection: Detection) -> Self {
        self.protected_material_code = Some(detection);
        self
    }

    /// Protected text, in completions.
    #[must_use]
    pub fn protected_material_text(mut self, detection: Detection) -> Self {
        self.protected_material_text = Some(detection);
        self
    }

    /// A blocklist that hits.
    #[must_use]
    pub fn custom_blocklist(mut self, id: impl Into<String>) -> Self {
        self.custom_blocklists.get_or_insert_default().push(id.into());
        self
    }
}
