//! What tests of plans need: plans without a server, golden files, and recorded material if it is there.

pub(crate) mod golden;
mod plan;

use std::path::PathBuf;

pub(crate) use plan::planned;

/// A folder of recorded material beside the project, or where `LLMIRAGE_SHARED` says; a test that finds
/// none says so and passes.
pub(crate) fn shared(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("LLMIRAGE_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let found = root.join(folder);
    if found.is_dir() {
        return Some(found);
    }
    println!("skipped: no {folder}");
    None
}
