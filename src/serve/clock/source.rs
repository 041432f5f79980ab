//! The source of deadlines: a timer of the kernel, and a heap of what waits for it.
//!
//! tokio's own timer counts whole milliseconds and wakes one late; a `timerfd` wakes within 50 µs. Each
//! source has a task that waits for its timer and wakes who is due. Many of them share the load of many
//! threads: a lock is shared only by the connections of one source, and never held while they are woken.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::task::{self, AbortHandle};

use super::deadlines::Deadlines;
use super::system_now;

/// The sources of one listener: as many as its runtime has threads, once there are as many connections.
#[derive(Debug)]
pub(crate) struct Sources {
    epoch: Epoch,
    sources: Vec<Source>,
    /// Which is next, counted on for ever.
    next: usize,
}

impl Sources {
    pub(crate) fn new() -> Self {
        Self { epoch: Epoch::now(), sources: Vec::new(), next: 0 }
    }

    /// The source for the next connection; `None` where the system has no timer left.
    pub(crate) fn next(&mut self) -> Option<Source> {
        if self.sources.len() < Handle::current().metrics().num_workers() {
            // Without a further one, those that are there have more to do.
            self.sources.extend(Source::start(self.epoch));
        }
        self.next = self.next.wrapping_add(1);
        let index = self.next.checked_rem(self.sources.len())?;
        self.sources.get(index).cloned()
    }
}

/// A source of deadlines, for as long as somebody has it.
#[derive(Clone, Debug)]
pub(crate) struct Source(Arc<Driven>);

/// A timer whose task ends with it.
#[derive(Debug)]
struct Driven {
    timer: Arc<Timer>,
    driver: AbortHandle,
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Source {
    /// Makes a timer, and starts its task on the runtime that this is called in.
    fn start(epoch: Epoch) -> Option<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK);
        let fd = Arc::new(fd.ok()?);
        let alarms = Alarms { deadlines: Deadlines::new(), rings: Rings::Never };
        let timer = Arc::new(Timer { fd: Arc::clone(&fd), epoch, alarms: Mutex::new(alarms) });
        let driver = Driver { fd: watch(fd).ok()?, timer: Arc::clone(&timer) };
        let driver = task::spawn(driver.run()).abort_handle();
        Some(Self(Arc::new(Driven { timer, driver })))
    }

    /// A wait, for nothing yet.
    pub(super) fn entry(&self) -> Entry {
        Entry { key: self.0.timer.lock().deadlines.add(), source: self.clone() }
    }
}

#[expect(deprecated, reason = "it is about descriptors that may be closed meanwhile; an owned one is not")]
fn watch(fd: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}

/// A wait of one alarm.
#[derive(Debug)]
pub(super) struct Entry {
    source: Source,
    key: usize,
}

impl Entry {
    /// Wakes the task once `deadline` has passed; `false` if the source has ended.
    pub(super) fn set(&self, cx: &Context<'_>, deadline: Instant) -> bool {
        let waker = cx.waker().clone();
        let timer = &self.source.0.timer;
        let at = timer.epoch.offset(deadline);
        let mut alarms = timer.lock();
        if alarms.rings == Rings::NoMore {
            return false;
        }
        let before = alarms.deadlines.set(self.key, at, waker);
        timer.ring_by(&mut alarms, at);
        drop(alarms);
        // A waker may be all that is left of a task, whose end may come back here.
        drop(before);
        true
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let waker = self.source.0.timer.lock().deadlines.remove(self.key);
        drop(waker);
    }
}

/// The kernel's timer, and who waits for it.
#[derive(Debug)]
struct Timer {
    fd: Arc<OwnedFd>,
    epoch: Epoch,
    alarms: Mutex<Alarms>,
}

#[derive(Debug)]
struct Alarms {
    deadlines: Deadlines<Waker>,
    rings: Rings,
}

/// When the timer rings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Rings {
    /// At this moment, or it has and the task is about to look.
    At(u64),
    /// The task is at work, and sets it afterwards.
    Later,
    /// Nobody waits.
    Never,
    /// The task has ended.
    NoMore,
}

