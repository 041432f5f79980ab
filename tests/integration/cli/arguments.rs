//! What is typed: help, versions, defaults, and the words for what is wrong.

use crate::support::Dir;

#[track_caller]
fn refused(args: &str, expected: &str) {
    let (code, stderr) = Dir::new().command(args).fails();
    assert_eq!((code, stderr.as_str()), (2, expected), "{args}");
}

#[test]
fn values_that_cannot_be_read_say_what_is_expected() {
    let cases = [
        ("--seed x", "invalid value 'x' for '--seed <N>': invalid digit found in string"),
        ("--seed -1", "unexpected argument '-1' found"),
        (
            "--listen nowhere",
            "invalid value 'nowhere' for '--listen <ADDR>': expected an address like 127.0.0.1:4010, or a port, got \"nowhere\"",
        ),
        (
            "--ttft 5",
            "invalid value '5' for '--ttft <DUR>': expected a duration with a unit, like \"20ms\" or \"1.5s\", got \"5\"",
        ),
        (
            "--itl soon",
            "invalid value 'soon' for '--itl <DUR>': expected a duration with a unit, like \"20ms\" or \"1.5s\", got \"soon\"",
        ),
        ("--tps 0", "invalid value '0' for '--tps <N>': expected a number above 0, got \"0\""),
        (
            "--jitter 2",
            "invalid value '2' for '--jitter <X>': expected a number from 0 to 1, normal:DUR, lognormal:DUR,DUR (p50, p95) or exponential, got \"2\"",
        ),
        (
            "--jitter lognormal:60ms,20ms",
            "invalid value 'lognormal:60ms,20ms' for '--jitter <X>': expected 0 < p50 <= p95 in lognormal:p50,p95, got \"lognormal:60ms,20ms\"",
        ),
        (
            "--time-scale=-1",
            "invalid value '-1' for '--time-scale <X>': expected a number, 0 or more, got \"-1\"",
        ),
        (
            "--max-body 10parsecs",
            "invalid value '10parsecs' for '--max-body <SIZE>': expected a size like 10MiB, 512KiB or 1000, got \"10parsecs\"",
        ),
        ("--max-connections 0", "invalid value '0' for '--max-connections <N>': 0 is not in 1..=4294967295"),
        ("--threads 0", "invalid value '0' for '--threads <N>': 0 is not in 1..=1024"),
        (
            "--tls=cert.pem",
            "invalid value 'cert.pem' for '--tls[=<CERT,KEY>]': expected two PEM files, CERT,KEY, got \"cert.pem\"",
        ),
        ("plan --request - --hit 0", "invalid value '0' for '--hit <N>': 0 is not in 1..=1000000"),
    ];
    for (args, expected) in cases {
        let (code, stderr) = Dir::new().command(args).fails();
        let first = stderr.lines().next().unwrap_or_default();
        assert_eq!((code, first), (2, format!("llmirage: {expected}").as_str()), "{args}");
        assert!(stderr.ends_with("For more information, try '--help'.\n"), "{stderr}");
    }
}

#[test]
fn choices_are_listed() {
    refused(
        "--clock sundial",
        "llmirage: invalid value 'sundial' for '--clock <CLOCK>'\n  [possible values: frozen, system]\n\n\
         For more information, try '--help'.\n",
    );
    refused(
        "--unmatched shrug",
        "llmirage: invalid value 'shrug' for '--unmatched <UNMATCHED>'\n  [possible values: error, echo]\n\n\
         For more information, try '--help'.\n",
    );
}

#[test]
fn unknown_flags_get_a_suggestion() {
    refused(
        "--strickt",
        "llmirage: unexpected argument '--strickt' found\n\n  tip: a similar argument exists: '--strict'\n\n\
         Usage: llmirage [serve] [OPTIONS] [PATH]...\n       llmirage check|plan|import|record|faults|schema --help\n\n\
         For more information, try '--help'.\n",
    );
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    refused(
        "--itl 1ms --tps 5",
        "llmirage: the argument '--itl <DUR>' cannot be used with '--tps <N>'\n\n\
         Usage: llmirage [serve] [OPTIONS] [PATH]...\n       llmirage check|plan|import|record|faults|schema --help\n\n\
         For more information, try '--help'.\n",
    );
    refused("--watch", "llmirage: --watch needs a PATH: the built-in fixtures do not change\n");
    refused(
        "--fault close-mid-stream --fault close-mid-stream@head",
        "llmirage: a response ends once: close-mid-stream@head does not go with close-mid-stream; \
         leave one out, or choose another attempt for it\n",
    );
    refused(
        "--listen 0.0.0.0:0",
        "llmirage: --listen 0.0.0.0:0 is open to the network: add --admin-token TOKEN to protect /__admin \
         (and --allow-host NAME for each name that clients use)\n",
    );
    refused(
        "-q check a.json",
        "llmirage: there is no file check; the command comes first: llmirage check …\n",
    );
}

#[test]
fn what_commands_need_is_asked_for() {
    refused(
        "check",
        "llmirage: the following required arguments were not provided:\n  <PATH>...\n\n\
         Usage: llmirage check <PATH>...\n\nFor more information, try '--help'.\n",
    );
    refused(
        "plan",
        "llmirage: the following required arguments were not provided:\n  --request <FILE>\n\n\
         Usage: llmirage plan --request <FILE> [PATH]...\n\nFor more information, try '--help'.\n",
    );
}

#[test]
fn the_version_and_the_help_go_to_stdout() {
    let dir = Dir::new();
    let version = format!("llmirage {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(dir.command("-V").succeeds(), version);
    assert_eq!(dir.command("--version").succeeds(), version);
    let long = dir.command("--help").succeeds();
    assert_eq!(dir.command("help").succeeds(), long);
    assert_eq!(dir.command("serve --help").succeeds(), long);
    assert!(dir.command("-h").succeeds().lines().count() * 2 < long.lines().count());
    assert_eq!(dir.command("help plan").succeeds(), dir.command("plan --help").succeeds());
}

#[test]
fn a_flag_is_read_from_the_environment_and_the_command_line_wins() {
    let dir = Dir::new();
    let broken = |value: &str, args: &str| dir.command(args).env("LLMIRAGE_SEED", value).fails().1;
    assert!(broken("x", "").starts_with("llmirage: invalid value 'x' for '--seed <N>'"));
    assert!(broken("1", "--seed y").starts_with("llmirage: invalid value 'y' for '--seed <N>'"));
    let exposed = dir.command("").env("LLMIRAGE_LISTEN", "0.0.0.0:0").fails().1;
    assert!(exposed.starts_with("llmirage: --listen 0.0.0.0:0 is open"), "{exposed}");
    // A variable that the command has no flag for is not looked at.
    assert!(dir.command("schema").env("LLMIRAGE_SEED", "x").succeeds().starts_with('{'));
}
