//! One line of the log: what became of a request.

use std::time::Duration;

use super::failure::count;
use super::log::Paint;
use crate::serve::{Entry, Outcome};

/// A settled request in one line:
///
/// ```text
///      +3.118s POST /v1/chat/completions     200 greeting#1 completed 12 events 231ms
///      +4.020s POST /v1/chat/completions     404 unmatched 60us: no fixture matches …
/// ```
pub(super) fn settled(entry: &Entry, time: &str, paint: Paint) -> String {
    let status = paint.status(entry.status.as_u16(), entry.status.as_str());
    let path = plain(&entry.path);
    let mut line = format!("{time:>12} {:<4} {path:<24} {status} {}", entry.method, answer(entry));
    let complete = matches!(entry.outcome, Outcome::Completed { .. });
    // That a refusal went out whole is nothing to tell.
    if entry.refusal.is_none() || !complete {
        line.push_str(&format!(" {}", outcome_text(entry.outcome, entry.events_planned, paint)));
    }
    line.extend(entry.duration.map(|duration| format!(" {}", span(duration))));
    if !entry.session.is_empty() {
        line.push_str(&format!(" session={}", plain(&entry.session)));
    }
    let retry = entry.retry.filter(|attempt| *attempt > 0);
    line.extend(retry.map(|attempt| format!(" retry={attempt}")));
    line.extend(entry.faults.iter().map(|fault| format!(" fault={}", plain(fault))));
    line.extend(entry.refusal.as_ref().map(|why| format!(": {}", plain(why))));
    line
}

/// Who answered: `greeting#1`, or why nobody did.
fn answer(entry: &Entry) -> String {
    match (&entry.fixture, entry.hit) {
        (Some(fixture), Some(hit)) => format!("{}#{hit}", plain(fixture)),
        _ if entry.unmatched && entry.refusal.is_none() => "echo".to_owned(),
        _ if entry.unmatched => "unmatched".to_owned(),
        _ if entry.refusal.is_some() => "refused".to_owned(),
        _ => entry.endpoint.to_owned(),
    }
}

/// What a client wrote, fit for a terminal: no control characters, and not too long.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == LONGEST {
            plain.push('…');
            break;
        }
        if character.is_control() {
            plain.extend(character.escape_default());
        } else {
            plain.push(character);
        }
    }
    plain
}

/// `completed 12 events`, `client left 3 of 12 events`.
fn outcome_text(outcome: Outcome, planned: usize, paint: Paint) -> String {
    let word = match outcome {
        Outcome::Running => return "running".to_owned(),
        Outcome::Completed { .. } => "completed".to_owned(),
        Outcome::Faulted { .. } => paint.broken("faulted"),
        Outcome::ClientLeft { .. } => paint.broken("client left"),
        Outcome::Stalled { .. } => paint.broken("stalled"),
        Outcome::Cut { .. } => paint.broken("cut"),
        Outcome::Failed { .. } => paint.broken("failed"),
    };
    let sent = outcome.events();
    if sent < planned {
        return format!("{word} {sent} of {}", count(planned, "event"));
    }
    format!("{word} {}", count(sent, "event"))
}

/// A time in the unit that suits it: `870us`, `231ms`, `1.50s`.
pub(super) fn span(time: Duration) -> String {
    match time {
        time if time < Duration::from_millis(1) => format!("{}us", time.as_micros()),
        time if time < Duration::from_secs(1) => format!("{}ms", time.as_millis()),
        time => format!("{:.2}s", time.as_secs_f64()),
    }
}

/// What the lines' times count from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stamp {
    /// The start of the server: `+3.118s`. Two runs with a frozen clock can be compared.
    SinceStart,
    /// Midnight, UTC: `14:03:22.118`. Holds when the server started, from the Unix epoch.
    TimeOfDay(Duration),
}

impl Stamp {
    /// The time at which an entry settled.
    pub(super) fn of(self, entry: &Entry) -> String {
        self.at(entry.at + entry.duration.unwrap_or_default())
    }

    /// A time, counted from the start.
    pub(super) fn at(self, settled: Duration) -> String {
        match self {
            Self::SinceStart => format!("+{}.{:03}s", settled.as_secs(), settled.subsec_millis()),
            Self::TimeOfDay(start) => time_of_day(start + settled),
        }
    }
}

fn time_of_day(since_epoch: Duration) -> String {
    let second = since_epoch.as_secs() % 86_400;
    let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", since_epoch.subsec_millis())
}

