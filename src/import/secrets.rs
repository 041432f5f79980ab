//! Stands in until the branch that has it is merged.

use super::Exchange;
use crate::plan::transcript::Transcript;

pub(super) fn scrub(_: &mut Exchange) {}

pub(super) fn smells(_: &Transcript) -> Vec<String> {
    Vec::new()
}
