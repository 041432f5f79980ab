use proptest::prelude::*;

use super::*;
use crate::plan::fault::declare::ArgumentKind;

#[track_caller]
fn round_trips(fault: &Fault) {
    let text = fault.to_string();
    assert_eq!(text.parse().as_ref(), Ok(fault), "{text}");
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
    let json = serde_json::to_value(fault).unwrap();
    assert_eq!(&serde_json::from_value::<Fault>(json.clone()).unwrap(), fault, "{json}");
}

#[test]
fn every_form_parses_and_is_written_back() {
    let forms = [
        ("close-mid-stream@head", At::Head),
        ("close-mid-stream@end", At::End),
        ("close-mid-stream@event:3", At::event(3)),
        ("close-mid-stream@event:-1", At::event(-1)),
        ("close-mid-stream@event:3,byte:12", At::event_byte(3, 12)),
        ("close-mid-stream@byte:100", At::Byte(100)),
        ("close-mid-stream@elapsed:1500ms", At::elapsed(std::time::Duration::from_millis(1500))),
        ("close-mid-stream@role", At::Named(Name::Role)),
        ("close-mid-stream@first-content", At::Named(Name::FirstContent)),
        ("close-mid-stream@finish", At::Named(Name::Finish)),
        ("close-mid-stream@usage", At::Named(Name::Usage)),
        ("close-mid-stream@done", At::Named(Name::Done)),
    ];
    for (text, at) in forms {
        assert_eq!(text.parse(), Ok(Fault::close(at)), "{text}");
        assert_eq!(Fault::close(at).to_string(), text);
    }
}

#[test]
fn longer_spellings_parse_too() {
    let finish = Ok(Fault::close(At::Named(Name::Finish)));
    assert_eq!("close-mid-stream@event:finish".parse(), finish);
    assert_eq!("close-mid-stream:@end".parse(), Ok(Fault::close(At::End)));
}

#[test]
fn without_a_place_a_fault_stands_at_its_own() {
    let fault: Fault = "close-mid-stream".parse().unwrap();
    assert_eq!((fault.at, fault.place()), (None, At::event(3)));
    assert_eq!(fault.to_string(), "close-mid-stream");
}

#[test]
fn values_are_decoded_after_splitting() {
    let fault: Fault = "stall-heartbeat:text=%3A%20a%2Cb%40c%25".parse().unwrap();
    assert_eq!(fault.kind.arguments()[1], ("text", Some(Value::from(": a,b@c%"))));
    assert_eq!(fault.to_string(), "stall-heartbeat:text=:%20a%2Cb%40c%25");
}

#[test]
fn none_is_no_value_and_a_bare_key_is_true() {
    let fault: Fault = "rate-limit:retry_after=none".parse().unwrap();
    assert!(fault.kind.arguments().contains(&("retry_after", None)));
    round_trips(&fault);
    round_trips(&"finish-unknown:value=none".parse().unwrap());
    let literal: Fault = "server-error:code=%6Eone".parse().unwrap();
    assert!(literal.kind.arguments().contains(&("code", Some(Value::from("none")))));
    round_trips(&literal);
    assert_eq!("stream-truncated:keep_done".parse::<Fault>(), "stream-truncated:keep_done=true".parse());
}

#[test]
fn selectors_are_keys_too_and_a_parameter_of_that_name_goes_first() {
    let forms = [
        "close-mid-stream:attempt=2",
        "close-mid-stream:first=2,every=3,probability=0.25@event:3",
        "stall-heartbeat:every=2s",
        "stall-heartbeat:when.every=2",
        "stall-heartbeat:every=2s,when.every=2@finish",
        "rate-limit:user=hello%20there,model=gpt-4o",
        "rate-limit:match=%7B%22stream%22:true%7D",
    ];
    for text in forms {
        let fault: Fault = text.parse().unwrap();
        assert_eq!(fault.to_string().replace("%22", "\""), text.replace("%22", "\""));
        round_trips(&fault);
    }
    let expected = When::every(2).and(When::matching(Matcher::user_contains("a")));
    assert_eq!(
        "bom:when.every=2,user=a".parse(),
        Ok(Fault::new(crate::plan::fault::stream::StreamFault::Bom {}).when(expected))
    );
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    assert_eq!(text.parse::<Fault>(), Err(expected.to_owned()), "{text}");
}

