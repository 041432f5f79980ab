//! Layer 4: how HTTP frames the response, how it ends, and what becomes of the connection.

use std::time::Duration;

use super::declare::{faults, words};
use super::response::Response;
use super::{At, Context};
use crate::plan::http1;
use crate::plan::json::Span;
use crate::plan::timeline::{self, Ending, Framing};

mod check;
mod framing;
mod stall;
#[cfg(test)]
mod tests;

faults! {
    /// How HTTP frames the response, how it ends, and what becomes of the connection.
    pub enum TransportFault: Transport {
        /// An informational head before the response's own.
        Informational = "informational", tier 3, Whole "", expect "tolerate", evidence "tools" {
            /// 100, 102 or 103.
            "status" status: u64 = 103;
            /// How many.
            "times" times: u64 = 1;
        }
        /// The body ends with trailers; before the end of the stream, if a place is given.
        Trailers = "trailers", tier 3, Anywhere "end", expect "tolerate", evidence "tools" {
            /// The trailer's name.
            "name" name: String = "x-llmirage-trailer".to_owned();
            /// Its value.
            "value" value: String = "late".to_owned();
            /// Whether it tells of an error that nothing else tells of.
            "error" error: bool = false;
        }
        /// A chunk that breaks the rules of HTTP.
        MalformedChunk = "malformed-chunk", tier 2, Anywhere "event:3", expect "incomplete", evidence "WireMock" {
            /// What is wrong.
            "form" form: ChunkForm = ChunkForm::Size;
            /// What stands for the size.
            "size" size: String = "zz".to_owned();
        }
        /// A content length that is not the body's.
        ContentLengthMismatch = "content-length-mismatch", tier 2, Whole "", expect "incomplete", evidence "M8" {
            /// How many bytes more are announced than sent; fewer, if negative.
            "delta_bytes" delta_bytes: i64 = 10;
        }
        /// Neither chunks nor a length: only the FIN ends the body, and it comes early.
        CloseDelimited = "close-delimited", tier 2, Anywhere "event:3", expect "incomplete", evidence "M7" {
        }
        /// The head ends early.
        PartialHead = "partial-head", tier 2, Whole "", expect "retry-ok", evidence "M28" {
            /// After so many bytes; without it, after half.
            "byte" byte: Option<u64> = None;
            /// How.
            "how" how: Hangup = Hangup::Close;
        }
        /// Bytes that are no HTTP: instead of the head, or instead of what follows the place.
        Garbage = "garbage", tier 2, Anywhere "byte:0", expect "fail-typed", evidence "M28 WireMock" {
            /// Whether the head comes first.
            "after_head" after_head: bool = false;
            /// The bytes.
            "bytes" bytes: String = "lskdu018973t09sylgasjkfg1][]'./.sdlv".to_owned();
        }
        /// FIN without the last chunk.
        CloseMidStream = "close-mid-stream", tier 1, Anywhere "event:3", expect "incomplete", evidence "B1 M26" {
        }
        /// RST, after the peer has acknowledged every byte before it.
        ResetMidStream = "reset-mid-stream", tier 1, Anywhere "event:3", expect "incomplete", evidence "B2 M27" {
            /// Whether to wait for that.
            "drain" drain: bool = true;
        }
        /// RST at once: how much the client reads before it is left to chance.
        ResetUndrained = "reset-undrained", tier 3, Anywhere "event:3", expect "incomplete", evidence "1.2" {
        }
        /// Silence, with the connection open.
        Stall = "stall", tier 1, Anywhere "event:3", expect "timeout", evidence "B4 M10" {
            /// How long; without it, as long as `--max-hold` allows.
            "hold" hold: Option<Span> = None;
            /// What follows.
            "then" then: AfterStall = AfterStall::Close;
        }
        /// Comments and nothing else.
        StallHeartbeat = "stall-heartbeat", tier 1, Anywhere "event:3", expect "timeout", evidence "B5 M11" {
            /// How often.
            "every" every: Span = Span(Duration::from_secs(1));
            /// The line.
            "text" text: String = ": keep-alive".to_owned();
            /// How long; without it, as long as `--max-hold` allows.
            "hold" hold: Option<Span> = None;
            /// What follows.
            "then" then: AfterStall = AfterStall::Close;
        }
        /// FIN instead of an answer.
        EmptyResponse = "empty-response", tier 1, Whole "", expect "retry-ok", evidence "M28" {
        }
        /// RST instead of an answer.
        ResetBeforeResponse = "reset-before-response", tier 1, Whole "", expect "retry-ok", evidence "M28" {
        }
        /// FIN while the request is still read, which goes on.
        /// From the head of the request on; in a fixture, or with a selector, once the body was read.
        HalfClose = "half-close", tier 3, Whole "", expect "retry-ok", evidence "tools" {
            /// How long it is read; without it, as long as `--max-hold` allows.
            "hold" hold: Option<Span> = None;
        }
        /// An error before the body of the request is read, and the connection closed at once.
        /// In a fixture, or with a selector, once the body was read.
        EarlyResponse = "early-response", tier 3, Whole "", expect "fail-typed", evidence "tools" {
            /// 413 or 429, or another error.
            "status" status: u64 = 413;
        }
        /// The whole response, and the FIN late.
        SlowClose = "slow-close", tier 3, Whole "", expect "tolerate", evidence "toxiproxy slow_close" {
            /// How late.
            "delay" delay: Span = Span(Duration::from_secs(5));
        }
        /// Nothing more is read, and nothing is sent.
        /// From the head of the request on; in a fixture, or with a selector, once the body was read.
        AcceptBlackhole = "accept-blackhole", tier 3, Whole "", expect "timeout", evidence "B7" {
            /// How long; without it, as long as `--max-hold` allows.
            "hold" hold: Option<Span> = None;
        }
        /// The response is whole; then the idle connection is closed.
        KeepaliveClose = "keepalive-close", tier 2, Idle "idle", expect "tolerate", evidence "B7" {
            /// After how long.
            "delay" delay: Span = Span(Duration::ZERO);
            /// How.
            "how" how: Hangup = Hangup::Close;
        }
        /// The response is whole; the next request on the connection breaks it.
        KeepaliveResetOnReuse = "keepalive-reset-on-reuse", tier 2, NextRequest "next-request", expect "retry-ok", evidence "B7 M29" {
            /// How.
            "how" how: Reuse = Reuse::Reset;
        }
        /// The server stops listening: new connections are refused, open ones stay. At the end of the
        /// response, or instead of it.
        ConnectionRefused = "connection-refused", tier 2, Anywhere "head", expect "retry-ok", evidence "tools" {
            /// For how long.
            "for" duration: Span = Span(Duration::from_secs(2));
        }
    }
}

