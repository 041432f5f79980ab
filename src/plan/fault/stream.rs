//! Layer 3: how events are framed, cut into pieces and timed.
//!
//! Within it, what is wrong with data comes first, then what moves events, then what writes between them,
//! and last what cuts them: so heartbeats fill a silence, and the time between pieces outlives a burst.

mod check;
mod data;
mod framing;
mod gzip;
mod pace;
mod split;
mod text;

use std::time::Duration;

use self::split::{Chars, Cuts};
use super::declare::{faults, words};
use super::response::Response;
use super::{At, Context};
use crate::plan::json::Span;

faults! {
    /// How events are framed, cut into pieces and timed.
    pub enum StreamFault: Stream {
        /// An event whose data is not JSON.
        MalformedJson = "malformed-json", tier 2, Event "first-content", expect "fail-typed", evidence "M20" {
            /// What is wrong.
            "form" form: Malformed = Malformed::Cut;
        }
        /// An error that a gateway writes into an open event, before its blank line: two JSON values in one.
        EventsGlued = "events-glued", tier 2, Event "first-content", expect "fail-typed", evidence "C9" {
        }
        /// Bytes that are not UTF-8 in the text.
        InvalidUtf8 = "invalid-utf8", tier 2, Event "first-content", expect "fail-typed", evidence "M19" {
            /// The bytes, in hexadecimal.
            "bytes" bytes: String = "ff".to_owned();
        }
        /// No `[DONE]`.
        DoneMissing = "done-missing", tier 2, Whole "", expect "tolerate", evidence "C14" {
        }
        /// The head comes late.
        SlowHeaders = "slow-headers", tier 1, Whole "", expect "timeout", evidence "M10" {
            /// How late.
            "delay" delay: Span = Span(Duration::from_secs(5));
        }
        /// The head comes at once, the first event late.
        SlowFirstEvent = "slow-first-event", tier 1, Whole "", expect "timeout", evidence "B5" {
            /// How late.
            "delay" delay: Span = Span(Duration::from_secs(5));
        }
        /// Silence, then many events at once; what is left follows at its own pace.
        Burst = "burst", tier 1, Event "event:1", expect "tolerate", evidence "A6 E7" {
            /// How long the silence is.
            "hold" hold: Span = Span(Duration::from_secs(2));
            /// How many events come at once; without it, all that are left.
            "events" events: Option<u64> = None;
        }
        /// Data in several `data:` lines, one for each member of the JSON.
        MultiLineData = "multi-line-data", tier 3, Events "", expect "tolerate", evidence "C10" {
        }
        /// An event without data, or with empty data.
        ControlOnlyEvent = "control-only-event", tier 1, Event "event:1", expect "tolerate", evidence "C4 M15-17" {
            /// Its fields.
            "fields" fields: Control = Control::Retry;
        }
        /// Comments between the events.
        CommentHeartbeat = "comment-heartbeat", tier 1, Events "", expect "tolerate", evidence "C3" {
            /// The comment.
            "text" text: String = "keep-alive".to_owned();
            /// One each time that so much time has passed; without it, one before each event.
            "every" every: Option<Span> = None;
        }
        /// Lines that mean nothing, more than some readers bear.
        NoiseLines = "noise-lines", tier 3, Event "event:1", expect "tolerate", evidence "C13" {
            /// How many.
            "count" count: u64 = 301;
        }
        /// `data:` without the space.
        DataNoSpace = "data-no-space", tier 2, Whole "", expect "tolerate", evidence "C5" {
        }
        /// Lines that end otherwise.
        LineEnding = "line-ending", tier 2, Whole "", expect "tolerate", evidence "C6" {
            /// How.
            "form" form: LineEnd = LineEnd::Crlf;
            /// Whether CR and LF go out in two chunks.
            "split_crlf" split_crlf: bool = false;
        }
        /// A byte order mark first.
        Bom = "bom", tier 3, Whole "", expect "tolerate", evidence "C11 M18" {
        }
        /// The body compressed, whether or not the client asked for it.
        Gzip = "gzip", tier 2, Whole "", expect "tolerate", evidence "E8 M9" {
            /// How.
            "form" form: GzipForm = GzipForm::Ok;
        }
        /// An event in several pieces; in two halves, unless told.
        EventSplit = "event-split", tier 1, Events "", expect "tolerate", evidence "C1" {
            /// After this byte of it.
            "byte" byte: Option<u64> = None;
            /// After every so many bytes.
            "every" every: Option<u64> = None;
            /// After every byte.
            "all_boundaries" all_boundaries: bool = false;
            /// How much time is between the pieces.
            "gap" gap: Span = Span(Duration::ZERO);
            /// Whether each piece is an HTTP chunk or a TCP segment.
            "via" via: Via = Via::HttpChunk;
        }
        /// A character of several bytes in two pieces.
        CharSplit = "char-split", tier 1, Events "", expect "tolerate", evidence "C2" {
            /// The character, which goes over the text; without it, those of the text are split, or, if it has
            /// none, `🌍` goes over it.
            "char" char: Option<String> = None;
            /// How many of its bytes are in the first piece.
            "offset" offset: u64 = 1;
            /// How much time is between the pieces.
            "gap" gap: Span = Span(Duration::from_millis(5));
            /// Whether each piece is an HTTP chunk or a TCP segment.
            "via" via: Via = Via::HttpChunk;
        }
        /// A few bytes at a time.
        Dribble = "dribble", tier 2, Whole "", expect "tolerate", evidence "toxiproxy slicer" {
            /// How many.
            "bytes" bytes: u64 = 16;
            /// How often.
            "every" every: Span = Span(Duration::from_millis(10));
        }
        /// No faster than this.
        Bandwidth = "bandwidth", tier 2, Whole "", expect "tolerate", evidence "toxiproxy bandwidth" {
            /// Bytes of the body in a second.
            "bytes_per_s" bytes_per_s: u64 = 4096;
        }
        /// Everything was sent, but the end of the body comes late. A body whose length the head says has no
        /// such end.
        DoneThenHold = "done-then-hold", tier 2, Whole "", expect "tolerate", evidence "B6 M12" {
            /// How late; without it, as late as `--max-hold` allows.
            "hold" hold: Option<Span> = None;
        }
    }
}

