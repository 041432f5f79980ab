//! Forwarding: requests that someone else answers, on the bare socket.
//!
//! Who that is does not matter here: `llmirage record` gives them to the real service. The request is read like
//! any other; then the connection's task takes the socket back from hyper, hands it over, and goes on with hyper
//! once the answer is out, as far as the connection can be used again.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Extensions, HeaderMap, Method, Version};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

use super::admit::{Admitted, Asked};
use super::exchange::Exchange;
use super::lines::Busy;
use super::service::{Decided, Service};
use super::transport::Transport;
use super::{body, clock};
use crate::plan::Request as ApiRequest;
use crate::plan::request::Call;

/// Who answers requests in the place of fixtures.
pub(crate) trait Forward: fmt::Debug + Send + Sync {
    /// Writes the answer, and says what is to become of the connection.
    ///
    /// # Cancel safety
    ///
    /// It is dropped when the server cuts its connections.
    fn answer<'a>(
        &'a self,
        request: Outgoing,
        client: &'a mut dyn Client,
    ) -> Pin<Box<dyn Future<Output = After> + Send + 'a>>;
}

/// What is given to someone else.
#[derive(Clone, Debug)]
pub(crate) struct Forwarding {
    /// Who answers.
    pub(crate) to: Arc<dyn Forward>,
    /// Whether all requests of APIs are, and not only those that no fixture matches.
    pub(crate) always: bool,
}

/// A request as it came, without its scope.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The method.
    pub(crate) method: Method,
    /// The path below the scope, with its query.
    pub(crate) path: String,
    /// What the client speaks.
    pub(crate) version: Version,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// What hyper noted of the request: the case of the headers' names.
    pub(crate) extensions: Extensions,
    /// The body without transfer encoding.
    pub(crate) body: Bytes,
}

/// A request whose body is still to be read.
pub(super) struct Coming {
    /// What the client speaks.
    pub(super) version: Version,
    /// What hyper noted of its head.
    pub(super) extensions: Extensions,
    /// Its body.
    pub(super) incoming: Incoming,
    /// Whether the client waits for a `100 Continue`.
    pub(super) waits: bool,
}

/// The bare socket of a client that waits for an answer.
pub(crate) trait Client: AsyncWrite + Send + Unpin {
    /// Ready once the client has closed its side, or the connection is broken. What it sends meanwhile is its next
    /// request, and is kept.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum After {
    /// The next request may come.
    Kept,
    /// It ends with a FIN.
    Closed,
    /// It ends with a RST.
    Reset,
    /// The client has ended it.
    Left,
}

/// A request on its way to someone else.
#[derive(Debug)]
pub(crate) struct Forwarded {
    request: Outgoing,
    to: Arc<dyn Forward>,
    /// The request is being answered until this is gone.
    busy: Busy,
}

impl Forwarded {
    pub(crate) fn new(request: Outgoing, to: Arc<dyn Forward>, busy: Busy) -> Self {
        Self { request, to, busy }
    }

    /// Has it answered.
    pub(crate) async fn answer<I>(self, client: &mut Transport<I>) -> After
    where
        I: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let after = self.to.answer(self.request, client).await;
        drop(self.busy);
        after
    }
}

impl Service {
    /// Reads the rest of a request, and finds who answers it: a fixture, or someone else. Whatever a fixture
    /// matches was recorded, so it is not asked whether the request is valid.
    pub(super) async fn decide_forwarding(
        &self,
        forwarding: &Forwarding,
        call: Call,
        coming: Coming,
        exchange: &mut Exchange<'_>,
    ) -> Decided {
        let Coming { version, extensions, incoming, waits } = coming;
        let received = body::receive(incoming, self.state.config.max_body, waits).await;
        let body = match exchange.take(received) {
            Ok(body) => body,
            Err(no_body) => return Decided::planned(no_body.refusal(), None),
        };
        exchange.start = clock::now();
        if !forwarding.always {
            let fixtures = self.state.fixtures_for(call.scope.scenario);
            let parsed = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let request = ApiRequest { call: call.clone(), body: parsed };
            if !fixtures.matching(&request).is_empty() {
                let asked =
                    Asked { fixtures: &fixtures, served: true, reject: None, body: &body, again: false };
                let Admitted { timeline, settlement, .. } = self.admit(call, asked, exchange.start);
                return Decided::planned(timeline, Some(settlement));
            }
        }
        let path = match call.query {
            Some(query) => format!("{}?{query}", call.path),
            None => call.path,
        };
        let Call { method, headers, .. } = call;
        let request = Outgoing { method, path, version, headers, extensions, body };
        Decided::Forwarded(request, Arc::clone(&forwarding.to))
    }
}
