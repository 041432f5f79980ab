//! One request to the real service, on a connection of its own.
//!
//! A connection per exchange: what is recorded counts from the moment the request was sent, so connecting costs only
//! the client's patience, and no exchange meets what befell the connection of another.

use std::error::Error;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{Request, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::head::{Head, MAX_HEADERS};
use super::tap::{Notes, Pieces, Tap};
use super::upstream::{Link, Upstream};
use crate::plan::transcript::RecordedEnding;
use crate::serve::clock;
use crate::serve::forward::Outgoing;

/// What the service answers.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) head: Head,
    pub(super) body: Incoming,
    /// When the request was out.
    pub(super) sent: Instant,
    /// When the head was in.
    pub(super) head_at: Instant,
    /// The connection; gone with the answer.
    _connection: Connection,
}

impl Answer {
    /// Whether a body that has ended is not whole: hyper calls it the end, too, when HTTP/2 is stopped "without an
    /// error", by a reset of the stream or a GOAWAY.
    pub(super) fn is_cut(&self) -> bool {
        self.head.version == Version::HTTP_2 && !self.body.is_end_stream()
    }
}

/// A connection that is open; dropping it closes it.
#[derive(Debug)]
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends a request and waits for the head of its answer.
///
/// # Cancel safety
///
/// Dropping the future, or the answer, closes the connection.
pub(super) async fn call(
    link: Link,
    upstream: &Upstream,
    outgoing: Outgoing,
) -> Result<Answer, hyper::Error> {
    let notes = Arc::new(Notes::default());
    let has_body = !outgoing.body.is_empty();
    let piece = if link.is_http2 { PIECE } else { usize::MAX };
    let request =
        request(outgoing, upstream, link.is_http2).map(|body| Pieces::new(body, piece, Arc::clone(&notes)));
    let io = TokioIo::new(Tap::new(link.io, Arc::clone(&notes)));
    let (connection, response) = match link.is_http2 {
        true => {
            let mut http = http2::Builder::new(TokioExecutor::new());
            http.timer(TokioTimer::new());
            let (mut sender, connection) = http.handshake(io).await?;
            let connection = Connection(tokio::spawn(async move { drop(connection.await) }));
            notes.begin(has_body);
            (connection, sender.send_request(request).await?)
        }
        false => {
            let mut http = http1::Builder::new();
            http.preserve_header_case(true).max_headers(MAX_HEADERS);
            let (mut sender, connection) = http.handshake(io).await?;
            let connection = Connection(tokio::spawn(async move { drop(connection.await) }));
            notes.begin(has_body);
            (connection, sender.send_request(request).await?)
        }
    };
    let (parts, body) = response.into_parts();
    let sent = notes.sent();
    let tapped = if link.is_http2 { None } else { notes.head() };
    let (head, head_at) = tapped.unwrap_or_else(|| (Head::of(&parts), clock::now()));
    Ok(Answer { head, body, sent, head_at, _connection: connection })
}

/// The request as the service gets it: what concerns the client's own connection, and our own headers, are left out.
fn request(outgoing: Outgoing, upstream: &Upstream, is_http2: bool) -> Request<Bytes> {
    let Outgoing { method, path, headers, extensions, body, .. } = outgoing;
    let path = format!("{}{path}", upstream.base);
    let uri = if is_http2 { format!("{}{path}", upstream.origin()) } else { path };
    let mut request = Request::new(body);
    *request.method_mut() = method;
    // It was part of a URI that hyper has read, behind a base that was one.
    *request.uri_mut() = uri.parse::<Uri>().unwrap_or_default();
    *request.version_mut() = if is_http2 { Version::HTTP_2 } else { Version::HTTP_11 };
    *request.headers_mut() = forwarded(&headers, upstream, is_http2);
    *request.extensions_mut() = extensions;
    request
}

/// The headers that go on, in their order.
fn forwarded(headers: &HeaderMap, upstream: &Upstream, is_http2: bool) -> HeaderMap {
    let named: Vec<String> = options(headers).collect();
    // Our connection lasts for one exchange; the service is to answer as it would answer the client.
    let keeps = named.iter().find(|option| ["close", "keep-alive"].contains(&option.as_str()));
    let keeps = keeps.and_then(|option| HeaderValue::from_str(option).ok()).filter(|_| !is_http2);
    // HTTP/2 has the host in the URI.
    let host = HeaderValue::from_str(&upstream.authority).ok().filter(|_| !is_http2);
    let is_chunked = headers.contains_key(TRANSFER_ENCODING);
    let stays = |name: &HeaderName| {
        let is_hop = [TE, UPGRADE, EXPECT].contains(name)
            || ["keep-alive", "proxy-connection", "proxy-authorization"].contains(&name.as_str())
            || named.iter().any(|option| option == name.as_str());
        let is_framing = (*name == TRANSFER_ENCODING && is_http2) || (*name == CONTENT_LENGTH && is_chunked);
        is_hop || is_framing || name.as_str().starts_with(OURS)
    };
    let mut forwarded = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let value = match name {
            _ if *name == HOST => host.clone(),
            _ if *name == CONNECTION => keeps.clone().filter(|_| !forwarded.contains_key(CONNECTION)),
            _ if stays(name) => None,
            _ => Some(value.clone()),
        };
        if let Some(value) = value {
            forwarded.append(name, value);
        }
    }
    if let Some(host) = host.filter(|_| !forwarded.contains_key(HOST)) {
        forwarded.insert(HOST, host);
    }
    forwarded
}

/// What `connection` names, in lower case.
pub(super) fn options(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|option| option.trim().to_ascii_lowercase())
}

/// How a response has ended that has failed.
pub(super) fn ending(error: &hyper::Error) -> RecordedEnding {
    let mut causes = std::iter::successors(error.source(), |cause| Error::source(*cause));
    let is_reset = causes.any(|cause| {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            is_reset(error)
        } else if let Some(error) = cause.downcast_ref::<h2::Error>() {
            error.is_reset() || error.get_io().is_some_and(is_reset)
        } else {
            false
        }
    });
    if is_reset { RecordedEnding::Reset } else { RecordedEnding::Close }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted)
}

/// How long the pieces of a body are on HTTP/2.
const PIECE: usize = 16 * 1024;

/// How the headers begin that are for us.
const OURS: &str = "x-llmirage-";