/// The most pieces that faults cut a response into: what would be more is cut more coarsely, or no further.
const MAX_PIECES: usize = 100_000;

/// The least time between comments.
const SHORTEST: Duration = Duration::from_millis(1);

/// The most lines of noise.
const MOST_LINES: u64 = 1_000_000;

impl StreamFault {
    /// What is wrong with its parameters' values: (parameter, what is wrong and what would be right).
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let problems = match self {
            Self::InvalidUtf8 { bytes } => vec![("bytes", check::hexadecimal(bytes))],
            Self::CommentHeartbeat { text, every } => {
                vec![
                    ("text", check::line(text)),
                    ("every", every.and_then(|every| check::period(every, SHORTEST))),
                ]
            }
            Self::NoiseLines { count } => vec![("count", check::range(*count, 1, MOST_LINES))],
            Self::EventSplit { byte, every, all_boundaries, gap, via: _ } => vec![
                ("byte", byte.and_then(check::positive)),
                ("every", every.and_then(check::positive)),
                check::one(&[
                    ("byte", byte.is_some()),
                    ("every", every.is_some()),
                    ("all_boundaries", *all_boundaries),
                ]),
                ("gap", check::time(*gap)),
            ],
            Self::CharSplit { char, offset, gap, via: _ } => vec![
                ("char", char.as_deref().and_then(check::long_char)),
                ("offset", check::range(*offset, 1, 3)),
                ("gap", check::time(*gap)),
            ],
            Self::SlowHeaders { delay } | Self::SlowFirstEvent { delay } => {
                vec![("delay", check::time(*delay))]
            }
            Self::Burst { hold, events } => {
                vec![("hold", check::time(*hold)), ("events", events.and_then(check::positive))]
            }
            Self::Dribble { bytes, every } => {
                vec![
                    ("bytes", check::positive(*bytes)),
                    ("every", check::period(*every, Duration::from_micros(1))),
                ]
            }
            Self::Bandwidth { bytes_per_s } => vec![("bytes_per_s", check::positive(*bytes_per_s))],
            Self::DoneThenHold { hold } => vec![("hold", hold.and_then(check::time))],
            Self::MalformedJson { .. }
            | Self::EventsGlued {}
            | Self::DoneMissing {}
            | Self::MultiLineData {}
            | Self::ControlOnlyEvent { .. }
            | Self::DataNoSpace {}
            | Self::LineEnding { .. }
            | Self::Bom {}
            | Self::Gzip { .. } => Vec::new(),
        };
        problems.into_iter().filter_map(|(parameter, problem)| Some((parameter, problem?))).collect()
    }

    /// Applies the fault to a response.
    pub(crate) fn apply(&self, at: At, response: &mut Response, context: &Context<'_>) {
        self.edit(at, response, context);
        // A stream that was recorded may have a length, too.
        response.mend_length();
    }

    fn edit(&self, at: At, response: &mut Response, context: &Context<'_>) {
        match self {
            Self::MalformedJson { form } => data::malform(response, at, *form),
            Self::EventsGlued {} => data::glue(response, at),
            Self::InvalidUtf8 { bytes } => data::garble(response, at, bytes),
            Self::DoneMissing {} => data::leave_out_done(response),
            Self::SlowHeaders { delay } => pace::delay_all(response, delay.0),
            Self::SlowFirstEvent { delay } => response.delay(0, delay.0),
            Self::Burst { hold, events } => pace::burst(response, at, hold.0, *events),
            Self::MultiLineData {} => framing::multiply_lines(response, at),
            Self::ControlOnlyEvent { fields } => framing::insert_control(response, at, *fields),
            Self::CommentHeartbeat { text, every } => {
                framing::insert_comments(response, at, text, every.map(|every| every.0));
            }
            Self::NoiseLines { count } => framing::insert_noise(response, at, *count),
            Self::DataNoSpace {} => framing::leave_out_spaces(response),
            Self::LineEnding { form, split_crlf } => framing::end_lines(response, *form, *split_crlf),
            Self::Bom {} => framing::mark(response),
            Self::Gzip { form } => gzip::compress(response, *form),
            Self::EventSplit { byte, every, all_boundaries, gap, via } => {
                let cuts = match (all_boundaries, every, byte) {
                    (true, _, _) => Cuts::Every(1),
                    (false, Some(every), _) => Cuts::Every(*every),
                    (false, None, Some(byte)) => Cuts::Byte(*byte),
                    (false, None, None) => Cuts::Middle,
                };
                split::split_events(response, at, cuts, gap.0, *via);
            }
            Self::CharSplit { char, offset, gap, via } => {
                let chars = Chars { char: char.as_deref(), offset: *offset, gap: gap.0, via: *via };
                split::split_chars(response, at, chars);
            }
            Self::Dribble { bytes, every } => pace::dribble(response, *bytes, every.0),
            Self::Bandwidth { bytes_per_s } => pace::limit(response, *bytes_per_s),
            Self::DoneThenHold { hold } => {
                pace::hold_end(response, hold.map_or(context.max_hold, |hold| hold.0));
            }
        }
    }
}

