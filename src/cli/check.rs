//! `llmirage check`: every problem of fixture files, at once.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::args::CheckArgs;
use super::failure::{Failure, count};
use super::lint;
use super::output::print;
use crate::error::LoadErrors;
use crate::files;
use crate::plan::FixtureSet;
use crate::plan::set::Source;

/// Loads and lints, and prints what was found.
pub(super) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let sources = files::read(&args.paths).map_err(|errors| report(&errors))?;
    let names = sources.len();
    let warnings = lint::warnings(&sources);
    let set = FixtureSet::load(sources).map_err(|errors| report(&errors))?;
    let mut text = String::new();
    for warning in &warnings {
        writeln!(text, "{warning}").expect("a String takes everything");
    }
    let summary = format!("{} in {}", count(set.names().count(), "fixture"), count(names, "file"));
    match warnings.len() {
        0 => writeln!(text, "ok: {summary}"),
        found => writeln!(text, "ok: {summary}, {}", count(found, "warning")),
    }
    .expect("a String takes everything");
    Ok(print(text)?)
}
