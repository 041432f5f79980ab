//! Every fault of the layer: parameters out of range, and anything at any place of anything.

use proptest::prelude::*;

use super::*;
use crate::plan::fault::{ArgumentKind, Kind, Layer, Name, Places};

#[test]
fn what_is_out_of_range_is_told() {
    #[track_caller]
    fn told(kind: &EventFault, expected: &[(&str, &str)]) {
        let found = kind.problems();
        let found: Vec<_> = found.iter().map(|(name, problem)| (*name, problem.as_str())).collect();
        assert_eq!(found, expected);
    }
    told(&EventFault::EventOversize { bytes: 16 << 20 }, &[]);
    told(
        &EventFault::EventOversize { bytes: (16 << 20) + 1 },
        &[("bytes", "expected at most 16777216, got 16777217")],
    );
    told(&EventFault::DuplicateEvent { times: 10_001 }, &[("times", "expected at most 10000, got 10001")]);
    told(
        &EventFault::EnvelopeMissing { drop: "id+idd".to_owned(), add: None },
        &[(
            "drop",
            "expected keys of \"id\", \"object\", \"created\", \"model\", \"service_tier\", \"system_fingerprint\", \"choices\", \"usage\", \"obfuscation\", \"prompt_filter_results\", \"prompt_annotations\", joined by \"+\", got \"idd\"",
        )],
    );
    for entry in EventFault::ENTRIES {
        let fault: Fault = entry.name.parse().unwrap();
        let Kind::Event(fault) = fault.kind else { panic!("{} is of this layer", entry.name) };
        assert_eq!(fault.problems(), Vec::new(), "{}", entry.name);
        assert!(!fault.ends(), "{}", entry.name);
    }
    let closes: Fault = "error-in-stream:then=close".parse().unwrap();
    assert!(matches!(closes.kind, Kind::Event(fault) if fault.ends()));
}

/// Every value of every parameter that has words or is a flag, and the default of the others.
fn every_fault() -> Vec<Fault> {
    let entries = Kind::entries().filter(|entry| entry.layer == Layer::Event);
    let forms = entries.flat_map(|entry| {
        let parameters = (entry.parameters)();
        let words = parameters.into_iter().flat_map(|parameter| {
            let words: Vec<String> = match parameter.kind {
                ArgumentKind::Words(words) => words.iter().map(|word| (*word).to_owned()).collect(),
                ArgumentKind::Flag => vec!["true".to_owned(), "false".to_owned()],
                ArgumentKind::Count => vec!["0".to_owned(), "3".to_owned(), "300".to_owned()],
                ArgumentKind::Text => vec!["choices+id".to_owned(), "".to_owned()],
                ArgumentKind::Integer | ArgumentKind::Duration => Vec::new(),
            };
            words.into_iter().map(move |word| format!(":{}={word}", parameter.name))
        });
        words.chain([String::new()]).map(|given| format!("{}{given}", entry.name)).collect::<Vec<_>>()
    });
    forms.filter_map(|text| text.parse().ok()).collect()
}

fn place() -> impl Strategy<Value = Option<At>> {
    prop_oneof![
        Just(None),
        Just(Some(At::Head)),
        Just(Some(At::End)),
        (-6..9i64, 0..200usize).prop_map(|(index, byte)| Some(At::event_byte(index, byte))),
        (-6..9i64).prop_map(|index| Some(At::event(index))),
        (0..900usize).prop_map(|byte| Some(At::Byte(byte))),
        (0..60u64).prop_map(|time| Some(At::Elapsed(Duration::from_millis(time)))),
        prop::sample::select(vec![Name::Role, Name::FirstContent, Name::Finish, Name::Usage, Name::Done])
            .prop_map(|name| Some(At::Named(name))),
    ]
}

fn pieces() -> impl Strategy<Value = Response> {
    let sample = prop::sample::select(vec![TEXT, AZURE_TEXT, TOOLS, BODY, TOOL_BODY, ""]);
    // Bytes of a sample overwritten, taken out or doubled: almost JSON, almost events.
    let damage = prop::collection::vec(
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4u8, any::<u8>()),
        0..6,
    );
    let kinds = prop::sample::select(vec![
        EventKind::Content,
        EventKind::Finish,
        EventKind::Usage,
        EventKind::Other,
        EventKind::Preamble,
        EventKind::Done,
    ]);
    let noise = prop::collection::vec((kinds, prop::collection::vec(any::<u8>(), 0..40)), 0..3);
    (sample, damage, noise).prop_map(|(sample, damage, noise)| {
        let mut response = response(sample);
        for (piece, at, how, byte) in damage {
            if response.pieces.is_empty() {
                break;
            }
            let piece = piece.get_mut(&mut response.pieces);
            let mut bytes = piece.bytes.to_vec();
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.truncate(at),
                    2 => bytes.insert(at, byte),
                    _ => bytes.extend_from_within(at..),
                }
            }
            piece.bytes = bytes.into();
        }
        for (kind, bytes) in noise {
            let index = response.pieces.len() / 2;
            response.insert(index, kind, bytes);
        }
        response
    })
}

proptest! {
    #[test]
    fn any_fault_at_any_place_of_anything_keeps_the_times_in_order(
        response in pieces(),
        at in place(),
        azure in any::<bool>(),
        fault in prop::sample::select(every_fault()),
    ) {
        let request = Request::post(if azure { AZURE } else { OPENAI }, Value::Null);
        let context = Context { seed: Seed::new(1), max_hold: Duration::from_secs(1), call: &request.call };
        let fault = at.into_iter().fold(fault, Fault::at);
        let mut broken = response.clone();
        fault.apply(&mut broken, &context);
        let times = std::iter::once(broken.head.at).chain(broken.pieces.iter().map(|piece| piece.at)).chain([broken.ends_at]);
        prop_assert!(times.is_sorted());
        // What is before the place is what it was.
        let at = fault.place();
        let is_finish = |piece: &Piece| piece.kind == EventKind::Finish;
        let first = response.target(at).unwrap_or(response.pieces.len()).min(response.spot(at).index);
        let first = first.min(chunk::done(&response));
        let first = first.min(response.pieces.iter().position(is_finish).unwrap_or(first));
        if matches!(fault.kind.entry().places, Places::Event | Places::Anywhere) && response.is_stream() {
            prop_assert_eq!(broken.pieces.get(..first), response.pieces.get(..first));
        }
        // What holds no JSON stays, if it is not cut.
        for piece in broken.pieces.iter().filter(|piece| chunk::json(piece).is_none()) {
            let whole = response.pieces.iter().any(|old| old.bytes == piece.bytes);
            let cut = response.pieces.iter().any(|old| old.bytes.starts_with(&piece.bytes));
            let made = piece.bytes.ends_with(b"[DONE]\n\n");
            prop_assert!(whole || cut || made, "{:?}", piece.bytes);
        }
    }
}