words! {
    /// What is wrong with JSON.
    pub enum Malformed {
        /// It ends early.
        Cut = "cut",
        /// It is none.
        Garbage = "garbage",
        /// Something follows it.
        Trailing = "trailing",
        /// It is there twice.
        TwoObjects = "two-objects",
    }
}

words! {
    /// The fields of an event without data.
    pub enum Control {
        /// `retry: 3000`.
        Retry = "retry",
        /// `id: 7`.
        Id = "id",
        /// `event: ping`.
        Event = "event",
        /// `data:` and nothing.
        EmptyData = "empty-data",
    }
}

words! {
    /// How lines end.
    pub enum LineEnd {
        /// CR LF.
        Crlf = "crlf",
        /// CR.
        Cr = "cr",
        /// LF, CR LF and CR in turn.
        Mixed = "mixed",
    }
}

words! {
    /// What compression does.
    pub enum GzipForm {
        /// Each event is flushed.
        Ok = "ok",
        /// The last quarter of the compressed bytes is missing, but HTTP is whole.
        Truncated = "truncated",
        /// The head says gzip, the body is none.
        Lie = "lie",
        /// Everything comes at the end.
        Buffered = "buffered",
    }
}

words! {
    /// What a piece is.
    pub enum Via {
        /// A chunk of HTTP, which proxies mostly keep.
        HttpChunk = "http-chunk",
        /// A segment of TCP, which the kernel may join with the next.
        Tcp = "tcp",
    }
}

#[cfg(test)]
mod tests;
