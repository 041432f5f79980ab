//! The service: from a request to the response that is played.
//!
//! Each step either answers or passes on: host → scope → own routes → preflight → dialect → key →
//! body → checks → fixture → plan.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{EXPECT, ORIGIN};
use http::{Request, Response, StatusCode, request};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};

use super::admit::Asked;
use super::body::{self, Received};
use super::drain::Queue;
use super::entry::Entry;
use super::exchange::{Exchange, NoBody};
use super::journal::{Journal, Settlement};
use super::lines::Line;
use super::player::Player;
use super::state::State;
use super::{admin, answer, clock, connection, cors, host, scope};
use crate::plan::Timeline;
use crate::plan::reject::Reject;
use crate::plan::request::Call;

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
        if let Some(open) = self.state.lines.open(usize::MAX) {
            connection::serve(self.clone(), open, io, Queue::Unknown).await;
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
        let (scope, path) = match scope::split(parts.uri.path(), &parts.headers) {
            Ok((scope, path)) => (scope, path.to_owned()),
            Err(message) => {
                return (
                    answer::refusal(StatusCode::BAD_REQUEST, "bad_scope", &message),
                    None,
                );
            }
        };
        let fixtures = self.state.fixtures();
        let served = fixtures.serves(&parts.method, &path);
        let query = parts.uri.query().map(str::to_owned);
        let call = Call::new(parts.method, path, query, parts.headers, scope);
        let reject = self.refuse_early(&call, served);
        let asked = Asked {
            fixtures: &fixtures,
            served,
            reject,
            body,
        };
        let (timeline, _settlement) = self.admit(call, asked, clock::now());
        (timeline, self.journal().entries().pop())
    }

    /// Answers a request, or hands the connection over and never returns.
    pub(crate) async fn respond(
        &self,
        request: Request<Incoming>,
        line: &Arc<Line>,
    ) -> Response<Player> {
        let (parts, incoming) = request.into_parts();
        let mut exchange = Exchange::begin(&self.state, line, &parts);
        let (timeline, settlement) = self.decide(parts, incoming, &mut exchange).await;
        exchange.play(timeline, settlement).await
    }

    /// What is answered, and the journal entry that waits for its outcome.
    async fn decide(
        &self,
        parts: request::Parts,
        incoming: Incoming,
        exchange: &mut Exchange<'_>,
    ) -> (Timeline, Option<Settlement>) {
        let config = &self.state.config;
        if !host::is_allowed(&parts.headers, &parts.uri, &config.allow_hosts) {
            exchange.leave(&incoming);
            let message =
                "this server answers to loopback names only; allow others with --allow-host";
            return (
                answer::refusal(StatusCode::MISDIRECTED_REQUEST, "host_refused", message),
                None,
            );
        }
        let (scope, path) = match scope::split(parts.uri.path(), &parts.headers) {
            Ok((scope, path)) => (scope, path.to_owned()),
            Err(message) => {
                exchange.leave(&incoming);
                return (
                    answer::refusal(StatusCode::BAD_REQUEST, "bad_scope", &message),
                    None,
                );
            }
        };
        let waits = parts.headers.contains_key(EXPECT);
        if path == "/health" || path == admin::PREFIX || path.starts_with(admin::BELOW) {
            let received = body::receive(incoming, admin::MAX_BODY, waits).await;
            return match exchange.take(received) {
                Ok(body) => (
                    admin::answer(&self.state, &parts, &path, &scope.session, &body),
                    None,
                ),
                Err(no_body) => (no_body.refusal(), None),
            };
        }
        if let Some(preflight) = cors::preflight(&parts.method, &parts.headers) {
            exchange.leave(&incoming);
            return (preflight, None);
        }
        exchange.origin = parts.headers.get(ORIGIN).cloned();
        let fixtures = self.state.fixtures();
        let served = config.timeline.is_some() || fixtures.serves(&parts.method, &path);
        let query = parts.uri.query().map(str::to_owned);
        let call = Call::new(parts.method, path, query, parts.headers, scope);
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
            Err(NoBody::TooLarge) => (
                Bytes::new(),
                Some(Reject::BodyTooLarge {
                    limit: config.max_body,
                }),
            ),
            Err(NoBody::TooSlow) => (Bytes::new(), Some(Reject::Timeout)),
            Err(no_body @ NoBody::Broken) => return (no_body.refusal(), None),
        };
        exchange.start = clock::now();
        let asked = Asked {
            fixtures: &fixtures,
            served,
            reject: early.or(late),
            body: &body,
        };
        let (timeline, settlement) = self.admit(call, asked, exchange.start);
        (timeline, Some(settlement))
    }
}
