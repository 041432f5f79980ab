//! What stays the same, whatever a fault does.

use proptest::prelude::*;

use super::parser::{Told, parse};
use super::*;

/// Streams of JSON events with any text, comments, and other fields.
fn streams() -> impl Strategy<Value = Timeline> {
    let event = prop_oneof![
        4 => "\\PC{0,12}".prop_map(|text| {
            (EventKind::Content, format!("data: {}\n\n", serde_json::json!({"n": 1, "delta": {"content": text}, "x": [1, "a,b"]})))
        }),
        1 => Just((EventKind::Other, ": ping\n\n".to_owned())),
        1 => "[ a-z]{0,3}".prop_map(|name| (EventKind::Other, format!("event: {name}\nid: 1\ndata:  two\ndata: lines\n\n"))),
        1 => Just((EventKind::Done, "data: [DONE]\n\n".to_owned())),
    ];
    prop::collection::vec((0..50_u64, event), 0..12).prop_map(|events| {
        let mut at = 60;
        let events: Vec<_> = events
            .iter()
            .map(|(gap, (kind, text))| {
                at += gap;
                (at, *kind, text.as_str())
            })
            .collect();
        stream(&events)
    })
}

/// The told events, their JSON read.
fn told(timeline: &Timeline) -> Vec<(String, Result<Value, String>)> {
    let read = |(name, _, data): Told| (name, serde_json::from_str(&data).map_err(|_| data));
    parse(&timeline.body).into_iter().map(read).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_cut_in_any_way_is_the_same_bytes(
        timeline in streams(), every in 1..40_u64, byte in 0..80_u64, gap in 0..30_u64, tcp: bool, rate in 20..5000_u64,
    ) {
        let (every, byte, gap, rate) = (every.to_string(), byte.to_string(), format!("{gap}ms"), rate.to_string());
        let via = ("via", if tcp { "tcp" } else { "http-chunk" });
        for (name, parameters) in [
            ("event-split", vec![("gap", gap.as_str()), via]),
            ("event-split", vec![("every", &every), ("gap", &gap), via]),
            ("event-split", vec![("byte", &byte), via]),
            ("dribble", vec![("bytes", &every)]),
            ("bandwidth", vec![("bytes_per_s", &rate)]),
        ] {
            let cut = apply(timeline.clone(), &[fault(name, &parameters)]);
            prop_assert_eq!(&cut.body, &timeline.body, "{}", name);
            prop_assert_eq!(cut.events_in(usize::MAX), timeline.events_in(usize::MAX));
            for (index, event) in cut.events.iter().enumerate() {
                prop_assert!(!cut.event_bytes(index).is_empty() || event.kind != EventKind::Part);
            }
        }
        if !timeline.body.is_ascii() {
            let cut = apply(timeline.clone(), &[fault("char-split", &[])]);
            prop_assert_eq!(&cut.body, &timeline.body);
            let parts = cut.events.iter().filter(|event| event.kind == EventKind::Part);
            for part in parts {
                prop_assert!(std::str::from_utf8(&cut.body[..part.end]).is_err());
            }
        }
    }

    #[test]
    fn a_stream_framed_in_any_way_says_the_same(timeline in streams(), chosen in prop::collection::vec(any::<bool>(), 9)) {
        let framing = [
            fault("multi-line-data", &[]),
            fault("control-only-event", &[("fields", "event")]),
            fault("comment-heartbeat", &[("every", "7ms")]),
            fault("comment-heartbeat", &[]),
            fault("noise-lines", &[("count", "4")]),
            fault("data-no-space", &[]),
            fault("line-ending", &[("form", "mixed"), ("split_crlf", "true")]),
            fault("bom", &[]),
            fault("event-split", &[("every", "3"), ("gap", "1ms")]),
        ];
        for end in ["crlf", "cr", "mixed"] {
            let mut faults: Vec<Fault> = framing.iter().zip(&chosen).filter(|(_, chosen)| **chosen).map(|(fault, _)| fault.clone()).collect();
            for fault in &mut faults {
                if fault.kind.name() == "line-ending" {
                    *fault = super::fault("line-ending", &[("form", end), ("split_crlf", "true")]);
                }
            }
            let framed = apply(timeline.clone(), &faults);
            prop_assert_eq!(told(&framed), told(&timeline), "{:?}", shown(&framed.body));
            prop_assert_eq!(framed.events_in(usize::MAX), timeline.events_in(usize::MAX));
        }
    }

    #[test]
    fn no_fault_is_troubled_by_any_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..60), ends in prop::collection::vec(0..60_usize, 0..5),
        kinds in prop::collection::vec(0..4_usize, 6), index in -3..4_i64, byte in 0..30_usize,
    ) {
        let kinds = kinds.into_iter().map(|kind| [EventKind::Other, EventKind::Content, EventKind::Part, EventKind::Comment][kind]);
        let mut ends: Vec<usize> = ends.into_iter().map(|end| end.min(bytes.len())).chain([bytes.len()]).collect();
        ends.sort_unstable();
        let events: Vec<_> = ends.into_iter().zip(kinds).map(|(end, kind)| Event { at: Duration::from_secs(1), end, kind }).collect();
        let timeline = Timeline::whole(head(0, &[]), bytes, events);
        for entry in super::super::StreamFault::ENTRIES {
            for at in [At::End, At::Head, At::event(index), At::event_byte(index, byte), At::Byte(byte), At::Named(Name::FirstContent)] {
                apply(timeline.clone(), &[fault(entry.name, &[]).at(at), fault("event-split", &[]).at(at)]);
            }
        }
    }
}
