//! What an error says of the time to wait, in every form that was met.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::super::{Fault, Kind};
use super::head::{remove, resized, set};
use super::{AnswerFault, RetryForm};
use crate::plan::dialect::{RetryAfter, http_date};
use crate::plan::timeline::{Header, Timeline};

/// What a `retry-after` fault wants to be told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'a> {
    form: RetryForm,
    value: Option<&'a str>,
    /// The status of an answer that is no error.
    pub(super) status: u64,
    should_retry: Option<bool>,
}

/// What the first `retry-after` fault wants to be told.
pub(super) fn wanted<'a>(faults: &[&'a Fault]) -> Option<Told<'a>> {
    faults.iter().find_map(|fault| match &fault.kind {
        Kind::Answer(AnswerFault::RetryAfter { form, value, status, should_retry, times: _ }) => {
            Some(Told { form: *form, value: value.as_deref(), status: *status, should_retry: *should_retry })
        }
        Kind::Answer(_) | Kind::Event(_) | Kind::Stream(_) | Kind::Transport(_) => None,
    })
}

impl Told<'_> {
    /// The header line of the form.
    fn header(&self, wall: u64) -> Option<(&'static str, String)> {
        let (name, usual) = match self.form {
            RetryForm::Int => (SECONDS, "1".to_owned()),
            RetryForm::Float => (SECONDS, "1.5".to_owned()),
            RetryForm::Date => (SECONDS, http_date(wall.saturating_add(2))),
            RetryForm::PastDate => (SECONDS, http_date(wall.saturating_sub(60))),
            RetryForm::Negative => (SECONDS, "-1".to_owned()),
            RetryForm::Junk => (SECONDS, "soon".to_owned()),
            RetryForm::Huge | RetryForm::AzureText => (SECONDS, A_DAY.to_string()),
            RetryForm::Ms => (MILLIS, "1500".to_owned()),
            RetryForm::MsNegative => (MILLIS, "-5".to_owned()),
            RetryForm::Absent => return None,
        };
        Some((name, self.value.map_or(usual, str::to_owned)))
    }

    /// The time that the form names, if it is one to wait: messages and limits agree with it.
    pub(super) fn wait(&self) -> Option<Duration> {
        let own = |unit: f64| {
            let seconds = |value: &str| value.trim().parse().ok().filter(|value: &f64| !value.is_nan());
            let own = self.value.map(seconds);
            own.map(|value| Duration::try_from_secs_f64((value? * unit).min(LONGEST)).ok())
        };
        match self.form {
            RetryForm::Int => own(1.0).unwrap_or(Some(Duration::from_secs(1))),
            RetryForm::Float => own(1.0).unwrap_or(Some(Duration::from_millis(1_500))),
            RetryForm::Date => own(1.0).unwrap_or(Some(Duration::from_secs(2))),
            RetryForm::Huge | RetryForm::AzureText => own(1.0).unwrap_or(Some(Duration::from_secs(A_DAY))),
            RetryForm::Ms => own(0.001).unwrap_or(Some(Duration::from_millis(1_500))),
            RetryForm::PastDate
            | RetryForm::Negative
            | RetryForm::Junk
            | RetryForm::MsNegative
            | RetryForm::Absent => None,
        }
    }

    /// Lays it over an error. `wall` is the client's clock, since that is what a client compares a date with;
    /// an answer with such a date is dated alike.
    pub(super) fn lay(&self, timeline: &mut Timeline, wall: u64) {
        let headers = &mut timeline.head.headers;
        let place = headers.iter().position(|header| NAMES.iter().any(|name| is(header, name)));
        NAMES.iter().for_each(|name| remove(&mut timeline.head, name));
        if let Some((name, value)) = self.header(wall) {
            let headers = &mut timeline.head.headers;
            if self.value.is_none() && matches!(self.form, RetryForm::Date | RetryForm::PastDate) {
                let date = headers.iter_mut().find(|header| is(header, "date"));
                date.into_iter().for_each(|header| header.value = Header::new("", http_date(wall)).value);
            }
            let place = place.unwrap_or(headers.len()).min(headers.len());
            headers.insert(place, Header::new(name, value));
        }
        if let Some(should_retry) = self.should_retry {
            set(&mut timeline.head, "x-should-retry", if should_retry { "true" } else { "false" });
        }
        if self.form == RetryForm::AzureText {
            let seconds = self.value.map_or_else(|| A_DAY.to_string(), str::to_owned);
            tell(timeline, &format!("Please retry after {seconds} {}.", unit(&seconds)));
        }
    }
}

/// Puts Azure's sentence into the message of an error: over the one that is there, else at its end.
fn tell(timeline: &mut Timeline, sentence: &str) {
    let Some(body) = told(&timeline.body, sentence) else { return };
    if let [event] = &mut *timeline.events {
        event.end = body.len();
        timeline.head = resized(timeline.head.clone(), body.len());
        timeline.body = body.into();
    }
}

