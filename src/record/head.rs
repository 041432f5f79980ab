//! The head of a response as the real service sent it, and as the client gets it.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Version, response};
use hyper::ext::ReasonPhrase;

/// A head, every header in its place and with the name as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    pub(super) version: Version,
    pub(super) status: u16,
    pub(super) reason: Bytes,
    pub(super) headers: Vec<(String, Bytes)>,
}

/// How the client is told where the body ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    /// There is no body.
    Empty,
    /// The head says how long it is.
    Length,
    /// Chunks.
    Chunked,
    /// The connection ends with it.
    ToClose,
}

impl Head {
    /// The head that these bytes begin with, after those of interim answers, which are taken away; `None` while it
    /// is not whole, or if it is none.
    pub(super) fn parse(bytes: &mut Vec<u8>) -> Option<Self> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut parsed = httparse::Response::new(&mut headers);
            let httparse::Status::Complete(end) = parsed.parse(bytes).ok()? else { return None };
            let status = parsed.code?;
            if (100..200).contains(&status) {
                bytes.drain(..end);
                continue;
            }
            let header = |header: &httparse::Header<'_>| {
                (header.name.to_owned(), Bytes::copy_from_slice(header.value))
            };
            return Some(Self {
                version: if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 },
                status,
                reason: Bytes::copy_from_slice(parsed.reason.unwrap_or_default().as_bytes()),
                headers: parsed.headers.iter().map(header).collect(),
            });
        }
    }

    /// The head as hyper has it.
    pub(super) fn of(parts: &response::Parts) -> Self {
        let usual = parts.status.canonical_reason().unwrap_or_default();
        let reason = match parts.extensions.get::<ReasonPhrase>() {
            Some(reason) => Bytes::copy_from_slice(reason.as_bytes()),
            None => Bytes::from_static(usual.as_bytes()),
        };
        Self { version: parts.version, status: parts.status.as_u16(), reason, headers: lines(&parts.headers) }
    }

    /// How a client that speaks `version` is told where the body ends that it asked for with `method`.
    pub(super) fn framing(&self, method: &Method, version: Version) -> Framing {
        let is_old = version < Version::HTTP_11;
        match self.status {
            _ if method == Method::HEAD => Framing::Empty,
            204 | 304 => Framing::Empty,
            _ if self.is_chunked() => {
                if is_old {
                    Framing::ToClose
                } else {
                    Framing::Chunked
                }
            }
            _ if self.values("content-length").next().is_some() => Framing::Length,
            // HTTP/2 has frames of its own.
            _ if self.version == Version::HTTP_2 && !is_old => Framing::Chunked,
            _ => Framing::ToClose,
        }
    }

    /// Whether the service closes the connection after the response.
    pub(super) fn says_close(&self) -> bool {
        self.values("connection").any(|value| {
            let mut options = value.split(|byte| *byte == b',');
            options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
        })
    }

    /// The head for a client: every byte of a head of HTTP/1.1, but for what tells where the body ends where the
    /// client needs that otherwise.
    pub(super) fn write(&self, framing: Framing, version: Version) -> BytesMut {
        let mut bytes = BytesMut::new();
        let name: &[u8] = if version < Version::HTTP_11 { b"HTTP/1.0 " } else { b"HTTP/1.1 " };
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(format!("{:03} ", self.status).as_bytes());
        bytes.extend_from_slice(&self.reason);
        bytes.extend_from_slice(b"\r\n");
        let mut line = |name: &str, value: &[u8]| {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                bytes.extend_from_slice(part);
            }
        };
        // Beside chunks a length says nothing; without them it would.
        let is_unchunked = framing == Framing::ToClose && self.is_chunked();
        let frames = |name: &str| {
            ["transfer-encoding", "content-length"].iter().any(|known| name.eq_ignore_ascii_case(known))
        };
        for (name, value) in &self.headers {
            if !(is_unchunked && frames(name)) {
                line(name, value);
            }
        }
        if framing == Framing::Chunked && !self.is_chunked() {
            line("transfer-encoding", b"chunked");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    fn is_chunked(&self) -> bool {
        let last = self.values("transfer-encoding").last();
        let last = last.and_then(|value| value.rsplit(|byte| *byte == b',').next());
        last.is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"))
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Bytes> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// The lines of a map.
pub(super) fn lines(headers: &HeaderMap) -> Vec<(String, Bytes)> {
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.as_str().to_owned(), Bytes::copy_from_slice(value.as_bytes()))
    };
    headers.iter().map(line).collect()
}

