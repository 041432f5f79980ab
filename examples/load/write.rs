//! The table in the documentation: what is between two comments is replaced.

use std::error::Error;
use std::fs;
use std::path::Path;

/// Replaces what is between the marks of a file.
pub(crate) fn into(path: &Path, table: &str) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let missing = || format!("{} has no place for the table: put {BEGIN} and {END} there", path.display());
    let (before, rest) = text.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    Ok(fs::write(path, format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))?)
}

const BEGIN: &str = "<!-- load: begin -->";
const END: &str = "<!-- load: end -->";
