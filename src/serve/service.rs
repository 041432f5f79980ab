//! The service: from a request to the response that is played, unless it is known ([`recall`](super::recall)).
//!
//! Each step either answers or passes on: host → scope → own routes → preflight → dialect → early faults →
//! key → body → checks → fixture → plan.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{EXPECT, ORIGIN};
use http::{Request, StatusCode, request};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};

use super::admit::{Admitted, Asked};
use super::body::{self, Received};
use super::bound::Bound;
use super::drain::Socket;
use super::entry::Entry;
use super::exchange::{self, Exchange, NoBody};
use super::forward::{Coming, Forward, Outgoing};
use super::host::{self, Named};
use super::journal::{Journal, Settlement};
use super::lines::Line;
use super::state::State;
use super::{admin, answer, clock, connection};
use crate::plan::reject::Reject;
use crate::plan::request::Call;
use crate::plan::{FixtureSet, Timeline};

/// The acting half of a server without its sockets: serves any byte stream.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use llmirage::MockServer;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let service = MockServer::builder().service()?;
/// let (mut client, server) = tokio::io::duplex(1024);
/// let connection = async move {
///     client.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
///     let mut answer = String::new();
///     client.read_to_string(&mut answer).await?;
///     Ok::<_, std::io::Error>(answer)
/// };
/// let (answer, ()) = tokio::join!(connection, service.serve_connection(server));
/// assert!(answer?.starts_with("HTTP/1.1 200 OK"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Service {
    pub(crate) state: Arc<State>,
}

impl Service {
    /// Serves HTTP/1.1 on a byte stream, until either side ends it.
    ///
    /// Time is tokio's, so that tests with a paused clock see exact offsets and wait for nothing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the stream, and journal entries of answers that were not complete say
    /// that the client left.
    pub async fn serve_connection<I>(&self, io: I)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send,
    {
        if let Some(open) = self.state.lines.open(usize::MAX, None) {
            connection::serve(self.clone(), open, io, Socket::none()).await;
        }
    }

    /// What was asked and how it ended.
    pub fn journal(&self) -> &Journal {
        &self.state.journal
    }

