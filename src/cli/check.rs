//! `llmirage check`: every problem of fixture files, at once.

use super::args::CheckArgs;
use super::failure::{Failure, count};
use super::output::print;
use crate::error::{LoadError, LoadErrors};
use crate::files;
use crate::plan::FixtureSet;

/// Loads and lints, and prints what was found.
pub(super) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let (set, files) = match load(args) {
        Ok(loaded) => loaded,
        Err(errors) => {
            print(lines(errors.iter(), ""))?;
            return Err(Failure::Checked(count(errors.iter().count(), "problem")));
        }
    };
    let warnings = set.lints();
    let mut text = lines(warnings.iter(), "warning: ");
    text.push_str(&format!(
        "ok: {} in {}",
        count(set.names().count(), "fixture"),
        count(files, "file")
    ));
    if !warnings.is_empty() {
        text.push_str(&format!(", {}", count(warnings.len(), "warning")));
    }
    Ok(print(text + "\n")?)
}

fn load(args: &CheckArgs) -> Result<(FixtureSet, usize), LoadErrors> {
    let sources = files::read(&args.paths)?;
    let files = sources.len();
    Ok((FixtureSet::load(sources)?, files))
}

fn lines<'a>(errors: impl Iterator<Item = &'a LoadError>, prefix: &str) -> String {
    errors.map(|error| format!("{prefix}{error}\n")).collect()
}