/// How many headers a head may have.
pub(super) const MAX_HEADERS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        Head::parse(&mut text.replace('\n', "\r\n").into_bytes()).unwrap()
    }

    #[test]
    fn a_head_is_kept_to_the_byte_whatever_its_case_and_order() {
        let text = "HTTP/1.1 429 Slow Down Please\r\nDate: today\r\nset-cookie: a\r\nX-B: 1\r\nSet-Cookie: b\r\n\
                    Content-Length: 2\r\n\r\n";
        let head = Head::parse(&mut text.as_bytes().to_vec()).unwrap();
        let framing = head.framing(&Method::POST, Version::HTTP_11);
        assert_eq!(framing, Framing::Length);
        assert_eq!(head.write(framing, Version::HTTP_11), text);
    }

    #[test]
    fn interim_answers_are_no_head() {
        let mut bytes =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 20".to_vec();
        assert_eq!(Head::parse(&mut bytes), None);
        assert_eq!(bytes, b"HTTP/1.1 20");
        bytes.extend_from_slice(b"1 Created\r\n\r\n{}");
        assert_eq!(Head::parse(&mut bytes).map(|head| head.status), Some(201));
    }

    #[test]
    fn a_head_that_is_not_whole_or_none_is_nothing() {
        for text in ["", "HTTP/1.1 200 OK\r\nA: b\r\n", "HELLO\r\n\r\n"] {
            assert_eq!(Head::parse(&mut text.as_bytes().to_vec()), None, "{text:?}");
        }
    }

    #[test]
    fn the_client_is_told_where_the_body_ends_in_a_way_that_it_knows() {
        let chunked = head("HTTP/1.1 200 OK\nTransfer-Encoding: Chunked\nA: b\n\n");
        let closed = head("HTTP/1.0 200 OK\nA: b\n\n");
        let known = head("HTTP/1.1 200 OK\nContent-Length: 5\n\n");
        let two = Head { version: Version::HTTP_2, ..closed.clone() };
        let (new, old) = (Version::HTTP_11, Version::HTTP_10);
        for (head, method, version, framing, written) in [
            (
                &chunked,
                Method::POST,
                new,
                Framing::Chunked,
                "HTTP/1.1 200 OK\nTransfer-Encoding: Chunked\nA: b\n\n",
            ),
            (&chunked, Method::POST, old, Framing::ToClose, "HTTP/1.0 200 OK\nA: b\n\n"),
            (
                &head(
                    "HTTP/1.1 200 OK\ncontent-length: 3\ntransfer-encoding: gzip\ntransfer-encoding: chunked\n\n",
                ),
                Method::POST,
                old,
                Framing::ToClose,
                "HTTP/1.0 200 OK\n\n",
            ),
            (
                &head("HTTP/1.1 200 OK\ntransfer-encoding: gzip\n\n"),
                Method::POST,
                new,
                Framing::ToClose,
                "HTTP/1.1 200 OK\ntransfer-encoding: gzip\n\n",
            ),
            (&closed, Method::POST, new, Framing::ToClose, "HTTP/1.1 200 OK\nA: b\n\n"),
            (
                &two,
                Method::POST,
                new,
                Framing::Chunked,
                "HTTP/1.1 200 OK\nA: b\ntransfer-encoding: chunked\n\n",
            ),
            (&two, Method::POST, old, Framing::ToClose, "HTTP/1.0 200 OK\nA: b\n\n"),
            (&known, Method::GET, old, Framing::Length, "HTTP/1.0 200 OK\nContent-Length: 5\n\n"),
            (&known, Method::HEAD, new, Framing::Empty, "HTTP/1.1 200 OK\nContent-Length: 5\n\n"),
            (
                &head("HTTP/1.1 204 No Content\n\n"),
                Method::POST,
                new,
                Framing::Empty,
                "HTTP/1.1 204 No Content\n\n",
            ),
        ] {
            assert_eq!(head.framing(&method, version), framing, "{head:?}");
            assert_eq!(head.write(framing, version), written.replace('\n', "\r\n"), "{head:?}");
        }
    }

    #[test]
    fn a_service_that_closes_says_so() {
        assert!(head("HTTP/1.1 200 OK\nConnection: x, Close\n\n").says_close());
        assert!(!head("HTTP/1.1 200 OK\nConnection: keep-alive\n\n").says_close());
    }
}
