//! No change to a fixture file makes loading panic, and every problem has a place in the text.

use std::fs;
use std::path::PathBuf;

use llmirage::plan::set::{FixtureSet, Source};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Every shipped fixture in one file.
fn shipped() -> Value {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "fixtures/default"].iter().collect();
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut fixtures = Vec::new();
    for path in paths {
        let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        fixtures.extend(file["fixtures"].as_array().unwrap().iter().cloned());
    }
    json!({ "defaults": { "pacing": { "itl": "1ms" } }, "fixtures": fixtures })
}

/// The pointers of all values.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{at}/{index}"), all);
            }
        }
        Value::Object(object) => {
            for (key, item) in object {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(item, &format!("{at}/{key}"), all);
            }
        }
        _ => {}
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([5, "done", { "text": 1 }])),
        Just(json!({ "name": 1, "answer": {}, "regex": "(" })),
    ]
}

/// Loads a text; where that fails, every problem names a place that is in the text.
fn load(text: &str) -> Result<(), TestCaseError> {
    let source = Source::File { path: "f.json".into(), text: text.to_owned() };
    let Err(errors) = FixtureSet::load(vec![source]) else {
        return Ok(());
    };
    let lines: Vec<&str> = text.split('\n').collect();
    for error in errors.iter() {
        let (line, column) = error.place.unwrap();
        let width = lines.get(line - 1).map(|line| line.chars().count());
        prop_assert!(width.is_some_and(|width| column <= width + 1), "{}", error);
        prop_assert!(!error.message.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_can_be_anything(changes in prop::collection::vec((any::<prop::sample::Index>(), any_value()), 1..6)) {
        let mut tree = shipped();
        for (index, value) in changes {
            let mut all = Vec::new();
            pointers(&tree, "", &mut all);
            *tree.pointer_mut(&all[index.index(all.len())]).unwrap() = value;
        }
        load(&serde_json::to_string_pretty(&tree).unwrap())?;
        load(&tree.to_string())?;
    }

    #[test]
    fn keys_can_be_anything(index in any::<prop::sample::Index>(), key in "\\PC{0,8}", value in any_value()) {
        let mut tree = shipped();
        let mut all = Vec::new();
        pointers(&tree, "", &mut all);
        all.retain(|pointer| tree.pointer(pointer).is_some_and(Value::is_object));
        let object = tree.pointer_mut(&all[index.index(all.len())]).unwrap();
        object.as_object_mut().unwrap().insert(key, value);
        load(&tree.to_string())?;
    }

    #[test]
    fn texts_can_be_anything(at in any::<prop::sample::Index>(), junk in "\\PC{0,6}", cut in 0_usize..9) {
        let text = shipped().to_string();
        let chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        let mut changed: String = chars[..at].iter().collect();
        changed.push_str(&junk);
        changed.extend(&chars[(at + cut).min(chars.len())..]);
        load(&changed)?;
    }
}
