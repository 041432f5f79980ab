//! What is left of a cassette that is broken.

use super::*;

/// The bodies of the good exchanges, and the damage, in order.
fn parts(cassette: &[u8]) -> Vec<String> {
    let part = |exchange: Result<Exchange, Damage>| match exchange {
        Ok(exchange) => String::from_utf8_lossy(&exchange.transcript.response.bytes()).into_owned(),
        Err(damage) => damage.to_string(),
    };
    read(cassette).unwrap().into_iter().map(part).collect()
}

/// A cassette of so many interactions, whose bodies are their numbers.
fn cassette(count: usize) -> String {
    let interaction = |number| {
        format!(
            "- request:\n    body: '{{\"n\": {number}}}'\n    headers: {{}}\n    method: POST\n    uri: http://h/v1/x\n  \
             response:\n    body:\n      string: 'body {number}'\n    headers:\n      a:\n      - b\n    status:\n      \
             code: 200\n      message: OK\n"
        )
    };
    format!("interactions:\n{}version: 1\n", (1..=count).map(interaction).collect::<String>())
}

#[test]
fn a_break_costs_the_interaction_that_it_is_in() {
    let three = cassette(3);
    for (from, to, reason) in [
        ("'body 2'", "'body 2", "line 23, column 15: not YAML: invalid indentation in quoted scalar"),
        (
            "'body 2'",
            "\"body \\q\"",
            "line 23, column 15: not YAML: while parsing a quoted scalar, found unknown escape character",
        ),
        ("'body 2'", "*id001", "line 23, column 15: not YAML: while parsing node, found unknown anchor"),
        ("'body 2'", "!!binary a#b", "the body is not base64: Invalid symbol 35, offset 1."),
        (
            "'body 2'",
            &format!("{}{}", "[".repeat(70), "]".repeat(70)),
            "line 23, column 75: collections are nested more than 64 deep",
        ),
    ] {
        let damaged = three.replace(from, to);
        let parts = parts(damaged.as_bytes());
        assert_eq!(
            (parts.len(), parts[0].as_str(), parts[2].as_str()),
            (3, "body 1", "body 3"),
            "{to}: {parts:?}"
        );
        assert_eq!(parts[1].replace(" (line 16)", ""), format!("interaction 2: {reason}"), "{to}");
    }
}

#[test]
fn what_is_not_there_is_told() {
    let three = cassette(3);
    for (from, to, reason) in [
        ("      code: 200\n", "", "its response has no status code; was the file cut?"),
        ("code: 200", "code: 20x", "its response has the status code \"20x\", which is none"),
        ("code: 200", "code: 99", "its response has the status code \"99\", which is none"),
        ("  response:\n", "  answer:\n", "it has no response"),
        ("    uri: http://h/v1/x\n", "", "its request has no `uri`"),
        (
            "string: 'body 1'",
            "string: x\n      file: true",
            "the body is in a file of its own; record it again with the body in the cassette",
        ),
        (
            "body:\n      string: 'body 1'",
            "body: !!python/object:x.Y {}",
            "the body is an object of Python (`python/object:x.Y`), not its bytes",
        ),
    ] {
        let parts = parts(three.replacen(from, to, 1).as_bytes());
        assert_eq!(parts[0], format!("interaction 1 (line 2): {reason}"));
        assert_eq!(parts[1..], ["body 2", "body 3"]);
    }
}

#[test]
fn what_is_not_utf_8_costs_the_interaction_that_it_is_in() {
    let damaged = String::from_utf8_lossy(cassette(3).as_bytes()).replace("body 2", "body \u{0}");
    let damaged: Vec<u8> = damaged.bytes().map(|byte| if byte == 0 { 0xfc } else { byte }).collect();
    let reason = "interaction 2: line 23: not UTF-8; save the file as UTF-8 and import it again";
    assert_eq!(parts(&damaged), ["body 1", reason, "body 3"]);
}

