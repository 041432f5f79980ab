//! The one place where time is read and waited for.
//!
//! Everything else holds instants and asks here, so that tests run on tokio's paused clock. Connections of a
//! real listener have a [`Source`] of deadlines, which is more exact than tokio's timer; everything else,
//! and everything while tokio's clock is not the system's, waits by tokio's.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{self, Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, Sleep};

use self::source::Entry;
pub(crate) use self::source::{Source, Sources};
use crate::plan::say::FROZEN;

#[cfg(target_os = "linux")]
mod deadlines;
#[cfg_attr(not(target_os = "linux"), path = "clock/elsewhere.rs")]
mod source;

/// Where `created`, `Date` and identifiers take the time from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Clock {
    /// It is always 2026-01-01T00:00:00Z, so that the bytes of two runs can be compared.
    #[default]
    Frozen,
    /// The system's clock.
    System,
}

impl Clock {
    /// The time, in Unix seconds.
    pub(crate) fn unix(self) -> u64 {
        self.since_epoch().as_secs()
    }

    /// The time since the start of 1970.
    #[expect(clippy::disallowed_methods, reason = "the wall clock is read here only")]
    pub(crate) fn since_epoch(self) -> Duration {
        let frozen = Duration::from_secs(FROZEN);
        match self {
            Self::Frozen => frozen,
            Self::System => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(frozen),
        }
    }
}

/// The present moment.
#[expect(clippy::disallowed_methods, reason = "the clock is read here only")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The present moment by the system's clock, which tests cannot stop.
#[expect(clippy::disallowed_methods, reason = "the clock is read here only")]
fn system_now() -> time::Instant {
    time::Instant::now()
}

/// Whether tokio's clock is the system's: it is not paused, and never was.
fn is_systems() -> bool {
    let before = system_now();
    let tokios = now().into_std();
    before <= tokios && tokios <= system_now()
}

/// Waits for a moment; not at all if it has passed.
pub(crate) async fn until(deadline: Instant) {
    Alarm::default().until(deadline).await;
}

/// What `future` yields, or `None` once the deadline passes first.
pub(crate) async fn before<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut alarm = Alarm::default();
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => alarm.poll(cx, deadline).map(|()| None),
    })
    .await
}

/// A reusable wait for a moment. It costs nothing until it is needed.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    wait: Wait,
}

/// What an alarm waits by.
enum Wait {
    /// Nothing yet; by the source, if there is one.
    Not(Option<Source>),
    /// A source.
    Source(Entry),
    /// tokio's timer, from then on.
    Sleep(Pin<Box<Sleep>>),
}

impl Alarm {
    /// An alarm of what has this source.
    pub(crate) fn on(source: Option<&Source>) -> Self {
        Self { wait: Wait::Not(source.cloned()) }
    }

    /// Waits for a moment; not at all if it has passed.
    pub(crate) async fn until(&mut self, deadline: Instant) {
        poll_fn(|cx| self.poll(cx, deadline)).await;
    }

    /// Ready once `deadline` has passed. Looks before it sleeps: a timer that is started for a
    /// moment already past fires only at the next tick, a millisecond late.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if deadline <= now() {
            return Poll::Ready(());
        }
        if self.is_set(cx, deadline) {
            return Poll::Pending;
        }
        self.poll_sleep(cx, deadline)
    }

    /// Whether there is a source, and it wakes the task at the deadline.
    fn is_set(&mut self, cx: &Context<'_>, deadline: Instant) -> bool {
        if matches!(self.wait, Wait::Not(None) | Wait::Sleep(_)) || !is_systems() {
            return false;
        }
        if let Wait::Not(Some(source)) = &self.wait {
            self.wait = Wait::Source(source.entry());
        }
        matches!(&self.wait, Wait::Source(entry) if entry.set(cx, deadline.into_std()))
    }

    /// The same by tokio's timer.
    fn poll_sleep(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        match &mut self.wait {
            Wait::Sleep(sleep) => {
                if sleep.is_elapsed() || sleep.deadline() > deadline {
                    sleep.as_mut().reset(deadline);
                }
                // One that is set for earlier is left to ring: limits are put off with each request, and hardly ever
                // waited for.
                while sleep.as_mut().poll(cx).is_ready() {
                    if sleep.deadline() >= deadline {
                        return Poll::Ready(());
                    }
                    sleep.as_mut().reset(deadline);
                }
                Poll::Pending
            }
            wait @ (Wait::Not(_) | Wait::Source(_)) => {
                #[expect(clippy::disallowed_methods, reason = "deadlines are waited for here only")]
                let mut sleep = Box::pin(tokio::time::sleep_until(deadline));
                let poll = sleep.as_mut().poll(cx);
                *wait = Wait::Sleep(sleep);
                poll
            }
        }
    }
}

impl Default for Wait {
    fn default() -> Self {
        Self::Not(None)
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Not(_) => out.write_str("Not"),
            Self::Source(_) => out.write_str("Source"),
            Self::Sleep(sleep) => out.debug_tuple("Sleep").field(&sleep.deadline()).finish(),
        }
    }
}

/// A limit on how long something may take without progress.
#[derive(Debug)]
pub(crate) struct Patience {
    limit: Duration,
    deadline: Option<Instant>,
    alarm: Alarm,
}

impl Patience {
    /// Patience for so long.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, deadline: None, alarm: Alarm::default() }
    }

    /// Starts to count, unless it does already.
    pub(crate) fn start(&mut self) {
        self.deadline.get_or_insert_with(|| now() + self.limit);
    }

    /// Ends the counting: there was progress.
    pub(crate) fn reset(&mut self) {
        self.deadline = None;
    }

    /// Ready once the limit has passed since counting started; never if it did not.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.deadline {
            Some(deadline) => self.alarm.poll(cx, deadline),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_alarm_rings_at_its_deadline_and_can_be_set_again() {
        let start = now();
        let mut alarm = Alarm::default();
        for at in [5, 5, 20, 3] {
            poll_fn(|cx| alarm.poll(cx, start + Duration::from_millis(at))).await;
        }
        assert_eq!(now() - start, Duration::from_millis(20));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_ready_in_time_is_none() {
        let deadline = now() + Duration::from_secs(1);
        assert_eq!(before(deadline, async { 1 }).await, Some(1));
        assert_eq!(before(deadline, std::future::pending::<()>()).await, None);
    }

    #[test]
    fn the_frozen_clock_shows_the_first_second_of_2026() {
        assert_eq!(Clock::Frozen.unix(), 1_767_225_600);
        assert!(Clock::System.unix() > 1_767_225_600 - 86_400 * 366);
    }
}
