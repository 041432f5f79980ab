//! Where the events of a recorded stream end.
//!
//! Lines end with LF, CR or CRLF (WHATWG HTML, 9.2.6); an event ends with its blank line.

/// The offsets at which the events of a stream end; the last one is the end of the stream.
///
/// More blank lines belong to the event after them, since only bytes that a client takes for an event are one;
/// those at the end of the stream, to the last event. What follows the last blank line is an event, too: it was
/// cut off, or it is the way of a careless server.
pub fn ends(stream: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut start = 0;
    // Whether a line that is not blank was seen since the last event ended.
    let mut is_open = false;
    while start < stream.len() {
        let rest = &stream[start..];
        let line = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        let terminator = match &rest[line..] {
            [b'\r', b'\n', ..] => 2,
            [] => 0,
            _ => 1,
        };
        start += line + terminator;
        if line > 0 {
            is_open = true;
        } else if is_open {
            ends.push(start);
            is_open = false;
        }
    }
    match ends.last_mut() {
        Some(last) if !is_open => *last = stream.len(),
        None if stream.is_empty() => {}
        _ => ends.push(stream.len()),
    }
    ends
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(stream: &str, expected: &[&str]) {
        let mut start = 0;
        let mut events = Vec::new();
        for end in ends(stream.as_bytes()) {
            events.push(&stream[start..end]);
            start = end;
        }
        assert_eq!(events, expected, "{stream:?}");
    }

    #[test]
    fn an_event_ends_with_its_blank_line_whatever_ends_lines() {
        check("data: a\n\ndata: b\n\n", &["data: a\n\n", "data: b\n\n"]);
        check("data: a\r\n\r\ndata: b\r\n\r\n", &["data: a\r\n\r\n", "data: b\r\n\r\n"]);
        check("data: a\r\rdata: b\r\r", &["data: a\r\r", "data: b\r\r"]);
        check("event: x\ndata: a\n\r\ndata: b\n\n", &["event: x\ndata: a\n\r\n", "data: b\n\n"]);
        check(": keep-alive\n\ndata: a\n\n", &[": keep-alive\n\n", "data: a\n\n"]);
    }

    #[test]
    fn what_is_after_the_last_blank_line_is_an_event() {
        check("data: a\n\ndata: b", &["data: a\n\n", "data: b"]);
        check("data: a\n\ndata: b\n", &["data: a\n\n", "data: b\n"]);
        check("data: a\n\ndata: b\r", &["data: a\n\n", "data: b\r"]);
        check("", &[]);
    }

    #[test]
    fn more_blank_lines_are_no_events() {
        check("\n\ndata: a\n\n\n\ndata: b\n\n\n", &["\n\ndata: a\n\n", "\n\ndata: b\n\n\n"]);
        check("\n\n", &["\n\n"]);
    }

    proptest! {
        #[test]
        fn the_events_are_the_stream(stream in "[a\r\n]{0,40}") {
            let ends = ends(stream.as_bytes());
            prop_assert!(ends.is_sorted_by(|one, other| one < other));
            prop_assert_eq!(ends.last().copied().unwrap_or(0), stream.len());
        }
    }
}
