//! A reply that is a transcript.

use std::sync::Arc;

use crate::plan::pacing::Pacing;
use crate::plan::seed::Seed;
use crate::plan::transcript::{Pace, Recording};

/// A recording, and what the reply itself says of its pace: the file's defaults do not displace recorded times.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    pub(crate) recording: Arc<Recording>,
    pub(crate) own: Pacing,
}

impl Replay {
    /// The pace of one response: the recorded times, unless there are none, or the server's pacing (`over`) or
    /// the reply's own decides otherwise. `all` is everything said of the pace, defaults included.
    pub(crate) fn pace<'a>(&self, over: Pacing, all: &'a Pacing, seed: Seed) -> Pace<'a> {
        let decided = over.uses_recorded().or_else(|| self.own.uses_recorded()).or(all.recorded);
        match self.recording.is_timed() && decided.unwrap_or(true) {
            true => Pace::Recorded { scale: all.scale.unwrap_or(1.0), head: over.head.or(self.own.head) },
            false => Pace::Paced(all, seed),
        }
    }
}
