//! `llmirage schema`: the fixture format, for editors.

use super::failure::Failure;
use super::output::print;
use crate::plan::load;

/// Prints the JSON Schema of fixture files.
pub(super) fn run() -> Result<(), Failure> {
    Ok(print(format!("{:#}\n", load::schema()))?)
}
