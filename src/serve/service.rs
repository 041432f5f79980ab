//! The service: from a request to the response that is played.
//!
//! Each step either answers or passes on: host → scope → own routes → preflight → dialect → key →
//! body → checks → fixture → plan.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{EXPECT, ORIGIN};
use http::{Request, Response, request};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};

use super::admit::Asked;
use super::body::{self, Received};
use super::bound::Bound;
use super::drain::Queue;
use super::exchange::{Exchange, NoBody};
use super::journal::{Journal, Settlement};
use super::lines::Line;
use super::player::Player;
use super::state::State;
use super::{admin, clock, connection};
use crate::plan::Timeline;
use crate::plan::reject::Reject;

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
        let waits = parts.headers.contains_key(EXPECT);
        let call = match Bound::of(parts, config) {
            Bound::Answered(timeline) => {
                exchange.leave(&incoming);
                return (timeline, None);
            }
            Bound::Own {
                parts,
                path,
                session,
            } => {
                let received = body::receive(incoming, admin::MAX_BODY, waits).await;
                let answer = match exchange.take(received) {
                    Ok(body) => admin::answer(&self.state, &parts, &path, &session, &body),
                    Err(no_body) => no_body.refusal(),
                };
                return (answer, None);
            }
            Bound::Api(call) => call,
        };
        exchange.origin = call.headers.get(ORIGIN).cloned();
        let fixtures = self.state.fixtures();
        let served = self.is_served(&call, &fixtures);
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
