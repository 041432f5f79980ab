//! What is shipped beside the code: the embedded fixtures and scenarios, the schema of the format, and the
//! page of faults.

use std::fs;
use std::path::PathBuf;

use llmirage::MockServer;
use llmirage::files;
use llmirage::plan::fault::explain;
use llmirage::plan::load::schema;
use llmirage::plan::scenario::Scenario;
use llmirage::plan::set::FixtureSet;
use llmirage::plan::transcript::Transcript;
use serde_json::json;

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
    assert!(!current.contains("```"), "descriptions are for authors of JSON, without code");
}

/// Run with `UPDATE_GOLDEN=1` to write the document anew.
#[test]
fn the_committed_page_of_faults_is_that_of_the_catalogue() {
    let path = root("docs/faults.md");
    let current = explain::document();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &current).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    let differs = committed.lines().zip(current.lines()).find(|(old, new)| old != new);
    assert!(committed == current, "docs/faults.md is out of date: run with UPDATE_GOLDEN=1; {differs:?}");
}

/// It is not among the embedded fixtures: those are read from no folder, so that a path in them leads nowhere.
#[test]
fn the_example_of_a_replay_sends_its_transcript() {
    let set = FixtureSet::load(files::read(&[root("fixtures/replay")]).unwrap()).unwrap();
    let text = fs::read_to_string(root("fixtures/replay/transcripts/haiku.json")).unwrap();
    let transcript: Transcript = serde_json::from_str(&text).unwrap();
    let service = MockServer::builder().fixtures(set).service().unwrap();
    for (user, end, events) in [("haiku", 1199, 10), ("haiku, slowly", 2398, 10), ("haiku, twice", 519, 6)] {
        let messages = json!([{ "role": "user", "content": user }]);
        let body = json!({ "model": "gpt-4o-mini", "stream": true, "messages": messages }).to_string();
        let request = http::Request::post("/v1/chat/completions").body(()).unwrap();
        let (timeline, _) = service.foresee(request.into_parts().0, &body.into());
        assert_eq!((timeline.ends_at.as_millis(), timeline.events.len()), (end, events), "{user}");
        assert!(transcript.response.bytes().starts_with(&timeline.body), "{user}");
    }
}

#[test]
fn the_scenarios_are_the_files_of_their_folder() {
    let folder = fs::read_dir(root("fixtures/scenarios")).unwrap();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    let stem = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    files.sort_by_key(stem);
    let known: Vec<&str> = Scenario::all().map(Scenario::name).collect();
    assert_eq!(files.iter().map(stem).collect::<Vec<_>>(), known);
    for (file, scenario) in files.iter().zip(Scenario::all()) {
        assert_eq!(fs::read_to_string(file).unwrap(), scenario.text(), "{scenario}");
        let folder = FixtureSet::load(files::read(std::slice::from_ref(file)).unwrap()).unwrap();
        assert!(folder.lints().is_empty(), "{scenario}");
    }
}
