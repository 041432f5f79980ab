//! The source of deadlines where there is none but tokio's timer.

use std::convert::Infallible;
use std::task::Context;
use std::time::Instant;

/// None.
#[derive(Debug)]
pub(crate) struct Sources;

impl Sources {
    pub(crate) fn new() -> Self {
        Self
    }

    /// The source for the next connection, which has none.
    #[expect(clippy::unused_self, reason = "there are sources on Linux")]
    pub(crate) fn next(&mut self) -> Option<Source> {
        None
    }
}

/// What nobody has.
#[derive(Clone, Debug)]
pub(crate) struct Source(Infallible);

impl Source {
    pub(super) fn entry(&self) -> Entry {
        match self.0 {}
    }
}

/// What nobody has.
#[derive(Debug)]
pub(super) struct Entry(Infallible);

impl Entry {
    pub(super) fn set(&self, _: &Context<'_>, _: Instant) -> bool {
        match self.0 {}
    }
}
