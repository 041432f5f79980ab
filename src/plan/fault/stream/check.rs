//! What parameters can be: `None` is right, else what was expected.

use std::time::Duration;

use super::data::unhex;
use crate::plan::json::Span;

/// Bytes in hexadecimal, at least one.
pub(super) fn hexadecimal(digits: &str) -> Option<String> {
    let right = unhex(digits).is_some_and(|bytes| !bytes.is_empty());
    (!right).then(|| format!("expected pairs of hexadecimal digits, like \"ff\", got {digits:?}"))
}

/// A text of one line.
pub(super) fn line(text: &str) -> Option<String> {
    text.contains(['\r', '\n']).then(|| format!("expected one line, got {text:?}"))
}

/// A text with a character of several bytes.
pub(super) fn long_char(text: &str) -> Option<String> {
    text.is_ascii().then(|| format!("expected a character of several bytes, like \"🌍\", got {text:?}"))
}

/// A number, 1 or more.
pub(super) fn positive(number: u64) -> Option<String> {
    (number == 0).then(|| "expected 1 or more, got 0".to_owned())
}

/// A number within a range.
pub(super) fn range(number: u64, least: u64, most: u64) -> Option<String> {
    (!(least..=most).contains(&number)).then(|| format!("expected {least} to {most}, got {number}"))
}

/// A time, a day at most.
pub(super) fn time(span: Span) -> Option<String> {
    (span.0 > DAY).then(|| "expected a day at most".to_owned())
}

/// A time between two things that are done again and again, so much at least.
pub(super) fn period(span: Span, least: Duration) -> Option<String> {
    let short = || format!("expected {least:?} or more");
    time(span).or_else(|| (span.0 < least).then(short))
}

/// One of these parameters at most, each of which is given or not: what is wrong with the first.
pub(super) fn one(parameters: &[(&'static str, bool)]) -> (&'static str, Option<String>) {
    let mut given = parameters.iter().filter(|(_, given)| *given).map(|(name, _)| *name);
    let first = given.next().unwrap_or_default();
    (first, given.next().map(|second| format!("`{first}` does not go with `{second}`")))
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use crate::plan::fault::Kind;
    use crate::plan::fault::declare::{Arguments, Given};

    /// Checks what is said of a fault's parameters, written `key=value,…`.
    #[track_caller]
    fn check(name: &str, parameters: &str, expected: &str) {
        let given = parameters.split(',').filter_map(|parameter| parameter.split_once('='));
        let given = given.map(|(key, value)| (key.to_owned(), Given::Text(value.to_owned())));
        let Some(Kind::Stream(fault)) = Kind::build(name, &mut Arguments::new(given.collect())) else {
            panic!("no stream fault {name}");
        };
        let problems = fault.problems();
        let problems = problems.iter().map(|(parameter, problem)| format!("{parameter}: {problem}"));
        assert_eq!(problems.collect::<Vec<_>>().join("; "), expected, "{name} {parameters}");
    }

    #[test]
    fn defaults_are_right() {
        super::super::StreamFault::ENTRIES.iter().for_each(|entry| check(entry.name, "", ""));
    }

    #[test]
    fn a_parameter_that_cannot_be_says_what_could() {
        let hexadecimal = "bytes: expected pairs of hexadecimal digits, like \"ff\", got";
        check("invalid-utf8", "bytes=f", &format!("{hexadecimal} \"f\""));
        check("invalid-utf8", "bytes=xy", &format!("{hexadecimal} \"xy\""));
        check("invalid-utf8", "bytes=", &format!("{hexadecimal} \"\""));
        check("comment-heartbeat", "text=a\nb", "text: expected one line, got \"a\\nb\"");
        check("comment-heartbeat", "every=0s", "every: expected 1ms or more");
        check("noise-lines", "count=0", "count: expected 1 to 1000000, got 0");
        check("event-split", "every=0", "every: expected 1 or more, got 0");
        check("event-split", "byte=1,every=2", "byte: `byte` does not go with `every`");
        check(
            "event-split",
            "every=2,all_boundaries=true",
            "every: `every` does not go with `all_boundaries`",
        );
        check("char-split", "char=e", "char: expected a character of several bytes, like \"🌍\", got \"e\"");
        check("char-split", "offset=4", "offset: expected 1 to 3, got 4");
        check(
            "burst",
            "hold=25h,events=0",
            "hold: expected a day at most; events: expected 1 or more, got 0",
        );
        check("dribble", "bytes=0,every=0s", "bytes: expected 1 or more, got 0; every: expected 1µs or more");
        check("bandwidth", "bytes_per_s=0", "bytes_per_s: expected 1 or more, got 0");
        for (name, parameter) in
            [("slow-headers", "delay"), ("slow-first-event", "delay"), ("done-then-hold", "hold")]
        {
            check(name, &format!("{parameter}=86401s"), &format!("{parameter}: expected a day at most"));
        }
    }
}
