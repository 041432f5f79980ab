//! Which faults go together: a response ends once, and one answer is sent.

use super::answer::AnswerFault;
use super::stream::StreamFault;
use super::transport::TransportFault;
use super::when::Asked;
use super::{Fault, Kind};

/// Of the faults of one class a response has at most one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Class {
    /// What ends the response.
    Ending,
    /// What is answered instead.
    Answer,
    /// The time to wait that an error names.
    RetryAfter,
    /// The content type.
    ContentType,
    /// How lines end.
    LineEnd,
    /// What compresses the body.
    Compression,
}

/// The faults that a request gets, in the order in which they are applied.
///
/// Sources are the request's scope, the server and the reply, the nearest first. Of faults that exclude
/// each other the first wins.
pub(crate) fn chosen<'a>(sources: [&'a [Fault]; 3], asked: Asked<'_>) -> Vec<&'a Fault> {
    let mut chosen: Vec<&Fault> = Vec::new();
    for (source, faults) in sources.into_iter().enumerate() {
        for (index, fault) in faults.iter().enumerate() {
            let label = format!("{source} {index} {}", fault.kind.name());
            let in_time = fault.kind.times().is_none_or(|times| asked.turn.attempt <= times);
            if in_time && fault.when.holds(asked, &label) && !chosen.iter().any(|other| other.excludes(fault))
            {
                chosen.push(fault);
            }
        }
    }
    chosen.sort_by_key(|fault| fault.kind.rank());
    chosen
}

/// Pairs of a list of which the later one cannot be applied to a request that both are for: its index, and
/// why. Chance, counts and matchers keep faults apart, unless the earlier one is for every request.
pub(crate) fn conflicts<'a>(faults: impl IntoIterator<Item = &'a Fault>) -> Vec<(usize, String)> {
    let faults: Vec<&Fault> = faults.into_iter().collect();
    let conflict = |(index, later): (usize, &&Fault)| {
        let earlier = faults[..index].iter().find(|earlier| earlier.contradicts(later))?;
        let rule = later.class()?.rule();
        let way_out = match later.when.is_by_attempt() {
            true => "choose another attempt for it",
            false => "put it first",
        };
        Some((index, format!("{rule}: {later} does not go with {earlier}; leave one out, or {way_out}")))
    };
    faults.iter().enumerate().filter_map(conflict).collect()
}

/// Why faults of one list do not go together, if they do not.
///
/// # Errors
///
/// The reasons.
pub(crate) fn check(faults: &[Fault]) -> Result<(), String> {
    let reasons: Vec<String> = conflicts(faults).into_iter().map(|(_, reason)| reason).collect();
    if reasons.is_empty() { Ok(()) } else { Err(reasons.join("; ")) }
}

impl Fault {
    /// Whether only one of the two can be applied to a response.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        self.class().is_some_and(|class| other.class() == Some(class))
    }

    /// Whether the two exclude each other, and nothing keeps them apart.
    fn contradicts(&self, later: &Self) -> bool {
        let by_attempt = self.when.is_by_attempt() && later.when.is_by_attempt();
        self.excludes(later) && (!self.is_selective() || by_attempt && self.shares_an_attempt(later))
    }

    fn shares_an_attempt(&self, other: &Self) -> bool {
        // Attempts are chosen by a number or up to one: the first, or the one that is named, decides.
        let named = [self.when.attempt, other.when.attempt].into_iter().flatten();
        let takes = |fault: &Self, attempt| fault.when.takes(attempt, fault.kind.times());
        [1].into_iter().chain(named).any(|attempt| takes(self, attempt) && takes(other, attempt))
    }

    fn class(&self) -> Option<Class> {
        match &self.kind {
            Kind::Answer(fault) => match fault {
                AnswerFault::RateLimit { .. }
                | AnswerFault::QuotaExhausted { .. }
                | AnswerFault::ServerError { .. }
                | AnswerFault::PromptBlocked { .. }
                | AnswerFault::HtmlInstead { .. }
                | AnswerFault::JsonInsteadOfStream { .. }
                | AnswerFault::Redirect { .. } => Some(Class::Answer),
                AnswerFault::RetryAfter { .. } => Some(Class::RetryAfter),
                AnswerFault::ContentTypeWrong { .. } => Some(Class::ContentType),
            },
            Kind::Event(fault) => fault.ends().then_some(Class::Ending),
            Kind::Stream(fault) => match fault {
                StreamFault::LineEnding { .. } => Some(Class::LineEnd),
                StreamFault::Gzip { .. } => Some(Class::Compression),
                StreamFault::MalformedJson { .. }
                | StreamFault::EventsGlued {}
                | StreamFault::InvalidUtf8 { .. }
                | StreamFault::DoneMissing {}
                | StreamFault::SlowHeaders { .. }
                | StreamFault::SlowFirstEvent { .. }
                | StreamFault::Burst { .. }
                | StreamFault::MultiLineData {}
                | StreamFault::ControlOnlyEvent { .. }
                | StreamFault::CommentHeartbeat { .. }
                | StreamFault::NoiseLines { .. }
                | StreamFault::DataNoSpace {}
                | StreamFault::Bom {}
                | StreamFault::EventSplit { .. }
                | StreamFault::CharSplit { .. }
                | StreamFault::Dribble { .. }
                | StreamFault::Bandwidth { .. }
                | StreamFault::DoneThenHold { .. } => None,
            },
            Kind::Transport(TransportFault::Informational { .. }) => None,
            Kind::Transport(_) => Some(Class::Ending),
        }
    }
}

