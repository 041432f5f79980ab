//! Streams that end early: in an error, or as if nothing was wrong.

use super::{ErrorShape, Then};
use crate::plan::dialect::chunk::quoted;
use crate::plan::fault::At;
use crate::plan::fault::response::Response;
use crate::plan::timeline::{Ending, EventKind};

/// An error that comes in a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamError<'a> {
    pub(super) shape: ErrorShape,
    /// The name of its event; without it, the shape's.
    pub(super) event_name: Option<&'a str>,
    pub(super) code: &'a str,
    pub(super) message: Option<&'a str>,
    pub(super) then: Then,
}

impl StreamError<'_> {
    /// Puts the error at a place, and nothing after it but what is told. A body that is not a stream
    /// becomes the error.
    pub(super) fn apply(self, at: At, response: &mut Response) {
        let error = self.json();
        if response.pieces.is_empty() && !response.is_stream() {
            return;
        }
        if !response.is_stream() {
            for piece in response.pieces.iter_mut().filter(|piece| piece.kind == EventKind::Body) {
                piece.bytes = error.clone().into();
            }
        } else {
            let done = super::done_event(response);
            let index = response.spot(at).index;
            super::end_before(response, at, index);
            let name = self.name().map(|name| format!("event: {name}\n")).unwrap_or_default();
            let event = format!("{name}data: {error}\n\n");
            response.insert_at(at, index, EventKind::Other, event);
            if self.then == Then::Done {
                response.insert_at(at, index + 1, EventKind::Done, done);
            }
        }
        match self.then {
            // What was recorded may have ended otherwise.
            Then::Done | Then::End => response.end_as(Ending::Complete),
            Then::Close => response.ending = Ending::Close,
        }
    }

    /// The name of the event, if it has one: one line at most.
    fn name(&self) -> Option<&str> {
        let own = match self.shape {
            ErrorShape::OpenAi | ErrorShape::String => None,
            ErrorShape::Flat | ErrorShape::Anthropic => Some("error"),
        };
        let name = self.event_name.or(own)?.split(['\r', '\n']).next()?;
        Some(name).filter(|name| !name.is_empty())
    }

    fn json(&self) -> String {
        let code = quoted(self.code);
        let message = quoted(self.message.unwrap_or(match self.code {
            "overloaded_error" => "Overloaded",
            _ => "The server had an error while processing your request. Sorry about that!",
        }));
        let kind = if self.code.ends_with("_error") { code.as_str() } else { "\"server_error\"" };
        match self.shape {
            ErrorShape::OpenAi => {
                format!(
                    "{{\"error\":{{\"message\":{message},\"type\":{kind},\"param\":null,\"code\":{code}}}}}"
                )
            }
            ErrorShape::Flat => {
                format!("{{\"type\":\"error\",\"code\":{code},\"message\":{message},\"param\":null}}")
            }
            ErrorShape::String => format!("{{\"error\":{message}}}"),
            ErrorShape::Anthropic => {
                format!("{{\"type\":\"error\",\"error\":{{\"type\":{code},\"message\":{message}}}}}")
            }
        }
    }
}

/// Cuts the stream at a place and ends it as valid HTTP. With `keep_done` it still ends in `[DONE]`, if it
/// did, and no event is cut in two.
pub(super) fn truncate(at: At, response: &mut Response, keep_done: bool) {
    let spot = response.spot(at);
    response.end_as(Ending::Complete);
    let done = response.pieces.iter().position(|piece| piece.kind == EventKind::Done);
    match done.filter(|done| keep_done && spot.index <= *done) {
        Some(done) => {
            let done = response.pieces[done].bytes.clone();
            super::end_before(response, at, spot.index);
            response.insert_at(at, spot.index, EventKind::Done, done);
        }
        None => response.cut(at),
    }
}
