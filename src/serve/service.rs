//! The service: from a request to the response that is played.
//!
//! Each step either answers or passes on: host → scope → own routes → preflight → dialect → key →
//! body → checks → fixture → plan.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_ENCODING, EXPECT, HeaderMap, HeaderValue, ORIGIN};
use http::{Method, Request, Response, StatusCode, Version, request};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::body::{self, Received};
use super::builder::Unmatched;
use super::drain::Queue;
use super::entry::Entry;
use super::journal::{Journal, Settlement};
use super::lines::Line;
use super::player::Player;
use super::redact;
use super::state::State;
use super::takeover::Takeover;
use super::{admin, answer, clock, connection, cors, head, host, scope};
use crate::plan::http1::{self, Peer};
use crate::plan::reject::Reject;
use crate::plan::request::{Call, Endpoint};
use crate::plan::say::{plan_models, plan_reject};
use crate::plan::{FixtureSet, Request as ApiRequest, Timeline, Turn, plan};

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
        let mut exchange = Exchange {
            state: &self.state,
            line,
            method: parts.method.clone(),
            peer: peer(&parts),
            origin: None,
            start: clock::now(),
        };
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

    /// What can be refused before the body is read.
    fn refuse_early(&self, call: &Call, served: bool) -> Option<Reject> {
        if !served && call.route.endpoint == Endpoint::Other {
            return Some(Reject::UnknownUrl);
        }
        if let Some(reject) = self.refuse_key(&call.headers) {
            return Some(reject);
        }
        let allow = match call.route.endpoint {
            Endpoint::Models | Endpoint::Model(_) => "GET",
            _ => "POST",
        };
        if !served && call.method.as_str() != allow {
            return Some(Reject::MethodNotAllowed { allow });
        }
        let encoding = call.headers.get(CONTENT_ENCODING)?;
        let encoding = String::from_utf8_lossy(encoding.as_bytes());
        (!encoding.eq_ignore_ascii_case("identity"))
            .then(|| Reject::CompressedBody(encoding.into_owned()))
    }

    fn refuse_key(&self, headers: &HeaderMap) -> Option<Reject> {
        let accepted = &self.state.config.api_keys;
        if accepted.is_empty() {
            return None;
        }
        let mut given = redact::keys(headers).peekable();
        let first = given.peek().map(|key| (*key).to_owned());
        // Older SDKs send the key in both headers; one that is right is enough.
        if given.any(|key| accepted.iter().any(|other| redact::same(key, other))) {
            return None;
        }
        Some(first.map_or(Reject::MissingKey, Reject::WrongKey))
    }

    /// Finds who answers, plans the answer and opens the journal entry.
    fn admit(&self, call: Call, asked: Asked<'_>, read: Instant) -> (Timeline, Settlement) {
        let parsed = serde_json::from_slice(asked.body);
        let readable = parsed.is_ok() || asked.served || call.method == Method::GET;
        let request = ApiRequest {
            call,
            body: parsed.unwrap_or(Value::Null),
        };
        let checked = match asked.reject {
            Some(reject) => Err(reject),
            None if !readable => Err(Reject::InvalidJson),
            None if asked.served => Ok(()),
            None => request
                .call
                .route
                .dialect
                .validate(&request, asked.fixtures.models()),
        };
        let answered = checked.and_then(|()| self.answer(&request, asked.fixtures));
        let answered = answered.unwrap_or_else(|reject| self.refuse(&reject, &request.call));
        let entry = self.entry(request, asked.body, read, &answered);
        let lines = Arc::clone(&self.state.lines);
        let settlement = self
            .state
            .journal
            .begin(entry, lines, answered.timeline.ending);
        (answered.timeline, settlement)
    }

    fn answer(&self, request: &ApiRequest, fixtures: &FixtureSet) -> Result<Answered, Reject> {
        let call = &request.call;
        if let Some(timeline) = &self.state.config.timeline {
            let id = self.state.journal.next_id();
            return Ok(Answered {
                id,
                timeline: timeline.clone(),
                fixture: None,
                unmatched: false,
            });
        }
        if matches!(call.route.endpoint, Endpoint::Models | Endpoint::Model(_)) {
            let id = self.state.journal.next_id();
            let timeline = plan_models(&fixtures.model_names(), call, &self.turn(call, "", id));
            return Ok(Answered {
                id,
                timeline,
                fixture: None,
                unmatched: false,
            });
        }
        let miss = match fixtures.candidates(request) {
            Ok(candidates) => {
                let session = &call.scope.session;
                let (admission, id) = self
                    .state
                    .admit(session, |hits| fixtures.admit(&candidates, hits));
                if let Some(admission) = admission {
                    let turn = self.turn(call, admission.fixture, admission.hit);
                    let timeline = plan(admission.reply, request, &turn);
                    let fixture = Some((admission.fixture.to_owned(), admission.hit));
                    return Ok(Answered {
                        id,
                        timeline,
                        fixture,
                        unmatched: false,
                    });
                }
                fixtures.used_up(&candidates)
            }
            Err(miss) => miss.to_string(),
        };
        match self.state.config.unmatched {
            Unmatched::Error => Err(Reject::Unmatched(miss)),
            Unmatched::Echo => {
                self.state.count_unmatched();
                let id = self.state.journal.next_id();
                let reply = super::echo::reply(request);
                let timeline = plan(&reply, request, &self.turn(call, "echo", id));
                Ok(Answered {
                    id,
                    timeline,
                    fixture: None,
                    unmatched: true,
                })
            }
        }
    }

    fn refuse(&self, reject: &Reject, call: &Call) -> Answered {
        let unmatched = matches!(reject, Reject::Unmatched(_));
        if unmatched {
            self.state.count_unmatched();
        }
        let turn = self.turn(call, "", self.state.next_refusal());
        let id = self.state.journal.next_id();
        Answered {
            id,
            timeline: plan_reject(reject, call, &turn),
            fixture: None,
            unmatched,
        }
    }

    fn turn<'a>(&'a self, call: &Call, fixture: &'a str, hit: u64) -> Turn<'a> {
        let config = &self.state.config;
        Turn {
            fixture,
            hit,
            seed: config.seed,
            now: config.clock.unix(),
            pacing: &config.pacing,
            time_scale: config.time_scale,
            max_hold: config.max_hold,
            fault: call.scope.fault.clone().or_else(|| config.fault.clone()),
        }
    }

    fn entry(
        &self,
        request: ApiRequest,
        body: &Bytes,
        read: Instant,
        answered: &Answered,
    ) -> Entry {
        let model = request.model().to_owned();
        let ApiRequest { call, .. } = request;
        let mut headers = call.headers;
        let retry = headers
            .get("x-stainless-retry-count")
            .and_then(|value| value.to_str().ok()?.parse().ok());
        redact::headers(&mut headers);
        let kept = String::from_utf8_lossy(&body[..body.len().min(KEPT_BODY)]);
        let (fixture, hit) = answered.fixture.clone().unzip();
        Entry {
            id: answered.id,
            session: call.scope.session,
            method: call.method,
            path: match &call.query {
                Some(query) => format!("{}?{}", redact::text(&call.path), redact::query(query)),
                None => redact::text(&call.path).into_owned(),
            },
            dialect: call.route.dialect.name(),
            endpoint: call.route.endpoint.name(),
            model: redact::text(&model).into_owned(),
            headers,
            body: redact::text(&kept).into_owned(),
            body_bytes: body.len(),
            retry,
            status: answered.timeline.head.status,
            fixture,
            hit,
            unmatched: answered.unmatched,
            events_planned: answered.timeline.events.len(),
            events_sent: 0,
            outcome: None,
            at: read - self.state.started,
            duration: None,
        }
    }
}

