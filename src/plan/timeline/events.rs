//! The events of a timeline, which many timelines may share.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::Event;

/// A list of events. It is copied when it is changed while others have it, too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events(Arc<[Event]>);

impl Deref for Events {
    type Target = [Event];

    fn deref(&self) -> &[Event] {
        &self.0
    }
}

impl DerefMut for Events {
    fn deref_mut(&mut self) -> &mut [Event] {
        Arc::make_mut(&mut self.0)
    }
}

impl From<Vec<Event>> for Events {
    fn from(events: Vec<Event>) -> Self {
        Self(events.into())
    }
}

impl FromIterator<Event> for Events {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        Self(events.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = &'a Event;
    type IntoIter = std::slice::Iter<'a, Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
