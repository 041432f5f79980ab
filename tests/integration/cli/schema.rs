//! `llmirage schema`.

use crate::support::Dir;

#[test]
fn prints_the_schema_of_the_format() {
    let printed = Dir::new().command("schema").succeeds();
    let schema: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert!(schema.pointer("/properties/fixtures").is_some(), "{printed}");
    assert!(printed.ends_with("}\n"));
}

#[test]
fn the_committed_schema_is_what_it_prints() {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/fixtures.json");
    assert_eq!(std::fs::read_to_string(committed).unwrap(), Dir::new().command("schema").succeeds());
}
