//! Fixtures that ask for parts of one text: all parts that a request's text has are found in one pass over it.

use std::mem;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::{Found, Member, of_print};
use crate::plan::matcher::{Conditions, Subject, View};

/// Fixtures by the part of a text that each asks for.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    subject: Subject,
    automaton: AhoCorasick,
    /// The number of the part's beginning in the automaton, and the fixture's place in the set; sorted.
    members: Vec<Member>,
}

impl Parts {
    /// Takes out of some fixtures those that ask for a part of this text, if they ask for so many that one
    /// pass costs less than comparing each.
    pub(super) fn take(
        subject: Subject,
        fixtures: &mut Vec<Member>,
        all: &[&Conditions],
        many: usize,
    ) -> Option<Self> {
        // Every text has an empty part.
        let part = |at: usize| all[at].part(subject).filter(|part| !part.is_empty());
        let asked = fixtures.iter().filter_map(|(_, at)| Some((part(*at)?, *at)));
        let mut asked: Vec<(&str, usize)> = asked.collect();
        asked.sort_unstable();
        let (mut beginnings, mut members) = (Vec::new(), Vec::new());
        for (beginning, at) in told_apart(&asked) {
            if beginnings.last() != Some(&beginning) {
                beginnings.push(beginning);
            }
            members.push((beginnings.len() as u64 - 1, at));
        }
        if beginnings.len() < many {
            return None;
        }
        members.sort_unstable();
        let automaton = AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(beginnings);
        // Where they are too long even for that, each is compared.
        let automaton = automaton.ok()?;
        fixtures.retain(|(_, at)| part(*at).is_none());
        Some(Self { subject, automaton, members })
    }

    /// Adds the fixtures whose parts a request may have.
    pub(super) fn find<'a>(&'a self, view: &View<'_>, found: &mut Found<'a>) {
        let Some(text) = view.text(self.subject) else { return };
        let mut seen = vec![false; self.automaton.patterns_len()];
        let mut unseen = seen.len();
        for part in self.automaton.find_overlapping_iter(text.as_bytes()) {
            let number = part.pattern().as_usize();
            if mem::replace(&mut seen[number], true) {
                continue;
            }
            found.add(of_print(&self.members, number as u64));
            unseen -= 1;
            if unseen == 0 {
                return;
            }
        }
    }
}

/// Each of some sorted parts, cut after what tells it from the others: a request that has the beginning is
/// compared with the whole, so that long parts need no long automaton.
fn told_apart<'a>(sorted: &[(&'a str, usize)]) -> impl Iterator<Item = (&'a [u8], usize)> {
    let mut shared_before = 0;
    sorted.iter().enumerate().map(move |(index, (part, at))| {
        let next = sorted.get(index + 1).map_or(0, |(next, _)| shared(part, next));
        let before = mem::replace(&mut shared_before, next);
        let length = (before.max(next) + 1).clamp(SHORTEST, LONGEST).min(part.len());
        (&part.as_bytes()[..length], *at)
    })
}

/// How many bytes two texts have in common at their beginning.
fn shared(left: &str, right: &str) -> usize {
    left.bytes().zip(right.bytes()).take_while(|(left, right)| left == right).count()
}

/// Bytes that are looked for even if fewer tell a part from the others: any text has a short one by chance.
const SHORTEST: usize = 16;

/// Bytes that are looked for even if more are needed to tell a part from the others.
const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_cut_after_what_tells_it_from_the_others() {
        let long = "x".repeat(300);
        let parts =
            ["a common beginning", "a common beginning and one end", "a common beginning and two", "b"];
        let mut sorted: Vec<(&str, usize)> = parts.into_iter().zip(0..).collect();
        sorted.extend([("b, and what nobody else asks for", 4), (&long, 5), (&long, 6)]);

        let cut: Vec<(&[u8], usize)> = told_apart(&sorted).collect();

        let expected: [(&str, usize); 7] = [
            ("a common beginning", 0),
            ("a common beginning and o", 1),
            ("a common beginning and t", 2),
            ("b", 3),
            ("b, and what nobo", 4),
            (&long[..256], 5),
            (&long[..256], 6),
        ];
        assert_eq!(cut, expected.map(|(part, at)| (part.as_bytes(), at)));
    }
}
