//! `llmirage faults`.

use llmirage::plan::fault::{Kind, explain};
use llmirage::plan::scenario::Scenario;

use crate::support::Dir;

#[test]
fn lists_every_fault_and_scenario_with_what_a_good_client_does() {
    let printed = Dir::new().command("faults").succeeds();
    assert!(printed.starts_with("answer: what is answered instead"), "{printed}");
    for entry in Kind::entries() {
        let line = format!("\n  {:<25} ", entry.name);
        assert!(printed.contains(&line), "{}", entry.name);
    }
    assert!(Scenario::all().all(|scenario| printed.contains(&scenario.to_string())), "{printed}");
}

#[test]
fn explains_a_fault_with_its_bytes() {
    let printed = Dir::new().command("faults close-mid-stream").succeeds();
    assert_eq!(printed.trim_end(), explain::explain("close-mid-stream").unwrap().trim_end());
    for part in
        ["FIN without the last chunk.", "`close-mid-stream@event:3`", "(FIN)", "A good client (`incomplete`"]
    {
        assert!(printed.contains(part), "{part}: {printed}");
    }
}

#[test]
fn explains_a_scenario() {
    let printed = Dir::new().command("faults scenario:quota-wall").succeeds();
    assert!(printed.starts_with("### `quota-wall`\n"), "{printed}");
    assert!(printed.contains("`fail-fast`") && printed.contains("exactly one request"), "{printed}");
    let text = Scenario::find("quota-wall").unwrap().text();
    assert!(printed.ends_with(&format!("```json\n{text}```\n")), "{printed}");
}

#[test]
fn an_unknown_name_is_refused_with_a_guess() {
    let (code, stderr) = Dir::new().command("faults close-mid-steam").fails();
    let expected = "llmirage: unknown fault \"close-mid-steam\"; did you mean \"close-mid-stream\"?\n";
    assert_eq!((code, stderr.as_str()), (2, expected));
}

#[test]
fn a_scenario_is_a_fault_for_every_answer() {
    let dir = Dir::new();
    let served = dir.command("--fault scenario:quota-wall").serve();
    let answer = served.chat("hello");
    assert_eq!(answer.status, 429, "{answer:?}");
    let (code, stderr) = dir.command("--fault scenario:quota-wal").fails();
    assert_eq!(code, 2);
    assert!(stderr.contains("did you mean \"quota-wall\"?"), "{stderr}");
    let (code, stderr) = dir.command("--fault scenario:quota-wall --fault scenario:clean-cut").fails();
    let expected = "llmirage: --fault: one scenario answers a request: scenario:quota-wall and scenario:clean-cut \
                    do not go together\n";
    assert_eq!((code, stderr.as_str()), (2, expected));
}
