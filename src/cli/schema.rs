//! `llmirage schema`: the fixture format, for editors.

use super::failure::Failure;
use super::output::print;

/// Prints the JSON Schema of fixture files.
pub(super) fn run() -> Result<(), Failure> {
    Ok(print(SCHEMA)?)
}

/// The committed one, which a test compares with the types: what makes it is half a megabyte that the binary
/// does not need.
const SCHEMA: &str = include_str!("../../schema/fixtures.json");
