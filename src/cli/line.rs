//! One line of the log: what became of a request.

use std::time::Duration;

use super::failure::count;
use super::log::Paint;
use crate::serve::{Entry, Outcome};

/// A settled request in one line, for example
/// `     +3.118s POST /v1/chat/completions     200 greeting#1 completed 12 events 231ms`.
pub(super) fn settled(entry: &Entry, time: &str, paint: Paint) -> String {
    let status = paint.status(entry.status.as_u16(), entry.status.as_str());
    let mut parts = vec![format!(
        "{time:>12} {:<4} {:<24} {status} {}",
        entry.method,
        entry.path,
        answer(entry)
    )];
    parts.extend(
        entry
            .outcome
            .map(|outcome| outcome_text(outcome, entry.events_planned, paint)),
    );
    parts.extend(entry.duration.map(span));
    if !entry.session.is_empty() {
        parts.push(format!("session={}", entry.session));
    }
    parts.extend(
        entry
            .retry
            .filter(|attempt| *attempt > 0)
            .map(|attempt| format!("retry={attempt}")),
    );
    parts.extend(entry.refusal.clone());
    parts.join(" ")
}

/// Which fixture answered: `greeting#1`.
fn answer(entry: &Entry) -> String {
    match (&entry.fixture, entry.hit) {
        (Some(fixture), Some(hit)) => format!("{fixture}#{hit}"),
        (Some(fixture), None) => fixture.clone(),
        (None, _) if entry.unmatched => "unmatched".to_owned(),
        (None, _) => "-".to_owned(),
    }
}

/// `completed 12 events`, `client left 3 of 12 events`.
fn outcome_text(outcome: Outcome, planned: usize, paint: Paint) -> String {
    let word = match outcome {
        Outcome::Completed { .. } => "completed".to_owned(),
        Outcome::Faulted { .. } => paint.broken("faulted"),
        Outcome::ClientLeft { .. } => paint.broken("client left"),
        Outcome::Cut { .. } => paint.broken("cut"),
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
        let settled = entry.at + entry.duration.unwrap_or_default();
        match self {
            Self::SinceStart => format!("+{}.{:03}s", settled.as_secs(), settled.subsec_millis()),
            Self::TimeOfDay(start) => time_of_day(start + settled),
        }
    }
}

fn time_of_day(since_epoch: Duration) -> String {
    let second = since_epoch.as_secs() % 86_400;
    let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{hours:02}:{minutes:02}:{seconds:02}.{:03}",
        since_epoch.subsec_millis()
    )
}
