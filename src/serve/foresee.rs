//! The service without a connection: what a request would be answered with, for `llmirage plan`.

use bytes::Bytes;
use http::request;

use super::admit::Asked;
use super::bound::Bound;
use super::entry::Entry;
use super::service::Service;
use super::{admin, clock};
use crate::plan::Timeline;
use crate::plan::reject::Reject;

impl Service {
    /// What would be answered to a request, without a socket and without waiting. It counts as a
    /// hit, and has its entry in the journal unless it is none of the API's.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use llmirage::MockServer;
    ///
    /// let service = MockServer::builder().service()?;
    /// let body = Bytes::from(r#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}"#);
    /// let (head, body) = http::Request::post("/v1/chat/completions").body(body)?.into_parts();
    /// let (timeline, entry) = service.foresee(head, &body);
    /// assert_eq!(timeline.head.status, 200);
    /// assert_eq!(entry.and_then(|entry| entry.hit), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn foresee(&self, parts: request::Parts, body: &Bytes) -> (Timeline, Option<Entry>) {
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
        let (timeline, mut settlement) = self.admit(call, asked, clock::now());
        settlement.progress(timeline.events.len());
        settlement.complete();
        (timeline, self.journal().entries().pop())
    }
}