impl Timer {
    fn lock(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that the timer rings by the grain after `at`.
    fn ring_by(&self, alarms: &mut Alarms, at: u64) {
        let at = at.div_ceil(GRAIN).saturating_mul(GRAIN);
        match alarms.rings {
            Rings::At(rings) if rings <= at => {}
            Rings::Later | Rings::NoMore => {}
            Rings::At(_) | Rings::Never => {
                let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
                let value = Itimerspec { it_interval, it_value: self.epoch.kernels(at) };
                // Of what it can fail by, a wrong descriptor and a wrong time, neither is here.
                let _ = timerfd_settime(&*self.fd, TimerfdTimerFlags::ABSTIME, &value);
                alarms.rings = Rings::At(at);
            }
        }
    }

    /// Takes out who is due, at most [`BATCH`]; whether there are more.
    fn take_due(&self, due: &mut Vec<Waker>) -> bool {
        let now = self.epoch.offset(system_now());
        let mut alarms = self.lock();
        while due.len() < BATCH
            && let Some(waker) = alarms.deadlines.pop(now)
        {
            due.push(waker);
        }
        let first = alarms.deadlines.first();
        match first {
            Some(at) if at <= now => {
                alarms.rings = Rings::Later;
                true
            }
            Some(at) => {
                alarms.rings = Rings::Never;
                self.ring_by(&mut alarms, at);
                false
            }
            None => {
                alarms.rings = Rings::Never;
                false
            }
        }
    }

    /// Wakes everybody; they wait elsewhere from now on.
    fn end(&self) {
        let mut alarms = self.lock();
        alarms.rings = Rings::NoMore;
        let mut wakers = Vec::new();
        while let Some(waker) = alarms.deadlines.pop(u64::MAX) {
            wakers.push(waker);
        }
        drop(alarms);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The task of a source.
struct Driver {
    fd: AsyncFd<Arc<OwnedFd>>,
    timer: Arc<Timer>,
}

impl Driver {
    async fn run(self) {
        let mut due = Vec::with_capacity(BATCH);
        // It fails once the runtime ends.
        while let Ok(mut ready) = self.fd.readable().await {
            // It is not read: to set it anew makes it unreadable, and each time it rings is told.
            ready.clear_ready();
            while self.timer.take_due(&mut due) {
                due.drain(..).for_each(Waker::wake);
                // Who is due must not keep the listener from its turn.
                task::yield_now().await;
            }
            due.drain(..).for_each(Waker::wake);
        }
    }
}

/// It ends with its source, or with its runtime.
impl Drop for Driver {
    fn drop(&mut self) {
        self.timer.end();
    }
}

/// A moment by both clocks, the kernel's not before ours: what counts from it is late rather than early.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    ours: Instant,
    kernels: Timespec,
}

impl Epoch {
    fn now() -> Self {
        Self { ours: system_now(), kernels: clock_gettime(ClockId::Monotonic) }
    }

    /// Nanoseconds until a moment.
    fn offset(&self, moment: Instant) -> u64 {
        let offset = moment.saturating_duration_since(self.ours).as_nanos();
        u64::try_from(offset).unwrap_or(u64::MAX)
    }

    /// The moment after so many nanoseconds, as the kernel counts.
    fn kernels(&self, offset: u64) -> Timespec {
        let offset = Timespec::try_from(Duration::from_nanos(offset)).ok();
        offset.and_then(|offset| self.kernels.checked_add(offset)).unwrap_or(FOR_EVER)
    }
}

/// Deadlines are rounded up to a multiple of this, in nanoseconds, so that neighbours share a wake-up.
///
/// An event is late by half of it, on average; without it, each of many streams pays for waking the thread.
const GRAIN: u64 = 250_000;

/// How many are woken before others have a turn.
const BATCH: usize = 128;

/// As the kernel counts.
const FOR_EVER: Timespec = Timespec { tv_sec: i64::MAX, tv_nsec: 0 };