/// The body of an error whose message has the sentence; none where it has no message. The layout stays.
fn told(body: &[u8], sentence: &str) -> Option<Bytes> {
    let text = std::str::from_utf8(body).ok()?;
    let json: Value = serde_json::from_str(text).ok()?;
    let message = json.pointer("/error/message")?.as_str()?;
    let wanted = match message.split_once("Please retry after ") {
        Some((before, after)) => {
            let after = after.split_once('.').map_or("", |(_, after)| after);
            format!("{before}{sentence}{after}")
        }
        None if message.ends_with(['.', '!', '?']) => format!("{message} {sentence}"),
        None => format!("{message}. {sentence}"),
    };
    let (old, new) = (Value::from(message).to_string(), Value::from(wanted).to_string());
    text.contains(&old).then(|| Bytes::from(text.replacen(&old, &new, 1)))
}

fn unit(seconds: &str) -> &'static str {
    if seconds == "1" { "second" } else { "seconds" }
}

/// The value of a `Retry-After` header for a duration, or the value as it is.
pub(super) fn seconds(wait: &str) -> String {
    RetryAfter::new(wait).header()
}

fn is(header: &Header, name: &str) -> bool {
    header.name.eq_ignore_ascii_case(name)
}

const SECONDS: &str = "retry-after";
const MILLIS: &str = "retry-after-ms";
/// Every header that names a time to wait.
const NAMES: [&str; 3] = [SECONDS, MILLIS, "x-ms-retry-after-ms"];
/// What nobody waits for.
const A_DAY: u64 = 86_400;
/// The longest time that is put into words, in seconds: a year. Headers say what they are told.
const LONGEST: f64 = 31_536_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn form(form: RetryForm, value: Option<&str>) -> Told<'_> {
        Told { form, value, status: 429, should_retry: None }
    }

    #[test]
    fn every_form_has_its_header_and_the_time_it_names() {
        let date = |text: &str| Some((SECONDS, text.to_owned()));
        let seconds = |text: &str| Some((SECONDS, text.to_owned()));
        let millis = |text: &str| Some((MILLIS, text.to_owned()));
        for (told, header, wait) in [
            (RetryForm::Int, seconds("1"), Some(1_000)),
            (RetryForm::Float, seconds("1.5"), Some(1_500)),
            (RetryForm::Date, date("Thu, 01 Jan 2026 00:00:02 GMT"), Some(2_000)),
            (RetryForm::PastDate, date("Wed, 31 Dec 2025 23:59:00 GMT"), None),
            (RetryForm::Negative, seconds("-1"), None),
            (RetryForm::Junk, seconds("soon"), None),
            (RetryForm::Huge, seconds("86400"), Some(86_400_000)),
            (RetryForm::Ms, millis("1500"), Some(1_500)),
            (RetryForm::MsNegative, millis("-5"), None),
            (RetryForm::Absent, None, None),
            (RetryForm::AzureText, seconds("86400"), Some(86_400_000)),
        ] {
            let told = form(told, None);
            assert_eq!(told.header(crate::plan::say::FROZEN), header);
            assert_eq!(told.wait(), wait.map(Duration::from_millis), "{header:?}");
        }
    }

    #[test]
    fn a_value_of_ones_own_is_the_headers_and_if_it_is_a_time_the_words() {
        for (kind, value, wait) in [
            (RetryForm::Int, "61", Some(61_000)),
            (RetryForm::Int, "1e99", Some(31_536_000_000)),
            (RetryForm::Int, "NaN", None),
            (RetryForm::Int, "-3", None),
            (RetryForm::Float, "0.25", Some(250)),
            (RetryForm::Date, "Fri, 01 Jan 2027 00:00:00 GMT", None),
            (RetryForm::Ms, "250", Some(250)),
            (RetryForm::Junk, "7", None),
        ] {
            let told = form(kind, Some(value));
            assert_eq!(told.header(0).map(|(_, value)| value).as_deref(), Some(value));
            assert_eq!(told.wait(), wait.map(Duration::from_millis), "{value}");
        }
    }

    #[track_caller]
    fn check(body: &str, expected: Option<&str>) {
        let told = told(body.as_bytes(), "Please retry after 86400 seconds.");
        assert_eq!(told.as_deref(), expected.map(str::as_bytes), "{body}");
    }

    #[test]
    fn azures_sentence_stands_where_it_stood_or_at_the_end() {
        check(
            r#"{"error":{"code":"429","message": "Too many. Please retry after 1 second. Bye."}}"#,
            Some(r#"{"error":{"code":"429","message": "Too many. Please retry after 86400 seconds. Bye."}}"#),
        );
        check(
            "{\n  \"error\": {\"message\": \"Slow \\\"down\\\".\"}\n}",
            Some(
                "{\n  \"error\": {\"message\": \"Slow \\\"down\\\". Please retry after 86400 seconds.\"}\n}",
            ),
        );
        check(
            r#"{"error":{"message":"Please retry after a while"}}"#,
            Some(r#"{"error":{"message":"Please retry after 86400 seconds."}}"#),
        );
        check("<html>", None);
        check(r#"{"error":"no"}"#, None);
        check("", None);
    }
}
