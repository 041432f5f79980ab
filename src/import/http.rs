//! HTTP/1.1 as text: heads, and bodies in chunks.

/// How many bytes the line of a status may have before it is taken for something else.
const MAX_STATUS_LINE: usize = 512;

/// How many bytes a head may have.
const MAX_HEAD: usize = 256 << 10;

/// The head of a response.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) reason: Option<String>,
    pub(super) headers: Vec<(String, String)>,
}

impl Head {
    /// The head that a text begins with, and its length with the blank line.
    pub(super) fn of(text: &[u8]) -> Option<(Self, usize)> {
        let text = &text[..text.len().min(MAX_HEAD)];
        let (line, mut length) = line(&text[..text.len().min(MAX_STATUS_LINE)])?;
        let (status, reason) = status_line(line)?;
        let mut headers = Vec::new();
        loop {
            let (line, taken) = self::line(&text[length..])?;
            length += taken;
            if line.is_empty() {
                return Some((Self { status, reason, headers }, length));
            }
            headers.push(header(line)?);
        }
    }

    /// The value of the first header of this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the body comes in chunks.
    pub(super) fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked"))
    }

    /// How many bytes the body has, as the head says.
    pub(super) fn content_length(&self) -> Option<usize> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// Whether it is only about what comes next: `100 Continue`, or the answer of a proxy to `CONNECT`.
    pub(super) fn is_interim(&self) -> bool {
        let is_tunnel = self
            .reason
            .as_deref()
            .is_some_and(|reason| reason.eq_ignore_ascii_case("connection established"));
        self.status < 200 || is_tunnel
    }

    /// Whether curl follows it with a request of its own: redirects, and challenges.
    pub(super) fn is_followed(&self) -> bool {
        match self.status {
            300..=399 => self.header("location").is_some(),
            401 => self.header("www-authenticate").is_some(),
            407 => self.header("proxy-authenticate").is_some(),
            _ => false,
        }
    }
}

/// The first line of a text, and its length with what ends it; `None` where nothing ends it.
pub(super) fn line(text: &[u8]) -> Option<(&[u8], usize)> {
    let end = text.iter().position(|&byte| byte == b'\n')?;
    let line = &text[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1))
}

/// The status and the reason of `HTTP/1.1 200 OK`; HTTP/2 has no reason.
pub(super) fn status_line(line: &[u8]) -> Option<(u16, Option<String>)> {
    let line = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/")?;
    let (version, rest) = line.split_once(' ')?;
    if !matches!(version, "1.0" | "1.1" | "2" | "2.0" | "3" | "3.0") {
        return None;
    }
    let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let status = Some(status).filter(|status| status.len() == 3)?.parse().ok()?;
    Some((status, Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty())))
}

/// The name and the value of a header.
pub(super) fn header(line: &[u8]) -> Option<(String, String)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if name.is_empty() || !name.iter().all(is_name) {
        return None;
    }
    // A header has no encoding; what is not UTF-8 is Latin-1.
    let latin = |value: &[u8]| value.iter().map(|&byte| char::from(byte)).collect();
    let value = std::str::from_utf8(value).map_or_else(|_| latin(value), str::to_owned);
    Some((String::from_utf8_lossy(name).into_owned(), value))
}

/// A body without the framing of its chunks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Unchunked {
    pub(super) body: Vec<u8>,
    /// How much of the text was taken, with the last chunk and its trailers.
    pub(super) taken: usize,
    /// Whether the last chunk was there.
    pub(super) is_whole: bool,
    /// Where the bytes of each chunk end: in the text, and in the body.
    ends: Vec<(usize, usize)>,
}

impl Unchunked {
    /// How much of the body was there after so many bytes of the text.
    pub(super) fn known(&self, taken: usize) -> usize {
        let next = self.ends.partition_point(|(end, _)| *end <= taken);
        let before = next.checked_sub(1).map_or(0, |last| self.ends[last].1);
        // Of the chunk that comes next, as much as is there; its bytes stand at its end.
        let part = self.ends.get(next).map_or(0, |(end, body)| {
            let length = body - before;
            taken.saturating_sub(end - length)
        });
        before + part
    }
}

