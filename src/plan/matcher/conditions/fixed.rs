//! What conditions fix: the values that a request must have exactly and the parts of its texts, for an index
//! of fixtures.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Check, Conditions, View};
use crate::plan::matcher::subject::Subject;
use crate::plan::matcher::text::Test;

/// A value of a request that conditions can fix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fixed {
    Text(Subject),
    Turn,
    Stream,
}

impl Conditions {
    /// Which values are fixed, and their print. Conditions that fix the same have them in the same order,
    /// since their cost depends on nothing else.
    pub(crate) fn fixed(&self) -> (Vec<Fixed>, u64) {
        let mut print = DefaultHasher::new();
        let fixed = self.all.iter().filter_map(|check| match check {
            // A request has any number of tools.
            Check::Text(Subject::Tool, _) => None,
            Check::Text(subject, Test::Equals(text)) => {
                text.hash(&mut print);
                Some(Fixed::Text(*subject))
            }
            Check::Turn(turn) => {
                turn.hash(&mut print);
                Some(Fixed::Turn)
            }
            Check::Stream(stream) => {
                stream.hash(&mut print);
                Some(Fixed::Stream)
            }
            Check::Text(..)
            | Check::Header(..)
            | Check::Query(..)
            | Check::BodyText(..)
            | Check::Body(..) => None,
        });
        (fixed.collect(), print.finish())
    }

    /// The part that a text must have.
    pub(crate) fn part(&self, subject: Subject) -> Option<&str> {
        self.all.iter().find_map(|check| match check {
            Check::Text(of, Test::Contains(part)) if *of == subject => Some(part.as_str()),
            _ => None,
        })
    }
}

impl View<'_> {
    /// The print of these values of the request; `None` where it has not all of them. Where that of
    /// conditions is another, they do not hold.
    pub(crate) fn print(&self, fixed: &[Fixed]) -> Option<u64> {
        let mut print = DefaultHasher::new();
        for value in fixed {
            match value {
                Fixed::Text(subject) => self.text(*subject)?.hash(&mut print),
                Fixed::Turn => self.request.turn().hash(&mut print),
                Fixed::Stream => self.request.stream().hash(&mut print),
            }
        }
        Some(print.finish())
    }
}