impl TransportFault {
    /// Applies the fault to a response.
    pub(crate) fn apply(&self, at: At, response: &mut Response, context: &Context<'_>) {
        let longest = context.max_hold;
        match self {
            Self::Informational { status, times } => framing::inform(response, *status, *times),
            Self::Trailers { name, value, error } => framing::trail(at, response, name, value, *error),
            Self::MalformedChunk { form, size } => framing::break_chunk(at, response, *form, size),
            Self::ContentLengthMismatch { delta_bytes } => framing::misstate_length(response, *delta_bytes),
            Self::CloseDelimited {} => framing::delimit_by_close(at, response),
            Self::PartialHead { byte, how } => framing::cut_head(response, *byte, how.ending()),
            Self::Garbage { after_head, bytes } => framing::garble(at, response, *after_head, bytes),
            Self::CloseMidStream {} => cut(at, response, Ending::Close),
            Self::ResetMidStream { drain } => cut(at, response, Ending::Reset { drain: *drain }),
            Self::ResetUndrained {} => cut(at, response, Ending::Reset { drain: false }),
            Self::Stall { hold, then } => {
                let hold = hold.map_or(longest, |hold| hold.0.min(longest));
                stall::silent(at, response, hold, *then);
            }
            Self::StallHeartbeat { every, text, hold, then } => {
                let hold = hold.map_or(longest, |hold| hold.0.min(longest));
                stall::heartbeat(at, response, hold, *then, (every.0, text));
                // A stream that was recorded may have a length, too.
                if response.ending.is_complete() {
                    response.mend_length();
                }
            }
            Self::EmptyResponse {} => framing::cut_head(response, Some(0), Ending::Close),
            Self::ResetBeforeResponse {} => {
                framing::cut_head(response, Some(0), Ending::Reset { drain: true });
            }
            Self::HalfClose { hold } => {
                silence(response, hold.map_or(longest, |hold| hold.0), Ending::HalfClose);
            }
            Self::AcceptBlackhole { hold } => {
                silence(response, hold.map_or(longest, |hold| hold.0), Ending::Blackhole);
            }
            Self::EarlyResponse { status: _ } => answer_early(response),
            Self::SlowClose { delay } => {
                http1::say_close(&mut response.head);
                response.end_as(Ending::Idle { after: delay.0.min(longest), reset: false });
            }
            Self::KeepaliveClose { delay, how } => {
                let reset = *how == Hangup::Reset;
                response.end_as(Ending::Idle { after: delay.0.min(longest), reset });
            }
            Self::KeepaliveResetOnReuse { how } => {
                response.end_as(Ending::Reuse(match how {
                    Reuse::Reset => timeline::Reuse::Reset,
                    Reuse::Close => timeline::Reuse::Close,
                    Reuse::Blackhole => timeline::Reuse::Blackhole,
                }));
            }
            Self::ConnectionRefused { duration } => refuse(at, response, duration.0.min(longest)),
        }
    }

