//! Names of other tools for faults of ours, accepted on input. What is written back is our own.

use serde_json::Value;

use super::At;
use super::declare::Given;
use crate::plan::json::Span;

/// A name of another tool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alias {
    pub(crate) name: &'static str,
    /// The fault that it stands for.
    pub(crate) fault: &'static str,
    /// Its own parameters; those of the fault are taken, too.
    pub(crate) parameters: &'static [(&'static str, Means)],
    /// The fault's flags that it sets.
    flags: &'static [&'static str],
}

/// What a parameter of an alias becomes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Means {
    /// The parameter of this name.
    Parameter(&'static str),
    /// The duration of this name; a plain number is in microseconds.
    Micros(&'static str),
    /// The duration of this name; a plain number is in milliseconds.
    Millis(&'static str),
    /// The place: after so many bytes.
    Byte,
    /// The place: after so many events.
    Event,
    /// The place: once so many milliseconds have passed.
    Elapsed,
}

/// The names, with whose they are. toxiproxy's `reset_peer` discards what comes and resets: nothing of a
/// response gets through.
pub(crate) const ALIASES: &[Alias] = &[
    // WireMock
    alias("connection-reset-by-peer", "reset-before-response", &[]),
    Alias { flags: &["after_head"], ..alias("malformed-response-chunk", "garbage", &[]) },
    alias("random-data-then-close", "garbage", &[]),
    alias("chunked-dribble", "dribble", &[]),
    // toxiproxy
    alias("reset_peer", "reset-before-response", &[]),
    alias(
        "slicer",
        "dribble",
        &[("average_size", Means::Parameter("bytes")), ("delay", Means::Micros("every"))],
    ),
    alias("limit_data", "close-mid-stream", &[("bytes", Means::Byte)]),
    alias("slow_close", "slow-close", &[("delay", Means::Millis("delay"))]),
    // llmposter and aimock
    alias("truncate_after_frames", "stream-truncated", &[("n", Means::Event)]),
    alias("truncate_after_chunks", "stream-truncated", &[("n", Means::Event)]),
    alias("truncateAfterChunks", "stream-truncated", &[("n", Means::Event)]),
    alias("disconnect_after_ms", "close-mid-stream", &[("n", Means::Elapsed)]),
    alias("disconnectAfterMs", "close-mid-stream", &[("n", Means::Elapsed)]),
];

const fn alias(
    name: &'static str,
    fault: &'static str,
    parameters: &'static [(&'static str, Means)],
) -> Alias {
    Alias { name, fault, parameters, flags: &[] }
}

/// What an alias stands for.
#[derive(Debug)]
pub(super) struct Meant {
    pub(super) fault: &'static str,
    pub(super) given: Vec<(String, Given)>,
    pub(super) at: Option<At>,
    /// (parameter, what is wrong)
    pub(super) problems: Vec<(String, String)>,
}

impl Alias {
    /// The alias of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ALIASES.iter().find(|alias| alias.name == name)
    }

    /// What was given, in the words of the fault.
    pub(super) fn translate(&self, given: Vec<(String, Given)>) -> Meant {
        let mut meant = Meant { fault: self.fault, given: Vec::new(), at: None, problems: Vec::new() };
        for flag in self.flags {
            meant.given.push(((*flag).to_owned(), Given::Json(Value::Bool(true))));
        }
        for (key, value) in given {
            let (key, value) = self.whole(key, value);
            match self.parameters.iter().find(|(name, _)| *name == key) {
                Some((_, means)) => meant.add(key, &value, *means),
                None => meant.given.push((key, value)),
            }
        }
        meant
    }

    /// `truncate_after_frames:3` is `truncate_after_frames:n=3`.
    fn whole(&self, key: String, value: Given) -> (String, Given) {
        match (self.parameters, &value) {
            ([(only, _)], Given::Text(text))
                if text.is_empty() && key.starts_with(|c: char| c.is_ascii_digit()) =>
            {
                ((*only).to_owned(), Given::Text(key))
            }
            _ => (key, value),
        }
    }
}

impl Meant {
    fn add(&mut self, key: String, value: &Given, means: Means) {
        let number = match value {
            Given::Json(value) => value.as_u64(),
            Given::Text(text) => text.parse::<u64>().ok(),
            Given::Nothing => None,
        };
        let with_unit = |unit: &str| match number {
            Some(number) => Given::Text(format!("{number}{unit}")),
            None => value.clone(),
        };
        let at = match means {
            Means::Parameter(name) => return self.given.push((name.to_owned(), value.clone())),
            Means::Micros(name) => return self.given.push((name.to_owned(), with_unit("us"))),
            Means::Millis(name) => return self.given.push((name.to_owned(), with_unit("ms"))),
            Means::Byte => number.and_then(|number| usize::try_from(number).ok()).map(At::Byte),
            Means::Event => number.and_then(|number| i64::try_from(number).ok()).map(At::event),
            Means::Elapsed => {
                let text = with_unit("ms");
                text.text().and_then(|text| text.parse::<Span>().ok()).map(|Span(time)| At::Elapsed(time))
            }
        };
        match at {
            Some(at) => self.at = Some(at),
            None => self.problems.push((key, format!("expected a whole number, 0 or more, got {value}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fault::{Fault, Kind};

    #[track_caller]
    fn check(alias: &str, canonical: &str) {
        let fault: Fault = alias.parse().unwrap();
        assert_eq!(fault.to_string(), canonical, "{alias}");
        assert_eq!(canonical.parse(), Ok(fault), "{alias}");
    }

    #[test]
    fn names_of_other_tools_are_understood_and_written_back_as_ours() {
        check("connection-reset-by-peer", "reset-before-response");
        check("reset_peer:first=1", "reset-before-response:first=1");
        check("malformed-response-chunk", "garbage:after_head=true");
        check("random-data-then-close", "garbage");
        check("slicer:average_size=64,delay=1500", "dribble:bytes=64,every=1500us");
        check("slicer:delay=3ms", "dribble:every=3ms");
        check("chunked-dribble:bytes=3", "dribble:bytes=3");
        check("limit_data:bytes=100", "close-mid-stream@byte:100");
        check("slow_close:delay=250", "slow-close:delay=250ms");
        check("truncate_after_frames:3", "stream-truncated@event:3");
        check("truncate_after_chunks:n=3,keep_done", "stream-truncated:keep_done=true@event:3");
        check("truncateAfterChunks@finish", "stream-truncated@finish");
        check("disconnect_after_ms:n=1500,every=2", "close-mid-stream:every=2@elapsed:1500ms");
        check("disconnectAfterMs:2s", "close-mid-stream@elapsed:2s");
    }

    #[test]
    fn every_alias_stands_for_a_fault_and_hides_none() {
        for alias in ALIASES {
            assert!(Kind::entry_named(alias.fault).is_some(), "{}", alias.name);
            assert!(Kind::entry_named(alias.name).is_none(), "{}", alias.name);
        }
    }

    #[test]
    fn a_wrong_value_is_told_by_the_name_that_was_written() {
        let told = |text: &str| text.parse::<Fault>().unwrap_err();
        assert_eq!(
            told("limit_data:bytes=x"),
            r#"`bytes` of limit_data: expected a whole number, 0 or more, got "x""#
        );
        assert_eq!(told("limit_data:bytes=3@end"), "limit_data says where with `bytes`: leave out @end");
        assert_eq!(
            told("reset_peer:timeout=5"),
            r#"reset_peer (reset-before-response) has no parameters, got "timeout""#
        );
    }
}