/// How many characters of a client's own words are shown.
const LONGEST: usize = 400;

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, StatusCode};

    use super::*;
    use crate::plan::timeline::Ending;

    fn entry() -> Entry {
        Entry {
            id: 1,
            session: String::new(),
            method: Method::POST,
            path: "/v1/chat/completions".to_owned(),
            dialect: "openai",
            endpoint: "chat.completions",
            model: "gpt-4o".to_owned(),
            headers: HeaderMap::new(),
            body: String::new(),
            body_bytes: 0,
            retry: None,
            status: StatusCode::OK,
            fixture: Some("greeting".to_owned()),
            hit: Some(1),
            unmatched: false,
            refusal: None,
            faults: Vec::new(),
            events_planned: 12,
            events_sent: 12,
            outcome: Outcome::Completed { events: 12 },
            at: Duration::from_millis(3_118),
            duration: Some(Duration::from_millis(231)),
        }
    }

    #[track_caller]
    fn check(entry: &Entry, expected: &str) {
        assert_eq!(settled(entry, "+3.118s", Paint::plain()), format!("     +3.118s POST {expected}"));
    }

    #[test]
    fn an_answer_says_who_how_and_how_long() {
        check(&entry(), "/v1/chat/completions     200 greeting#1 completed 12 events 231ms");
        let again = Entry { retry: Some(2), session: "s-1".to_owned(), ..entry() };
        check(
            &again,
            "/v1/chat/completions     200 greeting#1 completed 12 events 231ms session=s-1 retry=2",
        );
        let first =
            Entry { retry: Some(0), events_planned: 1, outcome: Outcome::Completed { events: 1 }, ..entry() };
        check(&first, "/v1/chat/completions     200 greeting#1 completed 1 event 231ms");
    }

    #[test]
    fn what_did_not_go_out_whole_says_how_far_it_came() {
        let sent = |outcome| Entry { outcome, ..entry() };
        for (outcome, expected) in [
            (Outcome::ClientLeft { events: 3 }, "client left 3 of 12 events"),
            (Outcome::Cut { events: 0 }, "cut 0 of 12 events"),
            (Outcome::Faulted { events: 12, ending: Ending::Close }, "faulted 12 events"),
        ] {
            check(&sent(outcome), &format!("/v1/chat/completions     200 greeting#1 {expected} 231ms"));
        }
    }

    #[test]
    fn faults_are_named_in_their_order() {
        let faults = vec!["bom".to_owned(), "close-mid-stream@event:2".to_owned()];
        let outcome = Outcome::Faulted { events: 2, ending: Ending::Close };
        check(
            &Entry { faults, outcome, events_planned: 2, ..entry() },
            "/v1/chat/completions     200 greeting#1 faulted 2 events 231ms fault=bom \
             fault=close-mid-stream@event:2",
        );
    }

    #[test]
    fn a_request_that_no_fixture_answers_says_why() {
        let nobody = Entry { fixture: None, hit: None, ..entry() };
        let refusal = Some("nearest is \"greeting\"".to_owned());
        let unmatched = Entry { unmatched: true, refusal, status: StatusCode::NOT_FOUND, ..nobody.clone() };
        check(&unmatched, "/v1/chat/completions     404 unmatched 231ms: nearest is \"greeting\"");
        let refused = Entry { unmatched: false, ..unmatched.clone() };
        check(&refused, "/v1/chat/completions     404 refused 231ms: nearest is \"greeting\"");
        check(
            &Entry { refusal: None, ..unmatched },
            "/v1/chat/completions     404 echo completed 12 events 231ms",
        );
        check(
            &Entry { endpoint: "models", ..nobody },
            "/v1/chat/completions     200 models completed 12 events 231ms",
        );
    }

    #[test]
    fn what_a_client_wrote_cannot_steer_a_terminal() {
        let hostile = Entry { session: "a\n\x1b[2J".to_owned(), path: "/".repeat(500), ..entry() };
        let line = settled(&hostile, "", Paint::plain());
        assert!(line.ends_with(r" session=a\n\u{1b}[2J"), "{line}");
        assert!(line.contains("//… 200 ") && line.len() < 500, "{line}");
    }

    #[test]
    fn times_are_when_the_answer_ended() {
        assert_eq!(Stamp::SinceStart.of(&entry()), "+3.349s");
        let midnight = Duration::from_secs(86_400 * 3 - 2);
        assert_eq!(Stamp::TimeOfDay(midnight).of(&entry()), "00:00:01.349");
    }

    #[test]
    fn durations_have_a_fitting_unit() {
        for (micros, expected) in
            [(0, "0us"), (870, "870us"), (231_400, "231ms"), (1_500_000, "1.50s"), (90_000_000, "90.00s")]
        {
            assert_eq!(span(Duration::from_micros(micros)), expected);
        }
    }
}
