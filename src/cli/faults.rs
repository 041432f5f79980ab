//! `llmirage faults`: the catalogue, for people.

use super::args::FaultsArgs;
use super::failure::Failure;
use super::output::print;
use crate::plan::fault::explain;

/// Prints all faults and scenarios, or explains one.
pub(super) fn run(args: &FaultsArgs) -> Result<(), Failure> {
    let text = match &args.name {
        None => explain::list(),
        Some(name) => explain::explain(name).map_err(Failure::Usage)?,
    };
    Ok(print(text.trim_end().to_owned() + "\n")?)
}