/// A request as far as it was read.
struct Asked<'a> {
    fixtures: &'a FixtureSet,
    /// Whether a fixture serves the path itself.
    served: bool,
    /// Why it is refused already.
    reject: Option<Reject>,
    body: &'a Bytes,
}

/// A planned answer and who gave it.
struct Answered {
    id: u64,
    timeline: Timeline,
    fixture: Option<(String, u64)>,
    unmatched: bool,
}

/// What playing an answer depends on, beside the answer.
struct Exchange<'a> {
    state: &'a State,
    line: &'a Arc<Line>,
    method: Method,
    peer: Peer,
    /// The origin of the page that asks; its answers get CORS headers.
    origin: Option<HeaderValue>,
    /// When the request was read.
    start: Instant,
}

impl Exchange<'_> {
    /// Leaves a body unread: the connection cannot be used again.
    fn leave(&mut self, incoming: &Incoming) {
        if !http_body::Body::is_end_stream(incoming) {
            self.peer.keep_alive = false;
            self.line.leave_unread();
        }
    }

    /// The body, or why there is none; then the connection ends with the answer, unless the body was
    /// read to its end.
    fn take(&mut self, received: Received) -> Result<Bytes, NoBody> {
        let (read, no_body) = match received {
            Received::Whole(body) => return Ok(body),
            Received::TooLarge => (true, NoBody::TooLarge),
            Received::TooLargeUnread => (false, NoBody::TooLarge),
            Received::TooSlow => (false, NoBody::TooSlow),
            Received::Broken => (false, NoBody::Broken),
        };
        if !read {
            self.peer.keep_alive = false;
            self.line.leave_unread();
        }
        Err(no_body)
    }

    /// Plays an answer: through hyper if it is whole, else on the bare socket.
    async fn play(
        mut self,
        mut timeline: Timeline,
        settlement: Option<Settlement>,
    ) -> Response<Player> {
        if let Some(origin) = &self.origin {
            cors::allow(&mut timeline.head, origin);
        }
        let plain = head::is_plain(&timeline, &self.method);
        if self.method == Method::HEAD {
            timeline.body = Bytes::new();
            timeline.events.clear();
        }
        if plain {
            clock::until(self.start + timeline.head.at).await;
            // A server that is stopping closes each connection after the answer it is at.
            self.peer.keep_alive &= !self.state.lines.is_draining();
        }
        http1::fit(&mut timeline.head, self.peer);
        if plain {
            let head = head::response(&timeline.head, &self.state.casings, ());
            return head.map(|()| Player::new(timeline, self.start, settlement));
        }
        self.line.hand_over(Takeover {
            wire: http1::wire(&timeline, self.peer.version),
            start: self.start,
            settlement,
            max_hold: self.state.config.max_hold,
        });
        std::future::pending().await
    }
}

/// Why a request has no body to work with.
#[derive(Clone, Copy, Debug)]
enum NoBody {
    TooLarge,
    TooSlow,
    Broken,
}

impl NoBody {
    /// What is answered in our own name.
    fn refusal(self) -> Timeline {
        let (status, code, message) = match self {
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "the body is too large",
            ),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "body_timeout",
                "the body took too long",
            ),
            Self::Broken => (
                StatusCode::BAD_REQUEST,
                "bad_body",
                "the body cannot be read",
            ),
        };
        answer::refusal(status, code, message)
    }
}

/// What the client understands and wants.
fn peer(parts: &request::Parts) -> Peer {
    let values = parts.headers.get_all(CONNECTION).iter();
    let mut options = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let close = options.any(|option| option.trim().eq_ignore_ascii_case("close"));
    Peer {
        version: parts.version,
        keep_alive: parts.version >= Version::HTTP_11 && !close,
    }
}

/// How much of a request's body the journal keeps.
const KEPT_BODY: usize = 64 * 1024;
