//! Stands in until the branch that has it is merged.

use serde_json::Value;

use crate::plan::transcript::Transcript;

pub(super) struct Regenerated {
    pub(super) reply: Value,
    pub(super) difference: Option<String>,
}

pub(super) fn reply(_: &Transcript) -> Result<Regenerated, String> {
    Err("answers are made on another branch".to_owned())
}
