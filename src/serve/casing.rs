//! Header names in the case that real servers write them in.
//!
//! hyper writes header names in lower case, unless a response carries its `HeaderCaseMap`, a private
//! type that only its own parser makes, for requests read with `preserve_header_case`. So the map is
//! made by hyper itself: a request with exactly the wanted names is given to a connection in memory,
//! and the extensions of what it parses go into the response. One poll, no I/O, kept for every
//! later response of the same layout. Should hyper stop doing so, names fall back to lower case:
//! HTTP does not care, byte comparisons do (`tests/integration/serving.rs`).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Extensions, Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::rt::ReadBufCursor;
use hyper::server::conn::http1;
use hyper::service::service_fn;

use crate::plan::timeline::Header;

/// The case maps of the header layouts seen so far.
#[derive(Debug, Default)]
pub(crate) struct Casings {
    known: Mutex<BTreeMap<Vec<u8>, Extensions>>,
}

impl Casings {
    /// Extensions that make hyper write these names as they are; nothing if all are lower case.
    pub(crate) fn extensions(&self, headers: &[Header]) -> Extensions {
        let layout = layout(headers);
        if layout.is_empty() {
            return Extensions::new();
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(extensions) = known.get(&layout) {
            return extensions.clone();
        }
        let extensions = parse(&layout);
        // Layouts come from fixtures, not from clients; the bound is for templates gone wild.
        if known.len() < MAX_LAYOUTS {
            known.insert(layout, extensions.clone());
        }
        extensions
    }
}

/// The header lines of a request that has the names which are not lower case, in order.
///
/// A name that occurs in both cases is there each time, since hyper counts occurrences.
fn layout(headers: &[Header]) -> Vec<u8> {
    let mut lines = Vec::new();
    for header in headers {
        let mixed = |other: &Header| {
            other.name.eq_ignore_ascii_case(&header.name)
                && other.name.bytes().any(|byte| byte.is_ascii_uppercase())
        };
        let cased = header.name.bytes().any(|byte| byte.is_ascii_uppercase());
        // Set-Cookie is the only one that real servers repeat.
        if cased || (header.name.eq_ignore_ascii_case("set-cookie") && headers.iter().any(mixed)) {
            lines.extend_from_slice(header.name.as_bytes());
            lines.extend_from_slice(value_of(&header.name));
            lines.extend_from_slice(b"\r\n");
        }
    }
    lines
}

/// A value that hyper's parser accepts and that leaves it nothing to do.
fn value_of(name: &str) -> &'static [u8] {
    match name {
        name if name.eq_ignore_ascii_case("content-length") => b": 0",
        name if name.eq_ignore_ascii_case("transfer-encoding") => b": chunked",
        _ => b": -",
    }
}

/// Has hyper parse a request with these header lines, and takes what it notes.
fn parse(lines: &[u8]) -> Extensions {
    let request = [b"GET / HTTP/1.1\r\n", lines, b"\r\n"].concat();
    let noted = Rc::new(RefCell::new(Extensions::new()));
    let service = service_fn(|mut request: Request<Incoming>| {
        *noted.borrow_mut() = std::mem::take(request.extensions_mut());
        pending::<Result<Response<Empty<Bytes>>, Infallible>>()
    });
    let mut http = http1::Builder::new();
    http.preserve_header_case(true).max_headers(MAX_NAMES);
    {
        let mut connection = pin!(http.serve_connection(Memory(&request), service));
        let _ = connection.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    noted.take()
}

/// Bytes to read; what is written is dropped.
struct Memory<'a>(&'a [u8]);

impl hyper::rt::Read for Memory<'_> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Pending;
        }
        let len = self.0.len().min(buf.remaining());
        let (now, later) = self.0.split_at(len);
        buf.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Memory<'_> {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// How many layouts are kept.
const MAX_LAYOUTS: usize = 256;

/// How many names a head may have.
const MAX_NAMES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(names: &[&'static str]) -> Vec<Header> {
        names.iter().map(|name| Header::new(*name, "value")).collect()
    }

    #[test]
    fn lower_case_needs_no_map() {
        let casings = Casings::default();
        assert!(casings.extensions(&headers(&["date", "x-request-id"])).is_empty());
        assert!(casings.known.lock().unwrap().is_empty());
    }

    #[test]
    fn hyper_still_notes_the_case_of_every_name() {
        let names =
            ["Date", "Content-Length", "Transfer-Encoding", "Connection", "CF-Ray", "Expect", "Upgrade"];
        for name in names {
            assert!(!Casings::default().extensions(&headers(&[name])).is_empty(), "{name}");
        }
    }

    #[test]
    fn a_layout_is_made_once_and_kept() {
        let casings = Casings::default();
        for _ in 0..3 {
            assert!(!casings.extensions(&headers(&["Date", "Server", "x-request-id"])).is_empty());
        }
        assert_eq!(casings.known.lock().unwrap().len(), 1);
    }

    #[test]
    fn only_so_many_layouts_are_kept() {
        let casings = Casings::default();
        for index in 0..MAX_LAYOUTS + 10 {
            let header = Header::new(format!("X-{index}"), "value");
            assert!(!casings.extensions(&[header]).is_empty());
        }
        assert_eq!(casings.known.lock().unwrap().len(), MAX_LAYOUTS);
    }
}
