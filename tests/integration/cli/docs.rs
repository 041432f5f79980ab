//! The documents against the program: what they name is there, and what is there they name.

use std::collections::BTreeSet;
use std::fs;

use clap::CommandFactory;
use llmirage::cli::LowArgs;

use crate::support::Dir;

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// `--name` wherever it stands in a text.
fn flags_in(text: &str) -> BTreeSet<String> {
    let is_name = |byte: char| byte.is_ascii_lowercase() || byte == '-';
    let after = text.split("--").skip(1).zip(text.split("--"));
    let at_start = after.filter(|(_, before)| !before.ends_with(|last: char| last.is_ascii_alphanumeric()));
    let names = at_start.map(|(rest, _)| rest.split(|byte| !is_name(byte)).next().unwrap_or_default());
    names.map(|name| name.trim_end_matches('-').to_owned()).filter(|name| !name.is_empty()).collect()
}

fn flags_of_the_program() -> BTreeSet<String> {
    let command = LowArgs::command();
    let commands = command.get_subcommands();
    commands
        .flat_map(|command| command.get_arguments())
        .filter_map(|flag| flag.get_long().map(str::to_owned))
        .collect()
}

#[test]
fn the_readme_names_every_flag() {
    let named = flags_in(&read("README.md"));
    let missing: Vec<_> = flags_of_the_program()
        .into_iter()
        .filter(|flag| !named.contains(flag) && flag != "version")
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn documents_name_no_flag_that_is_not_there() {
    let known = flags_of_the_program();
    // Of cargo, curl and kill, in examples.
    let others = [
        "release",
        "check",
        "all-targets",
        "no-deps",
        "document-private-items",
        "path",
        "cacert",
        "trace",
        "trace-time",
        "example",
        "bench",
        // Of benches/instructions/run.
        "record",
        "test",
    ];
    for path in [
        "README.md",
        "docs/cli.md",
        "docs/fixtures.md",
        "docs/transcripts.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ] {
        let unknown = flags_in(&read(path))
            .into_iter()
            .filter(|flag| !known.contains(flag) && !others.contains(&flag.as_str()));
        assert_eq!(unknown.collect::<Vec<_>>(), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn every_example_of_fixtures_loads_without_a_warning() {
    let dir = Dir::new();
    dir.create("transcripts/haiku.json", &read("fixtures/replay/transcripts/haiku.json"));
    dir.create("transcripts/hello.json", &read("tests/recorded/transcripts/hello.json"));
    let mut examples = 0;
    for path in ["README.md", "docs/fixtures.md", "docs/transcripts.md"] {
        let text = read(path);
        let blocks = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
        for example in blocks.filter(|block| block.contains("\"fixtures\"")) {
            examples += 1;
            let name = format!("{}-{examples}.json", path.replace('/', "-"));
            dir.create(&name, example);
            let printed = dir.command(&format!("check {name}")).output();
            assert!(printed.code == 0 && printed.stdout.starts_with("ok: "), "{example}\n{printed:?}");
        }
    }
    assert!(examples > 10, "{examples}");
}

#[test]
fn links_between_documents_lead_somewhere() {
    for path in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "docs/cli.md",
        "docs/fixtures.md",
        "docs/faults.md",
        "docs/fidelity.md",
        "docs/sdk.md",
        "docs/transcripts.md",
    ] {
        let text = read(path);
        let targets = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap_or_default());
        for link in targets.filter(|target| !target.contains("://")) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let target = if target.is_empty() { path.to_owned() } else { format!("{folder}/{target}") };
            let file = format!("{}/{target}", env!("CARGO_MANIFEST_DIR"));
            assert!(fs::exists(&file).unwrap(), "{path}: {link}");
            assert!(
                anchor.is_empty() || anchors(&read(&target)).any(|known| known == anchor),
                "{path}: {link}"
            );
        }
    }
}

/// What links can lead to in a document: its headings, in lower case, with hyphens and without marks.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        heading.replace(|c: char| !c.is_alphanumeric() && c != '-' && c != '_', "")
    })
}

#[test]
fn every_test_that_architecture_names_is_there() {
    let text = read("ARCHITECTURE.md");
    let (_, invariants) = text.split_once("## Invariants").unwrap();
    let (table, _) = invariants.split_once("## Decisions").unwrap();
    let mut tests = Vec::new();
    walk(&format!("{}/src", env!("CARGO_MANIFEST_DIR")), &mut tests);
    walk(&format!("{}/tests/integration", env!("CARGO_MANIFEST_DIR")), &mut tests);
    let sources = tests.concat();
    let named = table.split('`').skip(1).step_by(2).map(|name| name.rsplit("::").next().unwrap_or_default());
    let is_test = |name: &&str| {
        name.matches('_').count() > 3 && !name.contains(|c: char| !c.is_ascii_lowercase() && c != '_')
    };
    let missing: Vec<_> =
        named.filter(is_test).filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

/// The texts of all files under a folder.
pub(super) fn walk(folder: &str, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(path.to_str().unwrap(), texts);
        } else {
            texts.push(fs::read_to_string(path).unwrap());
        }
    }
}
