//! Checks limits.

use crate::plan::limits::{Limit, Rule};
use crate::plan::load::problems::{Problems, below};
use crate::plan::matcher::Conditions;

/// Checks the limits of a file, or of a server, and compiles them.
pub(in crate::plan::load) fn limits(limits: &[Limit], problems: &mut Problems) -> Vec<Rule> {
    let rules = limits
        .iter()
        .enumerate()
        .map(|(index, limit)| Rule::new(limit, conditions(limit, &format!("/limits/{index}"), problems)));
    rules.collect()
}

/// Checks a limit that stands at the pointer `at`.
fn conditions(limit: &Limit, at: &str, problems: &mut Problems) -> Conditions {
    let (requests, tokens) = (limit.requests_per_minute, limit.tokens_per_minute);
    if requests.is_none() && tokens.is_none() {
        problems.value(at, "a limit needs `requests_per_minute` or `tokens_per_minute`");
    }
    for (key, number) in [("requests_per_minute", requests), ("tokens_per_minute", tokens)] {
        match number {
            Some(0) => problems.value(
                below(at, key),
                "a limit of 0 lets nothing through, however long one waits: leave it out, or make it 1 or more",
            ),
            Some(number) if number > MOST => {
                problems.value(below(at, key), format!("a limit is at most 2^53, {MOST}, got {number}"));
            }
            Some(_) | None => {}
        }
    }
    let matcher_at = below(at, "match");
    if limit.matcher.method.is_some() && limit.matcher.path.is_none() {
        problems.key(
            below(&matcher_at, "method"),
            "`method` goes with `path`: a limit without one counts chat completions, always POST",
        );
    }
    Conditions::compile(&limit.matcher, &matcher_at, problems)
}

/// What every client reads exactly.
const MOST: u64 = 1 << 53;