    /// What would be answered to a request of the API, without a socket and without waiting. It counts
    /// as a hit, and has its entry in the journal.
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
        let call = match Bound::of(parts) {
            Bound::Answered(timeline) => return (timeline, None),
            Bound::Own { parts, path, session } => {
                let answer = admin::answer(&self.state, &parts, &path, &session, body);
                return (answer, None);
            }
            Bound::Api(call) => call,
        };
        if let Some((timeline, settlement)) = self.early(&call, self.state.started) {
            let entry = settlement.foreseen(timeline.events_in(timeline.events.len()));
            return (timeline, Some(entry));
        }
        let fixtures = self.state.fixtures_for(call.scope.scenario);
        let served = self.serves(&call, &fixtures);
        let limit = self.state.config.max_body;
        let late = (body.len() > limit).then_some(Reject::BodyTooLarge { limit });
        let reject = self.refuse_early(&call, served).or(late);
        let asked = Asked { fixtures: &fixtures, served, reject, body, again: false };
        // Nothing that is foreseen depends on when: all come at the moment of the start.
        let Admitted { timeline, settlement, .. } = self.admit(call, asked, self.state.started);
        let entry = settlement.foreseen(timeline.events_in(timeline.events.len()));
        (timeline, Some(entry))
    }

    /// Decides who answers a request, and hands the connection over: hyper answers nothing. If its first bytes came
    /// `again`, how it is answered is handed over, too.
    pub(crate) async fn respond(&self, request: Request<Incoming>, line: &Arc<Line>, again: bool) {
        let (parts, incoming) = request.into_parts();
        let (method, peer) = (parts.method.clone(), exchange::peer(&parts));
        let mut exchange = Exchange::begin(&self.state, line, method, peer);
        exchange.again = again;
        match self.decide(parts, incoming, &mut exchange).await {
            Decided::Planned(timeline, settlement) => exchange.play(*timeline, settlement),
            Decided::Forwarded(request, to) => exchange.forward(request, to),
        }
    }

    /// What is answered, or who answers.
    async fn decide(
        &self,
        mut parts: request::Parts,
        incoming: Incoming,
        exchange: &mut Exchange<'_>,
    ) -> Decided {
        let config = &self.state.config;
        let refusal = match host::named(parts.version, &parts.headers, &parts.uri, &config.allow_hosts) {
            Named::Allowed => None,
            Named::Refused => {
                let message = "this server answers to loopback names only; allow others with --allow-host";
                Some(answer::refusal(StatusCode::MISDIRECTED_REQUEST, "host_refused", message))
            }
            Named::Nothing => {
                let message = "HTTP/1.1 wants a Host header";
                Some(answer::refusal(StatusCode::BAD_REQUEST, "host_missing", message))
            }
        };
        if let Some(refusal) = refusal {
            exchange.leave(&incoming);
            return Decided::planned(refusal, None);
        }
        let waits = parts.headers.contains_key(EXPECT);
        let origin = parts.headers.get(ORIGIN).cloned();
        let (version, extensions) = (parts.version, mem::take(&mut parts.extensions));
        let call = match Bound::of(parts) {
            Bound::Answered(timeline) => {
                exchange.leave(&incoming);
                return Decided::planned(timeline, None);
            }
            Bound::Own { parts, path, session } => {
                let received = body::receive(incoming, admin::MAX_BODY, waits).await;
                let answer = match exchange.take(received) {
                    Ok(body) => admin::answer(&self.state, &parts, &path, &session, &body),
                    Err(no_body) => no_body.refusal(),
                };
                return Decided::planned(answer, None);
            }
            Bound::Api(call) => call,
        };
        if let Some(forwarding) = &config.forwarding {
            let coming = Coming { version, extensions, incoming, waits };
            return self.decide_forwarding(forwarding, call, coming, exchange).await;
        }
        let again = exchange.again && origin.is_none() && !waits && exchange.is_usual();
        exchange.origin = origin;
        if let Some((timeline, settlement)) = self.early(&call, exchange.start) {
            exchange.leave(&incoming);
            return Decided::planned(timeline, Some(settlement));
        }
        let fixtures = self.state.fixtures_for(call.scope.scenario);
        let served = self.serves(&call, &fixtures);
        let early = self.refuse_early(&call, served);
        let received = match early.is_some() && waits {
            true => {
                exchange.leave(&incoming);
                Received::Whole(Bytes::new())
            }
            false => body::receive(incoming, config.max_body, waits).await,
        };
        let (body, late) = match exchange.take(received) {
            Ok(body) => (body, None),
            Err(NoBody::TooLarge) => (Bytes::new(), Some(Reject::BodyTooLarge { limit: config.max_body })),
            Err(NoBody::TooSlow) => (Bytes::new(), Some(Reject::Timeout)),
            Err(no_body @ NoBody::Broken) => return Decided::planned(no_body.refusal(), None),
        };
        exchange.start = clock::now();
        let asked = Asked { fixtures: &fixtures, served, reject: early.or(late), body: &body, again };
        let Admitted { timeline, settlement, known } = self.admit(call, asked, exchange.start);
        exchange.known = known;
        Decided::planned(timeline, Some(settlement))
    }

    /// Whether a fixture answers on a path of its own, whatever the dialect makes of it.
    fn serves(&self, call: &Call, fixtures: &FixtureSet) -> bool {
        self.state.config.timeline.is_some() || fixtures.serves(&call.method, &call.path)
    }
}

/// How a request is answered.
pub(super) enum Decided {
    /// With this, which the journal entry waits for.
    Planned(Box<Timeline>, Option<Settlement>),
    /// By someone else.
    Forwarded(Outgoing, Arc<dyn Forward>),
}

impl Decided {
    pub(super) fn planned(timeline: Timeline, settlement: Option<Settlement>) -> Self {
        Self::Planned(Box::new(timeline), settlement)
    }
}
