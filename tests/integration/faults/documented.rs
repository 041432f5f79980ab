//! What openai's SDKs make of each fault is written down.

use llmirage::plan::fault::Kind;

#[test]
fn the_table_of_sdks_has_a_row_for_every_fault() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sdk-behaviour.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("| `")).collect();
    let has = |name: &str| {
        rows.iter().any(|row| row.strip_prefix(name).is_some_and(|rest| rest.starts_with(['`', ':', '@'])))
    };
    let missing: Vec<_> = Kind::entries().map(|entry| entry.name).filter(|name| !has(name)).collect();
    assert!(missing.is_empty(), "tests/sdk/behaviour makes the rows of {missing:?}");
    let known =
        |row: &&&str| Kind::entries().any(|entry| row.split(['`', ':', '@']).next() == Some(entry.name));
    assert_eq!(rows.iter().filter(known).count(), rows.len(), "a row of a fault that there is not");
}
