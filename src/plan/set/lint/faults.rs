//! What faults of a reply say that is probably a mistake.

use crate::plan::fault::event::EventFault;
use crate::plan::fault::stream::StreamFault;
use crate::plan::fault::transport::{AfterStall, TransportFault};
use crate::plan::fault::when::When;
use crate::plan::fault::{Fault, Kind};
use crate::plan::load::problems::Problems;
use crate::plan::reply::{Content, Prepared, Step};

/// The lints of the faults of a reply that stands at the pointer `at`, each with its pointer.
pub(super) fn lints(reply: &Prepared, at: &str) -> Vec<(String, String)> {
    let is_error = match &reply.content {
        Content::Error(_) => true,
        Content::Transcript(replay) => replay.recording.is_error(),
        Content::Answer(_) | Content::Script(_) => false,
    };
    let faults = reply.faults.iter();
    let lint = |fault: &Fault| {
        let name = fault.kind.name();
        if matches!(&fault.kind, Kind::Transport(fault) if fault.is_early()) {
            return Some(format!(
                "{name} meets a request before its body is read; of a fixture it comes after that. \
                 With --fault or in the base URL it is early"
            ));
        }
        (is_error && needs_events(&fault.kind))
            .then(|| format!("{name} does nothing here: an error has no events"))
    };
    faults.filter_map(|fault| lint(fault).map(|message| (at.to_owned(), message))).collect()
}

/// Whether steps of a script follow a fault after which nothing is sent.
pub(super) fn hides_steps(steps: &[Step]) -> bool {
    let ends = |step: &Step| match step {
        Step::Fault(written) => {
            written.read("", &mut Problems::default()).is_some_and(|fault| ends_the_stream(&fault))
        }
        _ => false,
    };
    steps.iter().position(ends).is_some_and(|index| index + 1 < steps.len())
}

/// Whether it is about the events of a stream, or the message of an answer, and nothing else.
fn needs_events(kind: &Kind) -> bool {
    match kind {
        Kind::Event(fault) => !matches!(
            fault,
            EventFault::StreamTruncated { .. }
                | EventFault::ErrorInStream { .. }
                | EventFault::EventOversize { .. }
                | EventFault::EnvelopeMissing { add: Some(_), .. }
        ),
        Kind::Stream(fault) => matches!(
            fault,
            StreamFault::DoneMissing {}
                | StreamFault::MultiLineData {}
                | StreamFault::ControlOnlyEvent { .. }
                | StreamFault::CommentHeartbeat { .. }
                | StreamFault::NoiseLines { .. }
                | StreamFault::DataNoSpace {}
                | StreamFault::LineEnding { .. }
                | StreamFault::Bom {}
        ),
        Kind::Answer(_) | Kind::Transport(_) => false,
    }
}

/// Whether nothing follows it, for every request.
fn ends_the_stream(fault: &Fault) -> bool {
    let ends = match &fault.kind {
        Kind::Event(fault) => matches!(
            fault,
            EventFault::StreamTruncated { .. }
                | EventFault::ErrorInStream { .. }
                | EventFault::ContentFilterFinish { .. }
        ),
        Kind::Transport(fault) => match fault {
            TransportFault::Stall { then, .. } | TransportFault::StallHeartbeat { then, .. } => {
                *then != AfterStall::Resume
            }
            TransportFault::CloseMidStream {}
            | TransportFault::ResetMidStream { .. }
            | TransportFault::ResetUndrained {}
            | TransportFault::CloseDelimited {}
            | TransportFault::MalformedChunk { .. }
            | TransportFault::Garbage { .. } => true,
            TransportFault::Informational { .. }
            | TransportFault::Trailers { .. }
            | TransportFault::ContentLengthMismatch { .. }
            | TransportFault::PartialHead { .. }
            | TransportFault::EmptyResponse {}
            | TransportFault::ResetBeforeResponse {}
            | TransportFault::HalfClose { .. }
            | TransportFault::EarlyResponse { .. }
            | TransportFault::SlowClose { .. }
            | TransportFault::AcceptBlackhole { .. }
            | TransportFault::KeepaliveClose { .. }
            | TransportFault::KeepaliveResetOnReuse { .. }
            | TransportFault::ConnectionRefused { .. } => false,
        },
        Kind::Answer(_) | Kind::Stream(_) => false,
    };
    ends && fault.when == When::default()
}