    /// What is wrong with its parameters: which, and how.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        check::problems(self)
    }

    /// Whether it is about a request whose body was not read yet.
    pub(crate) fn is_early(&self) -> bool {
        match self {
            Self::HalfClose { .. } | Self::EarlyResponse { .. } | Self::AcceptBlackhole { .. } => true,
            Self::Informational { .. }
            | Self::Trailers { .. }
            | Self::MalformedChunk { .. }
            | Self::ContentLengthMismatch { .. }
            | Self::CloseDelimited { .. }
            | Self::PartialHead { .. }
            | Self::Garbage { .. }
            | Self::CloseMidStream { .. }
            | Self::ResetMidStream { .. }
            | Self::ResetUndrained { .. }
            | Self::Stall { .. }
            | Self::StallHeartbeat { .. }
            | Self::EmptyResponse { .. }
            | Self::ResetBeforeResponse { .. }
            | Self::SlowClose { .. }
            | Self::KeepaliveClose { .. }
            | Self::KeepaliveResetOnReuse { .. }
            | Self::ConnectionRefused { .. } => false,
        }
    }
}

/// Ends the response at a place.
fn cut(at: At, response: &mut Response, ending: Ending) {
    response.cut(at);
    response.ending = ending;
}

/// Sends nothing, from the first moment on.
fn silence(response: &mut Response, hold: Duration, ending: Ending) {
    framing::cut_head(response, Some(0), ending);
    response.head.at = Duration::ZERO;
    response.ends_at = hold;
}

/// Closes at once after the error that is answered instead.
fn answer_early(response: &mut Response) {
    http1::say_close(&mut response.head);
    response.framing = Framing::default();
    response.ending = Ending::Abandon;
}

/// Makes the server stop listening at a place; in the place of the head, instead of an answer.
fn refuse(at: At, response: &mut Response, refuse: Duration) {
    if at == At::Head {
        framing::cut_head(response, Some(0), Ending::Refuse { refuse, complete: false });
        return;
    }
    let complete = response.spot(at).index == response.pieces.len();
    response.cut(at);
    response.end_as(Ending::Refuse { refuse, complete });
}

impl Hangup {
    /// As the end of a response.
    fn ending(self) -> Ending {
        match self {
            Self::Close => Ending::Close,
            Self::Reset => Ending::Reset { drain: true },
        }
    }
}

words! {
    /// What is wrong with a chunk.
    pub enum ChunkForm {
        /// Its size is no number.
        Size = "size",
        /// The line feed after its data is missing.
        Crlf = "crlf",
        /// It is shorter than its size.
        Short = "short",
    }
}

words! {
    /// How a connection ends.
    pub enum Hangup {
        /// FIN.
        Close = "close",
        /// RST.
        Reset = "reset",
    }
}

words! {
    /// What follows a stall.
    pub enum AfterStall {
        /// FIN.
        Close = "close",
        /// RST.
        Reset = "reset",
        /// The rest of the response.
        Resume = "resume",
    }
}

words! {
    /// What meets a request on a connection that is kept.
    pub enum Reuse {
        /// RST.
        Reset = "reset",
        /// FIN.
        Close = "close",
        /// Silence.
        Blackhole = "blackhole",
    }
}
