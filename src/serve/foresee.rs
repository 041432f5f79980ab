//! The service without a connection: what a request would be answered with, for `llmirage plan`.

use bytes::Bytes;
use http::request;

use super::bound::Bound;
use super::entry::Entry;
use super::service::{Asked, Service};
use super::{admin, clock};
use crate::plan::Timeline;
use crate::plan::reject::Reject;

impl Service {
    /// Answers a request that is there as a whole, and counts it as a hit. With the answer comes
    /// its journal entry, if it has one.
    pub(crate) fn foresee(&self, parts: request::Parts, body: &Bytes) -> (Timeline, Option<Entry>) {
        let config = &self.state.config;
        let call = match Bound::of(parts, config) {
            Bound::Answered(timeline) => return (timeline, None),
            Bound::Own {
                parts,
                path,
                session,
            } => {
                let answer = admin::answer(&self.state, &parts, &path, &session, body);
                return (answer, None);
            }
            Bound::Api(call) => call,
        };
        let fixtures = self.state.fixtures();
        let served = self.is_served(&call, &fixtures);
        let limit = config.max_body;
        let late = (body.len() > limit).then_some(Reject::BodyTooLarge { limit });
        let asked = Asked {
            fixtures: &fixtures,
            served,
            reject: self.refuse_early(&call, served).or(late),
            body,
        };
        let (timeline, settlement) = self.admit(call, asked, clock::now());
        settlement.complete();
        (timeline, self.journal().entries().pop())
    }
}