#[test]
fn a_word_that_is_no_fault_says_what_would_be() {
    refused(
        "close-mid-steam@event:3",
        r#"unknown fault "close-mid-steam"; did you mean "close-mid-stream"?"#,
    );
    refused("close_mid_stream", r#"unknown fault "close_mid_stream"; did you mean "close-mid-stream"?"#);
    refused("explode", r#"unknown fault "explode"; `llmirage faults` lists them"#);
    refused("", r#"unknown fault ""; `llmirage faults` lists them"#);
}

#[test]
fn an_unknown_or_wrong_parameter_says_what_would_be() {
    refused("close-mid-stream:hold=5s@event:3", r#"close-mid-stream has no parameters, got "hold""#);
    refused("stall:hol=5s", r#"stall has no parameter "hol"; did you mean "hold"?"#);
    refused(
        "stall:at=head",
        r#"stall has no parameter "at": a place stands at the end, as in stall@event:3"#,
    );
    refused(
        "stall:event=3",
        r#"stall has no parameter "event": a place stands at the end, as in stall@event:3"#,
    );
    refused("stall:when=2", r#"stall has no parameter "when": selectors are keys, as in stall:first=2"#);
    refused(
        "stall,hold=5s",
        r#"unknown fault "stall,hold=5s"; parameters stand after the name, as in stall:hold=5s; `llmirage faults` lists them"#,
    );
    refused(
        "quota-wall",
        r#"unknown fault "quota-wall"; scenario:quota-wall is a scenario: a flag, a base URL or a header chooses it by that name"#,
    );
    refused("stall:frist=5", r#"stall has no parameter "frist"; did you mean "first"?"#);
    refused("stall:duration=5s", r#"stall has no parameter "duration"; known: "hold", "then""#);
    refused("stall:hold=5s,hold=6s", "the parameter `hold` of stall is there twice");
    refused("stall:first=1,first=2", "the selector `first` of stall is there twice");
    refused(
        "stall:hold=5",
        r#"`hold` of stall: expected a duration with a unit, like "20ms" or "1.5s", got "5""#,
    );
    refused(
        "stall:then=explode",
        r#"`then` of stall: expected "close" or "reset" or "resume", got "explode""#,
    );
    refused(
        "stream-truncated:keep_done=yes",
        r#"`keep_done` of stream-truncated: expected true or false, got "yes""#,
    );
    refused(
        "bandwidth:bytes_per_s=-1",
        r#"`bytes_per_s` of bandwidth: expected a whole number, 0 or more, got "-1""#,
    );
    refused("stall-heartbeat:text=%ff", r#"`text` of stall-heartbeat: "%ff" is not UTF-8"#);
}

#[test]
fn a_wrong_place_says_which_would_be_right() {
    refused("close-mid-stream@finsh", r#"unknown place "finsh"; did you mean "finish"?"#);
    refused(
        "close-mid-stream@5",
        r#"unknown place "5"; a place is like event:3, event:-1, event:3,byte:12, byte:100, finish, elapsed:1s, head or end"#,
    );
    refused(
        "close-mid-stream@event:x",
        r#"expected an event's number, or one of "role", "first-content", "finish", "usage", "done", got "x""#,
    );
    refused("close-mid-stream@byte:-1", r#"expected a number of bytes, got "-1""#);
    refused(
        "close-mid-stream@event:finish,byte:2",
        r#"expected an event's number before `byte`, got "finish""#,
    );
    refused(
        "close-mid-stream@elapsed:5",
        r#"expected a duration with a unit, like "20ms" or "1.5s", got "5""#,
    );
    refused(
        "close-mid-stream@idle",
        "close-mid-stream stands at the head, at an event, a byte, a time (elapsed) or the end, not at idle",
    );
    refused("rate-limit@head", "rate-limit is about the whole response and takes no place, got head");
    refused(
        "duplicate-event@event:3,byte:2",
        "duplicate-event is about an event and takes its number, its name, or head, not event:3,byte:2",
    );
    refused("keepalive-close@end", "keepalive-close takes no place but idle, not end");
    refused(
        "keepalive-reset-on-reuse@idle",
        "keepalive-reset-on-reuse takes no place but next-request, not idle",
    );
}

#[test]
fn selectors_that_choose_nothing_are_refused() {
    refused("bom:attempt=0", "`attempt` of bom: it counts from 1, got 0");
    refused("bom:first=x", r#"`first` of bom: expected a whole number, 0 or more, got "x""#);
    refused(
        "bom:attempt=3,first=2",
        "`attempt` of bom: attempt 3 is not among the first 2: no request has both",
    );
    refused("bom:probability=2", "`probability` of bom: expected a number from 0 to 1, got 2");
    refused("bom:probability=NaN", "`probability` of bom: expected a number from 0 to 1, got NaN");
    refused("bom:probability=often", r#"`probability` of bom: expected a number from 0 to 1, got "often""#);
    refused("bom:match=x", r#"`match` of bom: expected a matcher as JSON, percent-encoded, got "x""#);
    refused(r#"bom:match={"usr":"x"}"#, r#"unknown key "usr" in a matcher; did you mean "user"?"#);
}

#[test]
fn every_problem_of_a_word_is_told_at_once() {
    refused(
        "stall:hold=5,the=close,first=0@finsh",
        "unknown place \"finsh\"; did you mean \"finish\"?; `first` of stall: it counts from 1, got 0; \
         `hold` of stall: expected a duration with a unit, like \"20ms\" or \"1.5s\", got \"5\"; \
         stall has no parameter \"the\"; did you mean \"then\"?",
    );
}

/// A value for a parameter.
fn value(kind: ArgumentKind, optional: bool) -> BoxedStrategy<Value> {
    let value = match kind {
        ArgumentKind::Flag => any::<bool>().prop_map(Value::from).boxed(),
        ArgumentKind::Count => (0..600_u64).prop_map(Value::from).boxed(),
        ArgumentKind::Integer => (-600..600_i64).prop_map(Value::from).boxed(),
        ArgumentKind::Duration => {
            (0..10_000_000_000_u64).prop_map(|nanos| Value::from(format!("{nanos}ns"))).boxed()
        }
        ArgumentKind::Text => {
            prop_oneof![any::<String>(), Just("none".to_owned())].prop_map(Value::from).boxed()
        }
        ArgumentKind::Words(words) => proptest::sample::select(words).prop_map(Value::from).boxed(),
    };
    match optional {
        true => prop_oneof![value, Just(Value::Null)].boxed(),
        false => value,
    }
}

fn any_fault() -> impl Strategy<Value = Fault> {
    let entries: Vec<_> = Kind::entries().collect();
    let number = || proptest::option::of(1..9_u64);
    let when = (number(), number(), proptest::option::of(0.0..1.0_f64), proptest::option::of(".*"));
    let when = when.prop_map(|(attempt, every, probability, user)| When {
        attempt,
        first: None,
        every,
        probability,
        matching: user.map(|user| Matcher::user(user).into()),
    });
    proptest::sample::select(entries).prop_flat_map(move |entry| {
        let parameters = (entry.parameters)().into_iter().map(|parameter| {
            let value = value(parameter.kind, parameter.optional);
            (Just(parameter.name.to_owned()), proptest::option::of(value))
        });
        (Just(entry), parameters.collect::<Vec<_>>(), when.clone()).prop_map(|(entry, values, when)| {
            let given = values.into_iter().filter_map(|(name, value)| Some((name, Given::Json(value?))));
            let mut arguments = crate::plan::fault::declare::Arguments::new(given.collect());
            let kind = Kind::build(entry.name, &mut arguments).unwrap();
            assert!(arguments.problems.is_empty(), "{:?}", arguments.problems);
            Fault::new(kind).when(when)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_fault_with_any_parameters_round_trips(fault in any_fault()) {
        // Values that a fault refuses are refused in every form.
        if fault.check().is_ok() {
            round_trips(&fault);
        } else {
            prop_assert!(fault.to_string().parse::<Fault>().is_err());
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-z%@:,=._0-9{}\" -]{0,80}", other in any::<String>()) {
        let _ = text.parse::<Fault>();
        let _ = other.parse::<Fault>();
    }

    #[test]
    fn no_parameters_of_a_fault_make_the_parser_panic(
        entry in proptest::sample::select(Kind::entries().collect::<Vec<_>>()),
        rest in "[:a-z=,%0-9@.-]{0,60}",
    ) {
        let _ = format!("{}:{rest}", entry.name).parse::<Fault>();
        for parameter in (entry.parameters)() {
            let _ = format!("{}:{}={rest}", entry.name, parameter.name).parse::<Fault>();
        }
    }
}
