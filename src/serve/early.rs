//! Faults that act once the head of a request was read, before its body.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;

use super::clock::Clock;
use super::journal::Settlement;
use super::record;
use super::service::Service;
use crate::plan::fault::meets_early;
use crate::plan::request::{Call, Request};
use crate::plan::say::plan_early;
use crate::plan::{Occasion, Timeline};

impl Service {
    /// What meets a request whose body is not read, because the server or the request's scope says so.
    /// A fixture cannot say it: its own faults of this kind act once the request was read, since that is
    /// what chooses the fixture.
    pub(super) fn early(&self, call: &Call, read: Instant) -> Option<(Timeline, Settlement)> {
        let config = &self.state.config;
        if !meets_early([&call.scope.faults, &config.faults]) {
            return None;
        }
        let id = self.state.journal.next_id();
        let occasion = Occasion {
            hit: self.state.next_other(&call.scope.session),
            seed: config.seed,
            now: config.clock.unix(),
            wall: Clock::System.unix(),
            max_hold: config.max_hold,
            faults: &config.faults,
            ..Occasion::default()
        };
        let timeline = plan_early(call, &occasion);
        let request = Request { call: call.clone(), body: Value::Null };
        let kept = Arc::new(record::kept(&request, &Bytes::new(), false));
        let (at, lines) = (read - self.state.started, Arc::clone(&self.state.lines));
        let draft = self.state.journal.draft(kept, at, lines);
        let settlement = draft.begin(id, timeline.ending, |told| record::planned(told, &timeline));
        Some((timeline, settlement))
    }
}