#[test]
fn a_file_that_is_cut_gives_what_came_before() {
    let three = cassette(3);
    let cut = &three[..three.find("'body 3'").unwrap() + 4];
    assert_eq!(
        parts(cut.as_bytes()),
        [
            "body 1",
            "body 2",
            "interaction 3: line 37, column 15: not YAML: while scanning a quoted scalar, found unexpected end of stream"
        ]
    );
    let json = json!({"interactions": [
        {"request": {"method": "GET", "uri": "http://h/"}, "response": {"status": {"code": 200}, "body": "one"}},
        {"request": {"method": "GET", "uri": "http://h/"}, "response": {"status": {"code": 200}, "body": "two"}},
    ]})
    .to_string();
    assert_eq!(
        parts(&json.as_bytes()[..json.len() - 10]),
        ["one", "the rest of the file: not JSON: EOF while parsing an object at line 1 column 198"]
    );
}

#[test]
fn any_number_of_interactions_is_read_as_libyaml_reads_them() {
    let count = 40;
    let lenient = cassette(count).replace("'body ", "'\n body ");
    let bodies: Vec<_> = (1..=count).map(|number| format!(" body {number}")).collect();
    assert_eq!(parts(lenient.as_bytes()), bodies);
}

#[test]
fn what_breaks_between_interactions_is_told() {
    let damaged = cassette(2).replace("version: 1", "version: [1");
    assert_eq!(
        parts(damaged.as_bytes()),
        [
            "body 1",
            "body 2",
            "the rest of the file: line 31, column 1: not YAML: while parsing a flow sequence, expected ',' or ']'"
        ]
    );
}

#[test]
fn a_file_that_is_made_to_exhaust_memory_is_refused() {
    let mut text = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for (one, next) in ('a'..='i').zip('b'..='j') {
        text += &format!("{next}: &{next} [{}]\n", vec![format!("*{one}"); 10].join(", "));
    }
    let damaged = text + &cassette(1);
    assert_eq!(
        read(damaged.as_bytes()).unwrap_err(),
        "is not read: line 7, column 24: the aliases of this file stand for more than 64 MiB; no recorder writes such a file"
    );
}

/// What is cut from a broken file has no more allowed than a file that is not.
#[test]
fn interactions_of_a_broken_file_share_what_aliases_may_stand_for() {
    let alias = |depth: usize| {
        let mut text = "&a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
        for (one, next) in (0..depth).zip(1..) {
            text += &format!("    x{next}: &a{next} [{}]\n", vec![format!("*a{one}"); 10].join(", "));
        }
        text
    };
    let bomb = format!("x0: {}    uri: http://h/v1/x\n", alias(5));
    let broken = cassette(3).replacen("'body 1'", "'body", 1);
    assert_eq!(parts(broken.replacen("uri: http://h/v1/x\n", &bomb, 2).as_bytes()).len(), 3);
    let many = cassette(100).replacen("'body 1'", "\"\\q", 1).replace("uri: http://h/v1/x\n", &bomb);
    assert!(
        read(many.as_bytes()).unwrap_err().contains("the aliases of this file stand for more than 64 MiB")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens to a line of one interaction, the others are what they were.
    #[test]
    fn a_damaged_line_costs_one_interaction(line in 16_usize..29, junk in "[ -~\u{e4}\t]{0,12}") {
        let three = cassette(3);
        let lines = three.lines().enumerate().map(|(at, text)| match at {
            at if at == line => format!("    {junk}"),
            _ => text.to_owned(),
        });
        let damaged = lines.collect::<Vec<_>>().join("\n");
        let parts = parts(damaged.as_bytes());
        prop_assert_eq!(parts.first().map(String::as_str), Some("body 1"));
        prop_assert_eq!(parts.last().map(String::as_str), Some("body 3"), "{:?}", parts);
    }

    #[test]
    fn no_damage_makes_it_panic(at in 0..VCRPY.len(), length in 0_usize..40, junk in proptest::collection::vec(any::<u8>(), 0..6)) {
        let mut damaged = VCRPY.as_bytes().to_vec();
        damaged.splice(at..(at + length).min(VCRPY.len()), junk);
        let _ = (is(&damaged), read(&damaged));
        let _ = read(&damaged[..at.min(damaged.len())]);
    }
}