impl Class {
    fn rule(self) -> &'static str {
        match self {
            Self::Ending => "a response ends once",
            Self::Answer => "a request gets one answer",
            Self::RetryAfter => "an error names one time to wait",
            Self::ContentType => "a response has one content type",
            Self::LineEnd => "a stream has one form of line ends",
            Self::Compression => "a body is compressed once",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fault::when::Turn;
    use crate::plan::request::Request;
    use crate::plan::seed::Seed;

    fn faults(list: &str) -> Vec<Fault> {
        list.split_whitespace().map(|spec| spec.parse().unwrap()).collect()
    }

    #[track_caller]
    fn go_together(list: &str) {
        assert_eq!(check(&faults(list)), Ok(()), "{list}");
    }

    #[track_caller]
    fn contradict(list: &str, expected: &str) {
        let way_out = "leave one out, or choose another attempt for it";
        assert_eq!(check(&faults(list)), Err(format!("{expected}; {way_out}")), "{list}");
    }

    #[test]
    fn a_response_ends_once_and_a_request_gets_one_answer() {
        contradict(
            "close-mid-stream@event:3 stall",
            "a response ends once: stall does not go with close-mid-stream@event:3",
        );
        contradict(
            "error-in-stream:then=close close-mid-stream",
            "a response ends once: close-mid-stream does not go with error-in-stream:then=close",
        );
        contradict(
            "rate-limit server-error",
            "a request gets one answer: server-error does not go with rate-limit",
        );
        contradict(
            "json-instead-of-stream rate-limit:times=2",
            "a request gets one answer: rate-limit:times=2 does not go with json-instead-of-stream",
        );
        contradict(
            "retry-after retry-after:form=date",
            "an error names one time to wait: retry-after:form=date does not go with retry-after",
        );
        contradict("gzip gzip:form=lie", "a body is compressed once: gzip:form=lie does not go with gzip");
        contradict(
            "line-ending bom line-ending:form=cr",
            "a stream has one form of line ends: line-ending:form=cr does not go with line-ending",
        );
        go_together("error-in-stream close-mid-stream@end informational bom gzip");
        go_together("rate-limit retry-after content-type-wrong close-mid-stream");
        go_together("duplicate-event duplicate-event@finish");
    }

    #[test]
    fn faults_of_different_attempts_go_together() {
        go_together("rate-limit:attempt=1 server-error:attempt=2");
        go_together("close-mid-stream:attempt=3 stall:first=2");
        go_together("rate-limit:times=2 server-error:attempt=3");
        contradict(
            "close-mid-stream:attempt=2 stall:first=2",
            "a response ends once: stall:first=2 does not go with close-mid-stream:attempt=2",
        );
        contradict(
            "rate-limit:times=2 server-error:first=1",
            "a request gets one answer: server-error:first=1 does not go with rate-limit:times=2",
        );
    }

    #[test]
    fn what_chance_or_the_request_keeps_apart_goes_together() {
        go_together("close-mid-stream:every=2 stall");
        go_together("close-mid-stream:probability=0.5 stall");
        go_together("close-mid-stream:user=hello stall:user=bye");
        go_together("close-mid-stream:user=hello stall:first=2");
    }

    #[test]
    fn nothing_comes_after_a_fault_for_every_request() {
        for later in ["stall:probability=0.5", "stall:every=2", "stall:user=hello"] {
            let told =
                "a response ends once: {} does not go with close-mid-stream; leave one out, or put it first";
            let found = check(&faults(&format!("close-mid-stream {later}")));
            assert_eq!(found, Err(told.replace("{}", later)));
        }
    }

    #[track_caller]
    fn chooses(sources: [&str; 3], attempt: u64, expected: &[&str]) {
        let request = Request::post("/v1/chat/completions", serde_json::Value::Null);
        let turn = Turn { attempt, count: attempt, print: 7 };
        let asked = Asked { call: &request.call, request: Some(&request), turn, seed: Seed::new(0) };
        let [scope, server, reply] = sources.map(faults);
        let chosen: Vec<String> =
            chosen([&scope, &server, &reply], asked).iter().map(ToString::to_string).collect();
        assert_eq!(chosen, expected);
    }

    #[test]
    fn the_nearest_of_faults_that_exclude_each_other_wins() {
        chooses(["stall", "close-mid-stream", "reset-mid-stream"], 1, &["stall"]);
        chooses(["", "close-mid-stream", "reset-mid-stream"], 1, &["close-mid-stream"]);
        chooses(["stall:attempt=2", "close-mid-stream", ""], 1, &["close-mid-stream"]);
        chooses(["stall:attempt=2", "close-mid-stream", ""], 2, &["stall:attempt=2"]);
    }

    #[test]
    fn faults_are_applied_in_the_order_of_their_layers() {
        chooses(
            ["close-mid-stream", "bom", "rate-limit:times=1 duplicate-event"],
            1,
            &["rate-limit:times=1", "duplicate-event", "bom", "close-mid-stream"],
        );
        chooses(
            ["close-mid-stream", "bom", "rate-limit:times=1 duplicate-event"],
            2,
            &["duplicate-event", "bom", "close-mid-stream"],
        );
    }
}