/// The body of a text in chunks; `None` where it is not in chunks. What is cut is kept.
pub(super) fn unchunk(text: &[u8]) -> Option<Unchunked> {
    let mut chunks = Unchunked::default();
    loop {
        let rest = &text[chunks.taken..];
        let Some((line, length)) = line(&rest[..rest.len().min(MAX_STATUS_LINE)]) else {
            // Cut in the size of a chunk, if that is what it was.
            let is_size =
                rest.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'\r') && rest.len() < 17;
            chunks.taken = text.len();
            return (is_size && !chunks.ends.is_empty()).then_some(chunks);
        };
        let size = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        let size = std::str::from_utf8(size).ok().filter(|size| !size.starts_with('+'));
        let size = usize::from_str_radix(size?, 16).ok()?;
        chunks.taken += length;
        if size == 0 {
            chunks.is_whole = trailers(text, &mut chunks.taken);
            return Some(chunks);
        }
        let there = size.min(text.len() - chunks.taken);
        chunks.body.extend_from_slice(&text[chunks.taken..chunks.taken + there]);
        chunks.taken += there;
        chunks.ends.push((chunks.taken, chunks.body.len()));
        match &text[chunks.taken..] {
            [b'\r', b'\n', ..] => chunks.taken += 2,
            [b'\n', ..] if there == size => chunks.taken += 1,
            [] | [b'\r'] => {
                chunks.taken = text.len();
                return Some(chunks);
            }
            _ => return None,
        }
    }
}

/// The lines after the last chunk, up to the blank one; whether it was there.
fn trailers(text: &[u8], taken: &mut usize) -> bool {
    loop {
        match line(&text[*taken..]) {
            Some(([], length)) => {
                *taken += length;
                return true;
            }
            Some((line, length)) if header(line).is_some() => *taken += length,
            Some(_) => return false,
            None => {
                *taken = text.len();
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, reason, headers, and how long the head is.
    type Expected<'a> = (u16, Option<&'a str>, &'a [(&'a str, &'a str)], usize);

    #[test]
    fn a_head_ends_with_its_blank_line_whatever_ends_lines() {
        #[track_caller]
        fn check(text: &str, expected: Option<Expected<'_>>) {
            let expected = expected.map(|(status, reason, headers, length)| {
                let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
                let headers = headers.iter().map(pair).collect();
                (Head { status, reason: reason.map(str::to_owned), headers }, length)
            });
            assert_eq!(Head::of(text.as_bytes()), expected, "{text:?}");
        }
        check("HTTP/1.1 200 OK\r\nA: b\r\n\r\nrest", Some((200, Some("OK"), &[("A", "b")], 25)));
        check("HTTP/1.1 200 OK\nA:b\n\nrest", Some((200, Some("OK"), &[("A", "b")], 21)));
        check("HTTP/2 404 \r\n\r\n", Some((404, None, &[], 15)));
        check("HTTP/3 204\n\n", Some((204, None, &[], 12)));
        check("HTTP/1.1 499 Client Left Us\n\n", Some((499, Some("Client Left Us"), &[], 29)));
        check("HTTP/1.1 200 OK\r\nA: b\r\n", None);
        check("HTTP/1.1 2000 OK\r\n\r\n", None);
        check("HTTP/9 200 OK\r\n\r\n", None);
        check("HTTP/1.1 200 OK\r\nno header\r\n\r\n", None);
    }

    #[test]
    fn chunks_are_joined_and_what_is_cut_is_kept() {
        #[track_caller]
        fn check(text: &str, expected: Option<(&str, bool, usize)>) {
            let found = unchunk(text.as_bytes());
            let found = found
                .as_ref()
                .map(|found| (std::str::from_utf8(&found.body).unwrap(), found.is_whole, found.taken));
            assert_eq!(found, expected, "{text:?}");
        }
        check("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\nrest", Some(("abcde", true, 24)));
        check("3\nabc\n0\n\n", Some(("abc", true, 9)));
        check("3\r\nabc\r\n0\r\nA: b\r\n\r\n", Some(("abc", true, 19)));
        check("3\r\nabc\r\n0\r\n", Some(("abc", false, 11)));
        check("3\r\nabc\r\n5\r\nde", Some(("abcde", false, 13)));
        check("3\r\nabc\r\n5\r", Some(("abc", false, 10)));
        check("3\r\nabc", Some(("abc", false, 6)));
        check("data: 1\n\n", None);
        check("{\"a\":1}", None);
        check("+3\r\nabc\r\n", None);
        check("2\r\nabc\r\n", None);
        check("ffffffffffffffffff\r\n", None);
    }

    #[test]
    fn a_chunk_is_known_as_its_bytes_come() {
        let text = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        let chunks = unchunk(text).unwrap();
        let known: Vec<_> = (0..=text.len()).map(|taken| chunks.known(taken)).collect();
        assert_eq!(known, [0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3, 4, 5, 5, 5, 5, 5, 5, 5, 5]);
    }
}
