//! Checks what a fixture gives as it is on the wire: the envelope, and what Azure's filter says.

use serde_json::Value;

use crate::plan::load::problems::{Problems, below};
use crate::plan::load::words::{quoted, short};
use crate::plan::wire::{FilterMode, Filters, Obfuscation, Wire};

/// Checks the envelope.
pub(super) fn wire(wire: &Wire, at: &str, problems: &mut Problems) {
    let obfuscation = below(at, "obfuscation");
    match &wire.obfuscation {
        Some(Obfuscation::Characters(characters)) => check_obfuscation(characters, &obfuscation, problems),
        Some(Obfuscation::Texts(texts)) => {
            for (index, text) in texts.iter().enumerate() {
                check_obfuscation(text, &format!("{obfuscation}/{index}"), problems);
            }
        }
        Some(Obfuscation::Sent(_)) | None => {}
    }
    for (key, given) in [("latency_checkpoint", &wire.latency_checkpoint), ("routing", &wire.routing)] {
        if let Some(Some(other)) = given
            && !other.is_object()
        {
            problems.value(below(at, key), format!("expected an object or null, got {}", short(other)));
        }
    }
    for (index, choice) in wire.interleave.iter().flat_map(|order| order.iter()).enumerate() {
        if *choice > MOST_CHOICES {
            let at = format!("{at}/interleave/{index}");
            problems.value(at, format!("a choice has a number from 0 to {MOST_CHOICES}, got {choice}"));
        }
    }
}

fn check_obfuscation(text: &str, at: &str, problems: &mut Problems) {
    if let Some(odd) = text.chars().find(|character| !character.is_ascii_alphanumeric()) {
        problems.value(
            at,
            format!("`obfuscation` has letters and digits of ASCII, got {:?} in {}", odd, quoted(text)),
        );
    }
}

/// Checks what the filter says.
pub(super) fn filters(filters: &Filters, at: &str, problems: &mut Problems) {
    for (index, results) in filters.prompt_results.iter().flatten().enumerate() {
        if !matches!(results, Value::Object(_)) {
            let at = format!("{at}/prompt_results/{index}");
            problems.value(at, format!("expected an object, got {}", short(results)));
        }
    }
    if filters.annotations.is_some() && filters.mode != FilterMode::Asynchronous {
        problems.key(
            below(at, "annotations"),
            "only the asynchronous filter sends annotations: add \"mode\": \"asynchronous\"",
        );
    }
    for (index, annotation) in filters.annotations.iter().flatten().enumerate() {
        if annotation.choice > MOST_CHOICES {
            let at = format!("{at}/annotations/{index}/choice");
            let got = annotation.choice;
            problems.value(at, format!("a choice has a number from 0 to {MOST_CHOICES}, got {got}"));
        }
    }
}

/// The number of the last choice that a request can ask for.
const MOST_CHOICES: usize = 127;
