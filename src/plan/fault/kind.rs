//! What breaks: one of the faults of the four layers.

use serde_json::Value;

use super::answer::AnswerFault;
use super::declare::{Arguments, Entry};
use super::event::EventFault;
use super::stream::StreamFault;
use super::transport::TransportFault;

/// What breaks: a fault of one of the four layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What is answered instead, or under which head.
    Answer(AnswerFault),
    /// What the events say.
    Event(EventFault),
    /// How events are framed, cut into pieces and timed.
    Stream(StreamFault),
    /// How HTTP frames the response, how it ends, and what becomes of the connection.
    Transport(TransportFault),
}

/// A layer of faults, in the order in which they are applied.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Layer {
    /// What is answered instead, or under which head.
    Answer,
    /// What the events say.
    Event,
    /// How events are framed, cut into pieces and timed.
    Stream,
    /// How HTTP frames the response, how it ends, and what becomes of the connection.
    Transport,
}

impl From<AnswerFault> for Kind {
    fn from(fault: AnswerFault) -> Self {
        Self::Answer(fault)
    }
}

impl From<EventFault> for Kind {
    fn from(fault: EventFault) -> Self {
        Self::Event(fault)
    }
}

impl From<StreamFault> for Kind {
    fn from(fault: StreamFault) -> Self {
        Self::Stream(fault)
    }
}

impl From<TransportFault> for Kind {
    fn from(fault: TransportFault) -> Self {
        Self::Transport(fault)
    }
}

impl Kind {
    /// Every fault there is, in the order in which they are applied.
    pub fn entries() -> impl Iterator<Item = &'static Entry> {
        let layers =
            [AnswerFault::ENTRIES, EventFault::ENTRIES, StreamFault::ENTRIES, TransportFault::ENTRIES];
        layers.into_iter().flatten()
    }

    /// The fault called `name`, with what was given for its parameters.
    pub(crate) fn build(name: &str, arguments: &mut Arguments) -> Option<Self> {
        AnswerFault::build(name, arguments)
            .map(Self::Answer)
            .or_else(|| EventFault::build(name, arguments).map(Self::Event))
            .or_else(|| StreamFault::build(name, arguments).map(Self::Stream))
            .or_else(|| TransportFault::build(name, arguments).map(Self::Transport))
    }

    /// The name in fixtures, flags and base URLs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Answer(fault) => fault.name(),
            Self::Event(fault) => fault.name(),
            Self::Stream(fault) => fault.name(),
            Self::Transport(fault) => fault.name(),
        }
    }

    /// Its parameters as they are, defaults included.
    pub(crate) fn arguments(&self) -> Vec<(&'static str, Option<Value>)> {
        match self {
            Self::Answer(fault) => fault.arguments(),
            Self::Event(fault) => fault.arguments(),
            Self::Stream(fault) => fault.arguments(),
            Self::Transport(fault) => fault.arguments(),
        }
    }

    /// How many attempts of a request get it; `None`: all.
    pub(super) fn times(&self) -> Option<u64> {
        match self {
            Self::Answer(fault) => fault.times(),
            Self::Event(_) | Self::Stream(_) | Self::Transport(_) => None,
        }
    }

    /// Its place in the order in which faults are applied.
    pub(super) fn rank(&self) -> usize {
        let name = self.name();
        Self::entries().position(|entry| entry.name == name).expect("every kind is in the table")
    }

    /// What is wrong with its parameters' values: (parameter, what is wrong and what would be right).
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Answer(fault) => fault.problems(),
            Self::Event(fault) => fault.problems(),
            Self::Stream(fault) => fault.problems(),
            Self::Transport(fault) => fault.problems(),
        }
    }

    /// What the table says of the fault called `name`.
    pub(crate) fn entry_named(name: &str) -> Option<&'static Entry> {
        Self::entries().find(|entry| entry.name == name)
    }

    /// What the table says of it.
    pub(crate) fn entry(&self) -> &'static Entry {
        let name = self.name();
        Self::entries().find(|entry| entry.name == name).expect("every kind is in the table")
    }
}
