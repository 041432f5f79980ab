//! Where a value stands in a body: written out only once something is wrong with it.

use std::fmt::{self, Display};

/// An item of a list: `messages[0]`.
#[derive(Clone, Copy)]
pub(super) struct Item<L>(pub(super) L, pub(super) usize);

/// A field of an object: `messages[0].role`.
#[derive(Clone, Copy)]
pub(super) struct Field<'a, O>(pub(super) O, pub(super) &'a str);

impl<L: Display> Display for Item<L> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}[{}]", self.0, self.1)
    }
}

impl<O: Display> Display for Field<'_, O> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.0, self.1)
    }
}
