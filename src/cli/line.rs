//! One line of the log: what became of a request.

use std::time::Duration;

use super::failure::count;
use super::log::Paint;
use crate::serve::{Entry, Outcome};

/// A settled request in one line, for example
/// `  +3.118s POST /v1/chat/completions      200 greeting#1 completed 12 events 231ms`.
pub(super) fn settled(entry: &Entry, time: &str, paint: Paint) -> String {
    let status = paint.status(entry.status, &entry.status.to_string());
    let mut line = format!("{time:>12} {:<4} {:<24} {status} {}", entry.method, entry.path, answer(entry));
    if let Some(outcome) = &entry.outcome {
        let outcome = outcome_text(outcome, paint);
        line.push_str(&format!(" {outcome} {}", span(entry.duration)));
    }
    if !entry.session.is_empty() {
        line.push_str(&format!(" session={}", entry.session));
    }
    if let Some(attempt) = entry.retry.filter(|attempt| *attempt > 0) {
        line.push_str(&format!(" retry={attempt}"));
    }
    line
}

/// Which fixture answered: `greeting#1`.
fn answer(entry: &Entry) -> String {
    match (&entry.fixture, entry.hit) {
        (Some(fixture), Some(hit)) => format!("{fixture}#{hit}"),
        (Some(fixture), None) => fixture.clone(),
        (None, _) => "-".to_owned(),
    }
}

fn outcome_text(outcome: &Outcome, paint: Paint) -> String {
    let (word, events) = match outcome {
        Outcome::Completed { events } => ("completed".to_owned(), *events),
        Outcome::Faulted { events, .. } => (paint.broken("faulted"), *events),
        Outcome::ClientLeft { events } => (paint.broken("client left"), *events),
        Outcome::Cut { events } => (paint.broken("cut"), *events),
    };
    format!("{word} {}", count(events, "event"))
}

/// A time in the unit that suits it: `870us`, `231ms`, `1.50s`.
pub(super) fn span(time: Duration) -> String {
    match time {
        time if time < Duration::from_millis(1) => format!("{}us", time.as_micros()),
        time if time < Duration::from_secs(1) => format!("{}ms", time.as_millis()),
        time => format!("{:.2}s", time.as_secs_f64()),
    }
}

/// The time since the start: `+3.118s`.
pub(super) fn since_start(time: Duration) -> String {
    format!("+{}.{:03}s", time.as_secs(), time.subsec_millis())
}

/// The time of day in UTC, of so much after a moment in Unix time: `14:03:22.118`.
pub(super) fn time_of_day(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs() % 86_400;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", since_epoch.subsec_millis())
}
