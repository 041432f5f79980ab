//! `llmirage check`: every problem of fixture files, at once.

use super::args::CheckArgs;
use super::failure::{Failure, count};
use super::fixtures::Found;
use super::output::print;
use crate::error::LoadError;

/// Loads and lints, and prints what was found.
pub(super) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let found = Found::read(&args.paths);
    let (files, transcripts) = (found.files(), found.transcripts().len());
    let set = match found.load() {
        Ok(set) => set,
        Err(errors) => {
            print(lines(errors.iter(), ""))?;
            return Err(Failure::Checked(count(errors.iter().count(), "problem")));
        }
    };
    let warnings = set.lints();
    let mut text = lines(warnings.iter(), "warning: ");
    text.push_str(&format!("ok: {} in {}", count(set.names().count(), "fixture"), count(files, "file")));
    if transcripts > 0 {
        text.push_str(&format!(", {}", count(transcripts, "transcript")));
    }
    if !warnings.is_empty() {
        text.push_str(&format!(", {}", count(warnings.len(), "warning")));
    }
    Ok(print(text + "\n")?)
}

fn lines<'a>(errors: impl Iterator<Item = &'a LoadError>, prefix: &str) -> String {
    errors.map(|error| format!("{prefix}{error}\n")).collect()
}
