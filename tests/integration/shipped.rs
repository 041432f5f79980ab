//! What is shipped beside the code: the embedded fixtures and the schema of the format.

use std::fs;
use std::path::PathBuf;

use llmirage::files;
use llmirage::plan::load::schema;
use llmirage::plan::set::FixtureSet;

fn root(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), path].iter().collect()
}

#[test]
fn the_embedded_set_is_the_folder_of_default_fixtures_in_path_order() {
    let sources = files::read(&[root("fixtures/default")]).unwrap();
    let folder = FixtureSet::load(sources).unwrap();
    let embedded = FixtureSet::embedded();
    assert_eq!(embedded.names().collect::<Vec<_>>(), folder.names().collect::<Vec<_>>());
    assert_eq!(embedded.names().last(), Some("anything-else"));
}

#[test]
fn the_embedded_set_has_no_lints() {
    let lints = FixtureSet::embedded().lints();
    assert_eq!(lints.iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
}

/// Run with `UPDATE_GOLDEN=1` to write the schema anew.
#[test]
fn the_committed_schema_is_that_of_the_types() {
    let path = root("schema/fixtures.json");
    let current = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &current).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert!(committed == current, "schema/fixtures.json is out of date: run with UPDATE_GOLDEN=1");
}
