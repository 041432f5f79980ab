//! The head of a recorded response as it is sent again: what is about the recorded connection is left out or made
//! true, all else stays in its place and case.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderValue, StatusCode};

use super::{RecordedEnding, RecordedResponse};
use crate::plan::timeline::{Head, Header};

/// The head of a response that has this many bytes of body.
pub(super) fn of(status: StatusCode, response: &RecordedResponse, length: usize, at: Duration) -> Head {
    let options = options(response);
    let framing = Framing::of(status, response, length);
    let mut headers: Vec<Header> = Vec::with_capacity(response.headers.len() + 1);
    let mut is_framed = false;
    let mut is_connected = false;
    for (name, value) in &response.headers {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "transfer-encoding" | "content-length" => {
                // Of several, the first is where the one stands that is sent.
                if !std::mem::replace(&mut is_framed, true) {
                    headers.extend(framing.header(&lower, name));
                }
            }
            "connection" => {
                let option = options.iter().find(|option| ["close", "keep-alive"].contains(&option.as_str()));
                if let Some(option) = option
                    && !std::mem::replace(&mut is_connected, true)
                {
                    headers.push(Header::new(name.clone(), option));
                }
            }
            own if HOP_BY_HOP.contains(&own) || options.iter().any(|option| option == own) => {}
            _ => headers.push(Header::new(name.clone(), value)),
        }
    }
    if !is_framed && let Some(header) = framing.own(&headers) {
        // Where OpenAI's and Azure's servers have it.
        let kind = headers.iter().position(|header| header.name.eq_ignore_ascii_case("content-type"));
        headers.insert(kind.map_or(headers.len(), |kind| kind + 1), header);
    }
    Head { at, status, reason: response.reason.clone().map(Cow::Owned), headers: headers.into() }
}

/// How a body is framed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Framing {
    /// There is none.
    None,
    Chunked,
    Length(usize),
}

impl Framing {
    fn of(status: StatusCode, response: &RecordedResponse, length: usize) -> Self {
        let chunked = response.header("transfer-encoding").is_some();
        let announced = response.header("content-length");
        match status {
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Self::None,
            _ if chunked => Self::Chunked,
            _ if announced.is_none() && response.is_stream() => Self::Chunked,
            _ if response.ending == RecordedEnding::Complete => Self::Length(length),
            // A client learns from its length that a response is not whole. In another encoding it is not known.
            _ => {
                let plain = response.header("content-encoding").is_none();
                let announced = announced.filter(|_| plain).and_then(|announced| announced.parse().ok());
                announced.filter(|announced| *announced > length).map_or(Self::Chunked, Self::Length)
            }
        }
    }

    /// The header in the place of a recorded one, in its case.
    fn header(self, lower: &str, recorded: &str) -> Option<Header> {
        let (name, value) = self.line()?;
        let name = match lower == name {
            true => Cow::Owned(recorded.to_owned()),
            false => cased(name, recorded.starts_with(|first: char| first.is_ascii_uppercase())),
        };
        Some(Header { name, value })
    }

    /// The header where none was recorded, in the case of the others.
    fn own(self, headers: &[Header]) -> Option<Header> {
        let (name, value) = self.line()?;
        let is_upper = |header: &Header| header.name.starts_with(|first: char| first.is_ascii_uppercase());
        Some(Header { name: cased(name, headers.iter().any(is_upper)), value })
    }

    fn line(self) -> Option<(&'static str, HeaderValue)> {
        match self {
            Self::None => None,
            Self::Chunked => Some(("transfer-encoding", HeaderValue::from_static("chunked"))),
            Self::Length(length) => Some(("content-length", HeaderValue::from(length))),
        }
    }
}

fn cased(lower: &'static str, is_upper: bool) -> Cow<'static, str> {
    Cow::Borrowed(match (lower, is_upper) {
        ("transfer-encoding", true) => "Transfer-Encoding",
        ("content-length", true) => "Content-Length",
        (lower, _) => lower,
    })
}

/// The options of the connection, in lower case: what they name was for the recorded connection only.
fn options(response: &RecordedResponse) -> Vec<String> {
    let connection = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
    let options = connection.flat_map(|(_, value)| value.split(','));
    options.map(|option| option.trim().to_ascii_lowercase()).filter(|option| !option.is_empty()).collect()
}

/// What was for the recorded connection only, and the encoding that recorded bodies have no more.
const HOP_BY_HOP: [&str; 9] = [
    "content-encoding",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
];
