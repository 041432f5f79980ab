//! What header lines say about framing, found in one look.

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};

use super::Header;

/// What header lines say about where the body ends, and about the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Framed {
    /// How the body's end is told.
    pub(crate) until: Until,
    /// Whether a line says that the body is chunked.
    pub(crate) is_chunked: bool,
    /// Whether a line says that the connection ends with the response.
    pub(crate) says_close: bool,
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Until {
    /// No line tells it.
    #[default]
    Untold,
    /// One line, with this length; `None` where it is no number.
    Length(Option<usize>),
    /// One line, which says `chunked`.
    Chunks,
    /// One line that says something else, or several lines.
    Unclear,
}

impl Framed {
    /// What these lines say.
    pub(crate) fn of(lines: &[Header]) -> Self {
        let mut framed = Self::default();
        for Header { name, value } in lines {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            let says = |known: &[u8]| value.as_bytes().eq_ignore_ascii_case(known);
            let until = if is(CONTENT_LENGTH.as_str()) {
                Until::Length(value.to_str().ok().and_then(|length| length.parse().ok()))
            } else if is(TRANSFER_ENCODING.as_str()) {
                let chunked = says(b"chunked");
                framed.is_chunked |= chunked;
                if chunked { Until::Chunks } else { Until::Unclear }
            } else {
                framed.says_close |= is(CONNECTION.as_str()) && says(b"close");
                continue;
            };
            framed.until = if framed.until == Until::Untold { until } else { Until::Unclear };
        }
        framed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[(&'static str, &str)], expected: (Until, bool, bool)) {
        let lines: Vec<Header> = lines.iter().map(|(name, value)| Header::new(*name, value)).collect();
        let (until, is_chunked, says_close) = expected;
        assert_eq!(Framed::of(&lines), Framed { until, is_chunked, says_close });
    }

    #[test]
    fn one_line_tells_where_the_body_ends() {
        check(&[("date", "today")], (Until::Untold, false, false));
        check(&[("Content-Length", "5"), ("connection", "Close")], (Until::Length(Some(5)), false, true));
        check(
            &[("content-length", "five"), ("connection", "keep-alive")],
            (Until::Length(None), false, false),
        );
        check(&[("connection", "close"), ("TRANSFER-ENCODING", "Chunked")], (Until::Chunks, true, true));
    }

    #[test]
    fn several_lines_are_unclear_though_one_says_chunked() {
        check(&[("transfer-encoding", "gzip")], (Until::Unclear, false, false));
        check(&[("content-length", "5"), ("content-length", "5")], (Until::Unclear, false, false));
        check(&[("content-length", "5"), ("transfer-encoding", "chunked")], (Until::Unclear, true, false));
        let encodings =
            [("transfer-encoding", "gzip"), ("transfer-encoding", "chunked"), ("connection", "a")];
        check(&encodings, (Until::Unclear, true, false));
    }
}
