//! How often the same request came: what faults for an attempt, or for every n-th time, ask.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::plan::fault::when::Turn;
use crate::plan::request::Call;
use crate::plan::seed::Seed;

/// Counts requests that are the same, in each scope by itself.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    counts: BTreeMap<Same, Count>,
    /// Counts calls, to find the requests that did not come for longest.
    time: u64,
}

/// What requests that are the same have in common; as numbers, since a body may be large and a name secret.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Same {
    session: u64,
    /// All that the base URL chooses: with other faults it is another scope.
    scope: u64,
    print: u64,
}

#[derive(Debug)]
struct Count {
    count: u64,
    used: u64,
}

impl Turns {
    /// Counts a request, with this body, and tells which of its kind it is.
    pub(crate) fn next(&self, call: &Call, body: &[u8]) -> Turn {
        self.count(call, &[call.method.as_str().as_bytes(), path(call), query(call), body])
    }

    /// Forgets the requests of one session, or of all.
    pub(crate) fn reset(&self, session: Option<&str>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match session {
            None => known.counts.clear(),
            Some(name) => {
                let session = Seed::print(name.as_bytes());
                known.counts.retain(|same, _| same.session != session);
            }
        }
    }

    fn count(&self, call: &Call, parts: &[&[u8]]) -> Turn {
        let print = print(parts);
        let same = Same { session: Seed::print(call.scope.session.as_bytes()), scope: scope(call), print };
        let count = self.0.lock().unwrap_or_else(PoisonError::into_inner).count(same);
        let retries = call.headers.get("x-stainless-retry-count");
        let retries = retries.and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
        Turn { attempt: retries.map_or(count, |retries| retries.saturating_add(1)), count, print }
    }
}

impl Known {
    fn count(&mut self, same: Same) -> u64 {
        self.time += 1;
        if self.counts.len() >= MOST && !self.counts.contains_key(&same) {
            self.make_room();
        }
        let count = self.counts.entry(same).or_insert(Count { count: 0, used: 0 });
        count.count += 1;
        count.used = self.time;
        count.count
    }

    /// Forgets the tenth that did not come for longest, so that one request in many pays for it.
    fn make_room(&mut self) {
        let mut used: Vec<_> = self.counts.values().map(|count| count.used).collect();
        used.sort_unstable();
        let oldest = used[MOST / 10];
        self.counts.retain(|_, count| count.used > oldest);
    }
}

/// A number that scopes of the same faults and the same scenario have in common, however they are written.
fn scope(call: &Call) -> u64 {
    let faults = call.scope.faults.iter().map(ToString::to_string);
    let scenario = call.scope.scenario.map(|scenario| scenario.name().to_owned());
    let words: Vec<String> = faults.chain(scenario).collect();
    Seed::print(words.join(" ").as_bytes())
}

/// A number that requests of the same parts have in common. Each part's length goes before it, so that no
/// part can look like the end of another.
fn print(parts: &[&[u8]]) -> u64 {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(*part);
    }
    Seed::print(&bytes)
}

fn path(call: &Call) -> &[u8] {
    call.path.as_bytes()
}

fn query(call: &Call) -> &[u8] {
    call.query.as_deref().unwrap_or_default().as_bytes()
}

/// How many different requests are counted; then those that did not come for longest are forgotten.
const MOST: usize = 50_000;

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;
    use crate::plan::request::Scope;

    fn call(session: &str, fault: Option<&str>, path: &str, retries: Option<&str>) -> Call {
        let mut headers = HeaderMap::new();
        if let Some(retries) = retries {
            headers.insert("x-stainless-retry-count", retries.parse().unwrap());
        }
        let faults = fault.into_iter().map(|spec| spec.parse().unwrap()).collect();
        let scope = Scope { session: session.to_owned(), faults, ..Scope::default() };
        Call::new(Method::POST, path.to_owned(), None, headers, scope)
    }

    #[test]
    fn the_same_request_is_counted_in_its_scope_alone() {
        let turns = Turns::default();
        let plain = call("", None, "/v1/chat/completions", None);
        assert_eq!(turns.next(&plain, b"{}").count, 1);
        assert_eq!(turns.next(&plain, b"{}").count, 2);
        assert_eq!(turns.next(&plain, b"{ }").count, 1);
        assert_eq!(turns.next(&call("", None, "/v1/other", None), b"{}").count, 1);
        assert_eq!(turns.next(&call("s", None, "/v1/chat/completions", None), b"{}").count, 1);
        let faulty = call("", Some("close-mid-stream@event:3"), "/v1/chat/completions", None);
        assert_eq!(turns.next(&faulty, b"{}").count, 1);
        assert_eq!(turns.next(&faulty, b"{}").count, 2);
        let other = call("", Some("close-mid-stream:first=2@event:3"), "/v1/chat/completions", None);
        assert_eq!(turns.next(&other, b"{}").count, 1);
        assert_eq!(turns.next(&plain, b"{}").count, 3);
    }

    #[test]
    fn what_the_sdk_says_of_attempts_goes_over_the_count() {
        let turns = Turns::default();
        let attempt = |retries| turns.next(&call("", None, "/v1", retries), b"").attempt;
        assert_eq!(attempt(Some("0")), 1);
        assert_eq!(attempt(Some("2")), 3);
        assert_eq!(attempt(Some("18446744073709551615")), u64::MAX);
        assert_eq!(attempt(None), 4);
        assert_eq!(attempt(Some("many")), 5);
    }

    #[test]
    fn a_print_means_the_same_request_for_ever() {
        let turns = Turns::default();
        let print = |session, retries| turns.next(&call(session, None, "/v1", retries), b"{}").print;
        assert_eq!(print("", None), PRINT);
        // Neither the scope nor the attempt is part of it.
        assert_eq!(print("s", Some("1")), PRINT);
        assert_ne!(self::print(&[b"ab", b"c"]), self::print(&[b"a", b"bc"]));
    }

    #[test]
    fn a_session_is_forgotten_alone() {
        let turns = Turns::default();
        let (one, other) = (call("a", None, "/v1", None), call("b", None, "/v1", None));
        turns.next(&one, b"");
        turns.next(&other, b"");
        turns.reset(Some("a"));
        assert_eq!((turns.next(&one, b"").count, turns.next(&other, b"").count), (1, 2));
        turns.reset(None);
        assert_eq!(turns.next(&other, b"").count, 1);
    }

    #[test]
    fn requests_that_did_not_come_for_longest_are_forgotten() {
        let mut known = Known::default();
        let same = |print| Same { session: 0, scope: 0, print };
        for print in 1..=MOST as u64 + 5 {
            known.count(same(print));
            known.count(same(0));
        }
        assert!(known.counts.len() <= MOST);
        assert!(known.counts.contains_key(&same(0)) && known.counts.contains_key(&same(MOST as u64 + 5)));
        assert!(!known.counts.contains_key(&same(1)));
        assert_eq!(known.count(same(0)), MOST as u64 + 6);
    }

    const PRINT: u64 = 0xef0b_e5f2_d50f_a195;
}
